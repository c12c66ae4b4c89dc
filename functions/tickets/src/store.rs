//! The tickets table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a ticket | `TKT#<ticketId>` | `TICKET` |
//! | an idempotency key, used | `KEY#<callerId>#<key>` | `KEY` |
//! | a buyer's seats of an event | `BUYER#<userId>#<inventoryId>` | `POOL` |
//! | orders from an address | `BUDGET#orders#<address>` | `BUDGET` |
//!
//! A ticket is on four lists, until it is deleted ([`Lists`]).

use crate::{
    domain::{CancellationReason, EventCopy, Status, Ticket, Unchanged},
    events::{
        EventDetails, TicketCancellationRequested, TicketCancelled, TicketCompleted, TicketConfirmed, TicketCreated,
        TicketDeleted, TicketEventChanged, TicketExpiryRequested, TicketMailRequested,
    },
    pool::{LimitExceeded, Pool},
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, Update},
};
use boxoffice_admissions::{
    AdmissionStore,
    domain::{Block, BlockState, Standing},
};
use boxoffice_aws::{
    Cursor, EventStore, Freshness, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    UserDirectory,
    attribute::{number, text},
    batch,
    listing::{GSI1, GSI2, GSI3, GSI4, GSI5},
    transaction::{self, Attempt, Written, built, conditional, read, write},
    walk,
};
use boxoffice_inventory::{
    EventName, InventoryStore, SeatGuard,
    domain::{Location, MAX_PER_ORDER, NotForSale, Reservation, ReservationState, VersionedTerms},
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId,
    Timestamp, Trace, UserId, money, money::InvalidAmount,
};
use boxoffice_payments::{
    Instruction, PaymentStore,
    domain::{Payment, SettlesTooLate},
};
use boxoffice_runtime::config::{self, ConfigError};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tokio::sync::OnceCell;

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct TicketStore {
    client: Client,
    table: String,
    listing: Listing,
    events: EventStore,
}

/// Where tickets are booked: this context's store, the seats, and the payments.
#[derive(Debug, Clone)]
pub struct Desk {
    tickets: TicketStore,
    inventory: InventoryStore,
    payments: PaymentStore,
    users: UserDirectory,
    hold_seconds: u32,
}

/// Tickets together with the events they are for: where what becomes of a ticket depends on its seats, or on the event as it is now.
#[derive(Debug, Clone)]
pub struct Sale {
    /// This context's store.
    pub tickets: TicketStore,
    pub(crate) inventory: InventoryStore,
    admissions: AdmissionStore,
}

/// A buyer's order.
#[derive(Debug, Clone)]
pub struct Order {
    /// The caller: the buyer, or an ADMIN who books for them. The idempotency key belongs to the caller.
    pub caller: UserId,
    /// The owner of the ticket.
    pub user_id: UserId,
    /// The event on sale.
    pub event: EventRef,
    /// How many seats.
    pub quantity: Quantity,
    /// The payment method to charge, if the buyer named one.
    pub instruction: Option<Instruction>,
    /// The total that the buyer was shown, if the order names one.
    pub expected_total: Option<Money>,
}

/// An event on sale, by either of its names.
#[derive(Debug, Clone)]
pub enum EventRef {
    /// By its id.
    Id(InventoryId),
    /// By its name.
    Name(EventName),
}

/// The result of an order.
#[derive(Debug)]
pub enum Outcome {
    /// A new ticket.
    Created(Ticket),
    /// The ticket that this very order made before.
    Replayed(Ticket),
}

