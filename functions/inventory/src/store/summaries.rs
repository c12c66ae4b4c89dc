//! The summary of each event: its seats summed over all shards, so that a list reads one item of an event and not up to 90.
//!
//! A summary follows the shards by the table's stream. Any number of summarisers may be at work on one event, each on shards as it read them, and the last to
//! write must not be the one that read first. A version decides that, without a clock ([ADR 46](../../../../docs/adr/0046-a-summary-of-each-event.md)):
//!
//! - A summariser reads the version first and the shards after it, and writes on condition that the version is still that one.
//! - It writes although the sums are the same, because the new version refuses whoever read older shards under the old one.
//! - One that is refused looks again, once. If it is refused again, then another read a version that was written after the first look, and the shards after
//!   that: its sums have all that this one would have written.

use super::{
    InventoryStore,
    items::{SUMMARY, SummaryItem, summary_key},
};
use crate::{
    counters::{Counter, Counts},
    domain::SeatCounts,
};
use boxoffice_aws::{
    Freshness, Item, StoreError,
    attribute::{number, text},
    batch,
    transaction::{self, Written, conditional, read},
};
use boxoffice_kernel::InventoryId;
use std::collections::BTreeMap;

/// The outcome of summing up an event's seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summarised {
    /// The sums are written.
    Written,
    /// Others wrote sums of shards that they read after this summariser began.
    Overtaken,
    /// The event is off sale, and has no summary.
    OffSale,
}

/// A summary that a summariser is about to write, and the version that it was made on.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    id: InventoryId,
    seats: SeatCounts,
    /// 0 where there was no summary.
    seen: u64,
}

impl InventoryStore {
    /// AP-540 get the summaries of events (at most 100, each once), as they were a moment ago; those there are.
    pub async fn summaries(&self, events: &[InventoryId]) -> Result<BTreeMap<InventoryId, SeatCounts>, StoreError> {
        let key = |id: &InventoryId| Item::from([("pk".into(), summary_key(*id)), ("sk".into(), text(SUMMARY))]);
        let keys = events.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        let seats = found.into_iter().map(|item| {
            let summary: SummaryItem = read("summary", item)?;
            Ok((summary.inventory_id, summary.seats()))
        });
        seats.collect()
    }

    /// AP-541 sum up an event's seats. Afterwards its summary has every change that was committed before this began.
    pub async fn summarise(&self, id: InventoryId) -> Result<Summarised, StoreError> {
        /// One that is refused so often is overtaken.
        const LOOKS: usize = 2;
        for _ in 0..LOOKS {
            let Some(sums) = self.sums(id).await? else { return Ok(Summarised::OffSale) };
            if self.write_sums(&sums).await? == Written::Yes {
                return Ok(Summarised::Written);
            }
        }
        Ok(Summarised::Overtaken)
    }

    /// An event's seats, summed up after the summary's version was read; nothing when it is off sale.
    pub async fn sums(&self, id: InventoryId) -> Result<Option<Sums>, StoreError> {
        let found = transaction::get(&self.client, &self.table, summary_key(id), SUMMARY).await?;
        let summary = found.map(|item| read::<SummaryItem>("summary", item)).transpose()?;
        let Some((_, shards)) = self.whole::<Counter>(id).await? else { return Ok(None) };
        let seats = Counts::of(&shards).into();
        Ok(Some(Sums { id, seats, seen: summary.map_or(0, |summary| summary.version) }))
    }

    /// Writes sums as the next version of the summary, if it is the version that they were made on.
    pub async fn write_sums(&self, sums: &Sums) -> Result<Written, StoreError> {
        let item = SummaryItem::new(sums.id, sums.seats, sums.seen + 1).to_item()?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = match sums.seen {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            seen => put.condition_expression("version = :seen").expression_attribute_values(":seen", number(seen)),
        };
        conditional(put.send().await)
    }
}
