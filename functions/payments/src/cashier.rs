//! Charging, reversing and expiring: where the payment, the provider and the waiting saga meet.
//!
//! Every function here may stop anywhere and be run again, by whoever: each reads the payment, does what its status calls for next, and writes on
//! condition that nobody was faster. A call that moves money at the provider carries an idempotency key of the payment.

use crate::{
    domain::{ATTEMPTS, IllegalTransition, IntentId, Method, MethodToken, NotPayable, Payment, Status, Tried},
    events::RefundedBy,
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::{AskAgain, Fact, NotACase, NotRefundable, Refund, State},
    statement::{Line, Source},
    store::{Instruction, PaymentStore, Reading},
};
use boxoffice_aws::{
    StoreError,
    transaction::{Attempt, ROUNDS, Written, until_current},
};
use boxoffice_kernel::{Actor, Amount, PaymentId, RefundId, Refusal, Timestamp, Trace};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};

/// How much of the provider's record is read when nobody has read it before: a day.
const RECORD_SECONDS: u32 = 86_400;
/// How much is read again: a record may list what happened a little late.
const RECORD_OVERLAP_SECONDS: u32 = 600;

/// How long a payment and the provider's word for it must rest before they are compared.
const STATEMENT_REST_SECONDS: u32 = 900;
/// How much of a statement is compared in one go.
const STATEMENT_SECONDS: u32 = 3_600;
/// How many payments are compared at once.
const COMPARED_AT_ONCE: usize = 16;

/// Charges, reverses and expires payments.
#[derive(Debug, Clone)]
pub struct Cashier<G> {
    store: PaymentStore,
    gateway: G,
    saga: aws_sdk_sfn::Client,
}

/// Why a payment is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum CashierError {
    /// No such payment.
    #[error("there is no such payment")]
    NotFound,
    /// It cannot be paid (any more).
    #[error(transparent)]
    NotPayable(#[from] NotPayable),
    /// It has no money to give back, or not so much.
    #[error(transparent)]
    NotRefundable(#[from] NotRefundable),
    /// The money did not arrive, and an operator has to decide how the buyer gets it.
    #[error("refund {} of {} failed ({}): try it again or settle it otherwise", .0.id, .0.amount, .0.failure_reason.as_deref().unwrap_or("unknown"))]
    RefundFailed(Box<Refund>),
    /// The refund is not a case.
    #[error(transparent)]
    NotACase(#[from] NotACase),
    /// The name was given to another refund of this payment before.
    #[error("the payment has a refund of this name, of another amount")]
    AnotherRefund,
    /// The money is on its way back, and not there yet.
    #[error("the refund is under way")]
    RefundPending(Box<Payment>),
    /// The provider did not answer. The payment may be run again.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A payment and the provider's word for how much of its money is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The payment.
    pub payment: Payment,
    /// How much of its money the provider has, in minor units.
    pub provider: i64,
}

/// The outcome of reading the provider's record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// The payments that it changed.
    pub changed: Vec<Payment>,
    /// Why some of it was not read, or not taken in.
    pub unread: Option<String>,
}

/// A part of the statement that was compared with payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// From when on.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Whether more of it may be compared already.
    pub more: bool,
    /// Whether it was compared to its end before time was up.
    pub is_whole: bool,
    /// The payments that it is about.
    pub payments: BTreeSet<PaymentId>,
    /// Those of which the provider has another sum.
    pub differing: Vec<Comparison>,
}

impl Cashier<crate::Provider> {
    /// The same, whose buyers come back there from their bank.
    #[must_use]
    pub fn returning_to(self, url: impl Into<String>) -> Self {
        Self { gateway: self.gateway.returning_to(url), ..self }
    }
}

impl<G: PaymentGateway> Cashier<G> {
    /// A cashier for the payments of this store, with this provider, reporting to that saga.
    pub fn new(store: PaymentStore, gateway: G, saga: aws_sdk_sfn::Client) -> Self {
        Self { store, gateway, saga }
    }

    async fn load(&self, id: PaymentId) -> Result<Payment, CashierError> {
        self.store.get(id).await?.ok_or(CashierError::NotFound)
    }

