//! The tickets table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a ticket | `TKT#<ticketId>` | `TICKET` |
//! | an idempotency key, used | `KEY#<callerId>#<key>` | `KEY` |
//!
//! A ticket is on four lists, until it is deleted ([`Lists`]).

use crate::{
    domain::{CancellationReason, Status, Ticket, Unchanged},
    events::{
        TicketCancellationRequested, TicketCancelled, TicketCompleted, TicketConfirmed, TicketCreated, TicketDeleted,
        TicketExpiryRequested,
    },
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, Update},
};
use boxoffice_aws::{
    Cursor, EventStore, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    listing::{GSI1, GSI2, GSI3, GSI4},
    transaction::{self, Attempt, Written, built, read, write},
    walk,
};
use boxoffice_inventory::{
    EventName, HoldGuard, InventoryStore, SaleGuard,
    domain::{NotForSale, Reservation, ReservationState},
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId,
    Timestamp, Trace, UserId, money, money::InvalidAmount,
};
use boxoffice_payments::{Instruction, PaymentStore};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct TicketStore {
    client: Client,
    table: String,
    listing: Listing,
    events: EventStore,
}

/// Where tickets are booked: this context's store, the seats, and where to leave payment instructions.
#[derive(Debug, Clone)]
pub struct Desk {
    tickets: TicketStore,
    inventory: InventoryStore,
    payments_table: String,
    hold_seconds: u32,
}

/// Where tickets are confirmed: this context's store, and the seats.
#[derive(Debug, Clone)]
pub struct Sale {
    tickets: TicketStore,
    inventory: InventoryStore,
}

/// What a buyer asks for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who asks: the buyer, or somebody who may book for them. The idempotency key is theirs.
    pub caller: UserId,
    /// Whose ticket it will be.
    pub user_id: UserId,
    /// What.
    pub event: EventRef,
    /// How many seats.
    pub quantity: Quantity,
    /// What to charge, if the buyer said.
    pub instruction: Option<Instruction>,
}

/// An event on sale, by either of its names.
#[derive(Debug, Clone)]
pub enum EventRef {
    /// By its id.
    Id(InventoryId),
    /// By its name.
    Name(EventName),
}

/// What became of an order.
#[derive(Debug)]
pub enum Booked {
    /// A new ticket.
    New(Ticket),
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
            event_name: item.event_name,
            event_date: item.event_date,
            quantity: item.quantity,
            price: Money { amount: item.price_minor, currency: item.currency },
            total: item.total_minor,
            status: item.status,
            hold_expires_at: item.hold_expires_at,
            cancellation_requested_at: item.cancellation_requested_at,
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
            event_name: ticket.event_name.clone(),
            event_date: ticket.event_date,
            quantity: ticket.quantity,
            price_minor: ticket.price.amount,
            total_minor: ticket.total,
            currency: ticket.price.currency,
            status: ticket.status,
            hold_expires_at: ticket.hold_expires_at,
            cancellation_requested_at: ticket.cancellation_requested_at,
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

fn ticket_key(id: TicketId) -> AttributeValue {
    text(format_args!("TKT#{id}"))
}

fn idempotency_key(caller: UserId, key: &IdempotencyKey) -> AttributeValue {
    text(format_args!("KEY#{caller}#{key}"))
}

const TICKET: &str = "TICKET";
const KEY: &str = "KEY";

/// The lists that tickets are on. What one user has is one partition; what everybody adds to is spread.
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

    fn of_event(name: &EventName) -> List {
        List::spread(GSI4, format_args!("EVENT#{name}"))
    }

    /// Those that this ticket is on.
    fn with(ticket: &Ticket) -> [List; 4] {
        [Self::of_user(ticket.user_id), Self::all(), Self::of_status(ticket.status), Self::of_event(&ticket.event_name)]
    }
}

