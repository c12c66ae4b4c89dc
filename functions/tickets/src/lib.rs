//! Tickets: a booking of seats by one user, from hold to confirmation or cancellation.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a ticket, and which status may follow which; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns, each with its condition |
//! | [`pool`] | how many seats of an event a buyer has, within the event's limits |
//! | [`walk`] | the walk over the bookings of a cancelled event |
//! | [`handlers`] | one file a function |
//!
//! This is the one context that writes other contexts' tables, and only in one transaction with its own: taking seats and creating the
//! ticket that holds them, and its payment, are one fact, and so are selling them and confirming it
//! (`docs/adr/0002-one-transaction-for-seats-and-ticket.md`).

pub mod domain;
pub mod events;
pub mod handlers;
pub mod pool;
pub mod store;
pub mod walk;

pub use store::TicketStore;

use boxoffice_aws::{Budget, Journal, client};
use boxoffice_payments::PaymentStore;
use boxoffice_runtime::config::{self, ConfigError};
use boxoffice_saga::SagaStore;

/// In how many seconds an address has its budget of orders.
const ORDERS_SECONDS: u32 = 600;

/// The store of a function that books: with the seats and the payments.
pub fn desk_from_env() -> Result<store::Desk, ConfigError> {
    store::Desk::from_env(client::dynamodb(&client::sdk_config()))
}

/// How many orders an address may send in ten minutes, over all accounts.
///
/// # Errors
/// When a variable is missing or wrong.
pub fn orders_from_env() -> Result<Budget, ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let most = config::parsed("ORDERS_PER_ADDRESS")?;
    Ok(Budget::new(dynamodb, config::required("TICKETS_TABLE")?, most, ORDERS_SECONDS))
}

/// How many mails of a ticket its owner may ask for in an hour.
const MAILS: u32 = 3;
const MAILS_OF_USER: u32 = 10;
const MAILS_SECONDS: u32 = 3600;

/// How often mails of tickets may be asked for.
#[derive(Debug, Clone)]
pub struct Mails {
    /// The mail of one ticket.
    pub of_ticket: Budget,
    /// The mails of all tickets of a user, which wait in one queue with everybody's.
    pub of_user: Budget,
}

impl Mails {
    /// Counted in this table.
    pub fn new(client: aws_sdk_dynamodb::Client, table: &str) -> Self {
        let budget = |most| Budget::new(client.clone(), table, most, MAILS_SECONDS);
        Self { of_ticket: budget(MAILS), of_user: budget(MAILS_OF_USER) }
    }

    /// Counted in the table that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::new(client::dynamodb(&client::sdk_config()), &config::required("TICKETS_TABLE")?))
    }
}

/// The store of a function that only knows tickets.
pub fn store_from_env() -> Result<TicketStore, ConfigError> {
    TicketStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The store and journal of a saga step that only knows tickets.
pub fn step_from_env() -> Result<(TicketStore, Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((TicketStore::from_env(dynamodb)?, journal))
}

/// The tickets and the events they are for.
///
/// # Errors
/// When a variable is missing.
pub fn tickets_and_events_from_env() -> Result<store::Sale, ConfigError> {
    store::Sale::from_env(client::dynamodb(&client::sdk_config()))
}

/// The walk over the bookings of a cancelled event.
///
/// # Errors
/// When a variable is missing or wrong.
pub fn walk_from_env() -> Result<walk::Walk, ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let per_second = config::parsed("CANCELLATIONS_PER_SECOND")?;
    let (payments, sagas) = (PaymentStore::from_env(dynamodb.clone())?, SagaStore::from_env(dynamodb.clone())?);
    Ok(walk::Walk::new(store::Sale::from_env(dynamodb)?, payments, sagas, per_second))
}

/// The stores and journal of the step that sells the seats with the ticket.
pub fn sale_from_env() -> Result<(store::Sale, Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((store::Sale::from_env(dynamodb)?, journal))
}
