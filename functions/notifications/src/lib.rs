//! Notifications: what users are told, by which channel, and whether it reached them.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a notification, who may send it, and which status may follow which; pure |
//! | [`codes`] | the codes of a ticket, drawn by the admissions context |
//! | [`content`] | what each kind of message says, in text and HTML; pure |
//! | [`events`] | what this context states on the bus |
//! | [`sender`] | what sends a message, whoever it is |
//! | [`mime`] | a mail with pictures and a calendar file; pure |
//! | [`aws_sender`] | mail by SES, text and push messages by SNS |
//! | [`queue`] | the queue of messages to send: what Lambda hands over of it, and how long a message stays out of sight |
//! | [`patience`] | how long to wait before the next try, and when to give up; pure |
//! | [`record`] | what an event has to tell its user |
//! | [`store`] | the access patterns, each with its condition |
//! | [`handlers`] | one file a function |
//!
//! Where a user is reached is kept here, from the users' events: no other context's table is read. Messages wait in a queue that one function empties,
//! at the rate that the mail service takes; `docs/adr/0029-messages-wait-in-a-queue.md` says why.

pub mod aws_sender;
pub mod codes;
pub mod content;
pub mod domain;
pub mod events;
pub mod handlers;
pub mod mime;
pub mod patience;
pub mod queue;
pub mod record;
pub mod sender;
pub mod store;

pub use store::NotificationStore;

use boxoffice_aws::client;
use boxoffice_runtime::config::ConfigError;

/// The store, as the environment names it.
///
/// # Errors
/// When a variable is missing.
pub fn store_from_env() -> Result<NotificationStore, ConfigError> {
    NotificationStore::from_env(client::dynamodb(&client::sdk_config()))
}
