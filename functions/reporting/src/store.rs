//! The read models in DynamoDB.
//!
//! | Item | `pk` | `sk` | |
//! |---|---|---|---|
//! | which epoch is shown and since when, and which is being built | `EPOCH` | `EPOCH` | `current`, `shownAt`?, `building`? |
//! | how far the stream has been read | `PROGRESS` | `PROGRESS` | `occurredAt`, `projectedAt` |
//! | a booking | `E<epoch>#BOOKINGS#<userId>` | `<ticketId>` | [`BookingRecord`], `revision` |
//! | a user who is gone | `E<epoch>#BOOKINGS#<userId>` | `~GONE` | |
//! | an event on sale | `E<epoch>#EVENT#<inventoryId>` | `EVENT` | [`OnSale`] |
//! | an hour of its sales | `E<epoch>#SALES#<inventoryId>#<bucket>` | `HOUR#<hour>#<currency>` | [`Counts`] |
//! | an entry of the ledger, by its event on sale | `E<epoch>#LEDGER#<inventoryId>#<bucket>` | `<occurredAt>#<eventId>` | [`Posted`] |
//! | the same, by its month | `E<epoch>#LEDGER#<yyyy-mm>#<bucket>` | `<occurredAt>#<eventId>` | [`Posted`] |
//!
//! An *epoch* is one making of all read models. Its number is in every key, so that the next can be made beside the one that is shown.
//!
//! A booking remembers what it was told, and is written in one transaction with what that adds to the sales: an event that comes again tells it
//! nothing, so it adds nothing, however late it comes. Sales are spread over [`BUCKETS`] partitions, because a partition takes about 1,000 writes a
//! second and a transaction's write counts twice; they are summed when they are read, by the hour and in all.
//!
//! An entry of the ledger follows from its event and the booking's ticket, and is put under the event's id, unless it is there: before the booking remembers it.
//! So a booking that remembers an entry has it in the ledger, and one that is told of it again puts nothing.

use crate::{
    domain::{BookingRecord, Counts, OnSale, Sales, Slot},
    ledger::{Balances, Entry, Period, Settled, month},
};
use aws_sdk_dynamodb::{
    Client,
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Put, Update},
};
use boxoffice_aws::{
    Cursor, Item, Limit, ListError, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{Attempt, Written, built, conditional, get, read, until_current, write},
};
use boxoffice_kernel::{Currency, InventoryId, TicketId, Timestamp, UserId};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// Over how many partitions the sales of an event are spread.
pub const BUCKETS: u32 = 8;
/// For how many seconds a function may go on with the epochs it began with: longer than any may run.
pub const GRACE_SECONDS: u32 = 65;

const EPOCH: &str = "EPOCH";
const PROGRESS: &str = "PROGRESS";
const EVENT: &str = "EVENT";
/// Sorts after every ticket, so that the newest of a user's bookings is this.
const GONE: &str = "~GONE";
const HOUR: &str = "HOUR#";

/// One making of all read models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn pk(self, rest: impl Display) -> AttributeValue {
        text(format_args!("E{}#{rest}", self.0))
    }

    /// The epoch that an item with this partition key is of.
    fn of(pk: &str) -> Option<Self> {
        pk.strip_prefix('E')?.split_once('#')?.0.parse().ok().map(Self)
    }
}

/// The epoch that is shown, and the one that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Epochs {
    /// The epoch that readers use.
    pub current: Epoch,
    /// Since when, unless it is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<Timestamp>,
    /// The epoch that will replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<Epoch>,
}

impl Epochs {
    /// When nobody goes on any more with an epoch before the one shown.
    pub fn settled_at(self) -> Option<Timestamp> {
        self.shown_at.map(|shown| shown.plus_seconds(GRACE_SECONDS))
    }

    /// Every epoch that events go to.
    pub fn written(self) -> impl Iterator<Item = Epoch> {
        [Some(self.current), self.building].into_iter().flatten()
    }
}

