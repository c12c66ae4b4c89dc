//! The payments table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a payment | `PAY#<paymentId>` | `PAYMENT` |
//! | what to charge it to, until it is settled | `PAY#<paymentId>` | `INSTRUCTION` |
//! | the provider's circuit breaker | `BREAKER` | `BREAKER` |
//!
//! `gsi1` lists a user's payments, `gsi2` all, `gsi3` those of a status. Every payment is listed until it is deleted, also a void one that nobody
//! was ever asked for: it is read by its id and stated on the bus, and a list that left it out would be the one place that does
//! not know it.

use crate::{
    breaker::Breaker,
    domain::{IntentId, Method, MethodToken, NotSettled, Payment, RefundWish, Status},
    events::{
        PaymentCompleted, PaymentDeleted, PaymentExpired, PaymentFailed, PaymentInitiated, PaymentProcessing,
        PaymentRefunded, RefundedBy,
    },
};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, Delete, Put, Update},
};
use boxoffice_aws::{
    Cursor, EventStore, Freshness, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    batch,
    listing::{GSI1, GSI2, GSI3},
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Money, PaymentId, TicketId, Timestamp, Trace, UserId, money,
};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct PaymentStore {
    client: Client,
    table: String,
    events: EventStore,
    lists: Listing,
}

/// What to charge a payment to. A booking may bring it; it is forgotten when the payment is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction {
    /// How the buyer pays.
    pub method: Method,
    /// To be charged; without one the buyer comes back to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<MethodToken>,
}

/// What a payment's change is called on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `PaymentInitiated`: it is new.
    Initiated,
    /// Whatever its new status is called; a refund says on whose word.
    Moved(RefundedBy),
    /// `PaymentDeleted`: it is off the lists.
    Deleted,
}

/// Why a payment stays on the lists.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// There is none, or no longer.
    #[error("there is no such payment")]
    NotFound,
    /// It is not over.
    #[error(transparent)]
    NotSettled(#[from] NotSettled),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentItem {
    id: PaymentId,
    ticket_id: TicketId,
    user_id: UserId,
    #[serde(with = "money::minor")]
    amount_minor: Amount,
    currency: Currency,
    method: Method,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent_id: Option<IntentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund_wish: Option<RefundWish>,
    payable_until: Timestamp,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
}

impl From<PaymentItem> for Payment {
    fn from(item: PaymentItem) -> Self {
        Self {
            id: item.id,
            ticket_id: item.ticket_id,
            user_id: item.user_id,
            money: Money { amount: item.amount_minor, currency: item.currency },
            method: item.method,
            status: item.status,
            intent: item.intent_id,
            failure_reason: item.failure_reason,
            refund_reason: item.refund_reason,
            refund_wish: item.refund_wish,
            payable_until: item.payable_until,
            version: item.version,
            created_at: item.created_at,
            updated_at: item.updated_at,
            deleted_at: item.deleted_at,
        }
    }
}

impl From<&Payment> for PaymentItem {
    fn from(payment: &Payment) -> Self {
        Self {
            id: payment.id,
            ticket_id: payment.ticket_id,
            user_id: payment.user_id,
            amount_minor: payment.money.amount,
            currency: payment.money.currency,
            method: payment.method,
            status: payment.status,
            intent_id: payment.intent.clone(),
            failure_reason: payment.failure_reason.clone(),
            refund_reason: payment.refund_reason.clone(),
            refund_wish: payment.refund_wish.clone(),
            payable_until: payment.payable_until,
            version: payment.version,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            deleted_at: payment.deleted_at,
        }
    }
}

fn payment_key(id: PaymentId) -> AttributeValue {
    text(format_args!("PAY#{id}"))
}

const PAYMENT: &str = "PAYMENT";
const INSTRUCTION: &str = "INSTRUCTION";
const BREAKER: &str = "BREAKER";

fn of_user(user: UserId) -> List {
    List::of(GSI1, format_args!("USER#{user}"))
}

fn all() -> List {
    List::spread(GSI2, "ALL")
}

fn of_status(status: Status) -> List {
    List::spread(GSI3, format_args!("STATUS#{status}"))
}

