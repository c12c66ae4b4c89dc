//! The inventory table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | terms of an event on sale | `INV#<inventoryId>` | `TERMS` |
//! | some of its seats | `INV#<inventoryId>`, of later shards `INV#<inventoryId>#<partition>` | `SHARD#<number>` |
//! | its name, taken | `NAME#<eventName>` | `NAME` |
//! | a ticket's seats | `RSV#<reservationId>` | `RSV` |
//! | an idempotency key, used | `KEY#<userId>#<key>` | `KEY` |
//!
//! `gsi1` lists the terms by id (that is, by time), `gsi2` by event date.

use crate::{
    counters::{Counter, Counters, Discrepancy},
    domain::{
        Allocation, EventName, Inventory, MAX_SHARDS, NotForSale, Reservation, ReservationState, Revision,
        SHARDS_PER_PARTITION, Shard, ShardChange, Terms, Unchangeable,
    },
    events::{
        InventoryCreated, InventoryDeleted, InventoryReconciled, InventoryReleased, InventoryReserved, InventorySold,
        InventoryUpdated, RequestedBy, Seats,
    },
};
use aws_sdk_dynamodb::{
    Client,
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Delete, Put, Update},
};
use boxoffice_aws::{
    Cursor, EventStore, Freshness, Item, Limit, ListError, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, signed, text},
    batch,
    page::InvalidCursor,
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
    walk,
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, ReservationId,
    TicketId, Timestamp, Trace, UserId, money,
};
use boxoffice_runtime::config::{self, ConfigError};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct InventoryStore {
    client: Client,
    table: String,
    events: EventStore,
}

/// The parts of a transaction that hold a ticket's seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldGuard {
    /// The shard has that many seats available, under the terms the buyer saw.
    Shard(u32),
    /// The ticket has no reservation yet.
    Reservation,
    /// The reservation has no such event yet.
    Event,
}

/// The parts of a transaction that move a reservation from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleGuard {
    /// The shard counts the seats where the reservation says.
    Shard(u32),
    /// The reservation is as it was read.
    Reservation,
    /// The reservation has no such event yet.
    Event,
}

/// Why a new event does not go on sale.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// One of that name is.
    #[error("another event on sale has this name")]
    NameTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why terms were not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NotFound,
    /// Another one has the new name.
    #[error("another event on sale has this name")]
    NameTaken,
    /// A rule says no.
    #[error(transparent)]
    Unchangeable(#[from] Unchangeable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an event stays on sale.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// It was not.
    #[error("no such event on sale")]
    NotFound,
    /// Its seats are held or sold.
    #[error("seats are held or sold")]
    InUse,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why seats were not moved by hand.
#[derive(Debug, thiserror::Error)]
pub enum SeatsError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NotFound,
    /// Not that many to take.
    #[error(transparent)]
    NotForSale(#[from] NotForSale),
    /// Not that many to give back.
    #[error("only {0} seats are reserved by hand")]
    NotReserved(u32),
    /// The key was used for another request.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a request to move seats by hand is known by, so that repeated it moves them once. The key is the caller's own: a stranger's same key is
/// another key.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// Who asks.
    pub user_id: UserId,
    /// Their name for the request.
    pub key: IdempotencyKey,
}

/// Where a request to move seats by hand comes from. A trace alone is one without a key.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// What its event is stated under.
    pub trace: &'a Trace,
    /// What it is known by, where the caller gave it a key.
    pub key: Option<&'a RequestKey>,
}

impl<'a> From<&'a Trace> for Origin<'a> {
    fn from(trace: &'a Trace) -> Self {
        Self { trace, key: None }
    }
}

/// Seats that were moved by hand.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The event on sale, as it is now.
    pub inventory: Inventory,
    /// What the move is stated under.
    pub reservation_id: ReservationId,
    /// Whether an earlier request under the same key moved them.
    pub replayed: bool,
}

/// What releasing a ticket's seats came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// They are available again, now.
    Done,
    /// They had been released before, or never been taken.
    Nothing,
}

/// What renewing a ticket's hold came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The seats are held.
    Held,
    /// Somebody else has them, or the booking is over.
    Gone,
}

fn inventory_key(id: InventoryId) -> AttributeValue {
    text(format_args!("INV#{id}"))
}

/// A partition of an event: the first has its terms too, and is all there is of a small one.
fn partition_key(id: InventoryId, partition: u32) -> AttributeValue {
    match partition {
        0 => inventory_key(id),
        later => text(format_args!("INV#{id}#{later:02}")),
    }
}

/// The partition of an event that has this shard.
pub fn shard_partition(id: InventoryId, shard: u32) -> AttributeValue {
    partition_key(id, shard / SHARDS_PER_PARTITION)
}