impl TicketStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        let table = table.into();
        Self { listing: Listing::new(client.clone(), &table, TicketId::PREFIX), client, table, events }
    }

    /// The store in the tables that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("TICKETS_TABLE")?, events))
    }

    /// AP-50 get ticket, unless it is deleted.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let ticket = self.even_deleted(id).await?;
        Ok(ticket.filter(|ticket| ticket.deleted_at.is_none()))
    }

    /// AP-50 for what decides: money and seats may be given back for a ticket that nobody sees any more.
    ///
    /// # Errors
    /// When the store does.
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
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_user(
        &self,
        user: UserId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_user(user), limit, cursor).await
    }

    /// AP-57 list every ticket, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_all(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::all(), limit, cursor).await
    }

    /// AP-58 list the tickets of a status, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_status(
        &self,
        status: Status,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_status(status), limit, cursor).await
    }

    /// AP-59 list the tickets to events booked by this name, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_event(
        &self,
        name: &EventName,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Ticket>, ListError> {
        self.list(&Lists::of_event(name), limit, cursor).await
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

    /// AP-60 how many of a user's tickets are to events still to come, over all pages of AP-56. The list is eventually consistent: a ticket booked a
    /// moment ago may not be counted yet.
    ///
    /// # Errors
    /// When the store does.
    pub async fn count_upcoming(&self, user: UserId, now: Timestamp) -> Result<usize, StoreError> {
        let (mut count, mut cursor) = (0, None);
        loop {
            let page = self.list_by_user(user, Limit::LARGEST, cursor).await.map_err(|error| match error {
                ListError::Store(error) => error,
                ListError::Cursor(error) => StoreError::malformed("cursor", error),
            })?;
            count += page.items.iter().filter(|ticket| ticket.is_upcoming(now)).count();
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(count),
            }
        }
    }

    fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        built(put.condition_expression("attribute_not_exists(pk)").build())
    }

    /// The update that moves a ticket from what it was read as to what was decided, and onto the list of its status; off every list when it is
    /// deleted.
    fn change(&self, before: &Ticket, after: &Ticket) -> Result<Update, StoreError> {
        let mut sets = "SET #status = :status, version = :after, updatedAt = :now".to_owned();
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", ticket_key(after.id))
            .key("sk", text(TICKET))
            .condition_expression("version = :before")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        if let Some(at) = after.cancellation_requested_at {
            sets.push_str(", cancellationRequestedAt = :requested");
            update = update.expression_attribute_values(":requested", text(at));
        }
        if let Some(reason) = after.cancellation_reason {
            let reason = built(serde_dynamo::to_attribute_value(reason))?;
            sets.push_str(", cancellationReason = :reason");
            update = update.expression_attribute_values(":reason", reason);
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

    /// AP-52 request cancellation: the buyer's wish, and the event that starts the saga to fulfil it.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn request_cancellation(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let decide = |ticket: &Ticket| ticket.request_cancellation(Timestamp::now());
        self.rewrite(id, decide, |ticket| TicketCancellationRequested { booking: ticket.into() }, trace).await
    }

    /// AP-53 cancel ticket.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn cancel(&self, id: TicketId, reason: CancellationReason, trace: &Trace) -> Result<Ticket, ChangeError> {
        let event = |ticket: &Ticket| TicketCancelled {
            booking: ticket.into(),
            cancellation_reason: ticket.cancellation_reason.unwrap_or(reason),
        };
        self.rewrite(id, |ticket| ticket.cancel(reason, Timestamp::now()), event, trace).await
    }

    /// AP-61 complete ticket.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn complete(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let decide = |ticket: &Ticket| ticket.complete(Timestamp::now());
        self.rewrite(id, decide, |ticket| TicketCompleted { booking: ticket.into() }, trace).await
    }

    /// AP-62 delete ticket: marks it, and takes it off every list.
    ///
    /// # Errors
    /// When a rule says no, or the store fails.
    pub async fn delete(&self, id: TicketId, trace: &Trace) -> Result<Ticket, ChangeError> {
        let decide = |ticket: &Ticket| ticket.delete(Timestamp::now());
        self.rewrite(id, decide, |ticket| TicketDeleted { booking: ticket.into() }, trace).await
    }

    /// AP-63 walk over every ticket, deleted or not, as they were a moment ago. A scan, for the scheduled `reconcile` alone.
    ///
    /// # Errors
    /// When the cursor is not of this walk, or the store fails.
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
    /// starts the saga's undo. [`Written::Stale`] when the ticket is no longer as it was seen.
    ///
    /// # Errors
    /// When the store does.
    pub async fn take_back(&self, seen: &Ticket, now: Timestamp, trace: &Trace) -> Result<Written, StoreError> {
        let restated = seen.restated(now);
        let event = if seen.cancellation_requested_at.is_some() {
            self.event(TicketCancellationRequested { booking: (&restated).into() }, &restated, trace)?
        } else {
            self.event(TicketExpiryRequested { booking: (&restated).into() }, &restated, trace)?
        };
        let transaction = Transaction::new().update((), self.change(seen, &restated)?).put((), event);
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
                .put((), self.event(event(&after), &after, trace)?);
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, after))
        })
        .await
    }
}

fn as_ticket(item: Item) -> Result<Ticket, StoreError> {
    read::<TicketItem>("ticket", item).map(Ticket::from)
}

#[derive(Debug, PartialEq)]
enum BookGuard {
    Key,
    New,
    Seats(HoldGuard),
}

impl Desk {
    /// A desk that holds seats for so many seconds.
    pub fn new(
        tickets: TicketStore,
        inventory: InventoryStore,
        payments_table: impl Into<String>,
        hold_seconds: u32,
    ) -> Self {
        Self { tickets, inventory, payments_table: payments_table.into(), hold_seconds }
    }