/// Why nothing was swept.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Functions may still be at work with what was shown before.
    #[error("the previous read models may be in use until {0}")]
    TooEarly(Timestamp),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far the stream has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// When the newest event happened that a read model knows of.
    pub occurred_at: Timestamp,
    /// When it came to know of it.
    pub projected_at: Timestamp,
}

impl Progress {
    /// How long that took.
    pub fn lag_millis(&self) -> i64 {
        self.projected_at.unix_millis() - self.occurred_at.unix_millis()
    }
}

/// A booking as it lies in the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BookingItem {
    #[serde(flatten)]
    booking: BookingRecord,
    revision: u64,
}

/// A booking to show, with its event as it is now, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The booking.
    pub booking: BookingRecord,
    /// Its event.
    pub event: Option<OnSale>,
}

/// An event's sales, to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSales {
    /// The event as it is now.
    pub event: OnSale,
    /// Its sales, by hour and currency.
    pub sales: Sales,
    /// How far they go.
    pub progress: Option<Progress>,
}

/// An entry of the ledger, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// The booking, and so the payment.
    pub ticket_id: TicketId,
}

/// The movements of money in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The sums by event on sale and currency, whose code is the key.
    pub settled: BTreeMap<(InventoryId, &'static str), (Currency, Settled)>,
    /// The events on sale that are known.
    pub events: BTreeMap<InventoryId, OnSale>,
    /// How far the sums go.
    pub progress: Option<Progress>,
}

/// Entries that are read together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Journal {
    /// Those of an event on sale.
    Event(InventoryId),
    /// Those of a month, `2030-06`.
    Month(String),
}

impl Journal {
    fn pk(&self, epoch: Epoch, bucket: u32) -> AttributeValue {
        match self {
            Self::Event(inventory) => epoch.pk(format_args!("LEDGER#{inventory}#{bucket}")),
            Self::Month(month) => epoch.pk(format_args!("LEDGER#{month}#{bucket}")),
        }
    }
}

/// Every partition with entries of a period: of an event on sale, or of all.
fn partitions(epoch: Epoch, inventory: Option<InventoryId>, period: Period) -> Vec<AttributeValue> {
    let journals = match inventory {
        Some(inventory) => vec![Journal::Event(inventory)],
        None => period.months().into_iter().map(Journal::Month).collect(),
    };
    journals.iter().flat_map(|journal| (0..BUCKETS).map(|bucket| journal.pk(epoch, bucket))).collect()
}

/// The sort key of an entry.
fn place(entry: &Entry) -> String {
    format!("{}#{}", entry.occurred_at, entry.event_id)
}

/// Where read models are kept.
#[derive(Debug, Clone)]
pub struct ViewStore {
    client: Client,
    table: String,
}

/// In which bucket a ticket's sales are counted. The last digit of an id is random.
pub fn bucket(ticket: TicketId) -> u32 {
    ticket.to_string().chars().last().and_then(|digit| digit.to_digit(16)).unwrap_or(0) % BUCKETS
}

fn bookings(epoch: Epoch, user: UserId) -> AttributeValue {
    epoch.pk(format_args!("BOOKINGS#{user}"))
}

fn event(epoch: Epoch, inventory: InventoryId) -> AttributeValue {
    epoch.pk(format_args!("EVENT#{inventory}"))
}

fn sales(epoch: Epoch, inventory: InventoryId, bucket: u32) -> AttributeValue {
    epoch.pk(format_args!("SALES#{inventory}#{bucket}"))
}

fn hour(slot: &Slot) -> String {
    format!("{HOUR}{}#{}", slot.hour, slot.currency)
}

fn slot_of(sk: &str) -> Option<Slot> {
    let (hour, currency) = sk.strip_prefix(HOUR)?.split_once('#')?;
    let currency = Currency::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(currency));
    Some(Slot { hour: hour.parse().ok()?, currency: currency.ok()? })
}