    /// The buyer pays: charges the payment and tells the saga. The method is recorded as the charge begins; the one that was recorded before stands
    /// where none is named, and where an attempt under way is resumed.
    ///
    /// The same token again, because the answer to the first call got lost, is answered as it was and charges nothing. Another token
    /// while nobody knows what became of the first attempt takes that attempt's place, unless it turns out to have been paid. A call that meets
    /// the same call under way is answered with the payment as it is: `PROCESSING`, until the other call has its answer.
    ///
    /// # Errors
    /// When the payment cannot be paid, or there is no answer; then paying again resumes.
    pub async fn pay(
        &self,
        id: PaymentId,
        method: Option<Method>,
        token: &MethodToken,
        trace: &Trace,
    ) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            let now = Timestamp::now();
            let is_a_repeat = payment.tried == Some(Tried::of(token, method.unwrap_or(payment.method)));
            if is_a_repeat && matches!(payment.status, Status::Pending | Status::Success | Status::Failed) {
                return Ok(Attempt::Done(payment));
            }
            payment.may_be_paid(now)?;
            let instruction = Instruction { method: method.unwrap_or(payment.method), token: Some(token.clone()) };
            let started = if payment.status == Status::Processing {
                if self.takes_the_place(&payment, token, now).await? {
                    payment.may_be_paid_by(instruction.method, now)?;
                    let changed = self.change_card(&payment, &instruction, trace).await?;
                    let Some(started) = changed else { return Ok(Attempt::Overtaken) };
                    started
                } else {
                    payment
                }
            } else {
                payment.may_be_paid_by(instruction.method, now)?;
                let Ok(started) = payment.start(instruction.method, now) else { return Ok(Attempt::Overtaken) };
                let written = self.store.advance(&payment, &started, Some(&instruction), trace);
                if written.await? == Written::Stale {
                    return Ok(Attempt::Overtaken);
                }
                started
            };
            match self.charge(started, trace).await {
                Ok(settled) => {
                    self.tell(&settled).await;
                    Ok::<_, CashierError>(Attempt::Done(settled))
                }
                // The other call tells the saga. The buyer's page asks again until the payment is settled.
                Err(CashierError::Gateway(GatewayError::UnderWay(_))) => Ok(Attempt::Done(self.load(id).await?)),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Whether the buyer means another card than the attempt under way charges.
    async fn takes_the_place(
        &self,
        payment: &Payment,
        token: &MethodToken,
        now: Timestamp,
    ) -> Result<bool, CashierError> {
        if payment.payable_until <= now || payment.attempt >= ATTEMPTS {
            return Ok(false);
        }
        let charged = self.store.instruction(payment.id).await?.and_then(|instruction| instruction.token);
        Ok(charged.is_some_and(|charged| charged != *token))
    }

    /// Gives the attempt under way up for another card. Should it turn out to have been paid, the payment ends as charged.
    async fn change_card(
        &self,
        payment: &Payment,
        instruction: &Instruction,
        trace: &Trace,
    ) -> Result<Option<Payment>, CashierError> {
        let now = Timestamp::now();
        let paid = match &payment.intent {
            Some(intent) => self.gateway.cancel(intent, CalledOff::Attempt).await? == Cancellation::AlreadySucceeded,
            // An intent that nobody recorded is never confirmed, and nobody else knows its name.
            None => false,
        };
        let (after, instruction) = if paid {
            (payment.succeed(now), None)
        } else {
            (payment.restart(instruction.method, now), Some(instruction))
        };
        let Ok(after) = after else { return Ok(None) };
        let written = self.store.advance(payment, &after, instruction, trace).await?;
        Ok((written == Written::Yes).then_some(after))
    }

    /// Charges a payment that is being charged, until it is settled one way or the other, waits for another try, or for the buyer or the
    /// provider to go on.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn charge(&self, mut payment: Payment, trace: &Trace) -> Result<Payment, CashierError> {
        for _ in 0..ROUNDS {
            if payment.status != Status::Processing {
                return Ok(payment);
            }
            match self.try_to_charge(&mut payment).await {
                Ok(charge) => {
                    if let Some(after) = self.settle_as(&payment, charge, trace).await? {
                        return Ok(after);
                    }
                }
                // Asked for an attempt that somebody else has given up meanwhile, whatever was asked may have made no sense.
                Err(error) if self.load(payment.id).await?.version == payment.version => return Err(error),
                Err(_) => {}
            }
            payment = self.load(payment.id).await?;
        }
        Err(overtaken().into())
    }

