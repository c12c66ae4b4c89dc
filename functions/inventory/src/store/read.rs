//! Access patterns that read events on sale and their seats.

use super::{
    InventoryStore,
    items::{ON_SALE, RSV, ShardItem, TERMS, TermsItem, inventory_key, name_key, partition_key, reservation_key},
};
use crate::domain::{
    Allocation, EventName, Inventory, ListedInventory, NotForSale, Reservation, SHARDS_PER_PARTITION, Shard,
    VersionedTerms,
};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use boxoffice_aws::{
    Cursor, Freshness, Item, Limit, ListError, Page, StoreError,
    attribute::{number, text},
    batch,
    page::InvalidCursor,
    transaction::{self, read},
};
use boxoffice_kernel::{InventoryId, Quantity, TicketId, Timestamp};
use futures_util::future::{try_join, try_join_all};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// The key attributes of `gsi1`, and of `gsi2`.
const BY_TIME: [&str; 4] = ["gsi1pk", "gsi1sk", "pk", "sk"];
pub(super) const BY_DATE: [&str; 4] = ["gsi2pk", "gsi2sk", "pk", "sk"];

/// The key of what a page ended with, in an index of what is on sale.
fn position(cursor: Option<Cursor>, index: &[&str]) -> Result<Option<Item>, InvalidCursor> {
    cursor.map(|cursor| cursor.into_key(index, ON_SALE)).transpose()
}

/// The key of an item in an index that has these key attributes.
fn index_key(item: &Item, index: &[&str]) -> Item {
    index.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
}

impl InventoryStore {
    /// AP-10 get inventory: the terms and every shard, consistently.
    pub async fn get(&self, id: InventoryId) -> Result<Option<Inventory>, StoreError> {
        let found = self.whole::<ShardItem>(id).await?;
        Ok(found.map(|(terms, shards)| terms.into_inventory(shards.into_iter().map(Shard::from).collect())))
    }

    /// AP-48 plan a hold: the event under the terms there are, and the seats to take.
    ///
    /// A first look is at one partition, in turn, and not a consistent one, so that a crowd of buyers does not read every shard for each of its bookings: the
    /// conditions of the write prove what it shows. Only a look at all shards as they are refuses, and so does each after the first.
    pub async fn plan_hold(
        &self,
        id: InventoryId,
        quantity: Quantity,
        seed: usize,
        round: usize,
        now: Timestamp,
    ) -> Result<Option<(Inventory, Result<Vec<Allocation>, NotForSale>)>, StoreError> {
        if round == 0
            && let Some(glimpse) = self.glimpse(id, seed).await?
            && let Ok(plan) = glimpse.plan_hold(quantity, seed, now)
        {
            return Ok(Some((glimpse, Ok(plan))));
        }
        let Some(inventory) = self.get(id).await? else { return Ok(None) };
        let plan = inventory.plan_hold(quantity, seed, now);
        Ok(Some((inventory, plan)))
    }

    /// The terms, and the shards of the partition in turn, as they were a moment ago: to plan on, not to refuse on.
    async fn glimpse(&self, id: InventoryId, seed: usize) -> Result<Option<Inventory>, StoreError> {
        let Some((terms, mut shards)) = self.first_partition(id, Freshness::Eventual).await? else { return Ok(None) };
        let partitions = terms.partitions();
        // Not by the digits of the seed that choose a shard within the partition.
        let turn = seed / SHARDS_PER_PARTITION as usize % partitions.max(1) as usize;
        let turn = u32::try_from(turn).unwrap_or(0);
        if turn > 0 {
            shards = self.partition(id, turn, Freshness::Eventual).await?;
        }
        let shards = shards.into_iter().map(|item| read::<ShardItem>("shard", item).map(Shard::from));
        Ok(Some(terms.into_inventory(shards.collect::<Result<_, _>>()?)))
    }

    /// The terms and every shard, as whatever its reader makes of one; nothing when it is off sale.
    pub(super) async fn whole<S: DeserializeOwned>(
        &self,
        id: InventoryId,
    ) -> Result<Option<(TermsItem, Vec<S>)>, StoreError> {
        /// How many partitions are read at once: each takes a connection.
        const AT_ONCE: usize = 4;
        /// How often to look again when the terms were rewritten meanwhile.
        const LOOKS: usize = 3;
        let mut look = 0;
        loop {
            look += 1;
            let Some((terms, mut items)) = self.first_partition(id, Freshness::Consistent).await? else {
                return Ok(None);
            };
            let later: Vec<_> = (1..terms.partitions()).collect();
            for some in later.chunks(AT_ONCE) {
                let some = some.iter().map(|partition| self.partition(id, *partition, Freshness::Consistent));
                items.extend(try_join_all(some).await?.into_iter().flatten());
            }
            // A change of terms rewrites every shard, so a shard under other terms was read before or after it.
            let version = number(terms.version);
            let current = items.iter().all(|item| item.get("inventoryVersion") == Some(&version));
            if current || later.is_empty() || look == LOOKS {
                let shards = items.into_iter().map(|item| read("shard", item)).collect::<Result<_, _>>()?;
                return Ok(Some((terms, shards)));
            }
        }
    }

