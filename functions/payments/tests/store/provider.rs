//! A payment provider that keeps its promises (each call acts once for each payment) and whose answers get lost on cue.

use boxoffice_kernel::{Amount, PaymentId, Timestamp};
use boxoffice_payments::{
    dispute,
    domain::{IntentId, MethodToken, NextAction, Payment, ProviderEventId, ProviderLineId},
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::{self, Refund},
    statement::{Line, Source, Statement},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// Cards the provider knows.
const DECLINED_AT_ONCE: &str = "pm_declined_at_once";
const DECLINED: &str = "pm_declined";
const MISTYPED: &str = "pm_mistyped";
const AUTHENTICATES: &str = "pm_authenticates";
const SETTLES_LATER: &str = "pm_settles_later";

/// The operations of a payment provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Open,
    Confirm,
    Look,
    Cancel,
    Moved,
    Record,
    Refund,
    Statement,
}

/// On which side of the act something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open(Card),
    NeedsAction,
    UnderWay,
    Declined,
    Succeeded,
    Cancelled,
    LeftBehind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Good,
    Declined,
    Authenticates,
    SettlesLater,
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
    intents: BTreeMap<(PaymentId, u32), (IntentId, State)>,
    calls: BTreeMap<Call, u32>,
    charges: u32,
    /// The refunds, with the intent that each is of.
    refunds: Vec<(IntentId, refund::Seen)>,
    /// The disputes, with the intent that each is of.
    disputes: Vec<(IntentId, dispute::Seen)>,
    lost: Vec<(Call, Side)>,
    held_up: Vec<(Call, Side, HeldUp)>,
    refunds_are_pending: bool,
    refunds_are_refused: bool,
}

/// The provider; clones share its books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<Books>>);

impl Provider {
    /// The next such call gets no answer, and acts or not.
    pub(crate) fn lose(&self, call: Call, side: Side) {
        self.0.lock().unwrap().lost.push((call, side));
    }

    /// No call is lost any more.
    pub(crate) fn forget_mishaps(&self) {
        self.0.lock().unwrap().lost.clear();
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
        (books.charges, u32::try_from(books.refunds.len()).unwrap())
    }

    /// How much has left the account again for an intent, in minor units.
    pub(crate) fn has_left(&self, intent: &IntentId) -> u64 {
        self.0.lock().unwrap().has_left(intent)
    }

    /// Somebody gives money back in the provider's dashboard, and is refused when so much is not left.
    pub(crate) fn refund_by_hand(&self, payment: &Payment, minor: u64) -> bool {
        let intent = payment.intent.clone().unwrap();
        let mut books = self.0.lock().unwrap();
        if books.has_left(&intent) + minor > payment.money.amount.minor() {
            return false;
        }
        let id = format!("re_by_hand_{}", books.refunds.len()).parse().unwrap();
        let (amount, state) = (Amount::from_minor(minor).unwrap(), refund::State::Succeeded);
        books.refunds.push((intent, refund::Seen { id, ours: None, amount, state, failure_reason: None }));
        true
    }

    /// Every refund that has not failed ends so.
    pub(crate) fn settle_refunds(&self, state: refund::State) {
        for (_, seen) in &mut self.0.lock().unwrap().refunds {
            if matches!(seen.state, refund::State::Pending | refund::State::Succeeded) {
                seen.state = state;
                let failed = state == refund::State::Failed;
                seen.failure_reason = failed.then(|| "expired_or_canceled_card".to_owned());
            }
        }
    }

    /// The provider charges this payment so often more, unasked.
    pub(crate) fn charge_again(&self, payment: &Payment) {
        let mut books = self.0.lock().unwrap();
        let again = (payment.intent.clone().unwrap(), State::Succeeded);
        books.intents.insert((payment.id, payment.attempt + 1), again);
    }

    /// The provider knows of no charge of this payment.
    pub(crate) fn forget_charge(&self, payment: &Payment) {
        self.0.lock().unwrap().intents.remove(&(payment.id, payment.attempt));
    }

    /// The buyer's bank takes so much back.
    pub(crate) fn dispute(&self, payment: &Payment, minor: u64) {
        let mut books = self.0.lock().unwrap();
        let (id, amount) = (format!("du_{}", books.disputes.len()), Amount::from_minor(minor).unwrap());
        let (state, reason) = (dispute::State::Open, Some("fraudulent".to_owned()));
        let seen = dispute::Seen { id: id.parse().unwrap(), amount, state, reason };
        books.disputes.push((payment.intent.clone().unwrap(), seen));
    }

    /// Every dispute that is open ends so.
    pub(crate) fn close_disputes(&self, state: dispute::State) {
        for (_, seen) in &mut self.0.lock().unwrap().disputes {
            if seen.state == dispute::State::Open {
                seen.state = state;
            }
        }
    }