    /// The desk that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(
            TicketStore::from_env(client.clone())?,
            InventoryStore::from_env(client)?,
            config::required("PAYMENTS_TABLE")?,
            config::parsed("HOLD_SECONDS")?,
        ))
    }

    /// AP-54 book: seats, ticket, key, payment instruction and events in one transaction.
    ///
    /// # Errors
    /// When there is no ticket to be had, the key was used for another order, or the store fails. Then nothing was written.
    pub async fn book(
        &self,
        order: &Order,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        trace: &Trace,
    ) -> Result<Booked, BookError> {
        if let Some(replayed) = self.replay(order.caller, key, fingerprint).await? {
            return Ok(replayed);
        }
        match self.book_anew(order, key, fingerprint, trace).await {
            // Perhaps to this very order, sent twice at once: then it is no refusal.
            Err(BookError::NotForSale(refusal)) => {
                self.replay(order.caller, key, fingerprint).await?.ok_or(BookError::NotForSale(refusal))
            }
            outcome => outcome,
        }
    }

    async fn book_anew(
        &self,
        order: &Order,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        trace: &Trace,
    ) -> Result<Booked, BookError> {
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
                let allocations = plan?;
                let ticket = Ticket::book(id, order.user_id, &inventory, order.quantity, self.hold_seconds, now)?;
                let reservation = Reservation::hold(id, &inventory, order.quantity, allocations);
                let key_item = KeyItem { fingerprint: fingerprint.clone(), ticket_id: id };
                let key_item = write(&key_item, idempotency_key(order.caller, key), KEY)?;
                let mut item = write(&TicketItem::from(&ticket), ticket_key(id), TICKET)?;
                item.extend(Lists::with(&ticket).iter().flat_map(|list| list.entry(id)));
                let event = TicketCreated { booking: (&ticket).into() };
                let mut transaction = Transaction::new()
                    .put(BookGuard::Key, self.tickets.put_new(key_item)?)
                    .put(BookGuard::New, self.tickets.put_new(item)?)
                    .put(BookGuard::New, self.tickets.event(event, &ticket, trace)?);
                if let Some(instruction) = &order.instruction {
                    let put = PaymentStore::instruct(&self.payments_table, id, instruction)?;
                    transaction = transaction.put(BookGuard::New, put);
                }
                let transaction =
                    self.inventory.hold(transaction, &inventory, &reservation, trace, BookGuard::Seats)?;
                match transaction.commit(&self.tickets.client).await {
                    Ok(_) => Ok(Attempt::Done(Booked::New(ticket))),
                    // When the key is not there after all, the order is looked at again.
                    Err(Uncommitted::Refused(refusals)) if refusals.has(&BookGuard::Key) => {
                        let replayed = self.replay(order.caller, key, fingerprint).await?;
                        Ok(replayed.map_or(Attempt::Overtaken, Attempt::Done))
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
    ) -> Result<Option<Booked>, BookError> {
        let Some(record) = self.tickets.key(caller, key).await? else { return Ok(None) };
        if record.fingerprint != *fingerprint {
            return Err(BookError::KeyReused);
        }
        match self.tickets.even_deleted(record.ticket_id).await? {
            Some(ticket) if ticket.deleted_at.is_some() => Err(BookError::Deleted),
            Some(ticket) => Ok(Some(Booked::Replayed(ticket))),
            None => Err(StoreError::malformed("idempotency key", "its ticket is missing").into()),
        }
    }
}

#[derive(Debug, PartialEq)]
enum ConfirmGuard {
    Ticket,
    Seats(SaleGuard),
}

impl Sale {
    /// A sale of these tickets and seats.
    pub fn new(tickets: TicketStore, inventory: InventoryStore) -> Self {
        Self { tickets, inventory }
    }

    /// The sale that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(TicketStore::from_env(client.clone())?, InventoryStore::from_env(client)?))
    }

    /// AP-55 confirm: the ticket confirmed and its seats sold, in one transaction.
    ///
    /// # Errors
    /// When the ticket or its seats are no longer what they must be, or the store fails.
    pub async fn confirm(&self, id: TicketId, trace: &Trace) -> Result<(), ChangeError> {
        transaction::until_current(|| async {
            let before = self.tickets.even_deleted(id).await?.ok_or(ChangeError::NotFound)?;
            let after = match before.confirm(Timestamp::now()) {
                Ok(after) => after,
                Err(Unchanged::Already(_)) => return Ok(Attempt::Done(())),
                Err(error) => return Err(error.into()),
            };
            let reservation = self.inventory.reservation(id).await?;
            let reservation = reservation
                .filter(|reservation| reservation.state == ReservationState::Held)
                .ok_or(ChangeError::HoldLost)?;
            let event = TicketConfirmed { booking: (&after).into() };
            let transaction = Transaction::new()
                .update(ConfirmGuard::Ticket, self.tickets.change(&before, &after)?)
                .put(ConfirmGuard::Ticket, self.tickets.event(event, &after, trace)?);
            let transaction = self.inventory.sell(transaction, &reservation, trace, ConfirmGuard::Seats)?;
            let written = transaction.commit(&self.tickets.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, ()))
        })
        .await
    }
}