/// Why an order made no ticket.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NoSuchEvent,
    /// Not for sale, or not that many.
    #[error(transparent)]
    NotForSale(#[from] NotForSale),
    /// The key was used for another order.
    #[error("the Idempotency-Key was used for another booking")]
    KeyReused,
    /// The key made a ticket that has been deleted since.
    #[error("the ticket this Idempotency-Key made has been deleted")]
    Deleted,
    /// More money than money can be.
    #[error("the total {0}")]
    TotalTooLarge(#[from] InvalidAmount),
    /// The total differs from the one the buyer was shown.
    #[error("the total is {} {} now, and not {} {}", now.amount, now.currency, expected.amount, expected.currency)]
    PriceChanged {
        /// The current total.
        now: Money,
        /// The total the buyer was shown.
        expected: Money,
    },
    /// The buyer, for whom somebody else books, is no user.
    #[error("there is no such user")]
    NoSuchBuyer,
    /// The money would arrive after the seats are no longer held.
    #[error(transparent)]
    SettlesTooLate(#[from] SettlesTooLate),
    /// The buyer would have more than the event's terms allow.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a ticket was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("there is no such ticket")]
    NotFound,
    /// A rule says no.
    #[error(transparent)]
    Unchanged(#[from] Unchanged),
    /// Its seats are not held.
    #[error("the seats are no longer held")]
    HoldLost,
    /// It is being taken back, and gets no admissions.
    #[error("the booking is being taken back")]
    TakenBack,
    /// Somebody has entered with it.
    #[error("a ticket of this booking has been used at a door; ask the staff there to undo the entry first")]
    Used,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketItem {
    id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    location: Location,
    /// The version of the terms that name, date and place are from.
    event_version: u64,
    quantity: Quantity,
    #[serde(with = "money::minor")]
    price_minor: Amount,
    #[serde(with = "money::minor")]
    total_minor: Amount,
    currency: Currency,
    status: Status,
    hold_expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancellation_requested_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancellation_requested_by: Option<UserId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    event_cancelled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_requested_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<CancellationReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<TicketItem> for Ticket {
    fn from(item: TicketItem) -> Self {
        Self {
            id: item.id,
            user_id: item.user_id,
            inventory_id: item.inventory_id,
            event: EventCopy {
                name: item.event_name,
                date: item.event_date,
                location: item.location,
                version: item.event_version,
            },
            quantity: item.quantity,
            price: Money { amount: item.price_minor, currency: item.currency },
            total: item.total_minor,
            status: item.status,
            hold_expires_at: item.hold_expires_at,
            cancellation_requested_at: item.cancellation_requested_at,
            cancellation_requested_by: item.cancellation_requested_by,
            event_cancelled: item.event_cancelled,
            expiry_requested_at: item.expiry_requested_at,
            cancellation_reason: item.cancellation_reason,
            deleted_at: item.deleted_at,
            version: item.version,
            created_at: item.created_at,
            updated_at: item.updated_at,
        }
    }
}

impl From<&Ticket> for TicketItem {
    fn from(ticket: &Ticket) -> Self {
        Self {
            id: ticket.id,
            user_id: ticket.user_id,
            inventory_id: ticket.inventory_id,
            event_name: ticket.event.name.clone(),
            event_date: ticket.event.date,
            location: ticket.event.location.clone(),
            event_version: ticket.event.version,
            quantity: ticket.quantity,
            price_minor: ticket.price.amount,
            total_minor: ticket.total,
            currency: ticket.price.currency,
            status: ticket.status,
            hold_expires_at: ticket.hold_expires_at,
            cancellation_requested_at: ticket.cancellation_requested_at,
            cancellation_requested_by: ticket.cancellation_requested_by,
            event_cancelled: ticket.event_cancelled,
            expiry_requested_at: ticket.expiry_requested_at,
            cancellation_reason: ticket.cancellation_reason,
            deleted_at: ticket.deleted_at,
            version: ticket.version,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    fingerprint: Fingerprint,
    ticket_id: TicketId,
}

fn cancellation_requested(ticket: &Ticket) -> TicketCancellationRequested {
    TicketCancellationRequested {
        booking: ticket.into(),
        requested_by: ticket.cancellation_requested_by,
        event_cancelled: ticket.event_cancelled,
    }
}

fn ticket_key(id: TicketId) -> AttributeValue {
    text(format_args!("TKT#{id}"))
}

fn idempotency_key(caller: UserId, key: &IdempotencyKey) -> AttributeValue {
    text(format_args!("KEY#{caller}#{key}"))
}

const TICKET: &str = "TICKET";
const KEY: &str = "KEY";

/// The lists that tickets are on. A user's list is one partition; a list that everybody adds to is spread.
struct Lists;

impl Lists {
    fn of_user(user: UserId) -> List {
        List::of(GSI1, format_args!("USER#{user}"))
    }

    fn all() -> List {
        List::spread(GSI2, "ALL")
    }

    fn of_status(status: Status) -> List {
        List::spread(GSI3, format_args!("STATUS#{status}"))
    }

    /// Tickets that `reconcile` has yet to prove. A ticket comes onto it with every write, and off it by proof alone, deleted or not.
    fn unproven() -> List {
        List::spread(GSI5, "UNPROVEN")
    }

    fn of_event(event: InventoryId) -> List {
        List::spread(GSI4, format_args!("EVENT#{event}"))
    }

    /// Those that this ticket is on.
    fn with(ticket: &Ticket) -> [List; 4] {
        [
            Self::of_user(ticket.user_id),
            Self::all(),
            Self::of_status(ticket.status),
            Self::of_event(ticket.inventory_id),
        ]
    }
}

impl TicketStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        let table = table.into();
        Self { listing: Listing::new(client.clone(), &table, TicketId::PREFIX), client, table, events }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The store in the tables that the environment names.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("TICKETS_TABLE")?, events))
    }

    /// AP-50 get ticket, unless it is deleted.
    pub async fn get(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let ticket = self.even_deleted(id).await?;
        Ok(ticket.filter(|ticket| ticket.deleted_at.is_none()))
    }

    /// AP-50 for what decides: money and seats may be given back for a ticket that nobody sees any more.
    pub async fn even_deleted(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let item = transaction::get(&self.client, &self.table, ticket_key(id), TICKET).await?;
        item.map(as_ticket).transpose()
    }

    /// AP-51 what this key was used for.
    async fn key(&self, caller: UserId, key: &IdempotencyKey) -> Result<Option<KeyItem>, StoreError> {
        let item = transaction::get(&self.client, &self.table, idempotency_key(caller, key), KEY).await?;
        item.map(|item| read("idempotency key", item)).transpose()
    }

    /// AP-56 list a user's tickets, newest first.
    pub async fn list_by_user(
        &self,
        user: UserId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_user(user), limit, cursor).await
    }

    /// AP-57 list every ticket, newest first.
    pub async fn list_all(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::all(), limit, cursor).await
    }

    /// AP-58 list the tickets of a status, newest first.
    pub async fn list_by_status(
        &self,
        status: Status,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_status(status), limit, cursor).await
    }

    /// AP-59 list the tickets to an event, newest first.
    pub async fn list_by_event(
        &self,
        event: InventoryId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_event(event), limit, cursor).await
    }

    async fn list(&self, list: &List, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        // The index is written after the table: what has left this list since is left out.
        let still_listed = |item| {
            let ticket = as_ticket(item)?;
            let listed = ticket.deleted_at.is_none() && Lists::with(&ticket).contains(list);
            Ok(listed.then_some(ticket))
        };
        self.listing.page(list, limit, cursor, still_listed).await
    }

    fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        built(put.condition_expression("attribute_not_exists(pk)").build())
    }

    /// The update that moves a ticket from what it was read as to what was decided, and onto the list of its status; off every list when it is
    /// deleted.
    fn change(&self, before: &Ticket, after: &Ticket) -> Result<Update, StoreError> {
        let EventCopy { name, date, location, version } = &after.event;
        let mut sets = "SET #status = :status, eventName = :eventName, eventDate = :eventDate, #location = :location, \
                        eventVersion = :eventVersion, version = :after, updatedAt = :now"
            .to_owned();
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", ticket_key(after.id))
            .key("sk", text(TICKET))
            .condition_expression("version = :before")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#location", "location")
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":eventName", text(name))
            .expression_attribute_values(":eventDate", text(date))
            .expression_attribute_values(":location", text(location))
            .expression_attribute_values(":eventVersion", number(*version))
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        if let Some(at) = after.cancellation_requested_at {
            sets.push_str(", cancellationRequestedAt = :requested");
            update = update.expression_attribute_values(":requested", text(at));
        }
        if let Some(by) = after.cancellation_requested_by {
            sets.push_str(", cancellationRequestedBy = :requester");
            update = update.expression_attribute_values(":requester", text(by));
        }
        if after.event_cancelled {
            sets.push_str(", eventCancelled = :eventCancelled");
            update = update.expression_attribute_values(":eventCancelled", AttributeValue::Bool(true));
        }
        if let Some(at) = after.expiry_requested_at {
            sets.push_str(", expiryRequestedAt = :expiry");
            update = update.expression_attribute_values(":expiry", text(at));
        }
        if let Some(reason) = after.cancellation_reason {
            let reason = built(serde_dynamo::to_attribute_value(reason))?;
            sets.push_str(", cancellationReason = :reason");
            update = update.expression_attribute_values(":reason", reason);
        }
        for (attribute, value) in Lists::unproven().entry(after.id) {
            let placeholder = format!(":{attribute}");
            sets.extend([", ", &attribute, " = ", &placeholder]);
            update = update.expression_attribute_values(placeholder, value);
        }
        if let Some(at) = after.deleted_at {
            sets.push_str(", deletedAt = :deleted");
            update = update.expression_attribute_values(":deleted", text(at));
            let entries = Lists::with(after);
            let entries: Vec<_> = entries.iter().flat_map(List::attributes).collect();
            sets.push_str(" REMOVE ");
            sets.push_str(&entries.join(", "));
        } else {
            for (attribute, value) in Lists::of_status(after.status).entry(after.id) {
                let placeholder = format!(":{attribute}");
                sets.extend([", ", &attribute, " = ", &placeholder]);
                update = update.expression_attribute_values(placeholder, value);
            }
        }
        built(update.update_expression(sets).build())
    }

    fn event<T: DomainEvent>(&self, data: T, ticket: &Ticket, trace: &Trace) -> Result<Put, StoreError> {
        self.events.append(&Envelope::new(data, ticket.version, ticket.updated_at, trace))
    }

    /// AP-53 cancel ticket.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn cancel(&self, id: TicketId, reason: CancellationReason, trace: &Trace) -> Result<Ticket, ChangeError> {
        let event = |ticket: &Ticket| TicketCancelled {
            booking: ticket.into(),
            location: Some(ticket.event.location.clone()),
            cancellation_reason: ticket.cancellation_reason.unwrap_or(reason),
        };
        self.rewrite(id, |ticket| ticket.cancel(reason, Timestamp::now()), event, trace).await
    }

    /// AP-590 request mail: states that the ticket's owner wants its mail once more, with the event as they were last told of it.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn request_mail(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let decide = |ticket: &Ticket| ticket.request_mail(Timestamp::now());
        let event =
            |ticket: &Ticket| TicketMailRequested { booking: ticket.into(), location: ticket.event.location.clone() };
        self.rewrite(id, decide, event, trace).await
    }

    /// AP-62 delete ticket: marks it, and takes it off every list.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn delete(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let decide = |ticket: &Ticket| ticket.delete(Timestamp::now());
        self.rewrite(id, decide, |ticket| TicketDeleted { booking: ticket.into() }, trace).await
    }

    /// AP-377 list the tickets that are yet to be proven, deleted or not, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_unproven(&self, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        self.listing.page(&Lists::unproven(), Limit::LARGEST, cursor, |item| as_ticket(item).map(Some)).await
    }

    /// AP-378 prove: takes a ticket off the list of AP-377, unless it was written since it was seen. No version of its own: nothing of it changes.
    /// [`Written::Stale`] when it was, or is off that list.
    ///
    /// # Errors
    /// When the store does.
    pub async fn prove(&self, seen: &Ticket) -> Result<Written, StoreError> {
        let [partition, sort] = Lists::unproven().attributes();
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", ticket_key(seen.id))
            .key("sk", text(TICKET))
            .update_expression(format!("REMOVE {partition}, {sort}"))
            .condition_expression(format!("version = :seen AND attribute_exists({partition})"))
            .expression_attribute_values(":seen", number(seen.version));
        conditional(update.send().await)
    }

    /// AP-379 get tickets (at most 100, each once), deleted or not, as they were a moment ago; those there are.
    ///
    /// # Errors
    /// When the store does.
    pub async fn of(&self, ids: &[TicketId]) -> Result<Vec<Ticket>, StoreError> {
        let key = |id: &TicketId| Item::from([("pk".into(), ticket_key(*id)), ("sk".into(), text(TICKET))]);
        let keys = ids.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        found.into_iter().map(as_ticket).collect()
    }

    /// AP-380 list the ids of the tickets to an event, newest first, by AP-59's index alone.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn ids_by_event(&self, event: InventoryId, cursor: Option<Cursor>) -> Result<Page<TicketId>, ListError> {
        let Page { items, next } = self.listing.ids(&Lists::of_event(event), Limit::LARGEST, cursor).await?;
        let id = |id: String| id.parse().map_err(|error| StoreError::malformed("ticket id", error));
        Ok(Page { items: items.into_iter().map(id).collect::<Result<_, _>>()?, next })
    }

    /// AP-63 walk over every ticket, deleted or not, as they were a moment ago. A scan, for an operator's full audit alone.
    pub async fn walk(&self, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .limit(i32::from(Limit::MAX))
            .filter_expression("sk = :sk")
            .expression_attribute_values(":sk", text(TICKET));
        let Page { items, next } = walk::page(scan, cursor).await?;
        Ok(Page { items: items.into_iter().map(as_ticket).collect::<Result<_, _>>()?, next })
    }

    /// AP-64 take back a booking that nobody is at work on: states its buyer's wish again where there is one, else that its hold is over. Either
    /// starts the saga's undo, and from then on the ticket is not confirmed. [`Written::Stale`] when the ticket is no longer as it was seen, or
    /// not such a one.
    ///
    /// # Errors
    /// When the store does.
    pub async fn take_back(&self, seen: &Ticket, now: Timestamp, trace: &Trace) -> Result<Written, StoreError> {
        let wished = seen.cancellation_requested_at.is_some();
        let decided = if wished { seen.restate_cancellation(now) } else { seen.request_expiry(now) };
        let Ok(after) = decided else { return Ok(Written::Stale) };
        let event = if wished {
            self.event(cancellation_requested(&after), &after, trace)?
        } else {
            self.event(TicketExpiryRequested { booking: (&after).into() }, &after, trace)?
        };
        let transaction = Transaction::new().update((), self.change(seen, &after)?).put((), event);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    async fn rewrite<T: DomainEvent>(
        &self,
        id: TicketId,
        decide: impl Fn(&Ticket) -> Result<Ticket, Unchanged>,
        event: impl Fn(&Ticket) -> T,
        trace: &Trace,
    ) -> Result<Ticket, ChangeError> {
        transaction::until_current(|| async {
            let before = self.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
            let after = decide(&before)?;
            let transaction = Transaction::new()
                .update((), self.change(&before, &after)?)
                .put((), self.event(event(&after), &after, trace)?)
                .updates(self.follow(&before, &after)?.map(|pool| ((), pool)));
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, after))
        })
        .await
    }
}

