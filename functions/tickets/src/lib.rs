//! Tickets: a booking of seats by one user, from hold to confirmation or cancellation.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a ticket, and which status may follow which; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns, each with its condition |
//! | [`handlers`] | one file a function |
//!
//! This is the one context that writes other contexts' tables, and only in one transaction with its own: taking seats and creating the
//! ticket that holds them are one fact, and so are selling them and confirming it (`docs/adr/0002-one-transaction-for-seats-and-ticket.md`).

pub mod domain;
pub mod events;
pub mod handlers;
pub mod store;

pub use store::TicketStore;

use boxoffice_aws::{Journal, client};
use boxoffice_runtime::config::{self, ConfigError};

/// The store of a function that books: with the seats, and with where to leave payment instructions.
///
/// # Errors
/// When a variable is missing or wrong.
pub fn desk_from_env() -> Result<store::Desk, ConfigError> {
    store::Desk::from_env(client::dynamodb(&client::sdk_config()))
}

/// The store of a function that only knows tickets.
///
/// # Errors
/// When a variable is missing.
pub fn store_from_env() -> Result<TicketStore, ConfigError> {
    TicketStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The store and journal of a saga step that only knows tickets.
///
/// # Errors
/// When a variable is missing.
pub fn step_from_env() -> Result<(TicketStore, Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((TicketStore::from_env(dynamodb)?, journal))
}

/// The stores and journal of the step that sells the seats with the ticket.
///
/// # Errors
/// When a variable is missing.
pub fn sale_from_env() -> Result<(store::Sale, Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((store::Sale::from_env(dynamodb)?, journal))
}
