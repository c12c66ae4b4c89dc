//! Notifications: what users are told, by which channel, and whether it reached them.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a notification, who may send it, and which status may follow which; pure |
//! | [`content`] | what each kind of message says, in text and HTML; pure |
//! | [`events`] | what this context states on the bus |
//! | [`sender`] | what sends a message, whoever it is |
//! | [`aws_sender`] | mail by SES, text and push messages by SNS |
//! | [`store`] | the access patterns, each with its condition |
//! | [`handlers`] | one file a function |
//!
//! Where a user is reached is kept here, from the users' events: no other context's table is read. Which event leads to which message, and
//! what is tried how often, is `statemachines/notification.asl.json`; `docs/adr/0014-notifications.md` says why.

pub mod aws_sender;
pub mod content;
pub mod domain;
pub mod events;
pub mod handlers;
pub mod sender;
pub mod store;

pub use store::NotificationStore;

use aws_sender::AwsSender;
use boxoffice_aws::client;
use boxoffice_runtime::config::ConfigError;

/// The store of a function that sends nothing.
///
/// # Errors
/// When a variable is missing.
pub fn store_from_env() -> Result<NotificationStore, ConfigError> {
    NotificationStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The store of the function that sends, and what it sends with.
///
/// # Errors
/// When a variable is missing or wrong.
pub fn sender_from_env() -> Result<(NotificationStore, AwsSender), ConfigError> {
    let sdk = client::sdk_config();
    let sender = AwsSender::from_env(aws_sdk_ses::Client::new(&sdk), aws_sdk_sns::Client::new(&sdk))?;
    Ok((store_from_env()?, sender))
}
