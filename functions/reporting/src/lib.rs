//! Reporting: what has been sold and what a user has booked, each as one thing to read, kept from the events of the other contexts.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a booking as its events tell it, and what it adds to its event's sales; pure |
//! | [`news`] | what one event tells |
//! | [`ledger`] | each event that moves money, as postings that sum to zero; pure |
//! | [`csv`] | tables as CSV, which a spreadsheet reads as what they say |
//! | [`store`] | the access patterns, each with its condition |
//! | [`projector`] | events in, read models kept: live from the stream, and again from the event store |
//! | [`handlers`] | one file a function |
//!
//! It states nothing and decides nothing: all of it can be thrown away and made again ([`projector::Projector::rebuild`],
//! `docs/adr/0015-read-models.md`).

pub mod csv;
pub mod domain;
pub mod handlers;
pub mod ledger;
pub mod news;
pub mod projector;
pub mod store;

pub use projector::Projector;
pub use store::ViewStore;

use boxoffice_aws::client;
use boxoffice_runtime::config::{self, ConfigError};

/// The store of a function that shows a read model.
pub fn store_from_env() -> Result<ViewStore, ConfigError> {
    Ok(ViewStore::new(client::dynamodb(&client::sdk_config()), config::required("VIEWS_TABLE")?))
}