impl ViewStore {
    /// The read models in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// AP-120 which epochs there are.
    pub async fn epochs(&self) -> Result<Epochs, StoreError> {
        let item = get(&self.client, &self.table, text(EPOCH), EPOCH).await?;
        item.map_or_else(|| Ok(Epochs::default()), |item| read("epochs", item))
    }

    /// AP-121 get booking.
    pub async fn booking(
        &self,
        epoch: Epoch,
        user: UserId,
        ticket: TicketId,
    ) -> Result<Option<BookingRecord>, StoreError> {
        Ok(self.booking_item(epoch, user, ticket).await?.map(|item| item.booking))
    }

    async fn booking_item(
        &self,
        epoch: Epoch,
        user: UserId,
        ticket: TicketId,
    ) -> Result<Option<BookingItem>, StoreError> {
        let item = get(&self.client, &self.table, bookings(epoch, user), &ticket.to_string()).await?;
        item.map(|item| read("booking", item)).transpose()
    }

    /// AP-122 tell a booking something: the booking, and what that adds to its event's sales, in one transaction. A fact that it knows already changes
    /// nothing.
    pub async fn tell(&self, epoch: Epoch, news: &BookingRecord) -> Result<(), StoreError> {
        until_current(|| async {
            let before = self.booking_item(epoch, news.user_id, news.ticket_id).await?;
            let revision = before.as_ref().map(|before| before.revision);
            let known =
                before.map_or_else(|| BookingRecord::unknown(news.ticket_id, news.user_id), |before| before.booking);
            let after = known.clone().merge(news.clone());
            if after == known {
                return Ok(Attempt::Done(()));
            }
            let added = after.sales().since(&known.sales());
            self.post(epoch, &known, &after).await?;
            let inventory = after.ticket.as_ref().map(|ticket| ticket.inventory_id);
            let mut transaction = Transaction::new().put((), self.put_booking(epoch, after, revision)?);
            if let Some(inventory) = inventory {
                for (slot, counts) in &added.0 {
                    transaction = transaction.update((), self.add(epoch, inventory, news.ticket_id, slot, counts)?);
                }
            }
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, ()))
        })
        .await
    }

    /// AP-560 append to the ledger: the entries that a booking knows of only now, or whose event on sale it knows only now, each in both journals.
    async fn post(&self, epoch: Epoch, known: &BookingRecord, after: &BookingRecord) -> Result<(), StoreError> {
        let posted: BTreeSet<&Entry> = known.ledger().map(|(_, entry)| entry).collect();
        for (inventory_id, entry) in after.ledger().filter(|(_, entry)| !posted.contains(entry)) {
            let entry = Posted { entry: *entry, inventory_id, ticket_id: after.ticket_id };
            let journals = [Journal::Event(inventory_id), Journal::Month(month(entry.entry.occurred_at))];
            try_join_all(journals.into_iter().map(|journal| self.append(epoch, journal, &entry))).await?;
        }
        Ok(())
    }

    async fn append(&self, epoch: Epoch, journal: Journal, entry: &Posted) -> Result<(), StoreError> {
        let item = write(entry, journal.pk(epoch, bucket(entry.ticket_id)), &place(&entry.entry))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // Refused, it is there already.
        conditional(put.condition_expression("attribute_not_exists(pk)").send().await).map(|_| ())
    }

    fn put_booking(&self, epoch: Epoch, booking: BookingRecord, before: Option<u64>) -> Result<Put, StoreError> {
        let (pk, sk) = (bookings(epoch, booking.user_id), booking.ticket_id.to_string());
        let item = BookingItem { booking, revision: before.unwrap_or(0) + 1 };
        let put = Put::builder().table_name(&self.table).set_item(Some(write(&item, pk, &sk)?));
        built(match before {
            None => put.condition_expression("attribute_not_exists(pk)").build(),
            Some(revision) => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", number(revision))
                .build(),
        })
    }

    fn add(
        &self,
        epoch: Epoch,
        inventory: InventoryId,
        ticket: TicketId,
        slot: &Slot,
        counts: &Counts,
    ) -> Result<Update, StoreError> {
        let signed = |count: i64| AttributeValue::N(count.to_string());
        built(
            Update::builder()
                .table_name(&self.table)
                .key("pk", sales(epoch, inventory, bucket(ticket)))
                .key("sk", text(hour(slot)))
                .update_expression(
                    "ADD held :held, sold :sold, cancelled :cancelled, returned :returned, \
                     revenueMinor :revenue, refundsMinor :refunds",
                )
                .expression_attribute_values(":held", signed(counts.held))
                .expression_attribute_values(":sold", signed(counts.sold))
                .expression_attribute_values(":cancelled", signed(counts.cancelled))
                .expression_attribute_values(":returned", signed(counts.returned))
                .expression_attribute_values(":revenue", signed(counts.revenue))
                .expression_attribute_values(":refunds", signed(counts.refunds))
                .build(),
        )
    }

    /// AP-123 keep an event on sale as it is now, unless a later version of it is kept already.
    pub async fn keep_event(&self, epoch: Epoch, on_sale: &OnSale) -> Result<(), StoreError> {
        let outcome = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(on_sale, event(epoch, on_sale.inventory_id), EVENT)?))
            .condition_expression("attribute_not_exists(pk) OR version < :version")
            .expression_attribute_values(":version", number(on_sale.version))
            .send()
            .await;
        // Refused, it is late: what is there is newer.
        conditional(outcome).map(|_| ())
    }

    /// AP-124 close the list of a user who is gone. The bookings stay, because the sales follow from them; nobody is shown them any more.
    pub async fn close(&self, epoch: Epoch, user: UserId) -> Result<(), StoreError> {
        let item = Item::from([("pk".into(), bookings(epoch, user)), ("sk".into(), text(GONE))]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(StoreError::from_sdk)
    }

    /// AP-125 note how far the stream has been read, unless that is known to be further already.
    pub async fn note(&self, progress: &Progress) -> Result<(), StoreError> {
        let outcome = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(progress, text(PROGRESS), PROGRESS)?))
            .condition_expression("attribute_not_exists(pk) OR occurredAt < :at")
            .expression_attribute_values(":at", text(progress.occurred_at))
            .send()
            .await;
        conditional(outcome).map(|_| ())
    }

    /// AP-126 how far the stream has been read.
    pub async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        let item = get(&self.client, &self.table, text(PROGRESS), PROGRESS).await?;
        item.map(|item| read("progress", item)).transpose()
    }

    /// AP-127 an event on sale as it is now.
    pub async fn event(&self, epoch: Epoch, inventory: InventoryId) -> Result<Option<OnSale>, StoreError> {
        let item = get(&self.client, &self.table, event(epoch, inventory), EVENT).await?;
        item.map(|item| read("event", item)).transpose()
    }

    /// AP-128 a user's bookings that are shown, newest first, and the events they are for: one query, and another where deleted ones left the
    /// page short.
    pub async fn bookings(
        &self,
        user: UserId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Booked>, ListError> {
        /// How many bookings are read at once where a page asks for fewer: those that were deleted are passed over in few steps.
        const STEP: usize = 100;
        // Without the epoch, so that a cursor outlives a rebuild.
        let list = format!("BOOKINGS#{user}");
        let mut after = cursor.map(|cursor| cursor.position(&list)).transpose()?;
        let epoch = self.epochs().await?.current;
        let mut page: Vec<BookingRecord> = Vec::new();
        // One more than asked for says whether there are more.
        let mut step = limit.get() + 1;
        loop {
            let (found, more) = self.bookings_after(epoch, user, step, after.as_deref()).await?;
            after = found.last().map(|last| last.ticket_id.to_string());
            page.extend(found.into_iter().filter(BookingRecord::is_shown));
            if page.len() > limit.get() || !more {
                break;
            }
            step = STEP.max(limit.get() + 1);
        }
        let more = page.len() > limit.get();
        page.truncate(limit.get());
        let next = page.last().filter(|_| more).map(|last| Cursor::after(&list, &last.ticket_id.to_string()));
        let events = self.events_of(epoch, &page).await?;
        let event = |booking: &BookingRecord| events.get(&booking.ticket.as_ref()?.inventory_id).cloned();
        Ok(Page { items: page.into_iter().map(|booking| Booked { event: event(&booking), booking }).collect(), next })
    }

    /// The next of a user's bookings, newest first, at most so many, and whether there are more; none of a user who is gone.
    async fn bookings_after(
        &self,
        epoch: Epoch,
        user: UserId,
        most: usize,
        after: Option<&str>,
    ) -> Result<(Vec<BookingRecord>, bool), StoreError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", bookings(epoch, user))
            .scan_index_forward(false)
            .limit(i32::try_from(most).unwrap_or(i32::MAX));
        query = match after {
            None => query.key_condition_expression("pk = :pk"),
            Some(after) => query
                .key_condition_expression("pk = :pk AND sk < :after")
                .expression_attribute_values(":after", text(after)),
        };
        let answer = query.send().await.map_err(StoreError::from_sdk)?;
        let more = answer.last_evaluated_key.is_some_and(|key| !key.is_empty());
        let found = answer.items.unwrap_or_default();
        if found.first().and_then(|item| item.get("sk")) == Some(&text(GONE)) {
            return Ok((Vec::new(), false));
        }
        let found = found.into_iter().map(|item| read::<BookingItem>("booking", item).map(|item| item.booking));
        Ok((found.collect::<Result<_, _>>()?, more))
    }

    async fn events_of(
        &self,
        epoch: Epoch,
        bookings: &[BookingRecord],
    ) -> Result<BTreeMap<InventoryId, OnSale>, StoreError> {
        let booked = bookings.iter().filter_map(|booking| booking.ticket.as_ref());
        self.events(epoch, booked.map(|ticket| ticket.inventory_id).collect()).await
    }

    async fn events(
        &self,
        epoch: Epoch,
        wanted: BTreeSet<InventoryId>,
    ) -> Result<BTreeMap<InventoryId, OnSale>, StoreError> {
        let found = try_join_all(wanted.into_iter().map(|id| self.event(epoch, id))).await?;
        Ok(found.into_iter().flatten().map(|event| (event.inventory_id, event)).collect())
    }

    /// AP-129 an event's sales: every bucket of them, added up.
    pub async fn sales(&self, inventory: InventoryId) -> Result<Option<EventSales>, StoreError> {
        let epoch = self.epochs().await?.current;
        let Some(event) = self.event(epoch, inventory).await? else { return Ok(None) };
        // Read before the sales, which then are at least as far.
        let progress = self.progress().await?;
        let mut total = Sales::default();
        for bucket in try_join_all((0..BUCKETS).map(|bucket| self.bucket(epoch, inventory, bucket))).await? {
            total += bucket;
        }
        Ok(Some(EventSales { event, sales: total, progress }))
    }

    async fn bucket(&self, epoch: Epoch, inventory: InventoryId, bucket: u32) -> Result<Sales, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :hour)")
            .expression_attribute_values(":pk", sales(epoch, inventory, bucket))
            .expression_attribute_values(":hour", text(HOUR));
        let items: Vec<Item> =
            query.into_paginator().items().send().collect::<Result<_, _>>().await.map_err(StoreError::from_sdk)?;
        let hours = items.into_iter().map(|item| {
            let slot = item.get("sk").and_then(|sk| sk.as_s().ok()).and_then(|sk| slot_of(sk));
            let slot = slot.ok_or_else(|| StoreError::malformed("sales", "not an hour's key"))?;
            Ok((slot, read::<Counts>("sales", item)?))
        });
        hours.collect::<Result<_, _>>().map(Sales)
    }

    /// AP-561 a page of the ledger, oldest first: of an event on sale, or of all where the period is a short one.
    pub async fn ledger(
        &self,
        inventory: Option<InventoryId>,
        period: Period,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Posted>, ListError> {
        // Without the epoch, so that a cursor outlives a rebuild.
        let list = inventory.map_or_else(|| "LEDGER".to_owned(), |inventory| format!("LEDGER#{inventory}"));
        let after = cursor.map(|cursor| cursor.position(&list)).transpose()?;
        let mut entries = self.entries(inventory, period, after.as_deref(), limit.get() + 1).await?;
        let more = entries.len() > limit.get();
        entries.truncate(limit.get());
        let next = entries.last().filter(|_| more).map(|last| Cursor::after(&list, &place(&last.entry)));
        Ok(Page { items: entries, next })
    }

    /// AP-562 the first entries of the ledger after a place in it, oldest first, at most so many.
    pub async fn entries(
        &self,
        inventory: Option<InventoryId>,
        period: Period,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Posted>, StoreError> {
        /// How many are read in one call at most: less than its megabyte.
        const PAGE: usize = 1000;
        let epoch = self.epochs().await?.current;
        let from = period.from().to_string();
        let from = after.filter(|after| **after > *from).unwrap_or(&from);
        // The place itself is found too.
        let wanted = most + 1;
        let page = i32::try_from(wanted.min(PAGE)).unwrap_or(i32::MAX);
        let found = try_join_all(partitions(epoch, inventory, period).into_iter().map(|pk| {
            let mut items = self.journal(pk, from, period).into_paginator().page_size(page).items().send();
            async move {
                let mut entries = Vec::new();
                while entries.len() < wanted
                    && let Some(item) = items.next().await
                {
                    entries.push(read::<Posted>("entry", item.map_err(StoreError::from_sdk)?)?);
                }
                Ok::<_, StoreError>(entries)
            }
        }));
        let mut entries = found.await?.concat();
        entries.retain(|posted| after.is_none_or(|after| place(&posted.entry).as_str() > after));
        entries.sort_by_key(|posted| posted.entry);
        entries.truncate(most);
        Ok(entries)
    }

    /// AP-563 what became of money in a period, by event on sale and currency: the sum of its entries.
    pub async fn settlement(&self, inventory: Option<InventoryId>, period: Period) -> Result<Settlement, StoreError> {
        let epoch = self.epochs().await?.current;
        // Read before the entries, which then are at least as far.
        let progress = self.progress().await?;
        let from = period.from().to_string();
        let sums = try_join_all(partitions(epoch, inventory, period).into_iter().map(|pk| {
            let mut entries = self.journal(pk, &from, period).into_paginator().items().send();
            async move {
                let mut sums = BTreeMap::<(InventoryId, &'static str), (Currency, Settled)>::new();
                while let Some(item) = entries.next().await {
                    let Posted { entry, inventory_id, .. } = read("entry", item.map_err(StoreError::from_sdk)?)?;
                    let nothing = (entry.currency, Settled::default());
                    sums.entry((inventory_id, entry.currency.code())).or_insert(nothing).1 += &entry;
                }
                Ok::<_, StoreError>(sums)
            }
        }));
        let mut settled = BTreeMap::<_, (Currency, Settled)>::new();
        for (key, (currency, sum)) in sums.await?.into_iter().flatten() {
            settled.entry(key).or_insert((currency, Settled::default())).1 += sum;
        }
        let wanted: BTreeSet<InventoryId> = settled.keys().map(|(inventory, _)| *inventory).collect();
        let events = self.events(epoch, wanted).await?;
        Ok(Settlement { settled, events, progress })
    }

    /// AP-564 the balances of a booking's money, as its events tell them.
    pub async fn balances(&self, user: UserId, ticket: TicketId) -> Result<Balances, StoreError> {
        let epoch = self.epochs().await?.current;
        Ok(self.booking(epoch, user, ticket).await?.map_or_else(Balances::default, |booking| booking.balances()))
    }

    /// A part of a journal: the entries of a period from a place on.
    fn journal(&self, pk: AttributeValue, from: &str, period: Period) -> QueryFluentBuilder {
        // An entry's place is longer than its instant, so one at the end of the period is after it.
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", pk)
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(period.to()))
    }

    /// AP-130 the epoch being built; a new one where there is none.
    pub async fn begin_building(&self) -> Result<Epoch, StoreError> {
        until_current(|| async {
            let before = self.epochs().await?;
            if let Some(building) = before.building {
                return Ok(Attempt::Done(building));
            }
            let next = before.current.next();
            let epochs = Epochs { building: Some(next), ..before };
            let outcome = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(write(&epochs, text(EPOCH), EPOCH)?))
                .condition_expression(
                    "attribute_not_exists(pk) OR (#current = :current AND attribute_not_exists(building))",
                )
                .expression_attribute_names("#current", "current")
                .expression_attribute_values(":current", number(before.current.0))
                .send()
                .await;
            Ok(Attempt::when(conditional(outcome)?, next))
        })
        .await
    }

    /// AP-131 show what was being built. Somebody else may have done so.
    pub async fn show(&self, built: Epoch, now: Timestamp) -> Result<Written, StoreError> {
        let epochs = Epochs { current: built, shown_at: Some(now), building: None };
        let outcome = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(&epochs, text(EPOCH), EPOCH)?))
            .condition_expression("building = :built")
            .expression_attribute_values(":built", number(built.0))
            .send()
            .await;
        conditional(outcome)
    }

    /// AP-132 delete what is of an epoch before the one shown, and say how many items that were. Reads the whole table: an operator's command calls it, no
    /// request does.
    ///
    /// # Errors
    /// While somebody may be at work with such an epoch, or when the store fails.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, SweepError> {
        let epochs = self.epochs().await?;
        if let Some(at) = epochs.settled_at().filter(|at| now < *at) {
            return Err(SweepError::TooEarly(at));
        }
        let mut pages =
            self.client.scan().table_name(&self.table).projection_expression("pk, sk").into_paginator().send();
        let mut swept = 0;
        while let Some(page) = pages.next().await {
            let keys = page.map_err(StoreError::from_sdk)?.items.unwrap_or_default();
            let epoch = |key: &Item| key.get("pk").and_then(|pk| pk.as_s().ok()).and_then(|pk| Epoch::of(pk));
            let old = keys.into_iter().filter(|key| epoch(key).is_some_and(|epoch| epoch < epochs.current));
            let old: Vec<Item> = old.collect();
            swept += old.len();
            for some in old.chunks(25) {
                try_join_all(some.iter().map(|key| self.delete(key.clone()))).await?;
            }
        }
        Ok(swept)
    }

    async fn delete(&self, key: Item) -> Result<(), StoreError> {
        let deleted = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        deleted.map(|_| ()).map_err(StoreError::from_sdk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hours_key_leads_back_to_it() {
        let slot = Slot { hour: "2030-01-01T10:00:00.000Z".parse().unwrap(), currency: Currency::Chf };
        assert_eq!(hour(&slot), "HOUR#2030-01-01T10:00:00.000Z#CHF");
        assert_eq!(slot_of(&hour(&slot)), Some(slot));
        assert_eq!(slot_of("HOUR#yesterday#CHF"), None);
    }

    #[test]
    fn a_key_says_its_epoch() {
        let key = bookings(Epoch(12), UserId::generate());
        assert_eq!(Epoch::of(key.as_s().unwrap()), Some(Epoch(12)));
        for other in ["EPOCH", "PROGRESS", "EVT#evt_1#x"] {
            assert_eq!(Epoch::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_user_who_is_gone_sorts_after_their_tickets() {
        assert!(GONE > TicketId::generate().to_string().as_str());
    }
}
