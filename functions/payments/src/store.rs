//! The payments table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a payment | `PAY#<paymentId>` | `PAYMENT` |
//! | what to charge it to, until it is settled | `PAY#<paymentId>` | `INSTRUCTION` |
//! | the provider's circuit breaker | `BREAKER` | `BREAKER` |
//! | how far its record and its statement were read | `RECORD`, `STATEMENT` | the same |
//!
//! `gsi1` lists a user's payments, `gsi2` all, `gsi3` those of a status. Every payment is listed until it is deleted.

use crate::{
    breaker::Breaker,
    dispute::Dispute,
    domain::{IntentId, Method, MethodToken, NextAction, NotSettled, Payment, Status, Tried},
    events::{
        PaymentCompleted, PaymentDeleted, PaymentDisputeClosed, PaymentDisputed, PaymentExpired, PaymentFailed,
        PaymentInitiated, PaymentPartlyRefunded, PaymentProcessing, PaymentRefundFailed, PaymentRefundPending,
        PaymentRefunded,
    },
    refund::{Fact, Refund},
};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, Delete, Put, Update, builders::UpdateBuilder},
};
use boxoffice_aws::{
    Budget, Cursor, EventStore, Freshness, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction,
    Uncommitted,
    attribute::{number, text},
    batch,
    listing::{GSI1, GSI2, GSI3, GSI4},
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, Envelope, Money, PaymentId, TicketId, Timestamp, Trace, UserId, money,
};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct PaymentStore {
    client: Client,
    table: String,
    events: EventStore,
    lists: Listing,
}

/// The payment method to charge. A booking may bring it; it is deleted when the payment is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction {
    /// How the buyer pays.
    pub method: Method,
    /// To be charged; without one the buyer comes back to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<MethodToken>,
}

impl Instruction {
    /// Whether it names what to charge, so that nobody waits for the buyer.
    pub fn charges_at_once(&self) -> bool {
        self.token.is_some()
    }

    /// The new payment by the method named here: `PROCESSING` where there is something to charge, which the saga does, else `PENDING`.
    #[must_use]
    pub fn applied_to(&self, new: Payment) -> Payment {
        let status = if self.charges_at_once() { Status::Processing } else { new.status };
        Payment { method: self.method, status, ..new }
    }
}

/// The event that states a payment's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `PaymentInitiated`: it is new.
    Initiated,
    /// The event that the new status calls for.
    Moved,
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
    #[serde(default = "first")]
    attempt: u32,
    #[serde(default)]
    declined: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent_id: Option<IntentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried: Option<Tried>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_action: Option<NextAction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<Refund>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disputes: Vec<Dispute>,
    #[serde(default, skip_serializing_if = "is_none")]
    revision: u64,
    payable_until: Timestamp,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(revision: &u64) -> bool {
    *revision == 0
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
            attempt: item.attempt,
            declined: item.declined,
            intent: item.intent_id,
            tried: item.tried,
            next_action: item.next_action,
            failure_reason: item.failure_reason,
            refund_reason: item.refund_reason,
            refunds: item.refunds,
            disputes: item.disputes,
            revision: item.revision,
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
            attempt: payment.attempt,
            declined: payment.declined,
            intent_id: payment.intent.clone(),
            tried: payment.tried.clone(),
            next_action: payment.next_action.clone(),
            failure_reason: payment.failure_reason.clone(),
            refund_reason: payment.refund_reason.clone(),
            refunds: payment.refunds.clone(),
            disputes: payment.disputes.clone(),
            revision: payment.revision,
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

/// Something of the provider's that is read from where it was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The record of money that left again, or came back.
    Record,
    /// The account's statement.
    Statement,
}

impl Reading {
    fn key(self) -> &'static str {
        match self {
            Self::Record => "RECORD",
            Self::Statement => "STATEMENT",
        }
    }
}

/// That the refunds are as they were seen. A payment without any has no revision.
fn revision_is(seen: u64) -> &'static str {
    if seen == 0 { "attribute_not_exists(revision)" } else { "revision = :revision" }
}

fn of_user(user: UserId) -> List {
    List::of(GSI1, format_args!("USER#{user}"))
}

fn all() -> List {
    List::spread(GSI2, "ALL")
}

fn of_status(status: Status) -> List {
    List::spread(GSI3, format_args!("STATUS#{status}"))
}