fn shard_key(number: u32) -> String {
    format!("SHARD#{number:03}")
}

fn name_key(name: &EventName) -> AttributeValue {
    text(format_args!("NAME#{name}"))
}

fn reservation_key(id: ReservationId) -> AttributeValue {
    text(format_args!("RSV#{id}"))
}

const KEY: &str = "KEY";
const RSV: &str = "RSV";

fn idempotency_key(RequestKey { user_id, key }: &RequestKey) -> AttributeValue {
    text(format_args!("KEY#{user_id}#{key}"))
}

/// The partition under which `gsi1` and `gsi2` list what is on sale.
const ON_SALE: &str = "ON_SALE";
/// The key attributes of `gsi1`, and of `gsi2`.
const BY_TIME: [&str; 4] = ["gsi1pk", "gsi1sk", "pk", "sk"];
const BY_DATE: [&str; 4] = ["gsi2pk", "gsi2sk", "pk", "sk"];

/// The key of what a page ended with, in an index of what is on sale.
fn position(cursor: Option<Cursor>, index: &[&str]) -> Result<Option<Item>, InvalidCursor> {
    cursor.map(|cursor| cursor.into_key(index, ON_SALE)).transpose()
}

/// How many items of the table a page of a walk goes over: few enough that buyers' reads find room between two pages.
const RESERVATIONS_A_PAGE: i32 = 1000;

/// That a shard is as it was read.
const UNMOVED: &str = "inventoryVersion = :under AND available = :availableSeen AND held = :heldSeen AND sold = :soldSeen \
                       AND reserved = :reservedSeen AND moves = :moves";
/// The same of one whose seats have never moved, and which may not count it yet.
const UNMOVED_EVER: &str = "inventoryVersion = :under AND available = :availableSeen AND held = :heldSeen \
                            AND sold = :soldSeen AND reserved = :reservedSeen \
                            AND (attribute_not_exists(moves) OR moves = :moves)";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TermsItem {
    id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    total_seats: Quantity,
    #[serde(with = "money::minor")]
    price_minor: Amount,
    currency: Currency,
    location: crate::domain::Location,
    /// How many shards there are, and so in how many partitions.
    shards: u32,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
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
            shards: u32::try_from(inventory.shards.len()).unwrap_or(MAX_SHARDS),
            version: inventory.version,
            created_at: inventory.created_at,
            updated_at: inventory.updated_at,
        }
    }
}

impl TermsItem {
    /// In how many partitions the shards lie.
    fn partitions(&self) -> u32 {
        self.shards.div_ceil(SHARDS_PER_PARTITION)
    }

    fn into_inventory(self, mut shards: Vec<Shard>) -> Inventory {
        shards.sort_by_key(|shard| shard.number);
        Inventory {
            id: self.id,
            terms: Terms {
                event_name: self.event_name,
                event_date: self.event_date,
                total_seats: self.total_seats,
                price: Money { amount: self.price_minor, currency: self.currency },
                location: self.location,
            },
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            shards,
        }
    }