    /// Declines a payment that is being charged without asking the provider: its buyer had too many cards declined, and hears no more of this one than of those.
    ///
    /// # Errors
    /// When the store fails, or an attempt of before cannot be called off.
    pub async fn decline_unasked(&self, payment: &Payment, trace: &Trace) -> Result<Payment, CashierError> {
        let reason = TOO_MANY_DECLINES.to_owned();
        match self.settle_as(payment, Charge::Declined { reason }, trace).await? {
            Some(after) => Ok(after),
            None => self.load(payment.id).await,
        }
    }

    async fn try_to_charge(&self, payment: &mut Payment) -> Result<Charge, CashierError> {
        if let Some(intent) = &payment.intent {
            // Somebody has been here before: it may have been confirmed.
            let seen = self.gateway.look(intent).await?.ok_or_else(|| no_such_intent(intent))?;
            return match seen.charge {
                Charge::Unconfirmed => Ok(self.gateway.confirm(payment, intent).await?),
                charge => Ok(charge),
            };
        }
        match self.open(payment).await? {
            Opened::Intent(intent) => {
                let charge = self.gateway.confirm(payment, &intent).await?;
                payment.intent = Some(intent);
                Ok(charge)
            }
            Opened::Declined { reason } => Ok(Charge::Declined { reason }),
            Opened::NoSuchMethod => Ok(Charge::Declined { reason: NO_SUCH_METHOD.to_owned() }),
            Opened::MethodUnavailable => Ok(Charge::Declined { reason: METHOD_UNAVAILABLE.to_owned() }),
        }
    }

    /// Moves a payment that is being charged to where its charge is; nothing when somebody else has moved it.
    async fn settle_as(
        &self,
        payment: &Payment,
        charge: Charge,
        trace: &Trace,
    ) -> Result<Option<Payment>, CashierError> {
        let now = Timestamp::now();
        let after = match charge {
            Charge::Succeeded => payment.succeed(now),
            Charge::Declined { reason } => match &payment.intent {
                // Left open, it could be paid with another card by whoever has its secret, unnoticed.
                Some(intent) => match self.gateway.cancel(intent, CalledOff::Attempt).await? {
                    Cancellation::Cancelled => payment.decline(reason, now),
                    Cancellation::AlreadySucceeded => payment.succeed(now),
                },
                None => payment.decline(reason, now),
            },
            Charge::Cancelled => payment.expire("the payment was called off".into(), now),
            Charge::NeedsAction(action) => {
                let known = payment.next_action.as_ref() == Some(&action);
                let written = if known { Written::Yes } else { self.store.remember_action(payment, &action).await? };
                let waiting = Payment { next_action: Some(action), ..payment.clone() };
                return Ok((written == Written::Yes).then_some(waiting));
            }
            Charge::UnderWay | Charge::Unconfirmed => return Ok(Some(payment.clone())),
        };
        let Ok(after) = after else { return Ok(None) };
        let written = self.store.advance(payment, &after, None, trace).await?;
        Ok((written == Written::Yes).then_some(after))
    }

    /// The attempt's intent, opened and recorded before any money can move. Opening it again, by the same key, finds the one that a
    /// crash kept from being recorded.
    async fn open(&self, payment: &mut Payment) -> Result<Opened, CashierError> {
        let instruction = self.store.instruction(payment.id).await?;
        let Some(token) = instruction.and_then(|instruction| instruction.token) else {
            // Settled in between, or it would be there.
            return Err(overtaken().into());
        };
        let tried = Tried::of(&token, payment.method);
        let opened = self.gateway.open(payment, &token).await?;
        if let Opened::Intent(intent) = &opened
            && self.store.remember_intent(payment, intent, &tried).await? == Written::Stale
        {
            return Err(overtaken().into());
        }
        payment.tried = Some(tried);
        Ok(opened)
    }

