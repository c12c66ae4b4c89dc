//! A payment provider that keeps its promises (each call acts once for each payment) and whose answers get lost on cue.

use boxoffice_kernel::PaymentId;
use boxoffice_payments::{
    domain::{IntentId, MethodToken, Payment},
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// Cards the provider knows.
const DECLINED_AT_ONCE: &str = "pm_declined_at_once";
const DECLINED: &str = "pm_declined";

/// What the provider can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Open,
    Confirm,
    Cancel,
    Refund,
}

/// On which side of the act something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open { declines: bool },
    Succeeded,
    Cancelled,
    Refunded,
}

/// A call held up until the test lets it go.
#[derive(Debug, Clone)]
pub(crate) struct HeldUp {
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl HeldUp {
    /// Waits until the call is there.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// Lets it go on.
    pub(crate) fn go(&self) {
        self.go.add_permits(1);
    }
}

#[derive(Debug, Default)]
struct Books {
    intents: BTreeMap<PaymentId, (IntentId, State)>,
    calls: BTreeMap<Call, u32>,
    charges: u32,
    refunds: u32,
    lost: Vec<(Call, Side)>,
    held_up: Vec<(Call, Side, HeldUp)>,
}

/// The provider; clones share its books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<Books>>);

impl Provider {
    /// The next such call gets no answer, and acts or not.
    pub(crate) fn lose(&self, call: Call, side: Side) {
        self.0.lock().unwrap().lost.push((call, side));
    }

    /// The next such call waits on that side of its act.
    pub(crate) fn hold_up(&self, call: Call, side: Side) -> HeldUp {
        let held_up = HeldUp { reached: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) };
        self.0.lock().unwrap().held_up.push((call, side, held_up.clone()));
        held_up
    }

    /// How often money was taken, and given back.
    pub(crate) fn money_moved(&self) -> (u32, u32) {
        let books = self.0.lock().unwrap();
        (books.charges, books.refunds)
    }

    /// How often it was asked.
    pub(crate) fn calls(&self, call: Call) -> u32 {
        self.0.lock().unwrap().calls.get(&call).copied().unwrap_or(0)
    }

    async fn act<T>(&self, call: Call, act: impl FnOnce(&mut Books) -> T) -> Result<T, GatewayError> {
        *self.0.lock().unwrap().calls.entry(call).or_default() += 1;
        self.mishap(call, Side::Before).await?;
        let answer = act(&mut self.0.lock().unwrap());
        self.mishap(call, Side::After).await?;
        Ok(answer)
    }

    async fn mishap(&self, call: Call, side: Side) -> Result<(), GatewayError> {
        let (held_up, lost) = {
            let mut books = self.0.lock().unwrap();
            let held_up = books.held_up.iter().position(|(c, s, _)| (*c, *s) == (call, side));
            let held_up = held_up.map(|place| books.held_up.remove(place).2);
            let lost = books.lost.iter().position(|cue| *cue == (call, side));
            (held_up, lost.map(|place| books.lost.remove(place)))
        };
        if let Some(held_up) = held_up {
            held_up.reached.add_permits(1);
            held_up.go.acquire().await.unwrap().forget();
        }
        lost.map_or(Ok(()), |_| Err(GatewayError::Unavailable("the answer got lost".into())))
    }
}

impl Books {
    fn state(&mut self, intent: &IntentId) -> &mut State {
        let found = self.intents.values_mut().find(|(id, _)| id == intent);
        &mut found.expect("an intent that was opened").1
    }
}

impl PaymentGateway for Provider {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        self.act(Call::Open, |books| {
            if token.reveal() == DECLINED_AT_ONCE {
                return Opened::Declined { reason: "card_not_supported".into() };
            }
            let name = format!("pi_{}", books.intents.len());
            let declines = token.reveal() == DECLINED;
            let fresh = || (name.parse().unwrap(), State::Open { declines });
            Opened::Intent(books.intents.entry(payment.id).or_insert_with(fresh).0.clone())
        })
        .await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        let id = payment.id;
        self.act(Call::Confirm, |books| {
            assert_eq!(books.intents.get(&id).map(|(known, _)| known), Some(intent), "another payment's intent");
            let state = books.state(intent);
            match *state {
                State::Open { declines: true } => Charge::Declined { reason: "card_declined".into() },
                State::Open { declines: false } => {
                    *state = State::Succeeded;
                    books.charges += 1;
                    Charge::Succeeded
                }
                State::Succeeded | State::Refunded => Charge::Succeeded,
                State::Cancelled => Charge::Cancelled,
            }
        })
        .await
    }

    async fn cancel(&self, intent: &IntentId) -> Result<Cancellation, GatewayError> {
        self.act(Call::Cancel, |books| {
            let state = books.state(intent);
            match *state {
                State::Succeeded | State::Refunded => Cancellation::AlreadySucceeded,
                State::Open { .. } | State::Cancelled => {
                    *state = State::Cancelled;
                    Cancellation::Cancelled
                }
            }
        })
        .await
    }

    async fn refund(&self, _: &Payment, intent: &IntentId) -> Result<(), GatewayError> {
        self.act(Call::Refund, |books| {
            let state = books.state(intent);
            match *state {
                State::Succeeded => {
                    *state = State::Refunded;
                    books.refunds += 1;
                }
                State::Refunded => {}
                State::Open { .. } | State::Cancelled => panic!("a refund of what was never charged"),
            }
        })
        .await
    }
}
