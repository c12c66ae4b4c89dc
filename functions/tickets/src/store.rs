//! The tickets table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a ticket | `TKT#<ticketId>` | `TICKET` |
//! | an idempotency key, used | `KEY#<userId>#<key>` | `KEY` |

use crate::{
    domain::{CancellationReason, Status, Ticket, Unchanged},
    events::{TicketCancellationRequested, TicketCancelled, TicketConfirmed, TicketCreated},
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, Update},
};
use boxoffice_aws::{
    EventStore, Item, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{Written, built, read, write},
};
use boxoffice_inventory::{
    EventName, HoldGuard, InventoryStore, SaleGuard,
    domain::{NotForSale, Reservation, ReservationState},
    store::order,
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId,
    Timestamp, Trace, UserId, money, money::InvalidAmount,
};
use boxoffice_payments::{Instruction, PaymentStore};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// How often a change is decided anew when someone else was faster.
const ROUNDS: usize = 12;

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct TicketStore {
    client: Client,
    table: String,
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
    /// Who.
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

fn idempotency_key(user: UserId, key: &IdempotencyKey) -> AttributeValue {
    text(format_args!("KEY#{user}#{key}"))
}

const TICKET: &str = "TICKET";
const KEY: &str = "KEY";

impl TicketStore {
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
        Ok(Self::new(client, config::required("TICKETS_TABLE")?, events))
    }

    async fn item(&self, pk: AttributeValue, sk: &str) -> Result<Option<Item>, StoreError> {
        self.client
            .get_item()
            .table_name(&self.table)
            .key("pk", pk)
            .key("sk", text(sk))
            .consistent_read(true)
            .send()
            .await
            .map(|found| found.item)
            .map_err(StoreError::from_sdk)
    }

    /// AP-50 get ticket.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let item = self.item(ticket_key(id), TICKET).await?;
        item.map(|item| read::<TicketItem>("ticket", item).map(Ticket::from)).transpose()
    }

    /// AP-51 what this key was used for.
    async fn key(&self, user: UserId, key: &IdempotencyKey) -> Result<Option<KeyItem>, StoreError> {
        let item = self.item(idempotency_key(user, key), KEY).await?;
        item.map(|item| read("idempotency key", item)).transpose()
    }

    fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        built(put.condition_expression("attribute_not_exists(pk)").build())
    }

    /// The update that moves a ticket from what it was read as to what was decided.
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

    async fn rewrite<T: DomainEvent>(
        &self,
        id: TicketId,
        decide: impl Fn(&Ticket) -> Result<Ticket, Unchanged>,
        event: impl Fn(&Ticket) -> T,
        trace: &Trace,
    ) -> Result<Ticket, ChangeError> {
        for _ in 0..ROUNDS {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            let after = decide(&before)?;
            let transaction = Transaction::new()
                .update((), self.change(&before, &after)?)
                .put((), self.event(event(&after), &after, trace)?);
            if transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)? == Written::Yes {
                return Ok(after);
            }
        }
        Err(overtaken().into())
    }
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
        if let Some(replayed) = self.replay(order.user_id, key, fingerprint).await? {
            return Ok(replayed);
        }
        match self.book_anew(order, key, fingerprint, trace).await {
            // Perhaps to this very order, sent twice at once: then it is no refusal.
            Err(BookError::NotForSale(refusal)) => {
                self.replay(order.user_id, key, fingerprint).await?.ok_or(BookError::NotForSale(refusal))
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
        for _ in 0..ROUNDS {
            let inventory = self.inventory.get(inventory_id).await?.ok_or(BookError::NoSuchEvent)?;
            let now = Timestamp::now();
            let allocations = inventory.plan_hold(order.quantity, self::order(id), now)?;
            let ticket = Ticket::book(id, order.user_id, &inventory, order.quantity, self.hold_seconds, now)?;
            let reservation = Reservation::hold(id, &inventory, order.quantity, allocations);
            let key_item = KeyItem { fingerprint: fingerprint.clone(), ticket_id: id };
            let key_item = write(&key_item, idempotency_key(order.user_id, key), KEY)?;
            let item = write(&TicketItem::from(&ticket), ticket_key(id), TICKET)?;
            let event = TicketCreated { booking: (&ticket).into() };
            let mut transaction = Transaction::new()
                .put(BookGuard::Key, self.tickets.put_new(key_item)?)
                .put(BookGuard::New, self.tickets.put_new(item)?)
                .put(BookGuard::New, self.tickets.event(event, &ticket, trace)?);
            if let Some(instruction) = &order.instruction {
                let put = PaymentStore::instruct(&self.payments_table, id, instruction)?;
                transaction = transaction.put(BookGuard::New, put);
            }
            let transaction = self.inventory.hold(transaction, &inventory, &reservation, trace, BookGuard::Seats)?;
            match transaction.commit(&self.tickets.client).await {
                Ok(_) => return Ok(Booked::New(ticket)),
                Err(Uncommitted::Refused(refusals)) if refusals.has(&BookGuard::Key) => {
                    let replayed = self.replay(order.user_id, key, fingerprint).await?;
                    return replayed.ok_or_else(|| overtaken().into());
                }
                // The seats moved, or the terms did: plan again on what is there now.
                Err(Uncommitted::Refused(_)) => {}
                Err(Uncommitted::Store(error)) => return Err(error.into()),
            }
        }
        Err(overtaken().into())
    }

    async fn replay(
        &self,
        user: UserId,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Booked>, BookError> {
        let Some(record) = self.tickets.key(user, key).await? else { return Ok(None) };
        if record.fingerprint != *fingerprint {
            return Err(BookError::KeyReused);
        }
        let ticket = self.tickets.get(record.ticket_id).await?;
        ticket
            .map(|ticket| Some(Booked::Replayed(ticket)))
            .ok_or_else(|| StoreError::malformed("idempotency key", "its ticket is missing").into())
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
        for _ in 0..ROUNDS {
            let before = self.tickets.get(id).await?.ok_or(ChangeError::NotFound)?;
            let after = match before.confirm(Timestamp::now()) {
                Ok(after) => after,
                Err(Unchanged::Already(Status::Confirmed)) => return Ok(()),
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
            if transaction.commit(&self.tickets.client).await.or_else(Uncommitted::into_stale)? == Written::Yes {
                return Ok(());
            }
        }
        Err(overtaken().into())
    }
}

fn overtaken() -> StoreError {
    StoreError::Unavailable(format!("others got ahead {ROUNDS} times in a row"))
}