    fn into_item(self) -> Result<Item, StoreError> {
        let id = self.id;
        let by_date = text(format_args!("{}#{id}", self.event_date));
        let mut item = write(&self, inventory_key(id), "TERMS")?;
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
struct ShardItem {
    number: u32,
    available: u32,
    held: u32,
    sold: u32,
    reserved: u32,
    inventory_version: u64,
}

impl From<ShardItem> for Shard {
    fn from(item: ShardItem) -> Self {
        let ShardItem { number, available, held, sold, reserved, .. } = item;
        Self { number, available, held, sold, reserved }
    }
}

/// Which counters of a shard an allocation moves between.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: &'static str,
    to: &'static str,
    /// What happens to the count of seats reserved by hand.
    by_hand: Option<&'static str>,
}

impl Move {
    const HOLD: Self = Self { from: "available", to: "held", by_hand: None };
    const SELL: Self = Self { from: "held", to: "sold", by_hand: None };
    const RELEASE_HELD: Self = Self { from: "held", to: "available", by_hand: None };
    const RELEASE_SOLD: Self = Self { from: "sold", to: "available", by_hand: None };
    const RESERVE_BY_HAND: Self = Self { from: "available", to: "held", by_hand: Some("+") };
    const RETURN_BY_HAND: Self = Self { from: "held", to: "available", by_hand: Some("-") };
}

impl InventoryStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        Self { client, table: table.into(), events }
    }

    /// The store in the tables that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("INVENTORY_TABLE")?, events))
    }

    /// AP-10 get inventory: the terms and every shard, consistently.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, id: InventoryId) -> Result<Option<Inventory>, StoreError> {
        let found = self.whole::<ShardItem>(id).await?;
        Ok(found.map(|(terms, shards)| terms.into_inventory(shards.into_iter().map(Shard::from).collect())))
    }

    /// AP-48 plan a hold: the event under the terms there are, and the seats to take.
    ///
    /// A first look is at one partition, in turn, and not a consistent one, so that a crowd of buyers does not read every shard for each of its bookings: the
    /// conditions of the write prove what it shows. Only a look at all shards as they are refuses, and so does each after the first.
    ///
    /// # Errors
    /// When the store does.
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
    async fn whole<S: DeserializeOwned>(&self, id: InventoryId) -> Result<Option<(TermsItem, Vec<S>)>, StoreError> {
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
            // Who rewrites the terms rewrites every shard with them: shards under others were read before or after that.
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
                Some("TERMS") if item.contains_key("deletedAt") => return Ok(None),
                Some("TERMS") => terms = Some(read::<TermsItem>("terms", item)?),
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

    /// AP-11 find inventory by name.
    ///
    /// # Errors
    /// When the store does.
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
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Inventory>, ListError> {
        self.page(self.newest_first(), limit, position(cursor, &BY_TIME)?).await
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
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_date(
        &self,
        start: Timestamp,
        end: Option<Timestamp>,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Inventory>, ListError> {
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
        self.page(query, limit, after).await
    }

    async fn page(
        &self,
        query: QueryFluentBuilder,
        limit: Limit,
        after: Option<Item>,
    ) -> Result<Page<Inventory>, ListError> {
        let terms = self.terms(query, limit, after).await?;
        let items = try_join_all(terms.items.iter().map(|terms| self.get(terms.id))).await?;
        // What was deleted since the index was written is left out.
        Ok(Page { items: items.into_iter().flatten().collect(), next: terms.next })
    }

    /// A page of an index: terms as they were when it was written.
    async fn terms(
        &self,
        query: QueryFluentBuilder,
        limit: Limit,
        after: Option<Item>,
    ) -> Result<Page<TermsItem>, ListError> {
        let answer = query
            .table_name(&self.table)
            .set_exclusive_start_key(after)
            .limit(i32::try_from(limit.get()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let next = answer.last_evaluated_key.as_ref().and_then(Cursor::from_key);
        let terms = answer.items.unwrap_or_default().into_iter().map(|item| read("terms", item));
        Ok(Page { items: terms.collect::<Result<_, _>>()?, next })
    }

    /// AP-25 which events are on sale, newest first. The index is eventually consistent: one put on sale a moment ago may not be there yet.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn on_sale(&self, cursor: Option<Cursor>) -> Result<Page<InventoryId>, ListError> {
        let terms = self.terms(self.newest_first(), Limit::LARGEST, position(cursor, &BY_TIME)?).await?;
        Ok(terms.map(|terms| terms.id))
    }

    /// AP-26 get counters: the total and every shard's counters as they are, whatever they are, consistently.
    ///
    /// # Errors
    /// When the store does.
    pub async fn counters(&self, id: InventoryId) -> Result<Option<Counters>, StoreError> {
        let Some((terms, mut shards)) = self.whole::<Counter>(id).await? else { return Ok(None) };
        shards.sort_by_key(|shard| shard.number);
        Ok(Some(Counters {
            inventory_id: id,
            event_name: terms.event_name,
            total: terms.total_seats.get().into(),
            version: terms.version,
            shards,
        }))
    }

    /// AP-27 walk over the reservations that take seats, of all events. A scan, for the scheduled `reconcile` alone.
    ///
    /// # Errors
    /// When the cursor is not of this walk, or the store fails.
    pub async fn walk_reservations(
        &self,
        freshness: Freshness,
        cursor: Option<Cursor>,
    ) -> Result<Page<Reservation>, ListError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(freshness.is_consistent())
            .limit(RESERVATIONS_A_PAGE)
            .filter_expression("sk = :sk AND #state IN (:held, :sold)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":sk", text(RSV))
            .expression_attribute_values(":held", text("HELD"))
            .expression_attribute_values(":sold", text("SOLD"));
        let Page { items, next } = walk::page(scan, cursor).await?;
        let items = items.into_iter().map(|item| read("reservation", item)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// AP-28 get the reservations of these tickets, as they were a moment ago; those there are.
    ///
    /// # Errors
    /// When the store does.
    pub async fn reservations(&self, tickets: &[TicketId]) -> Result<Vec<Reservation>, StoreError> {
        let key = |ticket: &TicketId| {
            Item::from([("pk".into(), reservation_key(ticket.reservation())), ("sk".into(), text(RSV))])
        };
        let keys = tickets.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        found.into_iter().map(|item| read("reservation", item)).collect()
    }

    /// AP-29 reconcile counters: makes them what the reservations add up to, if nothing has moved since both were read. It is a version of
    /// the terms, so that whoever planned on the counters as they were plans again. [`Written::Stale`] when something has moved.
    ///
    /// # Errors
    /// When the store does.
    pub async fn reconcile(
        &self,
        found: &Discrepancy,
        requested_by: &RequestedBy,
        now: Timestamp,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let Counters { inventory_id, event_name, version, shards, .. } = &found.seen;
        let after = version + 1;
        let event = InventoryReconciled {
            inventory_id: *inventory_id,
            event_name: event_name.clone(),
            requested_by: requested_by.clone(),
            before: found.before(),
            after: found.after(),
            shards: found.corrections.iter().map(Into::into).collect(),
        };
        let terms = Update::builder()
            .table_name(&self.table)
            .key("pk", inventory_key(*inventory_id))
            .key("sk", text("TERMS"))
            .update_expression("SET version = :after, updatedAt = :now")
            .condition_expression("version = :before AND attribute_not_exists(deletedAt)")
            .expression_attribute_values(":before", number(*version))
            .expression_attribute_values(":after", number(after))
            .expression_attribute_values(":now", text(now))
            .build();
        let mut transaction = Transaction::new()
            .update((), built(terms)?)
            .put((), self.events.append(&Envelope::new(event, after, now, trace))?);
        for seen in shards {
            let correction = found.corrections.iter().find(|correction| correction.seen.number == seen.number);
            let update = self
                .shard_update(*inventory_id, seen.number)
                .expression_attribute_values(":under", number(seen.inventory_version))
                .expression_attribute_values(":after", number(after));
            let update = match correction {
                // Right as it is: it learns of the new version, and goes on selling meanwhile.
                None => update
                    .update_expression("SET inventoryVersion = :after")
                    .condition_expression("inventoryVersion = :under"),
                Some(correction) => update
                    .update_expression(
                        "SET inventoryVersion = :after, available = :available, held = :held, sold = :sold, \
                         moves = if_not_exists(moves, :none) + :one",
                    )
                    .condition_expression(if seen.moves == 0 { UNMOVED_EVER } else { UNMOVED })
                    .expression_attribute_values(":available", signed(correction.due.available))
                    .expression_attribute_values(":held", signed(correction.due.held))
                    .expression_attribute_values(":sold", signed(correction.due.sold))
                    .expression_attribute_values(":availableSeen", signed(seen.available))
                    .expression_attribute_values(":heldSeen", signed(seen.held))
                    .expression_attribute_values(":soldSeen", signed(seen.sold))
                    .expression_attribute_values(":reservedSeen", signed(seen.reserved))
                    .expression_attribute_values(":moves", number(seen.moves))
                    .expression_attribute_values(":none", number(0_u32))
                    .expression_attribute_values(":one", number(1_u32)),
            };
            transaction = transaction.update((), built(update.build())?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-14 put on sale.
    ///
    /// # Errors
    /// When the name is taken, or the store fails.
    pub async fn create(&self, inventory: &Inventory, trace: &Trace) -> Result<(), CreateError> {
        #[derive(Debug, PartialEq)]
        enum Guard {
            Name,
            New,
        }
        let event = Envelope::new(InventoryCreated(inventory.into()), 1, inventory.created_at, trace);
        let mut transaction = Transaction::new()
            .put(Guard::Name, self.take_name(inventory)?)
            .put(Guard::New, self.put_new(TermsItem::from(inventory).into_item()?)?)
            .put(Guard::New, self.events.append(&event)?);
        for shard in &inventory.shards {
            transaction =
                transaction.put(Guard::New, self.put_new(new_shard(inventory, shard.number, shard.available)?)?);
        }
        transaction.commit(&self.client).await.map(|_| ()).map_err(|error| match error {
            Uncommitted::Refused(refusals) if refusals.has(&Guard::Name) => CreateError::NameTaken,
            Uncommitted::Refused(_) => StoreError::Unavailable("a fresh id was taken".into()).into(),
            Uncommitted::Store(error) => error.into(),
        })
    }

    /// AP-15 change the terms or the number of seats.
    ///
    /// # Errors
    /// When a rule says no, the name is taken, or the store fails.
    pub async fn update(&self, id: InventoryId, revision: &Revision, trace: &Trace) -> Result<Inventory, UpdateError> {
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(UpdateError::NotFound)?;
            let now = Timestamp::now();
            let Some((revised, changes)) = inventory.revise(revision, now)? else {
                return Ok(Attempt::Done(inventory));
            };
            match self.write_revision(&inventory, &revised, &changes, trace).await {
                Ok(()) => Ok(Attempt::Done(revised)),
                Err(Uncommitted::Refused(refusals)) if refusals.has(&UpdateGuard::Name) => Err(UpdateError::NameTaken),
                // Seats moved, or someone else revised: decide again on what is there now.
                Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }

    async fn write_revision(
        &self,
        old: &Inventory,
        new: &Inventory,
        changes: &[ShardChange],
        trace: &Trace,
    ) -> Result<(), Uncommitted<UpdateGuard>> {
        let event = Envelope::new(InventoryUpdated(new.into()), new.version, new.updated_at, trace);
        let terms = Put::builder()
            .table_name(&self.table)
            .set_item(Some(TermsItem::from(new).into_item()?))
            .condition_expression("version = :old AND attribute_not_exists(deletedAt)")
            .expression_attribute_values(":old", number(old.version))
            .build();
        let mut transaction = Transaction::new()
            .put(UpdateGuard::Terms, built(terms)?)
            .put(UpdateGuard::Event, self.events.append(&event)?);
        if old.terms.event_name != new.terms.event_name {
            transaction = transaction
                .put(UpdateGuard::Name, self.take_name(new)?)
                .delete(UpdateGuard::Terms, self.free_name(&old.terms.event_name)?);
        }
        for change in changes {
            transaction = match *change {
                ShardChange::Create { number, seats } => {
                    transaction.put(UpdateGuard::Shard, self.put_new(new_shard(new, number, seats)?)?)
                }
                ShardChange::Adjust { number: shard, added, removed } => transaction.update(
                    UpdateGuard::Shard,
                    built(
                        self.shard_update(new.id, shard)
                            .update_expression("SET available = available + :added - :removed, inventoryVersion = :new")
                            .condition_expression("inventoryVersion = :old AND available >= :removed")
                            .expression_attribute_values(":added", number(added))
                            .expression_attribute_values(":removed", number(removed))
                            .expression_attribute_values(":old", number(old.version))
                            .expression_attribute_values(":new", number(new.version))
                            .build(),
                    )?,
                ),
            };
        }
        transaction.commit(&self.client).await.map(|_| ())
    }

    /// AP-16 take off sale. Refused while seats are held or sold; the history stays.
    ///
    /// # Errors
    /// When there is nothing to take off, seats are in use, or the store fails.
    pub async fn delete(&self, id: InventoryId, trace: &Trace) -> Result<(), DeleteError> {
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(DeleteError::NotFound)?;
            if inventory.held() + inventory.sold() > 0 {
                return Err(DeleteError::InUse);
            }
            let now = Timestamp::now();
            let event = InventoryDeleted { inventory_id: id, event_name: inventory.terms.event_name.clone() };
            let event = Envelope::new(event, inventory.version + 1, now, trace);
            let terms = Update::builder()
                .table_name(&self.table)
                .key("pk", inventory_key(id))
                .key("sk", text("TERMS"))
                .update_expression(
                    "SET deletedAt = :now, updatedAt = :now, version = version + :one REMOVE gsi1pk, gsi1sk, gsi2pk, gsi2sk",
                )
                .condition_expression("version = :old AND attribute_not_exists(deletedAt)")
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":one", number(1_u32))
                .expression_attribute_values(":old", number(inventory.version))
                .build();
            let mut transaction = Transaction::new()
                .update((), built(terms)?)
                .delete((), self.free_name(&inventory.terms.event_name)?)
                .put((), self.events.append(&event)?);
            for shard in &inventory.shards {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .key("pk", shard_partition(id, shard.number))
                    .key("sk", text(shard_key(shard.number)))
                    .condition_expression("held = :none AND sold = :none")
                    .expression_attribute_values(":none", number(0_u32))
                    .build();
                transaction = transaction.delete((), built(delete)?);
            }
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, DeleteError>(Attempt::when(written, ()))
        })
        .await
    }

    /// AP-17 hold seats: the items that take a ticket's seats, for the transaction that creates the ticket.
    ///
    /// # Errors
    /// When an item cannot be built.
    pub fn hold<G>(
        &self,
        transaction: Transaction<G>,
        inventory: &Inventory,
        reservation: &Reservation,
        trace: &Trace,
        guard: impl Fn(HoldGuard) -> G,
    ) -> Result<Transaction<G>, StoreError> {
        let event = Envelope::new(
            InventoryReserved { seats: reservation.seats() },
            reservation.version,
            Timestamp::now(),
            trace,
        );
        let put = self.put_new(reservation.to_item()?)?;
        let transaction = self
            .move_seats(inventory.id, &reservation.allocations, Move::HOLD, Some(inventory.version))?
            .into_iter()
            .fold(transaction, |transaction, (shard, update)| {
                transaction.update(guard(HoldGuard::Shard(shard)), update)
            });
        Ok(transaction
            .put(guard(HoldGuard::Reservation), put)
            .put(guard(HoldGuard::Event), self.events.append(&event)?))
    }

    /// AP-18 sell seats: the items that make a held reservation a sold one, for the transaction that confirms the ticket.
    ///
    /// # Errors
    /// When an item cannot be built.
    pub fn sell<G>(
        &self,
        transaction: Transaction<G>,
        reservation: &Reservation,
        trace: &Trace,
        guard: impl Fn(SaleGuard) -> G,
    ) -> Result<Transaction<G>, StoreError> {
        let sold =
            Reservation { state: ReservationState::Sold, version: reservation.version + 1, ..reservation.clone() };
        let event = InventorySold { seats: sold.seats() };
        self.transition(transaction, reservation, &sold, event, Move::SELL, trace, guard)
    }

    /// AP-19 get reservation.
    ///
    /// # Errors
    /// When the store does.
    pub async fn reservation(&self, ticket: TicketId) -> Result<Option<Reservation>, StoreError> {
        let found = transaction::get(&self.client, &self.table, reservation_key(ticket.reservation()), RSV).await?;
        found.map(|item| read("reservation", item)).transpose()
    }

    /// AP-20 release a ticket's seats, wherever they are counted; a late payment may hold them again. Does its work once however often it runs,
    /// and nothing for a ticket that never held seats.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn release(&self, ticket: TicketId, reason: &str, trace: &Trace) -> Result<Release, StoreError> {
        self.give_back(ticket, reason, false, trace).await
    }

    /// AP-20 release a ticket's seats for good, when no money can come for them any more. From then on a step that held them once and is late, or is
    /// handled again, does not hold them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn close(&self, ticket: TicketId, reason: &str, trace: &Trace) -> Result<Release, StoreError> {
        self.give_back(ticket, reason, true, trace).await
    }

    async fn give_back(
        &self,
        ticket: TicketId,
        reason: &str,
        closed: bool,
        trace: &Trace,
    ) -> Result<Release, StoreError> {
        until_current(|| async {
            let Some(reservation) = self.reservation(ticket).await? else { return Ok(Attempt::Done(Release::Nothing)) };
            let movement = match reservation.state {
                ReservationState::Held => Move::RELEASE_HELD,
                ReservationState::Sold => Move::RELEASE_SOLD,
                ReservationState::Released if closed && !reservation.closed => {
                    return Ok(Attempt::when(self.note_closed(&reservation).await?, Release::Nothing));
                }
                ReservationState::Released => return Ok(Attempt::Done(Release::Nothing)),
            };
            let released = Reservation {
                state: ReservationState::Released,
                version: reservation.version + 1,
                closed,
                ..reservation.clone()
            };
            let event = InventoryReleased { seats: released.seats(), release_reason: reason.to_owned() };
            let transaction =
                self.transition(Transaction::new(), &reservation, &released, event, movement, trace, |guard| guard)?;
            // When refused, it was sold or released in between.
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, StoreError>(Attempt::when(written, Release::Done))
        })
        .await
    }

    /// Seats that were released before are now back for good: a note, which moves nothing and states nothing.
    async fn note_closed(&self, released: &Reservation) -> Result<Written, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", reservation_key(released.id))
            .key("sk", text("RSV"))
            .update_expression("SET closed = :closed")
            .condition_expression("version = :before")
            .expression_attribute_values(":closed", AttributeValue::Bool(true))
            .expression_attribute_values(":before", number(released.version))
            .send()
            .await;
        conditional(update)
    }

    /// AP-21 renew a hold that was released, if not for good and the seats are still free: for a payment that came late.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn renew(&self, ticket: TicketId, trace: &Trace) -> Result<Renewal, StoreError> {
        until_current(|| async {
            let Some(reservation) = self.reservation(ticket).await? else { return Ok(Attempt::Done(Renewal::Gone)) };
            if reservation.state != ReservationState::Released {
                return Ok(Attempt::Done(Renewal::Held));
            }
            if reservation.closed {
                return Ok(Attempt::Done(Renewal::Gone));
            }
            let inventory = self.get(reservation.inventory_id).await?;
            let Some(inventory) = inventory else { return Ok(Attempt::Done(Renewal::Gone)) };
            let plan = inventory.plan_hold(reservation.quantity, order(ticket), Timestamp::now());
            let Ok(allocations) = plan else { return Ok(Attempt::Done(Renewal::Gone)) };
            let held = Reservation {
                allocations,
                state: ReservationState::Held,
                version: reservation.version + 1,
                ..reservation.clone()
            };
            let event = InventoryReserved { seats: held.seats() };
            let transaction =
                self.transition(Transaction::new(), &reservation, &held, event, Move::HOLD, trace, |guard| guard)?;
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, StoreError>(Attempt::when(written, Renewal::Held))
        })
        .await
    }

    /// AP-22 reserve seats by hand: held until they are returned by hand. Once for a request that has a key.
    ///
    /// # Errors
    /// When the event is not on sale, has too few seats, the key was used for another request, or the store fails.
    pub async fn reserve_by_hand<'a>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        origin: impl Into<Origin<'a>>,
    ) -> Result<Moved, SeatsError> {
        let plan = |inventory: &Inventory, reservation: ReservationId| {
            let plan = inventory.plan_hold(quantity, order(reservation.ticket()), Timestamp::now());
            plan.map_err(SeatsError::from)
        };
        let event = |seats| InventoryReserved { seats };
        self.move_by_hand(id, quantity, Move::RESERVE_BY_HAND, origin.into(), plan, event).await
    }

    /// AP-23 return seats that were reserved by hand. Seats of tickets are not touched: those come back with their ticket. Once for a request
    /// that has a key.
    ///
    /// # Errors
    /// When the event is not on sale, has fewer such seats, the key was used for another request, or the store fails.
    pub async fn return_by_hand<'a>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        origin: impl Into<Origin<'a>>,
    ) -> Result<Moved, SeatsError> {
        let plan = |inventory: &Inventory, _| inventory.plan_return(quantity).map_err(SeatsError::NotReserved);
        let event = |seats| InventoryReleased { seats, release_reason: "RETURNED_BY_HAND".into() };
        self.move_by_hand(id, quantity, Move::RETURN_BY_HAND, origin.into(), plan, event).await
    }

    /// Moves seats by hand. The key is written with the seats, and looked up only when something says no: the write itself, or a plan that
    /// may fail just because this very request went through before.
    async fn move_by_hand<E: DomainEvent>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        movement: Move,
        Origin { trace, key }: Origin<'_>,
        plan: impl Fn(&Inventory, ReservationId) -> Result<Vec<Allocation>, SeatsError>,
        event: impl Fn(Seats) -> E,
    ) -> Result<Moved, SeatsError> {
        let reservation_id = ReservationId::generate();
        let marker = KeyItem {
            fingerprint: Fingerprint::of(&[E::TYPE, &id.to_string(), &quantity.to_string()]),
            reservation_id,
        };
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
            let plan = match plan(&inventory, reservation_id) {
                Ok(plan) => plan,
                Err(refusal) => {
                    return self.replay(id, key, &marker).await?.map(Attempt::Done).ok_or(refusal);
                }
            };
            let event = event(by_hand(&inventory, reservation_id, quantity));
            let event = Envelope::new(event, 1, Timestamp::now(), trace);
            let updates = self.move_seats(id, &plan, movement, None)?;
            let mut transaction = Transaction::new()
                .updates(updates.into_iter().map(|(_, update)| (ByHandGuard::Current, update)))
                .put(ByHandGuard::Current, self.events.append(&event)?);
            if let Some(key) = key {
                let put = self.put_new(write(&marker, idempotency_key(key), KEY)?)?;
                transaction = transaction.put(ByHandGuard::Key, put);
            }
            match transaction.commit(&self.client).await {
                Ok(_) => {
                    let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
                    Ok(Attempt::Done(Moved { inventory, reservation_id, replayed: false }))
                }
                Err(Uncommitted::Refused(refusals)) if refusals.has(&ByHandGuard::Key) => {
                    Ok(self.replay(id, key, &marker).await?.map_or(Attempt::Overtaken, Attempt::Done))
                }
                // The plan was out of date.
                Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }

    /// AP-24 what a key was used for: the seats that this very request moved before; `None` when the key, if there is one, is unused.
    async fn replay(
        &self,
        id: InventoryId,
        key: Option<&RequestKey>,
        marker: &KeyItem,
    ) -> Result<Option<Moved>, SeatsError> {
        let Some(key) = key else { return Ok(None) };
        let found = transaction::get(&self.client, &self.table, idempotency_key(key), KEY).await?;
        let Some(item) = found else { return Ok(None) };
        let used: KeyItem = read("idempotency key", item)?;
        if used.fingerprint != marker.fingerprint {
            return Err(SeatsError::KeyReused);
        }
        let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
        Ok(Some(Moved { inventory, reservation_id: used.reservation_id, replayed: true }))
    }

    #[expect(clippy::too_many_arguments, reason = "the four facts of a transition, and where to write them")]
    fn transition<G, E: DomainEvent>(
        &self,
        transaction: Transaction<G>,
        before: &Reservation,
        after: &Reservation,
        event: E,
        movement: Move,
        trace: &Trace,
        guard: impl Fn(SaleGuard) -> G,
    ) -> Result<Transaction<G>, StoreError> {
        let marker = Put::builder()
            .table_name(&self.table)
            .set_item(Some(after.to_item()?))
            .condition_expression("version = :before AND attribute_not_exists(closed)")
            .expression_attribute_values(":before", number(before.version))
            .build();
        let event = Envelope::new(event, after.version, Timestamp::now(), trace);
        let updates = self.move_seats(after.inventory_id, &after.allocations, movement, None)?;
        Ok(updates
            .into_iter()
            .fold(transaction, |transaction, (shard, update)| {
                transaction.update(guard(SaleGuard::Shard(shard)), update)
            })
            .put(guard(SaleGuard::Reservation), built(marker)?)
            .put(guard(SaleGuard::Event), self.events.append(&event)?))
    }

    /// The updates that move seats between two counters of their shards, each on condition that they are in the first one; with
    /// `under`, also on condition that the terms are still those.
    fn move_seats(
        &self,
        id: InventoryId,
        allocations: &[Allocation],
        movement: Move,
        under: Option<u64>,
    ) -> Result<Vec<(u32, Update)>, StoreError> {
        let Move { from, to, by_hand } = movement;
        allocations
            .iter()
            .map(|allocation| {
                let mut condition = format!("{from} >= :seats");
                let reserved = by_hand.map_or_else(String::new, |sign| format!(", reserved = reserved {sign} :seats"));
                let sets = format!(
                    "SET {from} = {from} - :seats, {to} = {to} + :seats{reserved}, \
                     moves = if_not_exists(moves, :none) + :one"
                );
                if by_hand == Some("-") {
                    condition.push_str(" AND reserved >= :seats");
                }
                let mut update = self
                    .shard_update(id, allocation.shard)
                    .update_expression(sets)
                    .expression_attribute_values(":seats", number(allocation.seats))
                    .expression_attribute_values(":none", number(0_u32))
                    .expression_attribute_values(":one", number(1_u32));
                if let Some(version) = under {
                    condition.push_str(" AND inventoryVersion = :terms");
                    update = update.expression_attribute_values(":terms", number(version));
                }
                Ok((allocation.shard, built(update.condition_expression(condition).build())?))
            })
            .collect()
    }

    fn shard_update(&self, id: InventoryId, shard: u32) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .key("pk", shard_partition(id, shard))
            .key("sk", text(shard_key(shard)))
    }

    fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        built(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build(),
        )
    }

    fn take_name(&self, inventory: &Inventory) -> Result<Put, StoreError> {
        self.put_new(Item::from([
            ("pk".into(), name_key(&inventory.terms.event_name)),
            ("sk".into(), text("NAME")),
            ("inventoryId".into(), text(inventory.id)),
        ]))
    }

    fn free_name(&self, name: &EventName) -> Result<Delete, StoreError> {
        built(Delete::builder().table_name(&self.table).key("pk", name_key(name)).key("sk", text("NAME")).build())
    }
}