fn no_event(ticket: &Ticket) -> StoreError {
    StoreError::malformed("ticket", format_args!("its event {} is missing", ticket.inventory_id))
}

/// Why a list that this store reads to its end, by its own cursors, broke off.
pub(crate) fn unlisted(error: ListError) -> StoreError {
    match error {
        ListError::Store(error) => error,
        ListError::Cursor(error) => StoreError::malformed("cursor", error),
    }
}

fn as_ticket(item: Item) -> Result<Ticket, StoreError> {
    read::<TicketItem>("ticket", item).map(Ticket::from)
}

#[derive(Debug, PartialEq)]
enum BookGuard {
    Key,
    New,
    Buyer,
    Pool,
    Seats(SeatGuard),
}

/// The items of a booking beside its shards: key, ticket, payment, payment instruction, reservation, an event each for ticket, payment and
/// reservation, the buyer's pool, and the check of a buyer who is not the caller.
const ITEMS_BESIDE_SHARDS: u32 = 10;
/// DynamoDB takes so many items in a transaction, and a hold may be gathered from as many shards as it has seats.
const _: () = assert!(MAX_PER_ORDER + ITEMS_BESIDE_SHARDS <= 100, "a booking does not fit into one transaction");

impl Ticket {
    /// Its payment, as the order would have it paid.
    fn new_payment(&self, instruction: Option<&Instruction>) -> Payment {
        let money = Money { amount: self.total, currency: self.price.currency };
        let waiting = Payment::of(self.id, self.user_id, money, self.hold_expires_at, self.created_at);
        match instruction {
            Some(instruction) => instruction.applied_to(waiting),
            None => waiting,
        }
    }
}

