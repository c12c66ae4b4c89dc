//! The real stores and the saga's real steps, over one test's tables, with everything they say on the wire; and how things are in the tables.

use crate::{
    machine::Machine,
    model::{Admissions, Booking, Call, Card, Counts},
    provider::Provider,
    wire::{Stream, on_the_wire},
};
use aws_config::{SdkConfig, stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{AsyncSleep, Sleep, retry::RetryPartition},
    error::DisplayErrorContext,
    operation::transact_write_items::TransactWriteItemsInput,
    types::{AttributeValue, Update},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeSerializationInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use boxoffice_admissions::{
    AdmissionStore,
    domain::{BlockState, Standing},
    handlers::revoke_admissions,
    store::as_standing,
};
use boxoffice_aws::{
    Item, Journal, StoreError, UserDirectory,
    attribute::{number, text},
    client,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_inventory::{
    Inventory, InventoryStore,
    domain::{NotForSale, PurchaseLimits, Revision, Shard, Terms},
    handlers::{release_hold, renew_hold, verify_hold},
    store::{SeatsError, UpdateError, shard_partition},
};
use boxoffice_kernel::{
    Amount, Currency, Fingerprint, IdempotencyKey, InventoryId, Money, Operator, Quantity, TicketId, Timestamp, UserId,
};
use boxoffice_operations::{Casework, OperationsStore, casework::CaseError};
use boxoffice_payments::{
    App, Instruction, PaymentStore,
    cashier::{Cashier, CashierError},
    declines::Declines,
    domain::{Method, NotPayable},
    handlers::{await_payment, expire_payment, initiate_payment, reverse_payment},
};
use boxoffice_runtime::{SagaInput, StepFailure};
use boxoffice_saga::{
    SagaStore,
    handlers::{claim_saga, record_stuck_booking},
};
use boxoffice_testing::{Database, Listener, Table, trace};
use boxoffice_tickets::{
    TicketStore,
    handlers::{announce_event_change, cancel_ticket, confirm_ticket},
    store::{BookError, ChangeError, Desk, EventRef, Order, Outcome as Booked, Sale},
    walk::{Progress, Run, Walk},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A fault planted in a step of the house, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Releasing looks at no marker: whenever it runs, it credits the seats.
    ReleaseWithoutMarker,
    /// The provider charges and refunds as often as it is asked.
    NoIdempotencyKeys,
    /// Confirming does not ask whether the buyer wants out.
    ConfirmDespiteTheWish,
    /// The sales reports miss that a ticket was confirmed.
    UnreportedConfirmation,
    /// The messages to users miss it.
    UntoldConfirmation,
}

/// Where bookings are made and their steps run.
#[derive(Debug)]
pub struct House {
    /// How bookings go.
    pub machine: Machine,
    /// The messages to executions.
    pub listener: Listener,
    /// The events that its calls and steps stored.
    pub stream: Stream,
    flaw: Option<Flaw>,
    database: Database,
    /// Off the wire: for looking.
    client: Client,
    pub(crate) inventory: InventoryStore,
    pub(crate) tickets: TicketStore,
    sagas: SagaStore,
    journal: Journal,
    pub(crate) sale: Sale,
    admissions: AdmissionStore,
    app: App<Provider>,
    provider: Provider,
    casework: Casework,
    walk: Walk,
}

/// A token of its own for each transaction, whatever seed the thread's generator has: the SDK draws it from there, and a store takes no token twice.
#[derive(Debug)]
struct OwnTokens;

impl Intercept for OwnTokens {
    fn name(&self) -> &'static str {
        "own tokens"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(transaction) = context.input_mut().downcast_mut::<TransactWriteItemsInput>() {
            transaction.client_request_token = Some(TicketId::generate().to_string());
        }
        Ok(())
    }
}

fn with_own_tokens(client: &Client) -> Client {
    // A quota of retries of its own, too: what other tests use up is none of this house's.
    let own_quota = RetryPartition::custom("a house").build();
    Client::from_conf(client.config().to_builder().retry_partition(own_quota).interceptor(OwnTokens).build())
}

/// No time at all.
#[derive(Debug)]
struct AtOnce;

impl AsyncSleep for AtOnce {
    fn sleep(&self, _: std::time::Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

/// The same configuration without time: a request may wait as long as it must, and a retry comes at once.
fn timeless(config: &SdkConfig) -> SdkConfig {
    let builder = config.clone().into_builder().timeout_config(TimeoutConfig::disabled()).sleep_impl(AtOnce);
    builder.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build()
}

/// An order, as its buyer remembers it.
#[derive(Debug, Clone)]
pub struct Ordered {
    order: Order,
    key: IdempotencyKey,
    over: bool,
}

/// The answer to a call: in a word, and where it was a step, as the state machine sees it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As the model says it.
    pub word: String,
    /// The step's answer.
    pub step: Option<Result<Value, StepFailure>>,
}

impl Ordered {
    /// The buyer.
    pub fn buyer(&self) -> UserId {
        self.order.user_id
    }
}

const HOLD_SECONDS: u32 = 600;

fn quantity(seats: u32) -> Quantity {
    Quantity::new(seats).expect("some seats")
}

fn unavailable(error: &StoreError) -> String {
    format!("failed: {error}")
}

impl House {
    /// Opens in these tables.
    pub fn open(database: &Database, flaw: Option<Flaw>) -> Self {
        Self::with(database, flaw, SdkConfig::clone)
    }

    /// Opens in these tables, where no request is given up and no retry waits: only the order of requests decides the outcome.
    pub fn open_without_time(database: &Database, flaw: Option<Flaw>) -> Self {
        Self::with(database, flaw, timeless)
    }

    fn with(database: &Database, flaw: Option<Flaw>, set: impl Fn(&SdkConfig) -> SdkConfig) -> Self {
        let (listener, stream, event_table) = (Listener::default(), Stream::default(), database.table(Table::Events));
        let wired = with_own_tokens(&client::dynamodb(&on_the_wire(&set(database.sdk_config()), event_table, &stream)));
        let events = database.event_store();
        let inventory = InventoryStore::new(wired.clone(), database.table(Table::Inventory), events.clone());
        let tickets = TicketStore::new(wired.clone(), database.table(Table::Tickets), events.clone());
        let payments = PaymentStore::new(wired.clone(), database.table(Table::Payments), events.clone());
        let admissions = AdmissionStore::new(wired.clone(), database.table(Table::Admissions), events);
        let sagas = SagaStore::new(wired.clone(), database.table(Table::Sagas));
        let told = aws_sdk_sfn::Client::new(&on_the_wire(&set(&listener.sdk_config()), event_table, &stream));
        let forgetful = flaw == Some(Flaw::NoIdempotencyKeys);
        let provider = if forgetful { Provider::forgetful() } else { Provider::default() };
        let cashier = Cashier::new(payments.clone(), provider.clone(), told);
        // Sequences decline more cards than any buyer has.
        let declines = Declines::new(wired.clone(), database.table(Table::Payments), u32::MAX);
        let sale = Sale::new(tickets.clone(), inventory.clone(), admissions.clone());
        Self {
            machine: Machine::of_this_checkout(),
            listener,
            stream,
            flaw,
            client: with_own_tokens(&database.client()),
            casework: Casework::new(sagas.clone(), OperationsStore::new(wired.clone(), event_table)),
            // More than any event of a test has bookings.
            walk: Walk::new(sale.clone(), payments.clone(), sagas.clone(), quantity(100)),
            journal: Journal::new(wired, database.table(Table::Sagas)),
            sale,
            admissions,
            app: App { store: payments, cashier, declines },
            database: database.clone(),
            inventory,
            tickets,
            sagas,
            provider,
        }
    }

    /// Puts an event on sale, its seats on such shards.
    pub async fn on_sale(&self, shards: &[u32]) -> InventoryId {
        let id = InventoryId::generate();
        let terms = Terms {
            event_name: id.to_string().parse().expect("a name"),
            event_date: Timestamp::now().plus_seconds(86_400),
            total_seats: quantity(shards.iter().sum()),
            price: Money { amount: Amount::from_minor(4990).expect("a price"), currency: Currency::Eur },
            location: "Hall".parse().expect("a place"),
            limits: PurchaseLimits::default(),
        };
        let mut inventory = Inventory::open(id, terms, Timestamp::now());
        let shard = |(&available, number)| Shard { number, available, held: 0, sold: 0, reserved: 0 };
        inventory.shards = shards.iter().zip(0..).map(shard).collect();
        self.inventory.create(&inventory, &trace()).await.expect("an event on sale");
        id
    }

    /// The request that somebody is about to send.
    pub fn order(event: InventoryId, booking: &Booking) -> Ordered {
        let user_id = UserId::generate();
        let token = |card: Card| card.token().parse().expect("a token");
        let instruction = booking.card.map(|card| Instruction { method: Method::CreditCard, token: Some(token(card)) });
        let quantity = quantity(booking.quantity);
        let order =
            Order { caller: user_id, user_id, event: EventRef::Id(event), quantity, instruction, expected_total: None };
        let key = TicketId::generate().to_string().parse().expect("a key");
        Ordered { order, key, over: booking.over }
    }

    /// Makes a call. The input is that of a step.
    pub async fn make(
        &self,
        event: InventoryId,
        call: &Call,
        ordered: Option<&Ordered>,
        ticket: Option<TicketId>,
        input: Value,
    ) -> Answer {
        let id = || ticket.expect("a ticket");
        let word = match *call {
            Call::Step { ref state, .. } => {
                let outcome = Box::pin(self.step(state, input)).await;
                let word = match &outcome {
                    Ok(result) => ["direction", "status"]
                        .iter()
                        .find_map(|name| result.get(name)?.as_str())
                        .unwrap_or("done")
                        .to_owned(),
                    Err(failure) => failure.name().to_owned(),
                };
                return Answer { word, step: Some(outcome) };
            }
            Call::Book(_) => self.book(ordered.expect("an order")).await,
            Call::Pay(_, card) => self.pay(id(), card).await,
            Call::Refund(_) => match self.app.cashier.refund(id().payment(), "asked for", &trace()).await {
                Ok(_) => "refunded".into(),
                Err(CashierError::NotRefundable(_) | CashierError::NotFound) => "not refundable".into(),
                Err(error) => format!("failed: {error}"),
            },
            Call::Wish(_) => match self.sale.request_cancellation(id(), UserId::generate(), &trace()).await {
                Ok(_) => "wished".into(),
                Err(ChangeError::Unchanged(_)) => "unchanged".into(),
                Err(error) => format!("failed: {error}"),
            },
            Call::Resize(total) => {
                let revision = Revision { total_seats: Some(quantity(total)), ..Revision::default() };
                match self.inventory.update(event, &revision, &trace()).await {
                    Ok(_) => "resized".into(),
                    Err(UpdateError::Unchangeable(_)) => "seats taken".into(),
                    Err(error) => format!("failed: {error}"),
                }
            }
            Call::Reserve(seats) => match self.inventory.reserve_by_hand(event, quantity(seats), &trace()).await {
                Ok(_) => "reserved".into(),
                Err(SeatsError::NotForSale(_)) => "sold out".into(),
                Err(error) => format!("failed: {error}"),
            },
            Call::Return(seats) => match self.inventory.return_by_hand(event, quantity(seats), &trace()).await {
                Ok(_) => "returned".into(),
                Err(SeatsError::NotReserved(_)) => "not reserved".into(),
                Err(error) => format!("failed: {error}"),
            },
        };
        Answer { word, step: None }
    }

    /// An organiser changes an event's terms.
    pub async fn revise(&self, event: InventoryId, revision: &Revision) -> String {
        match self.inventory.update(event, revision, &trace()).await {
            Ok(_) => "revised".into(),
            Err(UpdateError::Unchangeable(_)) => "unchangeable".into(),
            Err(error) => format!("failed: {error}"),
        }
    }

    /// An organiser cancels an event.
    pub async fn cancel(&self, event: InventoryId) -> String {
        let reason = "The hall is flooded.".parse().expect("a reason");
        match self.inventory.cancel(event, &reason, UserId::generate(), &trace()).await {
            Ok(_) => "cancelled".into(),
            Err(error) => format!("failed: {error}"),
        }
    }

    /// The function that tells buyers of a changed event gets `InventoryUpdated`.
    pub async fn announce(&self, changed: Value) -> String {
        let delivered = serde_json::from_value(json!({ "detail": changed })).expect("an event");
        match announce_event_change::run(&self.sale, delivered).await {
            Ok(_) => "announced".into(),
            Err(error) => format!("failed: {error}"),
        }
    }

    /// A step of the walk over a cancelled event's bookings.
    pub async fn walk(&self, event: InventoryId, run: u32) -> String {
        let run = Run { inventory_id: event, run, execution: format!("walk-{run}-of-{event}") };
        match self.walk.step(&run, &trace()).await {
            Ok(Progress::Walking(_)) => "walking".into(),
            Ok(Progress::Done | Progress::HandedOver | Progress::Overtaken) => "walked".into(),
            Err(error) => unavailable(&error),
        }
    }

    /// An operator has a stuck booking's compensation tried again, or takes a booking back by force.
    pub async fn intervene(&self, ticket: TicketId, by_force: bool) -> String {
        let by = Operator::User(UserId::generate());
        let reason = "A test wants it.".parse().expect("a reason");
        let requested = if by_force {
            self.casework.compensate(ticket, by, reason, &trace()).await
        } else {
            self.casework.redrive(ticket, by, reason, &trace()).await
        };
        match requested {
            Ok(_) => "requested".into(),
            Err(CaseError::Refused(_)) => "refused".into(),
            Err(CaseError::NoSaga) => "no saga".into(),
            Err(error) => format!("failed: {error}"),
        }
    }

    async fn book(&self, Ordered { order, key, over }: &Ordered) -> String {
        let hold = if *over { 0 } else { HOLD_SECONDS };
        let users = UserDirectory::new(self.database.table(Table::Users));
        let payments = self.app.store.clone();
        let desk = Desk::new(self.tickets.clone(), self.inventory.clone(), payments, users, hold);
        let fingerprint = Fingerprint::of(&[&format!("{:?}", order.event), &order.quantity.to_string()]);
        match desk.book(order, key, &fingerprint, &trace()).await {
            Ok(Booked::Created(_)) => "booked".into(),
            Ok(Booked::Replayed(_)) => "replayed".into(),
            Err(BookError::NotForSale(NotForSale::SoldOut { .. })) => "sold out".into(),
            Err(BookError::Store(error)) => unavailable(&error),
            Err(error) => error.to_string(),
        }
    }

    async fn pay(&self, ticket: TicketId, card: Card) -> String {
        let token = card.token().parse().expect("a token");
        match self.app.cashier.pay(ticket.payment(), None, &token, &trace()).await {
            Ok(payment) => payment.status.to_string(),
            Err(CashierError::NotFound) => "no payment".into(),
            Err(CashierError::NotPayable(NotPayable::TooLate(_))) => "too late".into(),
            Err(CashierError::NotPayable(NotPayable::NotPending(_))) => "not pending".into(),
            Err(error) => format!("failed: {error}"),
        }
    }

    async fn step(&self, state: &str, input: Value) -> Result<Value, StepFailure> {
        match state {
            "Claim Saga" => {
                let start = serde_json::from_value(input).map_err(|error| StepFailure::Defect(error.to_string()))?;
                Ok(json!(claim_saga::run(&self.sagas, start).await?))
            }
            "Verify Hold" => self.journaled(Step::VerifyHold, input, |it| verify_hold::run(&self.inventory, it)).await,
            "Initiate Payment" => {
                self.journaled(Step::InitiatePayment, input, |it| initiate_payment::run(&self.app, it)).await
            }
            "Await Payment" => self.journaled(Step::AwaitPayment, input, |it| await_payment::run(&self.app, it)).await,
            "Expire Payment" => {
                self.journaled(Step::ExpirePayment, input, |it| expire_payment::run(&self.app, it)).await
            }
            "Renew Hold" => self.journaled(Step::RenewHold, input, |it| renew_hold::run(&self.inventory, it)).await,
            "Confirm Ticket" => {
                if self.flaw == Some(Flaw::ConfirmDespiteTheWish) {
                    self.forget_the_wish(ticket_in(&input)).await;
                }
                self.journaled(Step::ConfirmTicket, input, |it| confirm_ticket::run(&self.sale, it)).await
            }
            "Revoke Admissions" => {
                self.journaled(Step::RevokeAdmissions, input, |it| revoke_admissions::run(&self.admissions, it)).await
            }
            "Reverse Payment" => {
                self.journaled(Step::ReversePayment, input, |it| reverse_payment::run(&self.app, it)).await
            }
            "Release Hold" => {
                if self.flaw == Some(Flaw::ReleaseWithoutMarker) {
                    self.credit_again(ticket_in(&input)).await;
                }
                self.journaled(Step::ReleaseHold, input, |it| release_hold::run(&self.inventory, it)).await
            }
            "Cancel Ticket" => {
                self.journaled(Step::CancelTicket, input, |it| cancel_ticket::run(&self.tickets, it)).await
            }
            "Record Stuck Booking" => {
                let stuck = serde_json::from_value(input).map_err(|error| StepFailure::Defect(error.to_string()))?;
                Ok(json!(record_stuck_booking::run(&self.sagas, stuck).await?))
            }
            other => panic!("the test does not know the step {other}"),
        }
    }

    /// Runs a step and writes its entry, as `boxoffice_runtime::task` does around every step.
    async fn journaled<B, T, Fut>(
        &self,
        step: Step,
        input: Value,
        run: impl FnOnce(SagaInput<B>) -> Fut,
    ) -> Result<Value, StepFailure>
    where
        B: DeserializeOwned,
        T: Serialize,
        Fut: Future<Output = Result<T, StepFailure>>,
    {
        let (ticket, started_at) = (ticket_in(&input), Timestamp::now());
        let input: SagaInput<B> =
            serde_json::from_value(input).map_err(|error| StepFailure::Defect(error.to_string()))?;
        let (attempt, reason) = (input.retries + 1, input.failure.as_ref().map(|failure| failure.error.clone()));
        let outcome = run(input).await;
        let failure = outcome.as_ref().err();
        let status = match (failure, step.is_undo()) {
            (Some(_), _) => StepStatus::Failed,
            (None, true) => StepStatus::Compensated,
            (None, false) => StepStatus::Completed,
        };
        let entry = Entry {
            status,
            attempt,
            started_at,
            executed_at: Timestamp::now(),
            reason,
            error_code: failure.map(|failure| failure.name().to_owned()),
            error_message: failure.map(ToString::to_string),
        };
        let written = self.journal.record(ticket, step, &entry).await;
        match (outcome, written) {
            (Ok(_), Err(error)) => Err(error.into()),
            (outcome, _) => outcome.map(|result| json!(result)),
        }
    }

    /// The flaw of a release without a marker: seats that were released before are credited once more.
    async fn credit_again(&self, ticket: TicketId) {
        let found = self.inventory.reservation(ticket).await.expect("an answer").expect("a reservation");
        if found.state != boxoffice_inventory::domain::ReservationState::Released {
            return;
        }
        let table = self.database.table(Table::Inventory);
        for allocation in found.allocations {
            let credit = Update::builder()
                .table_name(table)
                .key("pk", shard_partition(found.inventory_id, allocation.shard))
                .key("sk", text(format_args!("SHARD#{:03}", allocation.shard)))
                .update_expression("SET available = available + :seats, held = held - :seats")
                .expression_attribute_values(":seats", number(allocation.seats))
                .build()
                .expect("an update");
            let item = aws_sdk_dynamodb::types::TransactWriteItem::builder().update(credit).build();
            self.client.transact_write_items().transact_items(item).send().await.expect("an unconditional write");
        }
    }

    /// The flaw of a confirmation that gets lost on its way to reports or to users.
    pub(crate) fn without_a_confirmation(&self, mut events: Vec<Value>, flaw: Flaw) -> Vec<Value> {
        let is_confirmation =
            |event: &Value| event.pointer("/metadata/eventType").and_then(Value::as_str) == Some("TicketConfirmed");
        if self.flaw == Some(flaw)
            && let Some(place) = events.iter().position(is_confirmation)
        {
            events.remove(place);
        }
        events
    }

    /// The flaw of a confirmation that does not look for the buyer's wish.
    async fn forget_the_wish(&self, ticket: TicketId) {
        let forget = self
            .client
            .update_item()
            .table_name(self.database.table(Table::Tickets))
            .key("pk", text(format_args!("TKT#{ticket}")))
            .key("sk", text("TICKET"))
            .update_expression("REMOVE cancellationRequestedAt");
        forget.send().await.expect("an unconditional write");
    }

    async fn item(&self, table: Table, pk: String, sk: &str) -> Option<Item> {
        let table = self.database.table(table);
        let found = self.client.get_item().table_name(table).key("pk", AttributeValue::S(pk)).key("sk", text(sk));
        let found = found.consistent_read(true).send().await;
        found.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error))).item
    }

    /// The ticket that an order made, by its key.
    pub async fn ticket_of(&self, Ordered { order, key, .. }: &Ordered) -> Option<TicketId> {
        let item = self.item(Table::Tickets, format!("KEY#{}#{key}", order.caller), "KEY").await?;
        item.get("ticketId")?.as_s().ok()?.parse().ok()
    }

    /// A booking as it lies in the tables and in the provider's ledger. The order is taken from `ordered`.
    pub async fn look(&self, ordered: &Booking, ticket: Option<TicketId>) -> Booking {
        let fresh = Booking::ordered(ordered.quantity, ordered.card, ordered.over);
        let Some(id) = ticket else { return fresh };
        let (ticket, block, reservation, payment, instruction, saga) = tokio::join!(
            self.item(Table::Tickets, format!("TKT#{id}"), "TICKET"),
            self.item(Table::Admissions, format!("TKT#{id}"), "BLOCK"),
            self.item(Table::Inventory, format!("RSV#{}", id.reservation()), "RSV"),
            self.item(Table::Payments, format!("PAY#{}", id.payment()), "PAYMENT"),
            self.item(Table::Payments, format!("PAY#{}", id.payment()), "INSTRUCTION"),
            self.item(Table::Sagas, format!("SAGA#{id}"), "SAGA"),
        );
        let version = |item: &Item| u64::try_from(counter(item, "version")).expect("a version");
        let has = |item: &Option<Item>, name: &str| item.as_ref().is_some_and(|item| item.contains_key(name));
        let named = |item: &Option<Item>, name: &str| Some(item.as_ref()?.get(name)?.as_s().ok()?.clone());
        let number_in = |item: &Option<Item>, name: &str| item.as_ref()?.get(name)?.as_n().ok()?.parse().ok();
        Booking {
            ticket: ticket.as_ref().map(|item| (word(item, "status"), version(item))),
            admissions: block.map(|item| as_standing(item).expect("a block")).map(|standing| match standing {
                Standing::Block(block) if block.state == BlockState::Issued => Admissions::Issued,
                Standing::Block(_) => Admissions::Revoked,
                Standing::Barred => Admissions::Barred,
            }),
            wished: has(&ticket, "cancellationRequestedAt"),
            seats: reservation.as_ref().map(|item| (word(item, "state"), version(item))),
            closed: has(&reservation, "closed"),
            payment: payment.as_ref().map(|item| (word(item, "status"), version(item))),
            instruction: named(&instruction, "token").map(|token| Card::of(&token)),
            attempt: number_in(&payment, "attempt").unwrap_or(1),
            declined: number_in(&payment, "declined").unwrap_or(0),
            tried: named(&payment, "tried").map(|tried| Card::tried(&tried)),
            intent: has(&payment, "intentId"),
            account: self.provider.account(id.payment()),
            holder: named(&saga, "executionArn"),
            undoer: named(&saga, "undoExecutionArn"),
            taken_back: saga.as_ref().and_then(|saga| saga.get("step:cancel-ticket")?.as_m().ok()).is_some_and(
                |entry| entry.get("status").is_some_and(|status| *status != text(StepStatus::Failed.name())),
            ),
            ..fresh
        }
    }

    /// A small event's seats as they lie in the table, all in one partition, whether they add up or not.
    pub async fn count(&self, event: InventoryId) -> Counts {
        let mut counts = Counts { total: 0, available: 0, held: 0, sold: 0, reserved: 0, terms: 0 };
        for item in self.query(Table::Inventory, "pk", format!("INV#{event}")).await {
            if item.get("sk") == Some(&text("TERMS")) {
                (counts.total, counts.terms) = (counter(&item, "totalSeats"), counter(&item, "version"));
            } else {
                counts.available += counter(&item, "available");
                counts.held += counter(&item, "held");
                counts.sold += counter(&item, "sold");
                counts.reserved += counter(&item, "reserved");
            }
        }
        counts
    }

    async fn query(&self, table: Table, key: &str, value: String) -> Vec<Item> {
        let query = self.client.query().table_name(self.database.table(table)).consistent_read(true);
        let query = query.key_condition_expression(format!("{key} = :key"));
        let query = query.expression_attribute_values(":key", AttributeValue::S(value));
        let items: Result<Vec<_>, _> = query.into_paginator().items().send().collect().await;
        items.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)))
    }

    /// The terms of an event that its buyers are told: name and date.
    pub async fn told_terms(&self, event: InventoryId) -> Value {
        let item = self.item(Table::Inventory, format!("INV#{event}"), "TERMS").await.expect("an event on sale");
        copy_of_terms(&item)
    }

    /// The same as a ticket has them.
    pub async fn terms_on(&self, ticket: TicketId) -> Value {
        let item = self.item(Table::Tickets, format!("TKT#{ticket}"), "TICKET").await.expect("a ticket");
        copy_of_terms(&item)
    }

    /// A payment: its currency, its amount in minor units, and why it was given back.
    pub async fn money(&self, ticket: TicketId) -> (Currency, i64, Option<String>) {
        let item = self.item(Table::Payments, format!("PAY#{}", ticket.payment()), "PAYMENT").await;
        let item = item.expect("a payment");
        let reason = item.get("refundReason").and_then(|reason| reason.as_s().ok()).cloned();
        (word(&item, "currency"), counter(&item, "amountMinor"), reason)
    }

    /// A client off the wire.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The tables.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The events of an aggregate, as they go to the bus, in order.
    pub async fn events_of(&self, aggregate: impl std::fmt::Display) -> Vec<Value> {
        let items = self.query(Table::Events, "aggregateId", aggregate.to_string()).await;
        let detail = |item: &Item| serde_json::from_str(item.get("detail")?.as_s().ok()?).ok();
        items.iter().map(|item| detail(item).unwrap_or_else(|| panic!("an event without a detail: {item:?}"))).collect()
    }

    /// Where the booking's saga is, by its journal.
    pub async fn saga_status(&self, ticket: TicketId) -> Option<boxoffice_saga::domain::Status> {
        self.sagas.get(ticket).await.expect("an answer").map(|saga| saga.status())
    }
}

fn ticket_in(input: &Value) -> TicketId {
    let id = input.get("booking").and_then(|booking| booking.get("ticketId")?.as_str()?.parse().ok());
    id.unwrap_or_else(|| panic!("no ticket in {input}"))
}

fn copy_of_terms(item: &Item) -> Value {
    let word = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    json!([word("eventName"), word("eventDate")])
}

fn counter(item: &Item, name: &str) -> i64 {
    let value = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    value.unwrap_or_else(|| panic!("no number `{name}` in {item:?}"))
}

/// A status by its name in a table.
fn word<T: DeserializeOwned>(item: &Item, name: &str) -> T {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    let value = value.unwrap_or_else(|| panic!("no `{name}` in {item:?}"));
    serde_json::from_value(json!(value)).unwrap_or_else(|error| panic!("{name} is {value}: {error}"))
}