    /// Moves a payment to where the provider says it is, and tells the saga. Every party that hears of a change calls this:
    /// the provider's webhook, the buyer who comes back from their bank, reconcile. It never makes anything happen at the provider but
    /// the end of a declined attempt.
    ///
    /// # Errors
    /// When there is no such payment, or no answer; then it may be called again.
    pub async fn settle(&self, id: PaymentId, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            match (payment.status, &payment.intent) {
                (Status::Processing, Some(intent)) => {
                    let seen = self.gateway.look(intent).await?.ok_or_else(|| no_such_intent(intent))?;
                    let Some(after) = self.settle_as(&payment, seen.charge, trace).await? else {
                        return Ok(Attempt::Overtaken);
                    };
                    self.tell(&after).await;
                    Ok(Attempt::Done(after))
                }
                (Status::Success | Status::Refunded, Some(_)) if payment.pending_refund().is_some() => {
                    Ok(done(self.drive(&payment, trace).await?))
                }
                _ => Ok(Attempt::Done(payment)),
            }
        })
        .await
    }

    /// Settles a payment, and takes in what has left it again, whoever made that happen: refunds that nobody here asked for, and those that
    /// failed after they had arrived.
    ///
    /// # Errors
    /// When there is no such payment, or no answer; then it may be called again.
    pub async fn settle_money(&self, id: PaymentId, trace: &Trace) -> Result<Payment, CashierError> {
        let settled = self.settle(id, trace).await?;
        if !matches!(settled.status, Status::Success | Status::Refunded) || settled.intent.is_none() {
            return Ok(settled);
        }
        until_current(|| async { Ok(done(self.drive(&self.load(id).await?, trace).await?)) }).await
    }

    /// Settles the payment that an intent is of, and with `money` all that has left it again. Nothing when the intent is not one of ours.
    ///
    /// # Errors
    /// When there is no answer; then it may be called again.
    pub async fn settle_intent(
        &self,
        intent: &IntentId,
        money: bool,
        trace: &Trace,
    ) -> Result<Option<Payment>, CashierError> {
        let Some(Seen { payment: Some(id), charge }) = self.gateway.look(intent).await? else { return Ok(None) };
        let Some(payment) = self.store.get(id).await? else { return Ok(None) };
        if payment.intent.as_ref() == Some(intent) {
            let settled = if money { self.settle_money(id, trace).await } else { self.settle(id, trace).await };
            return settled.map(Some);
        }
        if charge == Charge::Succeeded {
            // No attempt of ours confirms an intent that is not recorded.
            tracing::error!(payment_id = %id, %intent, "an intent was paid that the payment does not know");
        }
        Ok(Some(payment))
    }

    /// Takes in what the provider's record says of money that left again, or came back, since it was read last: refunds and disputes
    /// whose webhook was lost. Whatever is not read, by `until` or for want of an answer, is read by the next call.
    ///
    /// # Errors
    /// When there is no answer; then it may be called again.
    pub async fn read_record(&self, until: Timestamp, trace: &Trace) -> Result<Caught, CashierError> {
        let started = Timestamp::now();
        let through = self.store.read_through(Reading::Record).await?;
        let since =
            through.map_or(started.minus_seconds(RECORD_SECONDS), |it| it.minus_seconds(RECORD_OVERLAP_SECONDS));
        let (mut caught, mut after) = (Caught::default(), None);
        loop {
            if Timestamp::now() >= until {
                caught.unread.get_or_insert_with(|| "time was up".to_owned());
                return Ok(caught);
            }
            let Record { intents, next } = self.gateway.record(since, after.as_ref()).await?;
            for intent in intents {
                // One that fails hides no other: the next run reads it again.
                match self.settle_intent(&intent, true, trace).await {
                    Ok(settled) => caught.changed.extend(settled.filter(|payment| payment.updated_at >= started)),
                    Err(error) => {
                        caught.unread.get_or_insert_with(|| error.to_string());
                    }
                }
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        if caught.unread.is_none() {
            self.store.note_read(Reading::Record, started).await?;
        }
        Ok(caught)
    }

    /// Compares an hour of the account's statement with the payments that it is about: from where it was read last, and up to a time that is long enough ago for both
    /// to be settled. Nothing when it was read up to there.
    ///
    /// # Errors
    /// When there is no answer; then it may be called again.
    pub async fn read_statement(&self, now: Timestamp, until: Timestamp) -> Result<Option<Compared>, CashierError> {
        let end = now.minus_seconds(STATEMENT_REST_SECONDS);
        let noted = self.store.read_through(Reading::Statement).await?;
        let through = noted.unwrap_or(end.minus_seconds(RECORD_SECONDS));
        let to = end.min(through.plus_seconds(STATEMENT_SECONDS));
        if through >= to {
            return Ok(None);
        }
        let from = through.minus_seconds(RECORD_OVERLAP_SECONDS);
        let mut lines: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        let (payments, differing) = (BTreeSet::new(), Vec::new());
        let mut compared = Compared { from: through, to, more: to < end, is_whole: false, payments, differing };
        let mut after = None;
        loop {
            let page = self.gateway.statement(from, to, after.as_ref()).await?;
            for line in page.lines {
                lines.entry(line.intent.to_string()).or_default().push(line);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
            if Timestamp::now() >= until {
                return Ok(Some(compared));
            }
        }
        let all: Vec<_> = lines.into_values().collect();
        for some in all.chunks(COMPARED_AT_ONCE) {
            if Timestamp::now() >= until {
                return Ok(Some(compared));
            }
            for found in try_join_all(some.iter().map(|lines| self.compare(lines))).await?.into_iter().flatten() {
                compared.payments.insert(found.payment.id);
                if found.provider != found.payment.at_provider() {
                    compared.differing.push(found);
                }
            }
        }
        compared.is_whole = true;
        Ok(Some(compared))
    }

    /// A charge that the provider does not know of; nothing where it does.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn uncharged(&self, id: PaymentId) -> Result<Option<Comparison>, CashierError> {
        let payment = self.load(id).await?;
        let seen = match &payment.intent {
            Some(intent) => self.gateway.look(intent).await?,
            None => None,
        };
        let is_charged = seen.is_some_and(|seen| seen.charge == Charge::Succeeded);
        Ok((!is_charged && payment.at_provider() != 0).then_some(Comparison { payment, provider: 0 }))
    }

    /// Compares what the provider has of a payment with what the payment says; nothing of an intent that is none of ours, and of a payment that is being settled.
    async fn compare(&self, lines: &[Line]) -> Result<Option<Comparison>, CashierError> {
        let Some(first) = lines.first() else { return Ok(None) };
        let named = lines.iter().find_map(|line| line.payment);
        let id = match named {
            Some(id) => Some(id),
            None => self.gateway.look(&first.intent).await?.and_then(|seen| seen.payment),
        };
        let Some(id) = id else { return Ok(None) };
        let Some(payment) = self.store.get(id).await?.filter(|payment| payment.status != Status::Processing) else {
            return Ok(None);
        };
        let unknown = payment.unknown(lines);
        let is_charge = |line: &&Line| line.source == Source::Charge;
        let provider = if unknown.is_empty() {
            payment.at_provider()
        } else if unknown.iter().any(is_charge) {
            let charged = lines.iter().filter(is_charge).map(|line| line.amount).sum::<i64>();
            let left = unknown.iter().filter(|line| !is_charge(line)).map(|line| line.amount).sum::<i64>();
            charged + payment.at_provider() - payment.charged() + left
        } else {
            // A payment that moved since knows of more than these lines: all that left it decides.
            payment.charged() - self.gateway.moved(&first.intent).await?.left()
        };
        Ok(Some(Comparison { payment, provider }))
    }

    /// Takes a payment back, whatever became of it: a pending one ends, one under way is called off or else given back, a charged one is given
    /// back.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn reverse(&self, id: PaymentId, reason: &str, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            match payment.status {
                Status::Failed | Status::Expired | Status::Refunded => Ok::<_, CashierError>(Attempt::Done(payment)),
                Status::Success => self.give_back(&payment, reason, RefundedBy::Saga, trace).await,
                Status::Pending | Status::Processing => {
                    if let Attempt::Done(ended) = self.end(&payment, reason, trace).await? {
                        self.tell(&ended).await;
                    }
                    // Ended, charged after all, or moved by somebody else: look again at which.
                    Ok(Attempt::Overtaken)
                }
            }
        })
        .await
    }

    /// The hold has ended: ends a payment that nobody made, and asks the provider about one under way.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn expire(&self, id: PaymentId, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            if !matches!(payment.status, Status::Pending | Status::Processing) {
                return Ok(Attempt::Done(payment));
            }
            self.end(&payment, "HoldExpired", trace).await
        })
        .await
    }

    /// Ends a payment that is not settled. One that turns out to have been charged ends as charged.
    ///
    /// Without a recorded intent there is nothing to ask the provider about: only a recorded one is ever confirmed, and none can be
    /// recorded any more once this is written. So an outage of the provider does not keep a booking from being undone.
    async fn end(&self, payment: &Payment, reason: &str, trace: &Trace) -> Result<Attempt<Payment>, CashierError> {
        let ended = match (payment.status, &payment.intent) {
            (Status::Processing, Some(intent)) => match self.gateway.cancel(intent, CalledOff::Payment).await? {
                Cancellation::Cancelled => payment.expire(reason.to_owned(), Timestamp::now()),
                Cancellation::AlreadySucceeded => payment.succeed(Timestamp::now()),
            },
            _ => payment.expire(reason.to_owned(), Timestamp::now()),
        };
        let Ok(ended) = ended else { return Ok(Attempt::Overtaken) };
        let written = self.store.advance(payment, &ended, None, trace).await?;
        Ok(Attempt::when(written, ended))
    }

    /// Takes in what the provider says of a charged payment's refunds, and makes those that it has yet to hear of. Nothing when somebody else wrote meanwhile.
    async fn drive(&self, payment: &Payment, trace: &Trace) -> Result<Option<Payment>, CashierError> {
        let intent = payment.intent.as_ref().ok_or_else(|| {
            StoreError::malformed("payment", "it was charged, but the provider's id for it is not recorded")
        })?;
        let moved = self.gateway.moved(intent).await?;
        let Some(mut current) = self.take_in(payment.clone(), &moved, trace).await? else { return Ok(None) };
        while let Some(refund) = current.unsent().cloned() {
            if current.open_dispute().is_some() {
                // The provider would refuse it. It is made once the dispute is won, and needless once it is lost.
                return Ok(Some(current));
            }
            let next = match self.gateway.refund(&current, intent, &refund).await? {
                Returned::Refund(seen) => {
                    let moved = Moved { refunds: vec![seen], ..Moved::default() };
                    self.take_in(current, &moved, trace).await?
                }
                // Nothing is owed: somebody else gave it back.
                Returned::TooMuch => self.refuse(&current, refund.id, State::Canceled, TOO_MUCH, trace).await?,
                Returned::Refused { reason } => self.refuse(&current, refund.id, State::Failed, &reason, trace).await?,
            };
            let Some(next) = next else { return Ok(None) };
            if next.refund(refund.id).is_some_and(Refund::is_unsent) {
                return Err(GatewayError::NotReady("it made a refund, and does not say which".into()).into());
            }
            current = next;
        }
        Ok(Some(current))
    }

    async fn take_in(
        &self,
        mut payment: Payment,
        moved: &Moved,
        trace: &Trace,
    ) -> Result<Option<Payment>, CashierError> {
        while let Some((after, fact)) = payment.take_in(moved, Timestamp::now())? {
            if self.record(&payment, &after, &fact, trace).await? == Written::Stale {
                return Ok(None);
            }
            payment = after;
        }
        Ok(Some(payment))
    }

    async fn record(
        &self,
        before: &Payment,
        after: &Payment,
        fact: &Fact,
        trace: &Trace,
    ) -> Result<Written, CashierError> {
        if let Fact::RefundFailed(Refund { id, state: State::Failed, .. }, _) = fact {
            tracing::error!(payment_id = %after.id, refund_id = %id, "a refund failed");
        }
        if let Fact::Disputed(dispute) = fact {
            tracing::warn!(payment_id = %after.id, dispute = %dispute.id, "a payment is disputed");
        }
        Ok(self.store.record(before, after, fact, trace).await?)
    }

    async fn refuse(
        &self,
        payment: &Payment,
        refund: RefundId,
        state: State,
        reason: &str,
        trace: &Trace,
    ) -> Result<Option<Payment>, CashierError> {
        let Some((after, fact)) = payment.refuse_refund(refund, state, reason, Timestamp::now())? else {
            return Ok(None);
        };
        let written = self.record(payment, &after, &fact, trace).await?;
        Ok((written == Written::Yes).then_some(after))
    }

    /// Gives all of a payment back that the buyer does not have yet.
    async fn give_back(
        &self,
        payment: &Payment,
        reason: &str,
        by: RefundedBy,
        trace: &Trace,
    ) -> Result<Attempt<Payment>, CashierError> {
        let driven =
            if payment.refunds.is_empty() { Some(payment.clone()) } else { self.drive(payment, trace).await? };
        let Some(payment) = driven else { return Ok(Attempt::Overtaken) };
        if payment.status == Status::Refunded {
            return Ok(Attempt::Done(payment));
        }
        if payment.open_dispute().is_some() {
            return Err(NotRefundable::Disputed.into());
        }
        if let Some(failed) = payment.failed_refund() {
            return Err(CashierError::RefundFailed(Box::new(failed.clone())));
        }
        let Some(left) = payment.refundable() else {
            return Err(CashierError::RefundPending(Box::new(payment)));
        };
        let id = payment.id.refund(&format!("rest-{}", payment.refunds.len()));
        let refund = Refund::wanted(id, left, reason, by, trace.actor.clone(), Timestamp::now());
        self.store.ask_back(&payment, &payment.ask_back(refund)?).await?;
        // Asked for by this call or another: the next round makes it.
        Ok(Attempt::Overtaken)
    }

    /// Gives a payment back because somebody asked for it, and makes their refunds that nobody finished. That is written down first: once the
    /// provider has been asked the money may be gone, and whoever asked may never ask again.
    ///
    /// # Errors
    /// When it has no money to give back, a refund failed, or there is no answer; then asking again resumes, and so does reconcile.
    pub async fn refund(&self, id: PaymentId, reason: &str, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            if payment.status != Status::Success {
                return Err(NotRefundable::Status(payment.status).into());
            }
            self.give_back(&payment, reason, RefundedBy::Request, trace).await
        })
        .await
    }

    /// Gives some of a payment back because somebody asked for it. The same refund asked for again is resumed, and given back once.
    ///
    /// # Errors
    /// When not so much is left, the refund failed, or there is no answer; then asking again resumes, and so does reconcile.
    pub async fn refund_part(
        &self,
        id: PaymentId,
        refund: RefundId,
        amount: Amount,
        reason: &str,
        trace: &Trace,
    ) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            let Some(known) = payment.refund(refund) else {
                let actor: Actor = trace.actor.clone();
                let wanted = Refund::wanted(refund, amount, reason, RefundedBy::Request, actor, Timestamp::now());
                self.store.ask_back(&payment, &payment.ask_back(wanted)?).await?;
                return Ok(Attempt::Overtaken);
            };
            if known.amount != amount {
                return Err(CashierError::AnotherRefund);
            }
            self.finish(payment, refund, trace).await
        })
        .await
    }

    /// Brings a refund to its end, as far as the provider goes.
    async fn finish(
        &self,
        payment: Payment,
        refund: RefundId,
        trace: &Trace,
    ) -> Result<Attempt<Payment>, CashierError> {
        let is_pending = |payment: &Payment| payment.refund(refund).is_some_and(|it| it.state == State::Pending);
        let driven = if is_pending(&payment) { self.drive(&payment, trace).await? } else { Some(payment) };
        let Some(payment) = driven else { return Ok(Attempt::Overtaken) };
        match payment.refund(refund) {
            Some(unsent) if unsent.is_unsent() && payment.open_dispute().is_some() => {
                Err(NotRefundable::Disputed.into())
            }
            Some(failed) if failed.is_a_case() => Err(CashierError::RefundFailed(Box::new(failed.clone()))),
            Some(Refund { state: State::Canceled, .. }) => Err(NotRefundable::TooMuch(payment.refundable()).into()),
            Some(Refund { state: State::Pending, .. }) => Err(CashierError::RefundPending(Box::new(payment))),
            _ => Ok(Attempt::Done(payment)),
        }
    }

    /// Finishes the refunds that were asked for.
    ///
    /// # Errors
    /// When one is still on its way, or there is no answer.
    pub async fn finish_refunds(&self, id: PaymentId, trace: &Trace) -> Result<Payment, CashierError> {
        let payment = self.settle_money(id, trace).await?;
        if payment.pending_refund().is_some() {
            return Err(CashierError::RefundPending(Box::new(payment)));
        }
        Ok(payment)
    }

    /// An operator has a failed refund made again.
    ///
    /// # Errors
    /// When it has not failed, fails again, or there is no answer; then it is finished by reconcile.
    pub async fn retry_refund(&self, id: PaymentId, refund: RefundId, trace: &Trace) -> Result<Payment, CashierError> {
        let asked = until_current(|| async {
            let payment = self.load(id).await?;
            let again = payment.ask_again(refund, Timestamp::now())?;
            let written = self.store.ask_back(&payment, &again).await?;
            Ok::<_, CashierError>(Attempt::when(written, again))
        })
        .await?;
        let attempt = asked.refund(refund).map(|refund| refund.attempt);
        until_current(|| async {
            let payment = self.load(id).await?;
            if payment.refund(refund).map(|refund| refund.attempt) != attempt {
                // Another operator's act came after this one; what became of the refund is theirs to hear.
                return Ok(Attempt::Done(payment));
            }
            self.finish(payment, refund, trace).await
        })
        .await
    }

    /// An operator settles a failed refund in another way than through the provider, and says how.
    ///
    /// # Errors
    /// When it has not failed, or the store does not answer.
    pub async fn settle_refund(
        &self,
        id: PaymentId,
        refund: RefundId,
        how: &str,
        trace: &Trace,
    ) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            let (after, fact) = payment.settle_otherwise(refund, how, Timestamp::now())?;
            let written = self.record(&payment, &after, &fact, trace).await?;
            Ok(Attempt::when(written, after))
        })
        .await
    }

    /// Leaves word that the saga waits for this payment, or tells it at once what it waits for.
    pub async fn wait_for(&self, id: PaymentId, task_token: &str) -> Result<(), CashierError> {
        if self.store.store_task_token(id, task_token).await? == Written::Stale {
            let settled = self.load(id).await?;
            self.report(&settled, task_token).await;
        }
        Ok(())
    }

    /// Tells the waiting saga what became of its payment, if one waits. Word that gets lost is not lost for good: the saga looks for itself when
    /// the hold ends.
    async fn tell(&self, payment: &Payment) {
        match self.store.task_token(payment.id).await {
            Ok(Some(task_token)) => self.report(payment, &task_token).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, payment_id = %payment.id, "the waiting saga was not told"),
        }
    }

    async fn report(&self, payment: &Payment, task_token: &str) {
        let outcome = match payment.status {
            Status::Success => {
                let output = serde_json::json!({ "status": payment.status }).to_string();
                let sent = self.saga.send_task_success().task_token(task_token).output(output).send().await;
                sent.map(|_| ()).map_err(|error| aws_sdk_sfn::error::DisplayErrorContext(error).to_string())
            }
            Status::Failed | Status::Expired | Status::Refunded => {
                // The journal keeps the cause, and the buyer may read that.
                let (refusal, cause) = if payment.status == Status::Failed {
                    (Refusal::PaymentDeclined, "declined".to_owned())
                } else {
                    (Refusal::PaymentVoided, payment.failure_reason.clone().unwrap_or_default())
                };
                let name = refusal.name();
                let sent = self.saga.send_task_failure().task_token(task_token).error(name).cause(cause).send().await;
                sent.map(|_| ()).map_err(|error| aws_sdk_sfn::error::DisplayErrorContext(error).to_string())
            }
            Status::Pending | Status::Processing => Ok(()),
        };
        if let Err(error) = outcome {
            // Its wait has ended, or Step Functions is out of reach; either way it looks for itself when the hold ends.
            tracing::info!(error, payment_id = %payment.id, "the waiting saga was not told");
        }
    }
}