impl Desk {
    /// A desk that holds seats for so many seconds.
    pub fn new(
        tickets: TicketStore,
        inventory: InventoryStore,
        payments: PaymentStore,
        users: UserDirectory,
        hold_seconds: u32,
    ) -> Self {
        Self { tickets, inventory, payments, users, hold_seconds }
    }

    /// The desk that the environment describes.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(
            TicketStore::from_env(client.clone())?,
            InventoryStore::from_env(client.clone())?,
            PaymentStore::from_env(client)?,
            UserDirectory::new(config::required("USERS_TABLE")?),
            config::parsed("HOLD_SECONDS")?,
        ))
    }

    /// AP-54 book: seats, ticket, key, payment and events in one transaction; for a booking in another user's name also a check that the user
    /// exists (AP-283).
    ///
    /// # Errors
    /// When the event cannot be booked, the key was used for another order, or the store fails. Then nothing was written.
    pub async fn book(
        &self,
        order: &Order,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        trace: &Trace,
    ) -> Result<Outcome, BookError> {
        if let Some(replayed) = self.replay(order.caller, key, fingerprint).await? {
            return Ok(replayed);
        }
        match self.book_anew(order, key, fingerprint, trace).await {
            // Perhaps to this very order, sent twice at once: then it is no refusal.
            Err(
                refusal @ (BookError::NotForSale(_) | BookError::PriceChanged { .. } | BookError::LimitExceeded(_)),
            ) => self.replay(order.caller, key, fingerprint).await?.ok_or(refusal),
            outcome => outcome,
        }
    }

    async fn book_anew(
        &self,
        order: &Order,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        trace: &Trace,
    ) -> Result<Outcome, BookError> {
        if let Some(instruction) = &order.instruction {
            instruction.method.must_settle_within(self.hold_seconds)?;
        }
        let inventory_id = match &order.event {
            EventRef::Id(id) => *id,
            EventRef::Name(name) => self.inventory.find(name).await?.ok_or(BookError::NoSuchEvent)?,
        };
        let id = TicketId::generate();
        let mut rounds = 0..;
        transaction::until_current(|| {
            let round = rounds.next().unwrap_or(usize::MAX);
            async move {
                let now = Timestamp::now();
                // By chance, each time anew: who was overtaken on one shard together does not meet on the next.
                let turn = fastrand::usize(..);
                let planned = self.inventory.plan_hold(inventory_id, order.quantity, turn, round, now).await?;
                let (inventory, plan) = planned.ok_or(BookError::NoSuchEvent)?;
                let limits = &inventory.terms.limits;
                if let Err(exceeded) = LimitExceeded::check(order.quantity, limits) {
                    // The first look may have seen limits that are no more.
                    return if round == 0 { Ok(Attempt::Overtaken) } else { Err(exceeded.into()) };
                }
                let allocations = plan?;
                let ticket = Ticket::book(id, order.user_id, &inventory, order.quantity, self.hold_seconds, now)?;
                let total = Money { amount: ticket.total, currency: ticket.price.currency };
                if let Some(expected) = order.expected_total.filter(|expected| *expected != total) {
                    // Perhaps the first look, which may be a moment old, saw terms that are no more.
                    return if round == 0 {
                        Ok(Attempt::Overtaken)
                    } else {
                        Err(BookError::PriceChanged { now: total, expected })
                    };
                }
                let reservation = Reservation::hold(id, &inventory, order.quantity, allocations);
                let key_item = KeyItem { fingerprint: fingerprint.clone(), ticket_id: id };
                let key_item = write(&key_item, idempotency_key(order.caller, key), KEY)?;
                let mut item = write(&TicketItem::from(&ticket), ticket_key(id), TICKET)?;
                item.extend(Lists::with(&ticket).iter().flat_map(|list| list.entry(id)));
                item.extend(Lists::unproven().entry(id));
                let event = TicketCreated { booking: (&ticket).into() };
                let mut transaction = Transaction::new()
                    .put(BookGuard::Key, self.tickets.put_new(key_item)?)
                    .put(BookGuard::New, self.tickets.put_new(item)?)
                    .put(BookGuard::New, self.tickets.event(event, &ticket, trace)?)
                    .update(BookGuard::Pool, self.tickets.take(&ticket, limits)?);
                if order.caller != order.user_id {
                    transaction = transaction.check(BookGuard::Buyer, self.users.exists(order.user_id)?);
                }
                let instruction = order.instruction.as_ref();
                let payment = self.payments.initiate(&ticket.new_payment(instruction), instruction, trace)?;
                let seats = self.inventory.hold(&inventory, &reservation, trace)?;
                let transaction = transaction.join(payment, |()| BookGuard::New).join(seats, BookGuard::Seats);
                match transaction.commit(&self.tickets.client).await {
                    Ok(_) => Ok(Attempt::Done(Outcome::Created(ticket))),
                    // When the key is not there after all, the order is looked at again.
                    Err(Uncommitted::Refused(refusals)) if refusals.has(&BookGuard::Key) => {
                        let replayed = self.replay(order.caller, key, fingerprint).await?;
                        Ok(replayed.map_or(Attempt::Overtaken, Attempt::Done))
                    }
                    Err(Uncommitted::Refused(refusals)) if refusals.has(&BookGuard::Buyer) => {
                        Err(BookError::NoSuchBuyer)
                    }
                    // By the limits as they are: the first look may have seen older ones.
                    Err(Uncommitted::Refused(refusals)) if round > 0 && refusals.has(&BookGuard::Pool) => {
                        let pool = refusals.found(&BookGuard::Pool).cloned();
                        let pool = pool.map_or_else(|| Ok(Pool::default()), |item| read("pool", item))?;
                        let exceeded = LimitExceeded::of(pool, order.quantity, limits);
                        exceeded.map_or(Ok(Attempt::Overtaken), |exceeded| Err(exceeded.into()))
                    }
                    // The seats moved, or the terms did: plan again on what is there now.
                    Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                    Err(Uncommitted::Store(error)) => Err(error.into()),
                }
            }
        })
        .await
    }

    async fn replay(
        &self,
        caller: UserId,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Outcome>, BookError> {
        let Some(record) = self.tickets.key(caller, key).await? else { return Ok(None) };
        if record.fingerprint != *fingerprint {
            return Err(BookError::KeyReused);
        }
        match self.tickets.even_deleted(record.ticket_id).await? {
            Some(ticket) if ticket.deleted_at.is_some() => Err(BookError::Deleted),
            Some(ticket) => Ok(Some(Outcome::Replayed(ticket))),
            None => Err(StoreError::malformed("idempotency key", "its ticket is missing").into()),
        }
    }
}

