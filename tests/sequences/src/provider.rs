//! A payment provider in this process. It acts once for each payment however often it is asked, and keeps a ledger of what it did.

use crate::{model::Card, wire};
use boxoffice_kernel::{PaymentId, Timestamp};
use boxoffice_payments::{
    domain::{IntentId, MethodToken, Payment, ProviderEventId, ProviderLineId},
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::{self, Refund},
    statement::Statement,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// The fate of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intent {
    /// There is none.
    #[default]
    None,
    /// No money has moved.
    Open,
    /// The card was declined; another could still be charged.
    Declined,
    /// The money is ours.
    Charged,
    /// No money will move.
    Cancelled,
    /// No money will move, and the payment went on with another intent.
    LeftBehind,
    /// The money was ours, and was given back.
    Refunded,
}

/// The provider's acts for one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The last attempt it has heard of; 0 when there was none.
    pub attempt: u32,
    /// Where that attempt's intent is.
    pub intent: Intent,
    /// The card it is charged to.
    pub card: Option<Card>,
    /// How often money was taken, by whichever attempt.
    pub charges: u32,
    /// How often money was given back.
    pub refunds: u32,
}

/// The provider; clones share its ledger.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    ledger: Arc<Mutex<HashMap<String, Account>>>,
    made: Arc<Mutex<HashMap<String, refund::Seen>>>,
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

    /// The refund made of each payment.
    fn made(&self) -> MutexGuard<'_, HashMap<String, refund::Seen>> {
        self.made.lock().expect("a test that has not panicked")
    }

    /// Its acts for this payment.
    pub fn account(&self, payment: PaymentId) -> Account {
        self.ledger().get(&name(payment)).copied().unwrap_or_default()
    }

    async fn act<T>(&self, payment: String, act: impl FnOnce(&mut Account) -> T) -> Result<T, GatewayError> {
        let acting = async { Ok(act(self.ledger().entry(payment).or_default())) };
        wire::send(true, acting, || Err(GatewayError::Unavailable("the answer got lost".into()))).await
    }
}

fn name(payment: PaymentId) -> String {
    format!("pi_{payment}")
}

/// An intent's id says whose it is, and of which attempt.
fn whose(intent: &IntentId) -> (String, u32) {
    let id = intent.to_string();
    let (payment, attempt) = id.rsplit_once('_').expect("an id of ours");
    (payment.to_owned(), attempt.parse().expect("a number"))
}

fn charge(account: &Account, attempt: u32) -> Charge {
    if attempt < account.attempt {
        return Charge::Declined { reason: "card_declined".into() };
    }
    match account.intent {
        Intent::None => panic!("an intent that was never opened"),
        Intent::Open => Charge::Unconfirmed,
        Intent::Declined | Intent::LeftBehind => Charge::Declined { reason: "card_declined".into() },
        Intent::Charged | Intent::Refunded => Charge::Succeeded,
        Intent::Cancelled => Charge::Cancelled,
    }
}

impl PaymentGateway for Provider {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        let (attempt, card) = (payment.attempt, Card::of(token.reveal()));
        let id = format!("{}_{attempt}", name(payment.id)).parse().expect("an id");
        self.act(name(payment.id), |account| {
            if card == Card::Refused {
                return Opened::Declined { reason: "card_not_supported".into() };
            }
            if account.attempt < attempt {
                *account = Account { attempt, intent: Intent::Open, card: Some(card), ..*account };
            }
            Opened::Intent(id)
        })
        .await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        let (name_of_intent, attempt) = whose(intent);
        assert_eq!(
            (name_of_intent.as_str(), attempt),
            (name(payment.id).as_str(), payment.attempt),
            "another's intent"
        );
        self.act(name_of_intent, |account| {
            if attempt == account.attempt {
                match account.intent {
                    Intent::Open if account.card == Some(Card::Declined) => account.intent = Intent::Declined,
                    Intent::Open => (account.intent, account.charges) = (Intent::Charged, account.charges + 1),
                    Intent::Charged | Intent::Refunded => account.charges += u32::from(self.forgetful),
                    _ => {}
                }
            }
            charge(account, attempt)
        })
        .await
    }

    async fn look(&self, intent: &IntentId) -> Result<Option<Seen>, GatewayError> {
        let (name, attempt) = whose(intent);
        let payment = name.strip_prefix("pi_").and_then(|id| id.parse().ok());
        let looking = async {
            let account = self.ledger().get(&name).copied();
            Ok(account.map(|account| {
                if self.forgetful && account.intent == Intent::Charged {
                    // It has forgotten that it was asked.
                    return Seen { payment, charge: Charge::Unconfirmed };
                }
                Seen { payment, charge: charge(&account, attempt) }
            }))
        };
        wire::send(false, looking, || Err(GatewayError::Unavailable("the answer got lost".into()))).await
    }

    async fn cancel(&self, intent: &IntentId, called_off: CalledOff) -> Result<Cancellation, GatewayError> {
        let (name, attempt) = whose(intent);
        self.act(name, |account| {
            if attempt < account.attempt {
                return Cancellation::Cancelled;
            }
            match account.intent {
                Intent::Charged | Intent::Refunded => return Cancellation::AlreadySucceeded,
                Intent::None | Intent::Cancelled | Intent::LeftBehind => {}
                Intent::Open | Intent::Declined => {
                    account.intent = match called_off {
                        CalledOff::Attempt => Intent::LeftBehind,
                        CalledOff::Payment => Intent::Cancelled,
                    };
                }
            }
            Cancellation::Cancelled
        })
        .await
    }

    async fn moved(&self, intent: &IntentId) -> Result<Moved, GatewayError> {
        let name = whose(intent).0;
        let looking = async {
            let made = self.made().get(&name).cloned();
            // Asked again, it has forgotten what it did.
            let refunds = if self.forgetful { Vec::new() } else { made.into_iter().collect() };
            Ok(Moved { refunds, ..Moved::default() })
        };
        wire::send(false, looking, || Err(GatewayError::Unavailable("the answer got lost".into()))).await
    }

    async fn record(&self, _: Timestamp, _: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        Ok(Record::default())
    }

    async fn statement(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        Ok(Statement::default())
    }

    async fn refund(&self, _: &Payment, intent: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        let name = whose(intent).0;
        let ours = Some((refund.id, refund.attempt));
        let id = format!("re_{}", refund.id).parse().expect("an id");
        let seen =
            refund::Seen { id, ours, amount: refund.amount, state: refund::State::Succeeded, failure_reason: None };
        let made = seen.clone();
        self.act(name.clone(), |account| {
            match account.intent {
                Intent::Charged => (account.intent, account.refunds) = (Intent::Refunded, account.refunds + 1),
                Intent::Refunded => account.refunds += u32::from(self.forgetful),
                other => panic!("a refund of what was never charged: {other:?}"),
            }
            self.made().insert(name, made);
            Returned::Refund(seen)
        })
        .await
    }
}
