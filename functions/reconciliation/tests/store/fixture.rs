//! The fixture of these tests.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_admissions::AdmissionStore;
use boxoffice_aws::{
    UserDirectory,
    journal::{Entry, StepStatus},
};
use boxoffice_inventory::{
    Inventory, InventoryStore,
    domain::{PurchaseLimits, Terms},
};
use boxoffice_kernel::{Amount, Currency, Fingerprint, InventoryId, Money, Quantity, TicketId, Timestamp, UserId};
use boxoffice_payments::{
    Instruction, PaymentStore,
    cashier::Cashier,
    domain::{IntentId, Method, MethodToken, Payment, ProviderEventId, ProviderLineId, Tried},
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::{self, Refund},
    statement::{Line, Source, Statement},
};
use boxoffice_reconciliation::{
    App,
    domain::Grace,
    reconciler::{Found, Outcome, Part, Reconciler, Run, Scope},
    report::{Findings, Successor},
};
use boxoffice_reporting::{Projector, ViewStore};
use boxoffice_runtime::Metrics;
use boxoffice_saga::{SagaStore, store::TicketFacts};
use boxoffice_testing::{Database, Listener, Table, trace};
use boxoffice_tickets::{
    TicketStore,
    domain::Ticket,
    store::{Desk, EventRef, Order, Outcome as Booked, Sale},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const HOLD_SECONDS: u32 = 600;
const GRACE_SECONDS: u32 = 900;

/// When every hold made now is over, and the grace with it.
pub(crate) fn later() -> Timestamp {
    Timestamp::now().plus_seconds(HOLD_SECONDS + GRACE_SECONDS + 60)
}

/// The findings of a run that finds nothing.
pub(crate) const NOTHING: [String; 0] = [];

/// The facts of a booking, as its saga keeps them.
pub(crate) fn facts(ticket: &Ticket) -> TicketFacts {
    json!({ "ticketId": ticket.id, "userId": ticket.user_id }).as_object().unwrap().clone()
}

/// A journal's entry of a first try, made now.
pub(crate) fn entry(status: StepStatus) -> Entry {
    let now = Timestamp::now();
    let (reason, error_code, error_message) = (None, None, None);
    Entry { status, attempt: 1, started_at: now, executed_at: now, reason, error_code, error_message }
}

/// The provider's answer to a request to cancel an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Cancelled,
    Succeeded,
    RefundFails,
    Nothing,
}

/// A provider that says what it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Provider(Arc<Mutex<Says>>, Arc<Mutex<Vec<Line>>>);

impl PaymentGateway for Provider {
    async fn open(&self, payment: &Payment, _: &MethodToken) -> Result<Opened, GatewayError> {
        Ok(Opened::Intent(format!("pi_{}", payment.id).parse().unwrap()))
    }

    async fn confirm(&self, _: &Payment, _: &IntentId) -> Result<Charge, GatewayError> {
        Ok(Charge::Succeeded)
    }

    async fn look(&self, _: &IntentId) -> Result<Option<Seen>, GatewayError> {
        Ok(Some(Seen { payment: None, charge: Charge::Unconfirmed }))
    }

    async fn cancel(&self, _: &IntentId, _: CalledOff) -> Result<Cancellation, GatewayError> {
        match *self.0.lock().unwrap() {
            Says::Cancelled => Ok(Cancellation::Cancelled),
            Says::Succeeded | Says::RefundFails => Ok(Cancellation::AlreadySucceeded),
            Says::Nothing => Err(GatewayError::Unavailable("no answer".into())),
        }
    }

    async fn moved(&self, _: &IntentId) -> Result<Moved, GatewayError> {
        Ok(Moved::default())
    }

    async fn record(&self, _: Timestamp, _: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        match *self.0.lock().unwrap() {
            Says::Nothing => Err(GatewayError::Unavailable("no answer".into())),
            _ => Ok(Record::default()),
        }
    }

    async fn statement(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        Ok(Statement { lines: self.1.lock().unwrap().clone(), next: None })
    }

    async fn refund(&self, _: &Payment, _: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        let (id, ours) = (format!("re_{}", refund.id).parse().unwrap(), Some((refund.id, refund.attempt)));
        let seen = |state| refund::Seen { id, ours, amount: refund.amount, state, failure_reason: None };
        match *self.0.lock().unwrap() {
            Says::Cancelled | Says::Succeeded => Ok(Returned::Refund(seen(refund::State::Succeeded))),
            Says::RefundFails => Ok(Returned::Refund(seen(refund::State::Failed))),
            Says::Nothing => Err(GatewayError::Unavailable("no answer".into())),
        }
    }
}

