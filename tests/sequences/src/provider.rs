//! A payment provider in this process. It acts once for each payment however often it is asked, and keeps a ledger of what it did.

use crate::{model::Card, wire};
use boxoffice_kernel::PaymentId;
use boxoffice_payments::{
    domain::{IntentId, MethodToken, Payment},
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// What became of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intent {
    /// There is none.
    #[default]
    None,
    /// No money has moved.
    Open,
    /// The money is ours.
    Charged,
    /// No money will move.
    Cancelled,
    /// The money was ours, and was given back.
    Refunded,
}

/// What the provider did for one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Where its intent is.
    pub intent: Intent,
    /// The card it is charged to.
    pub card: Option<Card>,
    /// How often money was taken.
    pub charges: u32,
    /// How often money was given back.
    pub refunds: u32,
}

/// The provider; clones share its ledger.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    ledger: Arc<Mutex<HashMap<String, Account>>>,
    forgetful: bool,
}

impl Provider {
    /// One that breaks its promise: asked to charge or to refund again under the same key, it does it again.
    pub fn forgetful() -> Self {
        Self { forgetful: true, ..Self::default() }
    }

    fn ledger(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.ledger.lock().expect("a test that has not panicked")
    }

    /// What it did for this payment.
    pub fn account(&self, payment: PaymentId) -> Account {
        self.ledger().get(&name(payment)).copied().unwrap_or_default()
    }

    async fn act<T>(&self, name: String, act: impl FnOnce(&mut Account) -> T) -> Result<T, GatewayError> {
        let acting = async { Ok(act(self.ledger().entry(name).or_default())) };
        wire::send(true, acting, || Err(GatewayError::Unavailable("the answer got lost".into()))).await
    }
}

/// An intent's id says whose it is.
fn name(payment: PaymentId) -> String {
    format!("pi_{payment}")
}

impl PaymentGateway for Provider {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        let (name, card) = (name(payment.id), Card::of(token.reveal()));
        let id = name.parse().expect("an id");
        self.act(name, |account| {
            if card == Card::Refused {
                return Opened::Declined { reason: "card_not_supported".into() };
            }
            if account.intent == Intent::None {
                *account = Account { intent: Intent::Open, card: Some(card), ..*account };
            }
            Opened::Intent(id)
        })
        .await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        assert_eq!(intent.to_string(), name(payment.id), "another payment's intent");
        self.act(intent.to_string(), |account| match account.intent {
            Intent::None => panic!("a charge of an intent that was never opened"),
            Intent::Open if account.card == Some(Card::Declined) => Charge::Declined { reason: "card_declined".into() },
            Intent::Cancelled => Charge::Cancelled,
            Intent::Open => {
                (account.intent, account.charges) = (Intent::Charged, account.charges + 1);
                Charge::Succeeded
            }
            Intent::Charged | Intent::Refunded => {
                account.charges += u32::from(self.forgetful);
                Charge::Succeeded
            }
        })
        .await
    }

    async fn cancel(&self, intent: &IntentId) -> Result<Cancellation, GatewayError> {
        self.act(intent.to_string(), |account| match account.intent {
            Intent::Charged | Intent::Refunded => Cancellation::AlreadySucceeded,
            Intent::None | Intent::Open | Intent::Cancelled => {
                account.intent = Intent::Cancelled;
                Cancellation::Cancelled
            }
        })
        .await
    }

    async fn refund(&self, _: &Payment, intent: &IntentId) -> Result<(), GatewayError> {
        self.act(intent.to_string(), |account| match account.intent {
            Intent::Charged => (account.intent, account.refunds) = (Intent::Refunded, account.refunds + 1),
            Intent::Refunded => account.refunds += u32::from(self.forgetful),
            Intent::None | Intent::Open | Intent::Cancelled => panic!("a refund of what was never charged"),
        })
        .await
    }
}