    /// The terms and the first shards; nothing when it is off sale.
    async fn first_partition(
        &self,
        id: InventoryId,
        freshness: Freshness,
    ) -> Result<Option<(TermsItem, Vec<Item>)>, StoreError> {
        let mut terms = None;
        let mut shards = Vec::new();
        for item in self.partition(id, 0, freshness).await? {
            match item.get("sk").and_then(|sk| sk.as_s().ok()).map(String::as_str) {
                Some(TERMS) if item.contains_key("deletedAt") => return Ok(None),
                Some(TERMS) => terms = Some(read::<TermsItem>("terms", item)?),
                _ => shards.push(item),
            }
        }
        Ok(terms.map(|terms| (terms, shards)))
    }

    /// Everything in one partition of an event.
    async fn partition(&self, id: InventoryId, partition: u32, freshness: Freshness) -> Result<Vec<Item>, StoreError> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", partition_key(id, partition))
            .consistent_read(freshness.is_consistent())
            .into_paginator()
            .items()
            .send();
        pages.collect::<Result<_, _>>().await.map_err(StoreError::from_sdk)
    }

    /// AP-281 get the terms of events (at most 100, each once), as they are now; those of an event that is off sale as they were when it was taken off.
    pub async fn terms(&self, events: &[InventoryId]) -> Result<BTreeMap<InventoryId, VersionedTerms>, StoreError> {
        let terms = self.terms_items(events).await?.into_iter().map(|item| {
            let item: TermsItem = read("terms", item)?;
            Ok((item.id, VersionedTerms { version: item.version, terms: item.into_terms() }))
        });
        terms.collect()
    }

    async fn terms_items(&self, events: &[InventoryId]) -> Result<Vec<Item>, StoreError> {
        let key = |id: &InventoryId| Item::from([("pk".into(), inventory_key(*id)), ("sk".into(), text(TERMS))]);
        let keys = events.iter().map(key).collect();
        batch::get(&self.client, &self.table, keys, Freshness::Consistent).await
    }

    /// Those of these events (at most 100) that are on sale, as lists show them. Two batches read them, however many shards they have; only of an event without a
    /// summary, put on sale before there were any, the shards are read.
    async fn listed(
        &self,
        events: &BTreeSet<InventoryId>,
    ) -> Result<BTreeMap<InventoryId, ListedInventory>, StoreError> {
        let events: Vec<_> = events.iter().copied().collect();
        let (terms, summaries) = try_join(self.terms_items(&events), self.summaries(&events)).await?;
        let (mut listed, mut without) = (BTreeMap::new(), Vec::new());
        for item in terms.into_iter().filter(|item| !item.contains_key("deletedAt")) {
            let terms: TermsItem = read("terms", item)?;
            match summaries.get(&terms.id) {
                Some(seats) => _ = listed.insert(terms.id, terms.into_listed(*seats)),
                None => without.push(terms.id),
            }
        }
        let read_whole = try_join_all(without.into_iter().map(|id| self.get(id))).await?;
        listed.extend(read_whole.into_iter().flatten().map(|inventory| (inventory.id, inventory.listed())));
        Ok(listed)
    }

    /// AP-11 find inventory by name.
    pub async fn find(&self, name: &EventName) -> Result<Option<InventoryId>, StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct NameItem {
            inventory_id: InventoryId,
        }
        let found = transaction::get(&self.client, &self.table, name_key(name), "NAME").await?;
        found.map(|item| read::<NameItem>("name", item).map(|item| item.inventory_id)).transpose()
    }

    /// AP-12 list inventory, newest first.
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<ListedInventory>, ListError> {
        self.page(self.newest_first(), &BY_TIME, limit, position(cursor, &BY_TIME)?, |_| true).await
    }

    fn newest_first(&self) -> QueryFluentBuilder {
        self.client
            .query()
            .index_name("gsi1")
            .key_condition_expression("gsi1pk = :all")
            .expression_attribute_values(":all", text(ON_SALE))
            .scan_index_forward(false)
    }

    /// AP-13 list inventory by event date, soonest first, from `start` up to and including `end`.
    pub async fn list_by_date(
        &self,
        start: Timestamp,
        end: Option<Timestamp>,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<ListedInventory>, ListError> {
        let within = |inventory: &ListedInventory| {
            let date = inventory.terms.event_date;
            start <= date && end.is_none_or(|end| date <= end)
        };
        self.between(start, end, limit, cursor, within).await
    }

    /// AP-280 list what can be booked, soonest first: what begins after `now` and had seats left a moment ago.
    pub async fn list_bookable(
        &self,
        now: Timestamp,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<ListedInventory>, ListError> {
        let bookable = |inventory: &ListedInventory| inventory.is_on_sale(now) && inventory.seats.available > 0;
        self.between(now, None, limit, cursor, bookable).await
    }

    /// A page of `gsi2` between two dates, with those events that are `such` now.
    async fn between(
        &self,
        start: Timestamp,
        end: Option<Timestamp>,
        limit: Limit,
        cursor: Option<Cursor>,
        such: impl Fn(&ListedInventory) -> bool,
    ) -> Result<Page<ListedInventory>, ListError> {
        // '$' follows '#', so it is after every id of that very date.
        let (start, end) = (start.to_string(), end.map_or_else(|| "~".to_owned(), |end| format!("{end}$")));
        // DynamoDB takes no position outside the range. One before it is behind us already: what is still to come moves on with time.
        let after = position(cursor, &BY_DATE)?;
        let place = after.as_ref().and_then(|key| key.get("gsi2sk")?.as_s().ok());
        if place.is_some_and(|place| *place > end) {
            return Err(InvalidCursor.into());
        }
        let after = if place.is_some_and(|place| *place < start) { None } else { after };
        let query = self
            .client
            .query()
            .index_name("gsi2")
            .key_condition_expression("gsi2pk = :all AND gsi2sk BETWEEN :start AND :end")
            .expression_attribute_values(":all", text(ON_SALE))
            .expression_attribute_values(":start", text(start))
            .expression_attribute_values(":end", text(end));
        self.page(query, &BY_DATE, limit, after, such).await
    }

    /// A page of an index, with those events that are `such`: the index finds them, terms and summaries decide. Events deleted since the index was
    /// written are skipped.
    ///
    /// The page holds at most `limit` events, and at least one where another page follows. It reads further while it is empty, and takes up to
    /// `LOOKS` steps to become full.
    async fn page(
        &self,
        query: QueryFluentBuilder,
        index: &[&str],
        limit: Limit,
        mut after: Option<Item>,
        such: impl Fn(&ListedInventory) -> bool,
    ) -> Result<Page<ListedInventory>, ListError> {
        /// How many steps a page takes at most to become full.
        const LOOKS: usize = 5;
        /// How many events a step looks at when the page asked for is smaller: a season of sold-out events is passed over in few steps.
        const STEP: usize = 20;
        let mut items = Vec::new();
        for look in 1.. {
            let step = if look == 1 { limit.get() } else { limit.get().max(STEP) };
            let (found, mut more) = self.entries(query.clone(), step, after.take()).await?;
            let ids = found.iter().map(|item| read("terms", item.clone()).map(|TermsItem { id, .. }| id));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            // While an index follows a change of date it may have an event twice, and a batch takes each key once.
            let mut listed = self.listed(&ids.iter().copied().collect()).await?;
            for (item, id) in found.iter().zip(ids) {
                if items.len() == limit.get() {
                    more = true;
                    break;
                }
                after = Some(index_key(item, index));
                items.extend(listed.remove(&id).filter(&such));
            }
            let Some(next) = after.as_ref().filter(|_| more) else { break };
            if items.len() == limit.get() || (look >= LOOKS && !items.is_empty()) {
                return Ok(Page { items, next: Cursor::from_key(next) });
            }
        }
        Ok(Page { items, next: None })
    }

    /// The next items of an index, at most so many, as they were when it was written, and whether there are more.
    async fn entries(
        &self,
        query: QueryFluentBuilder,
        most: usize,
        after: Option<Item>,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let answer = query
            .table_name(&self.table)
            .set_exclusive_start_key(after)
            .limit(i32::try_from(most + 1).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let mut items = answer.items.unwrap_or_default();
        let more = items.len() > most || answer.last_evaluated_key.is_some_and(|key| !key.is_empty());
        items.truncate(most);
        Ok((items, more))
    }

    /// AP-25 which events are on sale, newest first. The index is eventually consistent: one put on sale a moment ago may not be there yet.
    pub async fn on_sale(&self, cursor: Option<Cursor>) -> Result<Page<InventoryId>, ListError> {
        self.ids(self.newest_first(), &BY_TIME, cursor).await
    }

    /// The ids on a page of an index.
    pub(super) async fn ids(
        &self,
        query: QueryFluentBuilder,
        index: &[&str],
        cursor: Option<Cursor>,
    ) -> Result<Page<InventoryId>, ListError> {
        let after = position(cursor, index)?;
        let (found, more) = self.entries(query, Limit::LARGEST.get(), after).await?;
        let next = found.last().filter(|_| more).and_then(|last| Cursor::from_key(&index_key(last, index)));
        let ids = found.into_iter().map(|item| read::<TermsItem>("terms", item).map(|terms| terms.id));
        Ok(Page { items: ids.collect::<Result<_, _>>()?, next })
    }

    /// AP-28 get the reservations of these tickets, as they were a moment ago; those there are.
    pub async fn reservations(&self, tickets: &[TicketId]) -> Result<Vec<Reservation>, StoreError> {
        let key = |ticket: &TicketId| {
            Item::from([("pk".into(), reservation_key(ticket.reservation())), ("sk".into(), text(RSV))])
        };
        let keys = tickets.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        found.into_iter().map(|item| read("reservation", item)).collect()
    }
    /// AP-19 get reservation.
    pub async fn reservation(&self, ticket: TicketId) -> Result<Option<Reservation>, StoreError> {
        let found = transaction::get(&self.client, &self.table, reservation_key(ticket.reservation()), RSV).await?;
        found.map(|item| read("reservation", item)).transpose()
    }
}