/// The stores that a booking goes through, and who reconciles them.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) inventory: InventoryStore,
    pub(crate) tickets: TicketStore,
    pub(crate) payments: PaymentStore,
    pub(crate) sagas: SagaStore,
    pub(crate) sale: Sale,
    pub(crate) cashier: Cashier<Provider>,
    pub(crate) app: App<Provider>,
    pub(crate) queue: Listener,
    pub(crate) lambda: Listener,
    desk: Desk,
    provider: Provider,
}

impl House {
    pub(crate) fn new(database: &Database) -> Self {
        Self::over(database, database.client())
    }

    /// A house whose stores use this client.
    pub(crate) fn over(database: &Database, client: Client) -> Self {
        let events = database.event_store();
        let inventory = InventoryStore::new(client.clone(), database.table(Table::Inventory), events.clone());
        let tickets = TicketStore::new(client.clone(), database.table(Table::Tickets), events.clone());
        let payments = PaymentStore::new(client.clone(), database.table(Table::Payments), events);
        let sagas = SagaStore::new(client.clone(), database.table(Table::Sagas));
        let views = ViewStore::new(client, database.table(Table::Views));
        let provider = Provider(Arc::new(Mutex::new(Says::Cancelled)), Arc::default());
        let saga = aws_sdk_sfn::Client::new(&Listener::default().sdk_config());
        let cashier = Cashier::new(payments.clone(), provider.clone(), saga);
        let (queue, lambda) = (Listener::default(), Listener::default());
        let reconciler = Reconciler {
            inventory: inventory.clone(),
            tickets: tickets.clone(),
            payments: payments.clone(),
            sagas: sagas.clone(),
            views,
            cashier: cashier.clone(),
            grace: Grace::seconds(GRACE_SECONDS),
        };
        let app = App {
            reconciler,
            findings: Findings::new(aws_sdk_sqs::Client::new(&queue.sdk_config()), "http://queue.example"),
            metrics: Metrics::new("test", "boxoffice-test"),
            successor: Successor::new(aws_sdk_lambda::Client::new(&lambda.sdk_config()), "reconcile"),
        };
        let users = UserDirectory::new(database.table(Table::Users));
        let desk = Desk::new(tickets.clone(), inventory.clone(), payments.clone(), users, HOLD_SECONDS);
        let admissions =
            AdmissionStore::new(database.client(), database.table(Table::Admissions), database.event_store());
        let (sale, database) = (Sale::new(tickets.clone(), inventory.clone(), admissions), database.clone());
        Self { database, inventory, tickets, payments, sagas, sale, cashier, app, queue, lambda, desk, provider }
    }

    pub(crate) fn provider_says(&self, says: Says) {
        *self.provider.0.lock().unwrap() = says;
    }

    /// The provider's statement has these charges, in minor units.
    pub(crate) fn statement_has(&self, charges: &[(&Ticket, i64)]) {
        let line = |(ticket, amount): &(&Ticket, i64)| Line {
            intent: format!("pi_{}", ticket.id.payment()).parse().unwrap(),
            payment: Some(ticket.id.payment()),
            amount: *amount,
            source: Source::Charge,
        };
        *self.provider.1.lock().unwrap() = charges.iter().map(line).collect();
    }

    /// An event on sale with so many seats.
    pub(crate) async fn on_sale(&self, seats: u32) -> InventoryId {
        let (id, now) = (InventoryId::generate(), Timestamp::now());
        let terms = Terms {
            event_name: id.to_string().parse().unwrap(),
            event_date: now.plus_seconds(86_400),
            total_seats: Quantity::new(seats).unwrap(),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::WIDEST,
        };
        self.inventory.create(&Inventory::open(id, terms, now), &trace()).await.unwrap();
        id
    }

    /// A new ticket of so many seats.
    pub(crate) async fn booked(&self, event: InventoryId, seats: u32) -> Ticket {
        let user_id = UserId::generate();
        let quantity = Quantity::new(seats).unwrap();
        let order = Order {
            caller: user_id,
            user_id,
            event: EventRef::Id(event),
            quantity,
            instruction: None,
            expected_total: None,
        };
        let key = TicketId::generate().to_string().parse().unwrap();
        let fingerprint = Fingerprint::of(&[&event.to_string(), &seats.to_string()]);
        match self.desk.book(&order, &key, &fingerprint, &trace()).await.unwrap() {
            Booked::Created(ticket) => ticket,
            Booked::Replayed(ticket) => panic!("a fresh key made {ticket:?} before"),
        }
    }

