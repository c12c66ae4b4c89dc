//! What this context states on the bus. The contracts are `events/Inventory*.schema.json`.

use crate::{
    counters::{Correction, Counts},
    domain::{EventName, Inventory},
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, InventoryId, Quantity, ReservationId, Text, TicketId, Timestamp,
};
use serde::Serialize;

macro_rules! about_an_inventory {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub OnSale);

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "inventory";
            fn aggregate_id(&self) -> String {
                self.0.inventory_id.to_string()
            }
        }
    )+};
}

about_an_inventory!(
    /// An event went on sale.
    InventoryCreated,
    /// Its terms or its number of seats changed.
    InventoryUpdated
);

/// What an event is sold under.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnSale {
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    total_seats: Quantity,
    price: Amount,
    currency: Currency,
    location: String,
}

impl From<&Inventory> for OnSale {
    fn from(inventory: &Inventory) -> Self {
        let terms = &inventory.terms;
        Self {
            inventory_id: inventory.id,
            event_name: terms.event_name.clone(),
            event_date: terms.event_date,
            total_seats: terms.total_seats,
            price: terms.price.amount,
            currency: terms.price.currency,
            location: terms.location.to_string(),
        }
    }
}

/// An event is no longer on sale.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryDeleted {
    /// Which.
    pub inventory_id: InventoryId,
    /// Its name, free again.
    pub event_name: EventName,
}

impl DomainEvent for InventoryDeleted {
    const TYPE: &'static str = "InventoryDeleted";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.inventory_id.to_string()
    }
}

/// Who had a look taken: an operator's name, or that of the schedule.
pub type RequestedBy = Text<100>;

/// An event's seat counters were put right: they did not count what its reservations hold.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryReconciled {
    /// Which event on sale.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// On whose word it was looked at.
    pub requested_by: RequestedBy,
    /// Its seats as they were counted.
    pub before: Counts,
    /// Its seats as they are counted now.
    pub after: Counts,
    /// The shards that were changed.
    pub shards: Vec<ShardReconciled>,
}

/// One shard's counters, before and after.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardReconciled {
    /// Which shard.
    pub shard: u32,
    /// As they were.
    pub before: Counts,
    /// As they are now.
    pub after: Counts,
}

impl From<&Correction> for ShardReconciled {
    fn from(Correction { seen, due }: &Correction) -> Self {
        Self { shard: seen.number, before: seen.into(), after: *due }
    }
}

impl DomainEvent for InventoryReconciled {
    const TYPE: &'static str = "InventoryReconciled";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.inventory_id.to_string()
    }
}

/// Which seats a reservation event is about. The aggregate is the reservation, not the event on sale: buyers of one hot
/// event must not queue for its next version number.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seats {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// The ticket; absent for seats reserved by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<TicketId>,
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// How many seats.
    pub quantity: Quantity,
}

macro_rules! about_seats {
    ($($(#[$doc:meta])* $name:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),+ })?),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Which seats.
            #[serde(flatten)]
            pub seats: Seats,
            $($($(#[$field_doc])* pub $field: $type,)+)?
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "inventory";
            fn aggregate_id(&self) -> String {
                self.seats.reservation_id.to_string()
            }
        }
    )+};
}

about_seats!(
    /// Seats went from available to held.
    InventoryReserved,
    /// Seats went from held to sold.
    InventorySold,
    /// Seats went back to available.
    InventoryReleased {
        /// Why.
        release_reason: String
    }
);