/// Payments that moved after they were made, and that `reconcile` has yet to prove. Until then the ticket is on such a list itself.
fn unproven() -> List {
    List::spread(GSI4, "UNPROVEN")
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
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("PAYMENTS_TABLE")?, events))
    }

    /// So many calls of the provider in a second, each second counted on an item of its own (AP-373).
    pub(crate) fn pace(&self, calls_a_second: u32) -> Budget {
        /// How long a second's count is kept.
        const KEPT_SECONDS: u32 = 60;
        Budget::new(self.client.clone(), self.table.clone(), calls_a_second, KEPT_SECONDS)
    }

    async fn item(&self, pk: AttributeValue, sk: &str) -> Result<Option<Item>, StoreError> {
        transaction::get(&self.client, &self.table, pk, sk).await
    }

    /// AP-30 get payment, deleted or not.
    pub async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let item = self.item(payment_key(id), PAYMENT).await?;
        item.map(stored).transpose()
    }

    /// AP-31 instruct: the put that says what to charge a payment to. It is an item of its own and not in an event, because events are kept and
    /// shown, and this is neither.
    fn instruct(&self, id: PaymentId, instruction: &Instruction) -> Result<Put, StoreError> {
        let item = write(instruction, payment_key(id), INSTRUCTION)?;
        built(Put::builder().table_name(&self.table).set_item(Some(item)).build())
    }

    /// AP-32 get instruction.
    pub async fn instruction(&self, id: PaymentId) -> Result<Option<Instruction>, StoreError> {
        let item = self.item(payment_key(id), INSTRUCTION).await?;
        item.map(|item| read("instruction", item)).transpose()
    }

    /// AP-33 initiate payment, once for its ticket, on its lists, and what to charge it to where the booking names that: items for AP-54.
    pub fn initiate(
        &self,
        payment: &Payment,
        instruction: Option<&Instruction>,
        trace: &Trace,
    ) -> Result<Transaction<()>, StoreError> {
        let transaction =
            Transaction::new().put((), self.put_new(payment)?).put((), self.event(payment, Change::Initiated, trace)?);
        match instruction {
            Some(instruction) => Ok(transaction.put((), self.instruct(payment.id, instruction)?)),
            None => Ok(transaction),
        }
    }

    fn put_new(&self, payment: &Payment) -> Result<Put, StoreError> {
        let mut item = write(&PaymentItem::from(payment), payment_key(payment.id), PAYMENT)?;
        item.extend(lists(payment).iter().flat_map(|list| list.entry(payment.id)));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        built(put.condition_expression("attribute_not_exists(pk)").build())
    }

    /// AP-34 move payment to its next status, and to that status's list, if it is still as `before`. A payment that starts to be charged keeps
    /// how, and what to charge it to; one that waits again or is settled forgets the latter.
    pub async fn advance(
        &self,
        before: &Payment,
        after: &Payment,
        instruction: Option<&Instruction>,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        // Only the partition of its entry on the status's list changes: the sort key is its id.
        let [(list, partition), _] = of_status(after.status).entry(after.id);
        let mut sets = format!(
            "SET #status = :status, #method = :method, attempt = :attempt, declined = :declined, version = :after, \
             updatedAt = :now, {list} = :list"
        );
        let mut removes = String::from(" REMOVE nextAction");
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", payment_key(after.id))
            .key("sk", text(PAYMENT))
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#method", "method")
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":method", text(after.method))
            .expression_attribute_values(":attempt", number(after.attempt))
            .expression_attribute_values(":declined", number(after.declined))
            .expression_attribute_values(":list", partition)
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        // The decision may rest on the provider knowing no intent, or this one.
        update = match &before.intent {
            None => update.condition_expression("version = :before AND attribute_not_exists(intentId)"),
            Some(intent) => update
                .condition_expression("version = :before AND intentId = :intent")
                .expression_attribute_values(":intent", text(intent)),
        };
        if before.intent.is_some() && after.intent.is_none() {
            // The next attempt has an intent of its own.
            removes.push_str(", intentId");
        }
        if let Some(tried) = &after.tried {
            sets.push_str(", tried = :tried");
            update = update.expression_attribute_values(":tried", text(tried));
        }
        if let Some(reason) = &after.failure_reason {
            sets.push_str(", failureReason = :failure");
            update = update.expression_attribute_values(":failure", text(reason));
        }
        sets.push_str(&removes);
        let mut transaction = Transaction::new()
            .update((), built(update.update_expression(sets).build())?)
            .put((), self.event(after, Change::Moved, trace)?);
        if let Some(instruction) = instruction {
            transaction = transaction.put((), self.instruct(after.id, instruction)?);
        } else if after.status != Status::Processing {
            transaction = transaction.delete((), self.forget(after.id)?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-40 list a user's payments, newest first.
    pub async fn list_by_user(
        &self,
        user: UserId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Payment>, ListError> {
        self.lists.page(&of_user(user), limit, cursor, |item| listed(item, |_| true)).await
    }

    /// AP-41 list every payment, newest first.
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Payment>, ListError> {
        self.lists.page(&all(), limit, cursor, |item| listed(item, |_| true)).await
    }

    /// AP-42 list the payments of a status, newest first.
    pub async fn list_by_status(
        &self,
        status: Status,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Payment>, ListError> {
        let still = |payment: &Payment| payment.status == status;
        self.lists.page(&of_status(status), limit, cursor, |item| listed(item, still)).await
    }

    /// AP-43 delete payment: marks one that is over, and takes it off the lists. The record of its money stays.
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
    pub async fn of_tickets(&self, tickets: &[TicketId]) -> Result<Vec<Payment>, StoreError> {
        let key = |ticket: &TicketId| {
            Item::from([("pk".into(), payment_key(ticket.payment())), ("sk".into(), text(PAYMENT))])
        };
        let keys = tickets.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        found.into_iter().map(stored).collect()
    }

    /// AP-381 list the payments that moved after they were made and are yet to be proven, deleted or not, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_unproven(&self, cursor: Option<Cursor>) -> Result<Page<Payment>, ListError> {
        self.lists.page(&unproven(), Limit::LARGEST, cursor, |item| stored(item).map(Some)).await
    }

    /// AP-382 prove: takes a payment off the list of AP-381, unless it or its refunds were written since it was seen. [`Written::Stale`] when they were,
    /// or it is off that list.
    ///
    /// # Errors
    /// When the store does.
    pub async fn prove(&self, seen: &Payment) -> Result<Written, StoreError> {
        let [partition, sort] = unproven().attributes();
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", payment_key(seen.id))
            .key("sk", text(PAYMENT))
            .update_expression(format!("REMOVE {partition}, {sort}"))
            .condition_expression(format!(
                "version = :seen AND {} AND attribute_exists({partition})",
                revision_is(seen.revision)
            ))
            .expression_attribute_values(":seen", number(seen.version));
        let update = match seen.revision {
            0 => update,
            revision => update.expression_attribute_values(":revision", number(revision)),
        };
        conditional(update.send().await)
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
            (Change::Initiated, _) => append(self, PaymentInitiated { payment: subject }, payment, trace),
            (_, Status::Processing) => append(self, PaymentProcessing { payment: subject }, payment, trace),
            (_, Status::Success) => append(self, PaymentCompleted { payment: subject }, payment, trace),
            // Declined: it waits for another try, or that was the last.
            (_, Status::Pending | Status::Failed) => {
                let failed = PaymentFailed { payment: subject, failure_reason, tries_left: payment.tries_left() };
                append(self, failed, payment, trace)
            }
            (_, Status::Expired) => append(self, PaymentExpired { payment: subject, failure_reason }, payment, trace),
            (_, Status::Refunded) => Err(StoreError::Broken("only a refund makes a payment REFUNDED".into())),
        }
    }

    /// The event that states this fact of a payment.
    fn statement(&self, payment: &Payment, fact: &Fact, trace: &Trace) -> Result<Put, StoreError> {
        fn append<T: DomainEvent>(
            store: &PaymentStore,
            data: T,
            payment: &Payment,
            trace: &Trace,
        ) -> Result<Put, StoreError> {
            store.events.append(&Envelope::new(data, payment.version, payment.updated_at, trace))
        }
        let subject = payment.into();
        match fact {
            Fact::RefundPending(refund) => {
                let refund_reason = refund.reason.clone();
                let pending = PaymentRefundPending { payment: subject, refund: refund.into(), refund_reason };
                append(self, pending, payment, trace)
            }
            Fact::Refunded(refund, from) => {
                let (refund_reason, settled_otherwise) = (refund.reason.clone(), refund.settled_otherwise.clone());
                let (refund, paid_from) = (refund.into(), *from);
                if payment.status == Status::Refunded {
                    let whole =
                        PaymentRefunded { payment: subject, refund, refund_reason, paid_from, settled_otherwise };
                    append(self, whole, payment, trace)
                } else {
                    let part =
                        PaymentPartlyRefunded { payment: subject, refund, refund_reason, paid_from, settled_otherwise };
                    append(self, part, payment, trace)
                }
            }
            Fact::RefundFailed(refund, came_back) => {
                let failed = PaymentRefundFailed {
                    payment: subject,
                    refund: refund.into(),
                    refund_state: refund.state,
                    failure_reason: refund.failure_reason.clone().unwrap_or_else(|| "unknown".into()),
                    came_back: *came_back,
                };
                append(self, failed, payment, trace)
            }
            Fact::Disputed(dispute) => {
                append(self, PaymentDisputed { payment: subject, dispute: dispute.into() }, payment, trace)
            }
            Fact::DisputeClosed(dispute) => {
                let outcome = dispute.state;
                let closed = PaymentDisputeClosed { payment: subject, dispute: dispute.into(), outcome };
                append(self, closed, payment, trace)
            }
        }
    }

    /// The update that writes a payment's refunds and disputes, if neither it nor they are other than `before`, and keeps it on the list of what is yet to be proven.
    fn with_refunds(&self, before: &Payment, after: &Payment, sets: &str) -> Result<UpdateBuilder, StoreError> {
        let refunds = serde_dynamo::to_attribute_value(&after.refunds)
            .map_err(|error| StoreError::malformed("refunds", error))?;
        let disputes = serde_dynamo::to_attribute_value(&after.disputes)
            .map_err(|error| StoreError::malformed("disputes", error))?;
        let [(list, partition), (place, sort)] = unproven().entry(after.id);
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", payment_key(after.id))
            .key("sk", text(PAYMENT))
            .update_expression(format!(
                "SET refunds = :refunds, disputes = :disputes, revision = :next, {list} = :list, {place} = :place{sets}"
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":refunds", refunds)
            .expression_attribute_values(":disputes", disputes)
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":next", number(after.revision))
            .expression_attribute_values(":list", partition)
            .expression_attribute_values(":place", sort);
        Ok(match before.revision {
            0 => update,
            revision => update.expression_attribute_values(":revision", number(revision)),
        })
    }

    /// AP-430 ask for a refund, or for one again: a note on the payment, before the provider is asked. Refunds claimed never exceed the charge.
    ///
    /// # Errors
    /// When the store does.
    pub async fn ask_back(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        let update = self
            .with_refunds(before, after, "")?
            .condition_expression(format!(
                "version = :before AND {} AND #status = :success AND amountMinor >= :claimed",
                revision_is(before.revision)
            ))
            .expression_attribute_values(":success", text(Status::Success))
            .expression_attribute_values(":claimed", number(after.claimed()));
        let update = built(update.build())?;
        let written = self
            .client
            .update_item()
            .table_name(update.table_name)
            .set_key(Some(update.key))
            .update_expression(update.update_expression)
            .set_condition_expression(update.condition_expression)
            .set_expression_attribute_names(update.expression_attribute_names)
            .set_expression_attribute_values(update.expression_attribute_values)
            .send()
            .await;
        conditional(written)
    }

    /// AP-431 record a fact of a payment's money with its event: what the provider's refund object says, or an operator. The money that has left our account
    /// never exceeds the charge.
    ///
    /// # Errors
    /// When the store does.
    pub async fn record(
        &self,
        before: &Payment,
        after: &Payment,
        fact: &Fact,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let mut sets = String::from(", #status = :status, version = :after, updatedAt = :now");
        let [(list, partition), _] = of_status(after.status).entry(after.id);
        if after.deleted_at.is_none() {
            sets.extend([", ", &list, " = :entry"]);
        }
        sets.push_str(match after.refund_reason {
            Some(_) => ", refundReason = :reason",
            None => " REMOVE refundReason",
        });
        let mut update = self
            .with_refunds(before, after, &sets)?
            .condition_expression(format!(
                "version = :before AND {} AND amountMinor >= :left",
                revision_is(before.revision)
            ))
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at))
            .expression_attribute_values(":left", number(after.left_account()));
        if after.deleted_at.is_none() {
            update = update.expression_attribute_values(":entry", partition);
        }
        if let Some(reason) = &after.refund_reason {
            update = update.expression_attribute_values(":reason", text(reason));
        }
        let transaction =
            Transaction::new().update((), built(update.build())?).put((), self.statement(after, fact, trace)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-432 list the payments that wait for an operator, for a refund that failed or a dispute, newest first. They stay on the list of AP-381 until it is settled.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_cases(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Payment>, ListError> {
        self.lists.page(&unproven(), limit, cursor, |item| Ok(Some(stored(item)?).filter(Payment::is_a_case))).await
    }

    /// AP-35 remember the provider's intent and a digest of what it charges, while this attempt is being charged.
    pub async fn remember_intent(
        &self,
        payment: &Payment,
        intent: &IntentId,
        tried: &Tried,
    ) -> Result<Written, StoreError> {
        let update = self
            .note(payment.id)
            .update_expression("SET intentId = :intent, tried = :tried")
            .condition_expression(
                "#status = :processing AND version = :version AND (attribute_not_exists(intentId) OR intentId = :intent)",
            )
            .expression_attribute_values(":intent", text(intent))
            .expression_attribute_values(":tried", text(tried))
            .expression_attribute_values(":version", number(payment.version))
            .expression_attribute_values(":processing", text(Status::Processing))
            .send()
            .await;
        conditional(update)
    }

    /// AP-360 remember what the buyer has to do before this attempt can succeed. It is no event's business: it would be kept there.
    pub async fn remember_action(&self, payment: &Payment, action: &NextAction) -> Result<Written, StoreError> {
        let action = serde_dynamo::to_item(action).map_err(|error| StoreError::malformed("next action", &error))?;
        let update = self
            .note(payment.id)
            .update_expression("SET nextAction = :action")
            .condition_expression("#status = :processing AND version = :version")
            .expression_attribute_values(":action", AttributeValue::M(action))
            .expression_attribute_values(":version", number(payment.version))
            .expression_attribute_values(":processing", text(Status::Processing))
            .send()
            .await;
        conditional(update)
    }

    /// AP-36 store the task token under which to report the payment, while it is not settled.
    pub async fn store_task_token(&self, id: PaymentId, task_token: &str) -> Result<Written, StoreError> {
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
    pub async fn task_token(&self, id: PaymentId) -> Result<Option<String>, StoreError> {
        let item = self.item(payment_key(id), PAYMENT).await?;
        Ok(item.and_then(|item| item.get("taskToken").and_then(|token| token.as_s().ok().cloned())))
    }

    /// AP-38 get breaker, and the version to write it over.
    pub async fn breaker(&self) -> Result<(Breaker, u64), StoreError> {
        let Some(item) = self.item(text(BREAKER), BREAKER).await? else { return Ok((Breaker::default(), 0)) };
        let item: BreakerItem = read("breaker", item)?;
        Ok((item.breaker, item.version))
    }

    /// AP-39 write breaker, if nobody has since it was read; whether that was so.
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

    /// AP-580 until when the provider's record or statement was read; never, at first.
    pub async fn read_through(&self, reading: Reading) -> Result<Option<Timestamp>, StoreError> {
        let key = reading.key();
        let Some(item) = self.item(text(key), key).await? else { return Ok(None) };
        read::<ReadingItem>("reading", item).map(|item| Some(item.through))
    }

    /// AP-581 note until when it was read, unless somebody has read further.
    pub async fn note_read(&self, reading: Reading, through: Timestamp) -> Result<Written, StoreError> {
        let item = write(&ReadingItem { through }, text(reading.key()), reading.key())?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR through < :through")
            .expression_attribute_values(":through", text(through))
            .send()
            .await;
        conditional(put)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct ReadingItem {
    through: Timestamp,
}

/// The payment of a list's item, unless it has left the list since the index was written.
fn listed(item: Item, belongs: impl Fn(&Payment) -> bool) -> Result<Option<Payment>, StoreError> {
    let payment = stored(item)?;
    Ok((payment.deleted_at.is_none() && belongs(&payment)).then_some(payment))
}

#[derive(Debug, Serialize, Deserialize)]
struct BreakerItem {
    breaker: Breaker,
    version: u64,
}
