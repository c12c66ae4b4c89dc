//! The table's items and keys.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | terms of an event on sale | `INV#<inventoryId>` | `TERMS` |
//! | some of its seats | `INV#<inventoryId>`, of later shards `INV#<inventoryId>#<partition>` | `SHARD#<number>` |
//! | its name, taken | `NAME#<its canonical spelling>` | `NAME` |
//! | a ticket's seats | `RSV#<reservationId>` | `RSV` |
//! | an idempotency key, used | `KEY#<userId>#<key>` | `KEY` |
//! | its summary: the sums over its shards, as they were a moment ago | `SUM#<inventoryId>` | `SUMMARY` |
//! | what its counters were when they were proven | `PROOF#<inventoryId>` | `PROOF` |
//! | its cancellation, and how far the walk over its bookings is | `CAN#<inventoryId>` | `CANCELLATION` |
//!
//! `gsi1` lists the terms by id (that is, by time), `gsi2` by event date.

use super::RequestKey;
use crate::domain::{
    EventName, Inventory, ListedInventory, Location, MAX_SHARDS, PurchaseLimits, Reservation, SHARDS_PER_PARTITION,
    SeatCounts, Shard, Terms,
};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{Item, StoreError, attribute::text, transaction::write};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Quantity, ReservationId, Timestamp, money};
use serde::{Deserialize, Serialize};

pub(super) fn inventory_key(id: InventoryId) -> AttributeValue {
    text(format_args!("INV#{id}"))
}

/// A partition of an event: the first has its terms too, and is all there is of a small one.
pub(super) fn partition_key(id: InventoryId, partition: u32) -> AttributeValue {
    match partition {
        0 => inventory_key(id),
        later => text(format_args!("INV#{id}#{later:02}")),
    }
}

/// The partition of an event that has this shard.
pub fn shard_partition(id: InventoryId, shard: u32) -> AttributeValue {
    partition_key(id, shard / SHARDS_PER_PARTITION)
}

pub(super) fn shard_key(number: u32) -> String {
    format!("SHARD#{number:03}")
}

/// The event that has this item, where the item is a shard.
pub fn event_of_shard(pk: &str, sk: &str) -> Option<InventoryId> {
    let event = pk.strip_prefix("INV#").filter(|_| sk.starts_with("SHARD#"))?;
    event.split('#').next()?.parse().ok()
}

/// In a partition of its own: what lies in an event's partitions is terms and shards, and read with each hold.
pub(super) fn summary_key(id: InventoryId) -> AttributeValue {
    text(format_args!("SUM#{id}"))
}

pub(super) fn cancellation_key(id: InventoryId) -> AttributeValue {
    text(format_args!("CAN#{id}"))
}

pub(super) fn name_key(name: &EventName) -> AttributeValue {
    text(format_args!("NAME#{}", name.canonical()))
}

pub(super) fn reservation_key(id: ReservationId) -> AttributeValue {
    text(format_args!("RSV#{id}"))
}

pub(super) const KEY: &str = "KEY";
pub(super) const TERMS: &str = "TERMS";
pub(super) const SUMMARY: &str = "SUMMARY";
pub(super) const RSV: &str = "RSV";
pub(super) const CANCELLATION: &str = "CANCELLATION";

pub(super) fn idempotency_key(RequestKey { user_id, key }: &RequestKey) -> AttributeValue {
    text(format_args!("KEY#{user_id}#{key}"))
}

/// The partition under which `gsi1` and `gsi2` list what is on sale.
pub(super) const ON_SALE: &str = "ON_SALE";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TermsItem {
    pub(super) id: InventoryId,
    pub(super) event_name: EventName,
    pub(super) event_date: Timestamp,
    pub(super) total_seats: Quantity,
    #[serde(with = "money::minor")]
    pub(super) price_minor: Amount,
    pub(super) currency: Currency,
    pub(super) location: Location,
    #[serde(flatten)]
    pub(super) limits: PurchaseLimits,
    /// How many shards there are, and so in how many partitions.
    pub(super) shards: u32,
    pub(super) version: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cancelled_at: Option<Timestamp>,
}

impl From<&Inventory> for TermsItem {
    fn from(inventory: &Inventory) -> Self {
        let terms = &inventory.terms;
        Self {
            id: inventory.id,
            event_name: terms.event_name.clone(),
            event_date: terms.event_date,
            total_seats: terms.total_seats,
            price_minor: terms.price.amount,
            currency: terms.price.currency,
            location: terms.location.clone(),
            limits: terms.limits,
            shards: u32::try_from(inventory.shards.len()).unwrap_or(MAX_SHARDS),
            version: inventory.version,
            created_at: inventory.created_at,
            updated_at: inventory.updated_at,
            cancelled_at: inventory.cancelled_at,
        }
    }
}