#[derive(Debug, PartialEq)]
enum ConfirmGuard {
    Ticket,
    Seats(SeatGuard),
    Admissions,
}

/// The most items of a confirmation beside its shards: the ticket, the reservation, the block of admissions, an event for each, and the buyer's pool.
const ITEMS_BESIDE_SOLD_SHARDS: u32 = 7;
const _: () =
    assert!(MAX_PER_ORDER + ITEMS_BESIDE_SOLD_SHARDS <= 100, "a confirmation does not fit into one transaction");

impl Sale {
    /// A sale of these tickets and seats.
    pub fn new(tickets: TicketStore, inventory: InventoryStore, admissions: AdmissionStore) -> Self {
        Self { tickets, inventory, admissions }
    }

    /// The sale that the environment describes.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(
            TicketStore::from_env(client.clone())?,
            InventoryStore::from_env(client.clone())?,
            AdmissionStore::from_env(client)?,
        ))
    }

    /// When a ticket's event begins, as it is now: the ticket's own copy may be older. An event that is off sale keeps the date it had.
    async fn begins(&self, ticket: &Ticket) -> Result<Timestamp, StoreError> {
        let terms = self.inventory.terms(&[ticket.inventory_id]).await?.remove(&ticket.inventory_id);
        terms.map(|event| event.terms.event_date).ok_or_else(|| no_event(ticket))
    }

    /// AP-52 request cancellation: this user's request, the event that starts the saga to fulfil it, and the revocation of the admissions (AP-504), all or
    /// nothing: once somebody has entered the booking stays, and once it is to be cancelled nobody enters. No later than the event begins, as it is when the
    /// wish is made (AP-281).
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn request_cancellation(&self, id: TicketId, by: UserId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let before = self.tickets.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
        let begins = self.begins(&before).await?;
        self.call_off(id, |ticket| ticket.request_cancellation(by, begins, Timestamp::now()), trace).await
    }

    /// AP-473 withdraw: like AP-52, for a booking whose event this organiser cancelled, whether the event was to have begun or not.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn withdraw(&self, id: TicketId, by: UserId, trace: &Trace) -> Result<Ticket, ChangeError> {
        self.call_off(id, |ticket| ticket.withdraw(by, Timestamp::now()), trace).await
    }

    async fn call_off(
        &self,
        id: TicketId,
        decide: impl Fn(&Ticket) -> Result<Ticket, Unchanged>,
        trace: &Trace,
    ) -> Result<Ticket, ChangeError> {
        transaction::until_current(|| async {
            let before = self.tickets.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
            let after = decide(&before)?;
            let mut transaction = Transaction::new()
                .update((), self.tickets.change(&before, &after)?)
                .put((), self.tickets.event(cancellation_requested(&after), &after, trace)?);
            if before.status == Status::Confirmed
                && let Some(block) = self.admissions.block(id).await?
                && block.state == BlockState::Issued
            {
                if block.used > 0 {
                    return Err(ChangeError::Used);
                }
                transaction = transaction.join(self.admissions.revoke_unused(&block, trace)?, |()| ());
            }
            let written = transaction.commit(&self.tickets.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, after))
        })
        .await
    }

    /// AP-61 complete ticket, once its event has begun as it is now (AP-281).
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn complete(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let before = self.tickets.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
        let begins = self.begins(&before).await?;
        let decide = |ticket: &Ticket| ticket.complete(begins, Timestamp::now());
        self.tickets.rewrite(id, decide, |ticket| TicketCompleted { booking: ticket.into() }, trace).await
    }

    /// AP-60 how many of a user's tickets are to events still to come, over all pages of AP-56, by the events' dates as they are now (AP-281). The
    /// list is eventually consistent: a ticket booked a moment ago may not be counted yet.
    ///
    /// # Errors
    /// When the store does.
    pub async fn count_upcoming(&self, user: UserId, now: Timestamp) -> Result<usize, StoreError> {
        let (mut count, mut cursor) = (0, None);
        loop {
            let page = self.tickets.list_by_user(user, Limit::LARGEST, cursor).await.map_err(unlisted)?;
            let live: Vec<&Ticket> = page.items.iter().filter(|ticket| ticket.is_live()).collect();
            let events: BTreeSet<InventoryId> = live.iter().map(|ticket| ticket.inventory_id).collect();
            let events = self.inventory.terms(&events.into_iter().collect::<Vec<_>>()).await?;
            for ticket in live {
                let event = events.get(&ticket.inventory_id).ok_or_else(|| no_event(ticket))?;
                count += usize::from(now < event.terms.event_date);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// The event on sale that has this name now (AP-11).
    ///
    /// # Errors
    /// When the store does.
    pub async fn event_named(&self, name: &EventName) -> Result<Option<InventoryId>, StoreError> {
        self.inventory.find(name).await
    }

    /// Tells the buyer of every live ticket to this event its current name, date and place, and answers how many tickets had something to tell. It walks
    /// the pages of AP-59 and writes each ticket by itself (AP-282). Tickets told before are skipped, so a repeated walk resumes one that failed.
    ///
    /// # Errors
    /// When the store does. Some may have been told.
    pub async fn tell_of_change(&self, event: InventoryId, trace: &Trace) -> Result<usize, StoreError> {
        /// How many tickets are written at once.
        const AT_ONCE: usize = 10;
        let Some(terms) = self.inventory.terms(&[event]).await?.remove(&event) else { return Ok(0) };
        let (mut told, mut cursor) = (0, None);
        loop {
            let page = self.tickets.list_by_event(event, Limit::LARGEST, cursor).await.map_err(unlisted)?;
            let due: Vec<TicketId> = page
                .items
                .iter()
                .filter(|ticket| ticket.told_of(&terms, ticket.updated_at).is_some())
                .map(|ticket| ticket.id)
                .collect();
            for some in due.chunks(AT_ONCE) {
                let written = some.iter().map(|id| self.tell(*id, &terms, trace));
                told += try_join_all(written).await?.into_iter().filter(|told| *told).count();
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(told),
            }
        }
    }

    /// AP-282 tell a ticket's buyer of its event: the ticket's copy of it, and what it was. Whether there was something to tell.
    async fn tell(&self, id: TicketId, terms: &VersionedTerms, trace: &Trace) -> Result<bool, StoreError> {
        transaction::until_current(|| async {
            let Some(before) = self.tickets.even_deleted(id).await? else { return Ok(Attempt::Done(false)) };
            let Some(after) = before.told_of(terms, Timestamp::now()) else { return Ok(Attempt::Done(false)) };
            let event = TicketEventChanged {
                booking: (&after).into(),
                location: after.event.location.clone(),
                previous: EventDetails::from(&before.event),
            };
            let transaction = Transaction::new()
                .update((), self.tickets.change(&before, &after)?)
                .put((), self.tickets.event(event, &after, trace)?);
            let written = transaction.commit(&self.tickets.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, true))
        })
        .await
    }

    /// AP-55 confirm: the ticket confirmed, its seats sold and its admissions issued, in one transaction.
    ///
    /// # Errors
    /// When the ticket or its seats are no longer what they must be, or the store fails.
    pub async fn confirm(&self, id: TicketId, trace: &Trace) -> Result<(), ChangeError> {
        // Taken once: a round that was overtaken leaves no gap among the serials.
        let serials = OnceCell::new();
        let serials = &serials;
        transaction::until_current(|| async move {
            let before = self.tickets.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
            let after = match before.confirm(Timestamp::now()) {
                Ok(after) => after,
                Err(Unchanged::Already(_)) => return Ok(Attempt::Done(())),
                Err(error) => return Err(error.into()),
            };
            let reservation = self.inventory.reservation(id).await?.ok_or(ChangeError::HoldLost)?;
            match reservation.state {
                ReservationState::Held => {}
                // Sold by this very confirmation, which another invocation made since the ticket was read: that is no lost hold.
                ReservationState::Sold => return Ok(Attempt::Overtaken),
                ReservationState::Released => return Err(ChangeError::HoldLost),
            }
            let event = TicketConfirmed { booking: (&after).into(), location: Some(after.event.location.clone()) };
            let transaction = Transaction::new()
                .update(ConfirmGuard::Ticket, self.tickets.change(&before, &after)?)
                .put(ConfirmGuard::Ticket, self.tickets.event(event, &after, trace)?)
                .updates(self.tickets.follow(&before, &after)?.map(|pool| (ConfirmGuard::Ticket, pool)));
            let (event, quantity) = (after.inventory_id, after.quantity);
            let first = serials.get_or_try_init(|| self.admissions.take_serials(event, quantity)).await?;
            let block = Block::issue(id, after.user_id, event, *first, quantity, after.updated_at);
            let transaction = transaction
                .join(self.inventory.sell(&reservation, trace)?, ConfirmGuard::Seats)
                .join(self.admissions.issue(&block, trace)?, |()| ConfirmGuard::Admissions);
            match transaction.commit(&self.tickets.client).await {
                Ok(_) => Ok(Attempt::Done(())),
                // They are issued with the confirmation and with nothing else, so they are there because the ticket is confirmed, or barred.
                Err(Uncommitted::Refused(refusals)) if refusals.has(&ConfirmGuard::Admissions) => {
                    match self.admissions.standing(id).await? {
                        Some(Standing::Block(block)) if block.state == BlockState::Issued => Ok(Attempt::Overtaken),
                        _ => Err(ChangeError::TakenBack),
                    }
                }
                Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }
}
