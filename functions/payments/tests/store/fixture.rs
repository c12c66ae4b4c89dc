//! The fixture of these tests.

use crate::provider::Provider;
use boxoffice_aws::{Uncommitted, transaction::Written};
use boxoffice_kernel::{Amount, Currency, Money, TicketId, Timestamp, UserId};
use boxoffice_payments::{
    App, Instruction, PaymentStore,
    cashier::{Cashier, CashierError},
    declines::Declines,
    domain::{DECLINES, Method, MethodToken, Payment, Status},
    handlers::initiate_payment,
};
use boxoffice_runtime::StepFailure;
use boxoffice_testing::{Database, Listener, Table, trace};

pub(crate) fn store(database: &Database) -> PaymentStore {
    PaymentStore::new(database.client(), database.table(Table::Payments), database.event_store())
}

/// A new ticket's payment.
pub(crate) fn pending() -> Payment {
    let (money, now) = (Money { amount: Amount::from_minor(9980).unwrap(), currency: Currency::Eur }, Timestamp::now());
    Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(600), now)
}

/// Writes a payment as its booking does.
pub(crate) async fn initiate(database: &Database, payment: &Payment, instruction: Option<&Instruction>) -> Written {
    let transaction = store(database).initiate(payment, instruction, &trace()).unwrap();
    transaction.commit(&database.client()).await.or_else(Uncommitted::into_stale).unwrap()
}

pub(crate) fn card(token: &str) -> MethodToken {
    token.parse().unwrap()
}

pub(crate) fn instruction(token: &str) -> Instruction {
    Instruction { method: Method::CreditCard, token: Some(card(token)) }
}

/// A cashier with a scripted provider, and a saga that hears what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    database: Database,
    pub(crate) store: PaymentStore,
    pub(crate) provider: Provider,
    pub(crate) saga: Listener,
    pub(crate) cashier: Cashier<Provider>,
}

impl Desk {
    pub(crate) fn new(database: Database) -> Self {
        let (store, provider, saga) = (store(&database), Provider::default(), Listener::default());
        let saga_client = aws_sdk_sfn::Client::new(&saga.sdk_config());
        let cashier = Cashier::new(store.clone(), provider.clone(), saga_client);
        Self { database, store, provider, saga, cashier }
    }

    /// The parts of the functions that call the provider.
    pub(crate) fn app(&self) -> App<Provider> {
        self.app_within(1_000_000)
    }

    /// The same, where a buyer may have so many cards declined.
    pub(crate) fn app_within(&self, per_buyer: u32) -> App<Provider> {
        let declines = Declines::new(self.database.client(), self.database.table(Table::Payments), per_buyer);
        App { store: self.store.clone(), cashier: self.cashier.clone(), declines }
    }

    /// A payment that was declined as often as it may be.
    pub(crate) async fn declined(&self) -> Payment {
        let payment = self.pending().await;
        self.decline_for_good(&payment).await;
        self.stored(&payment).await
    }

    /// Tries one declined card after the other, until none may follow.
    pub(crate) async fn decline_for_good(&self, payment: &Payment) {
        for card in 1..=DECLINES {
            self.pay(payment, &format!("pm_declined_{card}")).await.unwrap();
        }
    }

    /// A payment that waits for the buyer.
    pub(crate) async fn pending(&self) -> Payment {
        self.initiated(pending(), None).await
    }

    /// This payment, written as its booking does.
    pub(crate) async fn initiated(&self, payment: Payment, instruction: Option<&Instruction>) -> Payment {
        assert_eq!(initiate(&self.database, &payment, instruction).await, Written::Yes);
        payment
    }

    /// A payment whose booking named what to charge.
    pub(crate) async fn named(&self, token: &str) -> Payment {
        let instruction = instruction(token);
        self.initiated(instruction.applied_to(pending()), Some(&instruction)).await
    }

    /// A payment of which nothing is known but that the provider is about to be asked.
    pub(crate) async fn processing(&self) -> Payment {
        let payment = self.pending().await;
        let started = payment.start(payment.method, Timestamp::now()).unwrap();
        let instruction = instruction("pm_card");
        self.store.advance(&payment, &started, Some(&instruction), &trace()).await.unwrap();
        started
    }

    /// A payment that was charged.
    pub(crate) async fn paid(&self) -> Payment {
        let payment = self.pending().await;
        self.pay(&payment, "pm_card").await.unwrap();
        self.stored(&payment).await
    }

    pub(crate) async fn pay(&self, payment: &Payment, token: &str) -> Result<Payment, CashierError> {
        self.cashier.pay(payment.id, None, &card(token), &trace()).await
    }

    pub(crate) async fn reverse(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.reverse(payment.id, "BookingCancelled", &trace()).await
    }

    pub(crate) async fn expire(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.expire(payment.id, &trace()).await
    }

    pub(crate) async fn settle(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.settle(payment.id, &trace()).await
    }

    pub(crate) async fn refund(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.refund(payment.id, "asked for", &trace()).await
    }

    /// The saga comes to `Initiate Payment`.
    pub(crate) async fn step(&self, payment: &Payment) -> Result<serde_json::Value, StepFailure> {
        let input = serde_json::json!({
            "booking": { "ticketId": payment.ticket_id, "holdExpiresAt": payment.payable_until }, "trace": trace()
        });
        let input = serde_json::from_value(input).unwrap();
        let outcome = initiate_payment::run(&self.app(), input).await?;
        Ok(serde_json::to_value(outcome).unwrap()["status"].clone())
    }

    /// The payment as it lies in the table.
    pub(crate) async fn stored(&self, payment: &Payment) -> Payment {
        self.store.get(payment.id).await.unwrap().unwrap()
    }

    /// The payment's status as it lies in the table.
    pub(crate) async fn status(&self, payment: &Payment) -> Status {
        self.stored(payment).await.status
    }

    /// The calls the saga heard, without their arguments' details.
    pub(crate) fn told(&self) -> Vec<(String, String, String)> {
        let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let heard = self.saga.heard().into_iter();
        heard.map(|(call, said)| (call, text(&said, "taskToken"), text(&said, "error"))).collect()
    }
}

/// Whether the failure says to try again.
pub(crate) fn is_transient<T: std::fmt::Debug>(outcome: &Result<T, CashierError>) -> bool {
    use boxoffice_aws::StoreError;
    use boxoffice_payments::gateway::GatewayError;
    matches!(
        outcome,
        Err(CashierError::Gateway(GatewayError::Unavailable(_)) | CashierError::Store(StoreError::Unavailable(_)))
    )
}