/// The lists a payment is on.
fn lists(payment: &Payment) -> [List; 3] {
    [of_user(payment.user_id), all(), of_status(payment.status)]
}

fn stored(item: Item) -> Result<Payment, StoreError> {
    read::<PaymentItem>("payment", item).map(Payment::from)
}

impl PaymentStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        let table = table.into();
        let lists = Listing::new(client.clone(), table.clone(), PaymentId::PREFIX);
        Self { client, table, events, lists }
    }

    /// The store in the tables that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("PAYMENTS_TABLE")?, events))
    }

    async fn item(&self, pk: AttributeValue, sk: &str) -> Result<Option<Item>, StoreError> {
        transaction::get(&self.client, &self.table, pk, sk).await
    }

    /// AP-30 get payment, deleted or not.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let item = self.item(payment_key(id), PAYMENT).await?;
        item.map(stored).transpose()
    }

    /// AP-31 instruct: the put that says what to charge a ticket's payment to, for the transaction that creates the ticket. In that
    /// transaction and not in an event, because events are kept and shown, and this is neither.
    ///
    /// # Errors
    /// When the item cannot be built.
    pub fn instruct(table: &str, ticket: TicketId, instruction: &Instruction) -> Result<Put, StoreError> {
        let item = write(instruction, payment_key(ticket.payment()), INSTRUCTION)?;
        built(Put::builder().table_name(table).set_item(Some(item)).build())
    }

    /// AP-32 get instruction.
    ///
    /// # Errors
    /// When the store does.
    pub async fn instruction(&self, id: PaymentId) -> Result<Option<Instruction>, StoreError> {
        let item = self.item(payment_key(id), INSTRUCTION).await?;
        item.map(|item| read("instruction", item)).transpose()
    }

    /// AP-33 create payment, once for its ticket, and put it on its lists.
    ///
    /// # Errors
    /// When the store does.
    pub async fn create(&self, payment: &Payment, trace: &Trace) -> Result<Written, StoreError> {
        let mut item = write(&PaymentItem::from(payment), payment_key(payment.id), PAYMENT)?;
        item.extend(lists(payment).iter().flat_map(|list| list.entry(payment.id)));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build();
        // A payment that is born expired was never initiated: it stands in the way of one that comes too late.
        let change =
            if payment.status == Status::Expired { Change::Moved(RefundedBy::Saga) } else { Change::Initiated };
        let mut transaction = Transaction::new().put((), built(put)?).put((), self.event(payment, change, trace)?);
        if payment.status == Status::Expired {
            transaction = transaction.delete((), self.forget(payment.id)?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-34 move payment to its next status, and to that status's list, if it is still as `before`. A payment that starts to be charged keeps
    /// how, and what to charge it to; one that is settled forgets the latter.
    ///
    /// # Errors
    /// When the store does.
    pub async fn advance(
        &self,
        before: &Payment,
        after: &Payment,
        instruction: Option<&Instruction>,
        by: RefundedBy,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        // Of its entry on the status's list only the partition changes: it is sorted by its id.
        let [(list, partition), _] = of_status(after.status).entry(after.id);
        let mut sets =
            format!("SET #status = :status, #method = :method, version = :after, updatedAt = :now, {list} = :list");
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", payment_key(after.id))
            .key("sk", text(PAYMENT))
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#method", "method")
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":method", text(after.method))
            .expression_attribute_values(":list", partition)
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        // What was decided may rest on the provider's knowing of no intent, or of this one.
        update = match &after.intent {
            None => update.condition_expression("version = :before AND attribute_not_exists(intentId)"),
            Some(intent) => update
                .condition_expression("version = :before AND intentId = :intent")
                .expression_attribute_values(":intent", text(intent)),
        };
        if let Some(reason) = &after.failure_reason {
            sets.push_str(", failureReason = :failure");
            update = update.expression_attribute_values(":failure", text(reason));
        }
        if let Some(reason) = &after.refund_reason {
            sets.push_str(", refundReason = :refund");
            update = update.expression_attribute_values(":refund", text(reason));
        }
        let mut transaction = Transaction::new()
            .update((), built(update.update_expression(sets).build())?)
            .put((), self.event(after, Change::Moved(by), trace)?);
        if let Some(instruction) = instruction {
            transaction = transaction.put((), Self::instruct(&self.table, after.ticket_id, instruction)?);
        } else if matches!(after.status, Status::Success | Status::Failed | Status::Expired) {
            transaction = transaction.delete((), self.forget(after.id)?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-40 list a user's payments, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_user(
        &self,
        user: UserId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Payment>, ListError> {
        self.lists.page(&of_user(user), limit, cursor, |item| listed(item, |_| true)).await
    }

    /// AP-41 list every payment, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Payment>, ListError> {
        self.lists.page(&all(), limit, cursor, |item| listed(item, |_| true)).await
    }

    /// AP-42 list the payments of a status, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_status(
        &self,
        status: Status,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Payment>, ListError> {
        let still = |payment: &Payment| payment.status == status;
        self.lists.page(&of_status(status), limit, cursor, |item| listed(item, still)).await
    }

    /// AP-43 delete payment: marks one that is over, and takes it off the lists. What it says of money stays.
    ///
    /// # Errors
    /// When there is none, it is not over, or the store fails.
    pub async fn delete(&self, id: PaymentId, trace: &Trace) -> Result<(), DeleteError> {
        until_current(|| async {
            let payment = self.get(id).await?.filter(|payment| payment.deleted_at.is_none());
            let before = payment.ok_or(DeleteError::NotFound)?;
            let after = before.delete(Timestamp::now())?;
            let entries = lists(&before).iter().flat_map(List::attributes).collect::<Vec<_>>().join(", ");
            let update = Update::builder()
                .table_name(&self.table)
                .key("pk", payment_key(id))
                .key("sk", text(PAYMENT))
                .update_expression(format!("SET deletedAt = :now, updatedAt = :now, version = :after REMOVE {entries}"))
                .condition_expression("version = :before")
                .expression_attribute_values(":now", text(after.updated_at))
                .expression_attribute_values(":before", number(before.version))
                .expression_attribute_values(":after", number(after.version))
                .build();
            let transaction =
                Transaction::new().update((), built(update)?).put((), self.event(&after, Change::Deleted, trace)?);
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, DeleteError>(Attempt::when(written, ()))
        })
        .await
    }

    /// AP-44 get the payments of these tickets, deleted or not, as they were a moment ago; those there are.
    ///
    /// # Errors
    /// When the store does.
    pub async fn of_tickets(&self, tickets: &[TicketId]) -> Result<Vec<Payment>, StoreError> {
        let key = |ticket: &TicketId| {
            Item::from([("pk".into(), payment_key(ticket.payment())), ("sk".into(), text(PAYMENT))])
        };
        let keys = tickets.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        found.into_iter().map(stored).collect()
    }

    /// An update that states something of a payment without making another version of it, or an event.
    fn note(&self, id: PaymentId) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.key("pk", payment_key(id)).key("sk", text(PAYMENT)).expression_attribute_names("#status", "status")
    }

    /// The delete of what to charge the payment to: it is not kept longer than it takes.
    fn forget(&self, id: PaymentId) -> Result<Delete, StoreError> {
        built(Delete::builder().table_name(&self.table).key("pk", payment_key(id)).key("sk", text(INSTRUCTION)).build())
    }

    fn event(&self, payment: &Payment, change: Change, trace: &Trace) -> Result<Put, StoreError> {
        fn append<T: DomainEvent>(
            store: &PaymentStore,
            data: T,
            payment: &Payment,
            trace: &Trace,
        ) -> Result<Put, StoreError> {
            store.events.append(&Envelope::new(data, payment.version, payment.updated_at, trace))
        }
        let subject = payment.into();
        let failure_reason = payment.failure_reason.clone().unwrap_or_default();
        match (change, payment.status) {
            (Change::Deleted, _) => append(self, PaymentDeleted { payment: subject }, payment, trace),
            (Change::Initiated, _) | (Change::Moved(_), Status::Pending) => {
                append(self, PaymentInitiated { payment: subject }, payment, trace)
            }
            (_, Status::Processing) => append(self, PaymentProcessing { payment: subject }, payment, trace),
            (_, Status::Success) => append(self, PaymentCompleted { payment: subject }, payment, trace),
            (_, Status::Failed) => append(self, PaymentFailed { payment: subject, failure_reason }, payment, trace),
            (_, Status::Expired) => append(self, PaymentExpired { payment: subject, failure_reason }, payment, trace),
            (Change::Moved(refunded_by), Status::Refunded) => {
                let refund_reason = payment.refund_reason.clone().unwrap_or_default();
                append(self, PaymentRefunded { payment: subject, refund_reason, refunded_by }, payment, trace)
            }
        }
    }

    /// AP-35 remember the provider's intent, while the payment is being charged.
    ///
    /// # Errors
    /// When the store does.
    pub async fn remember_intent(&self, payment: &Payment, intent: &IntentId) -> Result<Written, StoreError> {
        let update = self
            .note(payment.id)
            .update_expression("SET intentId = :intent")
            .condition_expression("#status = :processing AND (attribute_not_exists(intentId) OR intentId = :intent)")
            .expression_attribute_values(":intent", text(intent))
            .expression_attribute_values(":processing", text(Status::Processing))
            .send()
            .await;
        conditional(update)
    }

    /// AP-36 leave word where to report the payment, while it is not settled.
    ///
    /// # Errors
    /// When the store does.
    pub async fn leave_word(&self, id: PaymentId, task_token: &str) -> Result<Written, StoreError> {
        let update = self
            .note(id)
            .update_expression("SET taskToken = :token")
            .condition_expression("#status IN (:pending, :processing)")
            .expression_attribute_values(":token", text(task_token))
            .expression_attribute_values(":pending", text(Status::Pending))
            .expression_attribute_values(":processing", text(Status::Processing))
            .send()
            .await;
        conditional(update)
    }

    /// AP-37 where to report the payment; nowhere when no saga waits.
    ///
    /// # Errors
    /// When the store does.
    pub async fn task_token(&self, id: PaymentId) -> Result<Option<String>, StoreError> {
        let item = self.item(payment_key(id), PAYMENT).await?;
        Ok(item.and_then(|item| item.get("taskToken").and_then(|token| token.as_s().ok().cloned())))
    }

    /// AP-45 remember that somebody asked for the money back, while it is there to be given back. The first to ask stands.
    ///
    /// # Errors
    /// When the store does.
    pub async fn remember_refund_wish(&self, id: PaymentId, wish: &RefundWish) -> Result<Written, StoreError> {
        let wish = HashMap::from([("reason".into(), text(&wish.reason)), ("since".into(), text(wish.since))]);
        let update = self
            .note(id)
            .update_expression("SET refundWish = if_not_exists(refundWish, :wish)")
            .condition_expression("#status = :success")
            .expression_attribute_values(":wish", AttributeValue::M(wish))
            .expression_attribute_values(":success", text(Status::Success))
            .send()
            .await;
        conditional(update)
    }

    /// AP-38 get breaker, and the version to write it over.
    ///
    /// # Errors
    /// When the store does.
    pub async fn breaker(&self) -> Result<(Breaker, u64), StoreError> {
        let Some(item) = self.item(text(BREAKER), BREAKER).await? else { return Ok((Breaker::default(), 0)) };
        let item: BreakerItem = read("breaker", item)?;
        Ok((item.breaker, item.version))
    }

    /// AP-39 write breaker, if nobody has since it was read; whether that was so.
    ///
    /// # Errors
    /// When the store does.
    pub async fn write_breaker(&self, breaker: &Breaker, over: u64) -> Result<bool, StoreError> {
        let item = write(&BreakerItem { breaker: breaker.clone(), version: over + 1 }, text(BREAKER), BREAKER)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR version = :over")
            .expression_attribute_values(":over", number(over))
            .send()
            .await;
        conditional(put).map(|written| written == Written::Yes)
    }
}

/// What a list shows of an item: the payment, unless it has left the list since the index was written.
fn listed(item: Item, belongs: impl Fn(&Payment) -> bool) -> Result<Option<Payment>, StoreError> {
    let payment = stored(item)?;
    Ok((payment.deleted_at.is_none() && belongs(&payment)).then_some(payment))
}

#[derive(Debug, Serialize, Deserialize)]
struct BreakerItem {
    breaker: Breaker,
    version: u64,
}