    /// How much the disputes of an intent have taken, in minor units.
    pub(crate) fn disputed(&self, intent: &IntentId) -> u64 {
        let books = self.0.lock().unwrap();
        let gone = books.disputes.iter().filter(|(of, seen)| of == intent && seen.state != dispute::State::Won);
        gone.map(|(_, seen)| seen.amount.minor()).sum()
    }

    /// From now on refunds are refused, as those of a disputed charge are, or no longer.
    pub(crate) fn refunds_are_refused(&self, refused: bool) {
        self.0.lock().unwrap().refunds_are_refused = refused;
    }

    /// Ends the wait: the buyer has authenticated or not, the provider has decided.
    pub(crate) fn decide(&self, payment: &Payment, succeeds: bool) {
        let mut books = self.0.lock().unwrap();
        let (_, state) = books.intents.get_mut(&(payment.id, payment.attempt)).unwrap();
        assert!(matches!(state, State::NeedsAction | State::UnderWay), "nothing is waited for: {state:?}");
        *state = if succeeds { State::Succeeded } else { State::Declined };
        books.charges += u32::from(succeeds);
    }

    /// From now on refunds take their time, or no longer.
    pub(crate) fn refunds_are_pending(&self, pending: bool) {
        self.0.lock().unwrap().refunds_are_pending = pending;
        if !pending {
            for (_, seen) in &mut self.0.lock().unwrap().refunds {
                if seen.state == refund::State::Pending {
                    seen.state = refund::State::Succeeded;
                }
            }
        }
    }

