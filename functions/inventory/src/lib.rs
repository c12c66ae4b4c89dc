//! Inventory: what is on sale, and its seats.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | an event on sale, its shards of seats, and every decision about them; pure |
//! | [`cancellation`] | the cancellation of an event: how far the walk over its bookings is, and its account; pure |
//! | [`counters`] | seat counters against the reservations they count; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns, each with its condition |
//! | [`handlers`] | one file a function |
//!
//! The one rule that everything here serves: **total = available + held + sold**, at every moment, for every event.

pub mod cancellation;
pub mod counters;
pub mod domain;
pub mod events;
pub mod handlers;
pub mod store;

pub use cancellation::Cancellation;
pub use domain::{EventName, Inventory};
pub use store::{InventoryStore, SeatGuard};

use boxoffice_aws::client;
use boxoffice_runtime::config::{self, ConfigError};

/// Everything a function of this context needs, built once.
#[derive(Debug, Clone)]
pub struct App {
    /// The context's tables.
    pub store: InventoryStore,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dynamodb = client::dynamodb(&client::sdk_config());
        Ok(Self { store: InventoryStore::from_env(dynamodb)? })
    }
}

/// The dependencies of this context's saga steps, built once, with the journal.
pub fn step_from_env() -> Result<(InventoryStore, boxoffice_aws::Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = boxoffice_aws::Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((InventoryStore::from_env(dynamodb)?, journal))
}
