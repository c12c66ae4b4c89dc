//! Booking: the saga's own record, and who may take a booking on.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a saga as its journal shows it; pure |
//! | [`store`] | the access patterns, each with its condition |
//! | [`handlers`] | one file a function |
//!
//! The steps that act on seats, payments and tickets live with what they act on; the order of steps is
//! `statemachines/booking-saga.asl.json`.

pub mod domain;
pub mod handlers;
pub mod store;

pub use store::SagaStore;

use boxoffice_aws::client;
use boxoffice_runtime::config::ConfigError;

/// The store of a function that answers HTTP or claims.
pub fn store_from_env() -> Result<SagaStore, ConfigError> {
    SagaStore::from_env(client::dynamodb(&client::sdk_config()))
}