    /// The ticket's payment, of which nobody knows whether it was made.
    pub(crate) async fn in_doubt(&self, ticket: &Ticket) -> Payment {
        let payment = self.payment(ticket).await;
        let started = payment.start(payment.method, Timestamp::now()).unwrap();
        let instruction = Instruction { method: Method::CreditCard, token: Some("pm_card".parse().unwrap()) };
        self.payments.advance(&payment, &started, Some(&instruction), &trace()).await.unwrap();
        let tried = Tried::of(&"pm_card".parse().unwrap(), Method::CreditCard);
        self.payments.remember_intent(&started, &"pi_asked".parse().unwrap(), &tried).await.unwrap();
        started
    }

    /// A ticket that is paid and confirmed.
    pub(crate) async fn confirmed(&self, event: InventoryId, seats: u32) -> Ticket {
        let ticket = self.booked(event, seats).await;
        self.cashier.pay(ticket.id.payment(), None, &"pm_card".parse().unwrap(), &trace()).await.unwrap();
        self.sale.confirm(ticket.id, &trace()).await.unwrap();
        self.stored(&ticket).await
    }

    /// The ticket as it lies in the table.
    pub(crate) async fn stored(&self, ticket: &Ticket) -> Ticket {
        self.tickets.get(ticket.id).await.unwrap().unwrap()
    }

    /// The ticket's payment as it lies in the table.
    pub(crate) async fn payment(&self, ticket: &Ticket) -> Payment {
        self.payments.get(ticket.id.payment()).await.unwrap().unwrap()
    }

    /// Adds this to a counter of an event's first shard, as no code of ours would.
    pub(crate) async fn corrupt(&self, event: InventoryId, counter: &str, by: i64) {
        let update = self.database.client().update_item().table_name(self.database.table(Table::Inventory));
        update
            .key("pk", AttributeValue::S(format!("INV#{event}")))
            .key("sk", AttributeValue::S("SHARD#000".into()))
            .update_expression("ADD #counter :by")
            .expression_attribute_names("#counter", counter)
            .expression_attribute_values(":by", AttributeValue::N(by.to_string()))
            .send()
            .await
            .unwrap();
    }

    pub(crate) fn reconciler(&self) -> &Reconciler<Provider> {
        &self.app.reconciler
    }

    /// Reconciles the seats that moved.
    pub(crate) async fn seats(&self) -> Vec<String> {
        let until = Timestamp::now().plus_seconds(60);
        said(&self.reconciler().seats(&run(), Scope::Moved, until).await.unwrap().found)
    }

    /// Reconciles the bookings that moved, as of then.
    pub(crate) async fn bookings(&self, now: Timestamp) -> Vec<String> {
        self.reconciled(Scope::Moved, now).await
    }

    /// Reconciles every booking, as of then.
    pub(crate) async fn audit(&self, now: Timestamp) -> Vec<String> {
        self.reconciled(Scope::All, now).await
    }

    /// Has the read models know all events that there are.
    pub(crate) async fn project(&self) {
        let views = ViewStore::new(self.database.client(), self.database.table(Table::Views));
        let events = self.database.table(Table::Events);
        Projector::new(views).rebuild(&self.database.client(), events, |_| {}).await.unwrap();
    }

    async fn reconciled(&self, scope: Scope, now: Timestamp) -> Vec<String> {
        self.project().await;
        let (mut found, mut part, mut cursor) = (Vec::<Found>::new(), Some(Part::first(scope)), None);
        while let Some(this) = part {
            let page = self.reconciler().bookings(this, cursor, &run(), now).await.unwrap();
            // A booking may be in several parts; by the clock, one that was just repaired does not rest.
            let about = |found: &Found| json!(found.violation)["ticketId"].clone();
            let fresh: Vec<_> =
                page.found.into_iter().filter(|new| found.iter().all(|old| about(old) != about(new))).collect();
            found.extend(fresh);
            cursor = page.next;
            part = if cursor.is_some() { part } else { this.next() };
        }
        said(&found)
    }

    /// The messages that people were left.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let body = |said: Value| serde_json::from_str(said["MessageBody"].as_str().unwrap()).unwrap();
        self.queue.heard().into_iter().map(|(_, said)| body(said)).collect()
    }
}

/// One run of it.
pub(crate) fn run() -> Run {
    Run { requested_by: "the store tests".parse().unwrap(), trace: trace() }
}

/// The findings and their outcomes, one per line.
fn said(found: &[Found]) -> Vec<String> {
    let line = |found: &Found| {
        let kind = json!(found)["kind"].as_str().unwrap().to_owned();
        let outcome = match found.outcome {
            Outcome::Repaired => "repaired",
            Outcome::Postponed(_) => "postponed",
            Outcome::Left => "left",
        };
        format!("{kind} {outcome}")
    };
    found.iter().map(line).collect()
}
