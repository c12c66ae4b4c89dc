//! Admissions: the right of one person to enter, the code that proves it, and the door that lets them in.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | the admissions of a ticket; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns, each with its condition |
//! | [`door`] | check-in lists, devices, passages; pure |
//! | [`doors`] | the same at rest: who passes, decided and written |
//! | [`keys`] | the keys that codes are signed with and verified by |
//! | [`qr`] | a code as a picture |
//! | [`handlers`] | one file a function |
//!
//! Whether a code admits is decided by `boxoffice-admission`, which knows neither AWS nor the time.

pub mod domain;
pub mod door;
pub mod doors;
pub mod events;
pub mod handlers;
pub mod keys;
pub mod qr;
pub mod store;

pub use store::AdmissionStore;

use boxoffice_aws::{Journal, client};
use boxoffice_inventory::InventoryStore;
use boxoffice_runtime::config::{self, ConfigError};

/// Where admissions are shown: their store, the events they are for, and the key of their codes.
#[derive(Debug)]
pub struct Office {
    /// This context's store.
    pub admissions: AdmissionStore,
    /// The events on sale.
    pub inventory: InventoryStore,
    /// The key that codes are signed with.
    pub key: keys::SigningKey,
}

impl Office {
    /// The office that the environment describes.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = client::sdk_config();
        let dynamodb = client::dynamodb(&config);
        Ok(Self {
            admissions: AdmissionStore::from_env(dynamodb.clone())?,
            inventory: InventoryStore::from_env(dynamodb)?,
            key: keys::SigningKey::from_env(aws_sdk_ssm::Client::new(&config))?,
        })
    }
}

/// The store and journal of the saga's step.
pub fn step_from_env() -> Result<(AdmissionStore, Journal), ConfigError> {
    let dynamodb = client::dynamodb(&client::sdk_config());
    let journal = Journal::new(dynamodb.clone(), config::required("SAGAS_TABLE")?);
    Ok((AdmissionStore::from_env(dynamodb)?, journal))
}

/// The doors, and the events on sale that they are for.
#[derive(Debug)]
pub struct Doors {
    /// This context's doors.
    pub store: doors::DoorStore,
    /// The events on sale.
    pub inventory: InventoryStore,
}

impl Doors {
    /// The doors that the environment describes.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dynamodb = client::dynamodb(&client::sdk_config());
        Ok(Self {
            store: doors::DoorStore::new(AdmissionStore::from_env(dynamodb.clone())?),
            inventory: InventoryStore::from_env(dynamodb)?,
        })
    }
}

/// The doors of a function that needs nothing else.
pub fn doors_from_env() -> Result<doors::DoorStore, ConfigError> {
    Ok(doors::DoorStore::new(AdmissionStore::from_env(client::dynamodb(&client::sdk_config()))?))
}
