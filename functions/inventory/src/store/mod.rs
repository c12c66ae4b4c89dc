//! The inventory table: events on sale, their seats, and the tickets' reservations.
//!
//! | Module | Holds |
//! |---|---|
//! | [`seats`] | how tickets' seats move between counters: **the conditions that prevent overselling** |
//! | `items` | the table's items and keys |
//! | `read` | access patterns that read |
//! | `terms` | putting on sale, changing, taking off sale |
//! | `cancellations` | cancelling an event, and how far the walk over its bookings is |
//! | `by_hand` | seats reserved and returned by a MANAGER |
//! | `summaries` | the sums of each event's seats, for lists |
//! | `audit` | what `reconcile` reads and corrects |

mod audit;
mod by_hand;
mod cancellations;
mod items;
mod read;
pub mod seats;
mod summaries;
mod terms;

pub use by_hand::{Moved, Origin, RequestKey, SeatsError};
pub use cancellations::CancelError;
pub use items::{event_of_shard, shard_partition};
pub use seats::{Release, Renewal, SeatGuard, shard_seed};
pub use summaries::{Summarised, Sums};
pub use terms::{CreateError, DeleteError, UpdateError};

use aws_sdk_dynamodb::{Client, types::Put};
use boxoffice_aws::{EventStore, Item, StoreError, transaction::built};
use boxoffice_runtime::config::{self, ConfigError};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct InventoryStore {
    client: Client,
    table: String,
    events: EventStore,
}

impl InventoryStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        Self { client, table: table.into(), events }
    }

    /// The store in the tables that the environment names.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("INVENTORY_TABLE")?, events))
    }

    /// A put that is refused where the item exists already.
    fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        built(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build(),
        )
    }
}
