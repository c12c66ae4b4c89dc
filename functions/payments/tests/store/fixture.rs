//! What every test here begins with.

use crate::provider::Provider;
use boxoffice_kernel::{Amount, Currency, Money, TicketId, Timestamp, UserId};
use boxoffice_payments::{
    App, Instruction, PaymentStore,
    cashier::{Cashier, CashierError},
    domain::{Method, MethodToken, Payment, Status},
    events::RefundedBy,
};
use boxoffice_testing::{Database, Listener, Table, trace};

pub(crate) fn store(database: &Database) -> PaymentStore {
    PaymentStore::new(database.client(), database.table(Table::Payments), database.event_store())
}

/// A new ticket's payment.
pub(crate) fn pending() -> Payment {
    let (money, now) = (Money { amount: Amount::from_minor(9980).unwrap(), currency: Currency::Eur }, Timestamp::now());
    Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(600), now)
}

/// The payment that takes the place of one that never was.
pub(crate) fn void(of: &Payment) -> Payment {
    Payment { status: Status::Expired, failure_reason: Some("BookingCancelled".into()), ..of.clone() }
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
        Self { store, provider, saga, cashier }
    }

    /// What the functions that call the provider are made of.
    pub(crate) fn app(&self) -> App<Provider> {
        App { store: self.store.clone(), cashier: self.cashier.clone() }
    }

    /// A payment that was declined.
    pub(crate) async fn declined(&self) -> Payment {
        let payment = self.pending().await;
        self.pay(&payment, "pm_declined").await.unwrap();
        self.stored(&payment).await
    }

    /// A payment that waits for the buyer.
    pub(crate) async fn pending(&self) -> Payment {
        let payment = pending();
        self.store.create(&payment, &trace()).await.unwrap();
        payment
    }

    /// A payment of which nothing is known but that the provider is about to be asked.
    pub(crate) async fn processing(&self) -> Payment {
        let payment = self.pending().await;
        let started = payment.start(payment.method, Timestamp::now()).unwrap();
        let instruction = instruction("pm_card");
        self.store.advance(&payment, &started, Some(&instruction), RefundedBy::Saga, &trace()).await.unwrap();
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
        self.cashier.reverse(void(payment), "BookingCancelled", &trace()).await
    }

    pub(crate) async fn expire(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.expire(payment.id, &trace()).await
    }

    pub(crate) async fn refund(&self, payment: &Payment) -> Result<Payment, CashierError> {
        self.cashier.refund(payment.id, "asked for", &trace()).await
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