/// The reason of a refund that was called off, since somebody else had given the money back.
const TOO_MUCH: &str = "nothing_left_to_refund";
/// The reason of an attempt by a method that the account has not activated. The buyer chooses another; the operator is alerted.
pub const METHOD_UNAVAILABLE: &str = "payment_method_unavailable";
/// The reason of a decline that no provider was asked about.
pub const TOO_MANY_DECLINES: &str = "too_many_declines";
/// The reason of an attempt with a token that the provider does not know. The buyer has mistyped it.
pub const NO_SUCH_METHOD: &str = "no_such_payment_method";

fn no_such_intent(intent: &IntentId) -> GatewayError {
    GatewayError::Misconfigured(format!("there is no intent {intent} in this account"))
}

fn done(current: Option<Payment>) -> Attempt<Payment> {
    current.map_or(Attempt::Overtaken, Attempt::Done)
}

impl From<IllegalTransition> for CashierError {
    fn from(error: IllegalTransition) -> Self {
        StoreError::malformed("payment", error).into()
    }
}

impl From<AskAgain> for CashierError {
    fn from(error: AskAgain) -> Self {
        match error {
            AskAgain::NotACase(error) => error.into(),
            AskAgain::NotRefundable(error) => error.into(),
            AskAgain::Illegal(error) => error.into(),
        }
    }
}

fn overtaken() -> StoreError {
    StoreError::Unavailable("the payment was moved by someone else in between".into())
}