/// A request that was served under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    fingerprint: Fingerprint,
    reservation_id: ReservationId,
}

/// The parts of a transaction that moves seats by hand.
#[derive(Debug, PartialEq)]
enum ByHandGuard {
    /// The seats are where the plan saw them.
    Current,
    /// The key is unused.
    Key,
}

#[derive(Debug, PartialEq)]
enum UpdateGuard {
    Name,
    Terms,
    Shard,
    Event,
}

fn new_shard(inventory: &Inventory, shard: u32, seats: u32) -> Result<Item, StoreError> {
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

fn by_hand(inventory: &Inventory, reservation_id: ReservationId, quantity: Quantity) -> Seats {
    let event_name = inventory.terms.event_name.clone();
    Seats { reservation_id, ticket_id: None, inventory_id: inventory.id, event_name, quantity }
}

/// The order in which this ticket asks the shards: its id's last digits, which are random.
pub fn order(ticket: TicketId) -> usize {
    let id = ticket.to_string();
    id.get(id.len().saturating_sub(4)..).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

impl Reservation {
    /// A ticket's new hold.
    pub fn hold(ticket: TicketId, inventory: &Inventory, quantity: Quantity, allocations: Vec<Allocation>) -> Self {
        Self {
            id: ticket.reservation(),
            ticket_id: ticket,
            inventory_id: inventory.id,
            event_name: inventory.terms.event_name.clone(),
            quantity,
            allocations,
            state: ReservationState::Held,
            version: 1,
            closed: false,
        }
    }

    fn seats(&self) -> Seats {
        Seats {
            reservation_id: self.id,
            ticket_id: Some(self.ticket_id),
            inventory_id: self.inventory_id,
            event_name: self.event_name.clone(),
            quantity: self.quantity,
        }
    }

    fn to_item(&self) -> Result<Item, StoreError> {
        write(self, reservation_key(self.id), RSV)
    }
}