    /// The intents that could still be charged.
    pub(crate) fn open_intents(&self) -> usize {
        let books = self.0.lock().unwrap();
        let is_open =
            |state: &State| matches!(state, State::Open(_) | State::NeedsAction | State::UnderWay | State::Declined);
        books.intents.values().filter(|(_, state)| is_open(state)).count()
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

/// The sum of each payment of these tests.
const CHARGED: i64 = 9980;

impl Books {
    /// The account's statement. A charge says whose it is, a refund made by hand and a dispute do not.
    fn lines(&self) -> Vec<Line> {
        let succeeded = self.intents.iter().filter(|(_, (_, state))| *state == State::Succeeded);
        let charges = succeeded.map(|((payment, _), (intent, _))| Line {
            intent: intent.clone(),
            payment: Some(*payment),
            amount: CHARGED,
            source: Source::Charge,
        });
        let left = |intent: &IntentId, minor: u64, id: String| Line {
            intent: intent.clone(),
            payment: None,
            amount: -i64::try_from(minor).unwrap(),
            source: Source::Other(id),
        };
        let refunds = self.refunds.iter().map(|(of, seen)| left(of, seen.amount.minor(), seen.id.to_string()));
        let disputes = self.disputes.iter().map(|(of, seen)| left(of, seen.amount.minor(), seen.id.to_string()));
        charges.chain(refunds).chain(disputes).collect()
    }

    fn has_left(&self, intent: &IntentId) -> u64 {
        let left = |(of, seen): &&(IntentId, refund::Seen)| {
            of == intent && matches!(seen.state, refund::State::Pending | refund::State::Succeeded)
        };
        self.refunds.iter().filter(left).map(|(_, seen)| seen.amount.minor()).sum()
    }

    fn state(&mut self, intent: &IntentId) -> &mut State {
        let found = self.intents.values_mut().find(|(id, _)| id == intent);
        &mut found.expect("an intent that was opened").1
    }
}

fn charge(state: State) -> Charge {
    match state {
        State::Open(_) => Charge::Unconfirmed,
        State::NeedsAction => Charge::NeedsAction(action()),
        State::UnderWay => Charge::UnderWay,
        State::Declined | State::LeftBehind => Charge::Declined { reason: "card_declined".into() },
        State::Succeeded => Charge::Succeeded,
        State::Cancelled => Charge::Cancelled,
    }
}

/// The act that the buyer of a card that authenticates owes.
pub(crate) fn action() -> NextAction {
    NextAction { redirect_url: Some("https://bank.example/3ds".into()), client_secret: "pi_secret".into() }
}

impl PaymentGateway for Provider {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        self.act(Call::Open, |books| {
            let card = match token.reveal() {
                DECLINED_AT_ONCE => return Opened::Declined { reason: "card_not_supported".into() },
                MISTYPED => return Opened::NoSuchMethod,
                token if token.starts_with(DECLINED) => Card::Declined,
                AUTHENTICATES => Card::Authenticates,
                SETTLES_LATER => Card::SettlesLater,
                _ => Card::Good,
            };
            let name = format!("pi_{}", books.intents.len());
            let fresh = || (name.parse().unwrap(), State::Open(card));
            Opened::Intent(books.intents.entry((payment.id, payment.attempt)).or_insert_with(fresh).0.clone())
        })
        .await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        let attempt = (payment.id, payment.attempt);
        self.act(Call::Confirm, |books| {
            assert_eq!(books.intents.get(&attempt).map(|(known, _)| known), Some(intent), "another attempt's intent");
            let state = books.state(intent);
            let charged = *state == State::Open(Card::Good);
            *state = match *state {
                State::Open(Card::Declined) => State::Declined,
                State::Open(Card::Authenticates) => State::NeedsAction,
                State::Open(Card::SettlesLater) => State::UnderWay,
                State::Open(Card::Good) => State::Succeeded,
                other => other,
            };
            let answer = charge(*state);
            books.charges += u32::from(charged);
            answer
        })
        .await
    }

    async fn look(&self, intent: &IntentId) -> Result<Option<Seen>, GatewayError> {
        self.act(Call::Look, |books| {
            let found = books.intents.iter().find(|(_, (id, _))| id == intent);
            found.map(|((payment, _), (_, state))| Seen { payment: Some(*payment), charge: charge(*state) })
        })
        .await
    }

    async fn cancel(&self, intent: &IntentId, called_off: CalledOff) -> Result<Cancellation, GatewayError> {
        self.act(Call::Cancel, |books| {
            let state = books.state(intent);
            match *state {
                State::Succeeded => Ok(Cancellation::AlreadySucceeded),
                State::UnderWay => Err(GatewayError::NotReady("it is processing".into())),
                State::Cancelled | State::LeftBehind => Ok(Cancellation::Cancelled),
                State::Open(_) | State::NeedsAction | State::Declined => {
                    *state = match called_off {
                        CalledOff::Payment => State::Cancelled,
                        CalledOff::Attempt => State::LeftBehind,
                    };
                    Ok(Cancellation::Cancelled)
                }
            }
        })
        .await?
    }

    async fn moved(&self, intent: &IntentId) -> Result<Moved, GatewayError> {
        self.act(Call::Moved, |books| {
            let of_it = books.refunds.iter().filter(|(of, _)| of == intent);
            let disputes = books.disputes.iter().filter(|(of, _)| of == intent).map(|(_, seen)| seen.clone());
            Moved { refunds: of_it.map(|(_, seen)| seen.clone()).rev().collect(), disputes: disputes.collect() }
        })
        .await
    }

    /// An entry a page, so that every reading pages: whatever moved, whoever moved it, however long ago.
    async fn record(&self, _: Timestamp, after: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        self.act(Call::Record, |books| {
            let moved = books.refunds.iter().map(|(of, _)| of).chain(books.disputes.iter().map(|(of, _)| of));
            let moved: Vec<_> = moved.cloned().collect();
            let place = after.map_or(0, |id| id.to_string().trim_start_matches("evt_").parse::<usize>().unwrap() + 1);
            let next = (place + 1 < moved.len()).then(|| format!("evt_{place}").parse().unwrap());
            Record { intents: moved.get(place).cloned().into_iter().collect(), next }
        })
        .await
    }

    /// A line a page, so that every reading pages: whatever moved, however long ago.
    async fn statement(
        &self,
        _: Timestamp,
        _: Timestamp,
        after: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        self.act(Call::Statement, |books| {
            let lines = books.lines();
            let place = after.map_or(0, |id| id.to_string().trim_start_matches("txn_").parse::<usize>().unwrap() + 1);
            let next = (place + 1 < lines.len()).then(|| format!("txn_{place}").parse().unwrap());
            Statement { lines: lines.get(place).cloned().into_iter().collect(), next }
        })
        .await
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        self.act(Call::Refund, |books| {
            let state = *books.state(intent);
            assert_eq!(state, State::Succeeded, "a refund of what was never charged");
            let ours = Some((refund.id, refund.attempt));
            // By its key, as it is now.
            if let Some((_, made)) = books.refunds.iter().find(|(_, seen)| seen.ours == ours) {
                return Returned::Refund(made.clone());
            }
            let is_disputed = books.disputes.iter().any(|(of, seen)| of == intent && seen.state != dispute::State::Won);
            if books.refunds_are_refused || is_disputed {
                return Returned::Refused { reason: "charge_disputed".into() };
            }
            if books.has_left(intent) + refund.amount.minor() > payment.money.amount.minor() {
                return Returned::TooMuch;
            }
            let state = if books.refunds_are_pending { refund::State::Pending } else { refund::State::Succeeded };
            let id = format!("re_{}", books.refunds.len()).parse().unwrap();
            let made = refund::Seen { id, ours, amount: refund.amount, state, failure_reason: None };
            books.refunds.push((intent.clone(), made.clone()));
            Returned::Refund(made)
        })
        .await
    }
}