impl TermsItem {
    /// In how many partitions the shards lie.
    pub(super) fn partitions(&self) -> u32 {
        self.shards.div_ceil(SHARDS_PER_PARTITION)
    }

    pub(super) fn into_terms(self) -> Terms {
        Terms {
            event_name: self.event_name,
            event_date: self.event_date,
            total_seats: self.total_seats,
            price: Money { amount: self.price_minor, currency: self.currency },
            location: self.location,
            limits: self.limits,
        }
    }

    pub(super) fn into_inventory(self, mut shards: Vec<Shard>) -> Inventory {
        shards.sort_by_key(|shard| shard.number);
        let Self { id, version, created_at, updated_at, cancelled_at, .. } = self;
        Inventory { id, terms: self.into_terms(), version, created_at, updated_at, cancelled_at, shards }
    }

    pub(super) fn into_listed(self, seats: SeatCounts) -> ListedInventory {
        let Self { id, version, created_at, updated_at, cancelled_at, .. } = self;
        ListedInventory { id, terms: self.into_terms(), version, created_at, updated_at, cancelled_at, seats }
    }

    pub(super) fn into_item(self) -> Result<Item, StoreError> {
        let id = self.id;
        let by_date = text(format_args!("{}#{id}", self.event_date));
        let mut item = write(&self, inventory_key(id), TERMS)?;
        item.extend([
            ("gsi1pk".into(), text(ON_SALE)),
            ("gsi1sk".into(), text(id)),
            ("gsi2pk".into(), text(ON_SALE)),
            ("gsi2sk".into(), by_date),
        ]);
        Ok(item)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShardItem {
    pub(super) number: u32,
    pub(super) available: u32,
    pub(super) held: u32,
    pub(super) sold: u32,
    pub(super) reserved: u32,
    pub(super) inventory_version: u64,
}

impl From<ShardItem> for Shard {
    fn from(item: ShardItem) -> Self {
        let ShardItem { number, available, held, sold, reserved, .. } = item;
        Self { number, available, held, sold, reserved }
    }
}

/// The sums over an event's shards. Nothing of the terms is in it, so a change of terms does not touch it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SummaryItem {
    pub(super) inventory_id: InventoryId,
    pub(super) available: u32,
    pub(super) held: u32,
    pub(super) sold: u32,
    /// How often it has been written.
    pub(super) version: u64,
}

impl SummaryItem {
    pub(super) fn new(inventory_id: InventoryId, seats: SeatCounts, version: u64) -> Self {
        let SeatCounts { available, held, sold } = seats;
        Self { inventory_id, available, held, sold, version }
    }

    pub(super) fn seats(&self) -> SeatCounts {
        SeatCounts { available: self.available, held: self.held, sold: self.sold }
    }

    pub(super) fn to_item(&self) -> Result<Item, StoreError> {
        write(self, summary_key(self.inventory_id), SUMMARY)
    }
}

pub(super) fn new_shard(inventory: &Inventory, shard: u32, seats: u32) -> Result<Item, StoreError> {
    let item = ShardItem {
        number: shard,
        available: seats,
        held: 0,
        sold: 0,
        reserved: 0,
        inventory_version: inventory.version,
    };
    write(&item, shard_partition(inventory.id, shard), &shard_key(shard))
}

impl Reservation {
    pub(super) fn to_item(&self) -> Result<Item, StoreError> {
        write(self, reservation_key(self.id), RSV)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_of_any_partition_names_its_event_and_no_other_item_does() {
        let id = InventoryId::generate();
        for shard in [0, 3, 4, 89] {
            let key = shard_partition(id, shard);
            assert_eq!(event_of_shard(key.as_s().unwrap(), &shard_key(shard)), Some(id), "{shard}");
        }
        let others = [
            (inventory_key(id), TERMS),
            (summary_key(id), SUMMARY),
            (cancellation_key(id), CANCELLATION),
            (reservation_key(boxoffice_kernel::TicketId::generate().reservation()), RSV),
        ];
        for (pk, sk) in others {
            assert_eq!(event_of_shard(pk.as_s().unwrap(), sk), None, "{pk:?}");
        }
        assert_eq!(event_of_shard("INV#inv_1", "SHARD#000"), None);
    }
}
