//! The events of this context. The contracts are `events/Inventory*.schema.json`.

use crate::{
    cancellation::Cancellation,
    counters::{Correction, Counts},
    domain::{EventName, Inventory, PurchaseLimits},
};
use boxoffice_kernel::{
    Amount, CancellationId, Currency, DomainEvent, InventoryId, Quantity, Reason, ReservationId, Text, TicketId,
    Timestamp, UserId,
};
use serde::Serialize;

/// An event went on sale.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct InventoryCreated(pub OnSale);

impl DomainEvent for InventoryCreated {
    const TYPE: &'static str = "InventoryCreated";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.0.inventory_id.to_string()
    }
}

/// Its terms or its number of seats changed.
#[derive(Debug, Clone, Serialize)]
pub struct InventoryUpdated {
    /// As it is now.
    #[serde(flatten)]
    pub on_sale: OnSale,
    /// The names of the fields that changed.
    pub changed: Vec<&'static str>,
}

impl InventoryUpdated {
    /// The difference between the old terms and the new.
    pub fn of(old: &Inventory, new: &Inventory) -> Self {
        let (before, after) = (&old.terms, &new.terms);
        let fields = [
            ("eventName", before.event_name != after.event_name),
            ("eventDate", before.event_date != after.event_date),
            ("totalSeats", before.total_seats != after.total_seats),
            ("price", before.price.amount != after.price.amount),
            ("currency", before.price.currency != after.price.currency),
            ("location", before.location != after.location),
            ("maxPerOrder", before.limits.max_per_order != after.limits.max_per_order),
            ("maxHeldPerBuyer", before.limits.max_held_per_buyer != after.limits.max_held_per_buyer),
            ("maxPerBuyer", before.limits.max_per_buyer != after.limits.max_per_buyer),
        ];
        let changed = fields.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name);
        Self { on_sale: new.into(), changed: changed.collect() }
    }
}

impl DomainEvent for InventoryUpdated {
    const TYPE: &'static str = "InventoryUpdated";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.on_sale.inventory_id.to_string()
    }
}

/// The terms of an event on sale.
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
    #[serde(flatten)]
    limits: PurchaseLimits,
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
            limits: terms.limits,
        }
    }
}

/// An event is no longer on sale.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryDeleted {
    /// The event on sale.
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

/// Its organiser cancelled an event: nobody books it any more.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryCancelled {
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    reason: Reason,
    requested_by: UserId,
}

impl InventoryCancelled {
    /// The event, for the reason its cancellation has.
    pub fn of(cancelled: &Inventory, walk: &Cancellation) -> Self {
        Self {
            inventory_id: cancelled.id,
            event_name: cancelled.terms.event_name.clone(),
            event_date: cancelled.terms.event_date,
            reason: walk.reason.clone(),
            requested_by: walk.requested_by,
        }
    }
}

impl DomainEvent for InventoryCancelled {
    const TYPE: &'static str = "InventoryCancelled";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.inventory_id.to_string()
    }
}

/// The walk over a cancelled event's bookings begins, or goes on. Starts its execution. The aggregate is the cancellation, not the event on sale: a walk that
/// is resumed changes no terms.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CancellationStarted {
    cancellation_id: CancellationId,
    inventory_id: InventoryId,
    event_name: EventName,
    run: u32,
    reason: Reason,
    requested_by: UserId,
}

impl CancellationStarted {
    /// This run.
    pub fn of(walk: &Cancellation) -> Self {
        Self {
            cancellation_id: walk.inventory_id.cancellation(),
            inventory_id: walk.inventory_id,
            event_name: walk.event_name.clone(),
            run: walk.run,
            reason: walk.reason.clone(),
            requested_by: walk.requested_by,
        }
    }
}

impl DomainEvent for CancellationStarted {
    const TYPE: &'static str = "CancellationStarted";
    const CONTEXT: &'static str = "inventory";
    fn aggregate_id(&self) -> String {
        self.cancellation_id.to_string()
    }
}

/// The initiator: an operator's name, or that of the schedule.
pub type RequestedBy = Text<100>;

/// An event's seat counters were put right: they did not count what its reservations hold.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryReconciled {
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// The initiator.
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
    /// The shard.
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

/// The seats that a reservation event is about. The aggregate is the reservation, not the event on sale: buyers of one hot
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
            /// The seats.
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
        /// The reason for the release.
        release_reason: String
    }
);
