//! The refunds of a payment, and what the provider says of them. No I/O.
//!
//! ```text
//!             ┌── tried again ──┐
//!             ▼                 │
//! asked ──▶ PENDING ─────────▶ FAILED ──▶ settled otherwise
//!             │  ├──▶ CANCELED  ▲
//!             │  └──▶ SUCCEEDED ┘ (came back, perhaps days later)
//! ```
//!
//! A refund is written down before the provider is asked, so that one that nobody finished is finished. It is done when the provider's own
//! object says so, whoever asked for it: one that was made in the provider's dashboard is taken in as external.
//!
//! Refunds are a list in the payment's item. So one read sees all of them, and one condition keeps their sum within what was charged.

use crate::{
    dispute::Dispute,
    domain::{IllegalTransition, Payment, ProviderDisputeId, ProviderRefundId, Status},
    events::RefundedBy,
    gateway::Moved,
};
use boxoffice_kernel::{Actor, Amount, RefundId, Timestamp, money};
use serde::{Deserialize, Serialize};

/// So many refunds are asked for at most. A payment's item has room for more, which the provider's dashboard may make.
pub const REFUNDS: usize = 50;

/// Where a refund is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = RefundState)]
pub enum State {
    /// Asked for, or on its way.
    Pending,
    /// The buyer has the money, as far as the provider can tell.
    Succeeded,
    /// The money did not arrive, and is ours again. An operator decides how the buyer gets it.
    Failed,
    /// Called off: nothing is owed under it.
    Canceled,
}

/// One giving back of money. The whole payment is given back by one or several; a refund of some lines of an order will name them here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// How much.
    #[serde(with = "money::minor", rename = "amountMinor")]
    pub amount: Amount,
    /// The reason.
    pub reason: String,
    /// The initiator.
    pub by: RefundedBy,
    /// The author of the request.
    pub actor: Actor,
    /// Where it is.
    pub state: State,
    /// The provider's id for this attempt, once the provider has it: the money has left our account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<ProviderRefundId>,
    /// The lost dispute that gave the money back, and no refund of the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<ProviderDisputeId>,
    /// The number of this attempt at it, from 1. Each has an idempotency key of its own.
    pub attempt: u32,
    /// Why it failed or was called off, in the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How the buyer got the money after all, in the words of the operator who saw to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_otherwise: Option<String>,
    /// When it was asked for, or taken in.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

impl Refund {
    /// A refund that somebody asks for.
    pub fn wanted(id: RefundId, amount: Amount, reason: &str, by: RefundedBy, actor: Actor, now: Timestamp) -> Self {
        Self {
            id,
            amount,
            reason: reason.to_owned(),
            by,
            actor,
            state: State::Pending,
            provider_id: None,
            dispute: None,
            attempt: 1,
            failure_reason: None,
            settled_otherwise: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The same, with the money at the buyer's.
    #[must_use]
    pub fn arrived(self) -> Self {
        Self { state: State::Succeeded, ..self }
    }

    /// Whether the provider has yet to be asked, or to be heard.
    pub fn is_unsent(&self) -> bool {
        self.state == State::Pending && self.provider_id.is_none()
    }

    /// Whether its money has left our account at the provider; that of a lost dispute left with the dispute.
    pub(crate) fn has_left(&self) -> bool {
        match self.state {
            _ if self.dispute.is_some() => false,
            State::Pending => self.provider_id.is_some(),
            State::Succeeded => true,
            State::Failed | State::Canceled => false,
        }
    }

    /// Whether the buyer has the money.
    fn has_arrived(&self) -> bool {
        self.state == State::Succeeded || self.settled_otherwise.is_some()
    }

    /// Whether it waits for an operator.
    pub fn is_a_case(&self) -> bool {
        self.state == State::Failed && self.settled_otherwise.is_none()
    }
}

/// A refund as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The provider's id.
    pub id: ProviderRefundId,
    /// Our refund and its attempt, by the names that we gave it; none when somebody else made it.
    pub ours: Option<(RefundId, u32)>,
    /// How much.
    pub amount: Amount,
    /// Where it is.
    pub state: State,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// Where the money of a refund that has arrived came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaidFrom {
    /// Our account at the provider, which it left with this.
    Account,
    /// A refund that was pending: the money had left our account before.
    Pending,
    /// A lost dispute, which had taken it.
    Dispute,
    /// An operator, who paid the buyer past the provider. The money is still in our account.
    Elsewhere,
}

/// A change of a payment's money, which one event states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The provider has taken a refund: the money has left our account, and has not arrived.
    RefundPending(Refund),
    /// A refund has arrived, and the account that its money came from.
    Refunded(Refund, PaidFrom),
    /// A refund has not arrived: it failed, or was called off. Whether its money had left our account before.
    RefundFailed(Refund, bool),
    /// The buyer's bank has taken the money back, and asks why it was charged.
    Disputed(Dispute),
    /// A dispute is decided.
    DisputeClosed(Dispute),
}

/// Why no refund is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRefundable {
    /// There is no money in it.
    #[error("a payment that is {0} has nothing to refund")]
    Status(Status),
    /// So much is not left of it.
    #[error("the amount left to refund is {}", .0.map_or_else(|| "0".to_owned(), |left| left.to_string()))]
    TooMuch(Option<Amount>),
    /// It is disputed: the buyer's bank has the money already, and decides.
    #[error("the payment is disputed: it can be refunded once the dispute is won")]
    Disputed,
    /// It has been refunded so often that no more refunds are kept of it.
    #[error("a payment has at most {REFUNDS} refunds")]
    TooMany,
}

/// Why an operator's act on a refund is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACase {
    /// There is none.
    #[error("the payment has no such refund")]
    NotFound,
    /// It has not failed, or was settled.
    #[error("only a refund that failed and was not settled otherwise waits for an operator")]
    NotFailed,
}

impl Payment {
    fn sum_of(&self, counts: impl Fn(&Refund) -> bool) -> u64 {
        self.refunds.iter().filter(|refund| counts(refund)).map(|refund| refund.amount.minor()).sum()
    }

    /// How much the buyer has back, in minor units.
    pub fn given_back(&self) -> u64 {
        self.sum_of(Refund::has_arrived)
    }

    /// How much has left our account at the provider, in minor units.
    pub fn left_account(&self) -> u64 {
        self.sum_of(Refund::has_left)
    }

    /// How much is given back or on its way, in minor units. A failed refund that nobody settled is still owed, and so neither.
    pub fn claimed(&self) -> u64 {
        self.sum_of(|refund| refund.state == State::Pending || refund.has_arrived())
    }

    /// How much more could be refunded.
    pub fn refundable(&self) -> Option<Amount> {
        self.left_beside(self.claimed())
    }

    fn left_beside(&self, spoken_for: u64) -> Option<Amount> {
        let left = self.money.amount.minor().checked_sub(spoken_for)?;
        Amount::from_minor(left).ok()
    }

    /// A refund of this payment.
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == id)
    }

    /// The first refund that the provider has yet to be asked for.
    pub fn unsent(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.is_unsent())
    }

    /// The first refund that is asked for or on its way.
    pub fn pending_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.state == State::Pending)
    }

    /// The first refund that waits for an operator.
    pub fn failed_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.is_a_case())
    }

    /// That it holds money which nobody disputes.
    fn may_be_refunded(&self) -> Result<(), NotRefundable> {
        if self.status != Status::Success {
            return Err(NotRefundable::Status(self.status));
        }
        if self.open_dispute().is_some() { Err(NotRefundable::Disputed) } else { Ok(()) }
    }

    /// That so much of it is neither given back nor on its way, nor still owed under a refund that failed: another refund that took that money would leave the
    /// failed one with no end, which could be neither made again nor settled.
    fn has_unowed(&self, amount: Amount) -> Result<(), NotRefundable> {
        holds(self.left_beside(self.claimed() + self.sum_of(Refund::is_a_case)), amount)
    }

    /// That so much of it is neither given back nor on its way.
    fn has_left_of(&self, amount: Amount) -> Result<(), NotRefundable> {
        holds(self.refundable(), amount)
    }

    /// The payment with a refund asked for: a note of another revision. The provider knows nothing yet.
    ///
    /// # Errors
    /// When it holds no money, or not so much.
    pub fn ask_back(&self, refund: Refund) -> Result<Self, NotRefundable> {
        self.may_be_refunded()?;
        if self.refunds.len() >= REFUNDS {
            return Err(NotRefundable::TooMany);
        }
        self.has_unowed(refund.amount)?;
        let mut asked = Self { revision: self.revision + 1, ..self.clone() };
        asked.refunds.push(refund);
        Ok(asked)
    }

    /// The payment with a failed refund asked for again, as another attempt.
    ///
    /// # Errors
    /// When it has not failed, or more was given back meanwhile.
    pub fn ask_again(&self, id: RefundId, now: Timestamp) -> Result<Self, AskAgain> {
        let mut again = Self { revision: self.revision + 1, ..self.clone() };
        let refund = self.case(id)?;
        self.may_be_refunded()?;
        self.has_left_of(refund.amount)?;
        again.replace(Refund {
            state: State::Pending,
            provider_id: None,
            attempt: refund.attempt + 1,
            failure_reason: None,
            updated_at: now,
            ..refund.clone()
        });
        Ok(again)
    }

    /// The payment with a failed refund settled in another way than through the provider, such as a bank transfer.
    ///
    /// # Errors
    /// When it has not failed, or more was given back meanwhile.
    pub fn settle_otherwise(&self, id: RefundId, how: &str, now: Timestamp) -> Result<(Self, Fact), AskAgain> {
        let refund = self.case(id)?;
        self.has_left_of(refund.amount)?;
        let settled = Refund { settled_otherwise: Some(how.to_owned()), updated_at: now, ..refund.clone() };
        Ok((self.with(settled.clone(), now)?, Fact::Refunded(settled, PaidFrom::Elsewhere)))
    }

    fn case(&self, id: RefundId) -> Result<&Refund, NotACase> {
        let refund = self.refund(id).ok_or(NotACase::NotFound)?;
        if refund.is_a_case() { Ok(refund) } else { Err(NotACase::NotFailed) }
    }

    /// The payment with a refund that the provider will not make.
    ///
    /// # Errors
    /// When the payment's status does not allow it, which no status that has refunds does.
    pub fn refuse_refund(
        &self,
        id: RefundId,
        state: State,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<(Self, Fact)>, IllegalTransition> {
        let Some(refund) = self.refund(id).filter(|refund| refund.is_unsent()) else { return Ok(None) };
        let refused = Refund { state, failure_reason: Some(reason.to_owned()), updated_at: now, ..refund.clone() };
        Ok(Some((self.with(refused.clone(), now)?, Fact::RefundFailed(refused, false))))
    }

    /// The first change that the provider's refunds and disputes make to this payment, and the payment after it; nothing when it is as they say.
    ///
    /// # Errors
    /// When the payment was never charged, and has refunds at the provider all the same.
    pub fn take_in(&self, moved: &Moved, now: Timestamp) -> Result<Option<(Self, Fact)>, IllegalTransition> {
        for found in &moved.refunds {
            if let Some((refund, fact)) = self.change_by(found, now) {
                return Ok(Some((self.with(refund, now)?, fact)));
            }
        }
        for found in &moved.disputes {
            if let Some((after, fact)) = self.change_by_dispute(found, now) {
                let reason = if let Fact::Refunded(refund, _) = &fact { refund.reason.clone() } else { String::new() };
                return Ok(Some((self.becoming(after, reason, now)?, fact)));
            }
        }
        Ok(None)
    }

    fn change_by(&self, seen: &Seen, now: Timestamp) -> Option<(Refund, Fact)> {
        let known = self.refunds.iter().find(|refund| match (&refund.provider_id, seen.ours) {
            (Some(id), _) => *id == seen.id,
            (None, Some((id, attempt))) => id == refund.id && attempt == refund.attempt,
            (None, None) => false,
        });
        let Some(refund) = known else {
            let of_an_earlier_attempt = seen.ours.is_some_and(|(id, _)| self.refund(id).is_some());
            let is_over = matches!(seen.state, State::Failed | State::Canceled);
            // A refund that was over before it was known here has moved no money.
            return (!of_an_earlier_attempt && !is_over).then(|| self.external(seen, now));
        };
        let provider_id = Some(seen.id.clone());
        let failure_reason = seen.failure_reason.clone();
        let moved = Refund { state: seen.state, provider_id, updated_at: now, ..refund.clone() };
        match (refund.state, seen.state) {
            (State::Pending, State::Pending) if refund.provider_id.is_none() => {
                Some((moved.clone(), Fact::RefundPending(moved)))
            }
            (State::Pending, State::Succeeded) => {
                let from = if refund.has_left() { PaidFrom::Pending } else { PaidFrom::Account };
                Some((moved.clone(), Fact::Refunded(moved, from)))
            }
            (State::Pending | State::Succeeded, State::Failed | State::Canceled) => {
                let failed = Refund { failure_reason, ..moved };
                Some((failed.clone(), Fact::RefundFailed(failed, refund.has_left())))
            }
            _ => None,
        }
    }

    fn external(&self, seen: &Seen, now: Timestamp) -> (Refund, Fact) {
        let id = self.id.refund(&seen.id.to_string());
        let wanted = Refund::wanted(id, seen.amount, EXTERNAL, RefundedBy::External, Actor::System, now);
        let refund = Refund { state: seen.state, provider_id: Some(seen.id.clone()), ..wanted };
        let fact = match seen.state {
            State::Pending => Fact::RefundPending(refund.clone()),
            _ => Fact::Refunded(refund.clone(), PaidFrom::Account),
        };
        (refund, fact)
    }

    fn replace(&mut self, refund: Refund) {
        match self.refunds.iter_mut().find(|known| known.id == refund.id) {
            Some(known) => *known = refund,
            None => self.refunds.push(refund),
        }
    }

    /// The next version of the payment, with this refund.
    fn with(&self, refund: Refund, now: Timestamp) -> Result<Self, IllegalTransition> {
        let reason = refund.reason.clone();
        let mut after = self.clone();
        after.replace(refund);
        self.becoming(after, reason, now)
    }

    /// The next version of the payment, with the refunds and disputes of `after`. It is REFUNDED while the buyer has all of the money back.
    fn becoming(&self, after: Self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        let status = if after.given_back() >= self.money.amount.minor() { Status::Refunded } else { Status::Success };
        if !matches!(self.status, Status::Success | Status::Refunded) {
            return Err(IllegalTransition::between(self.status, status));
        }
        let refund_reason = match (self.status, status) {
            (_, Status::Success) => None,
            (Status::Refunded, _) => self.refund_reason.clone(),
            _ => Some(reason),
        };
        let (version, revision) = (self.version + 1, self.revision + 1);
        Ok(Self { status, refund_reason, version, revision, updated_at: now, ..after })
    }
}

/// The reason of a refund that was made in the provider's dashboard.
pub const EXTERNAL: &str = "refunded at the payment provider";

/// Why a failed refund is neither tried again nor settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskAgain {
    /// It does not wait for that.
    #[error(transparent)]
    NotACase(#[from] NotACase),
    /// More was given back meanwhile.
    #[error(transparent)]
    NotRefundable(#[from] NotRefundable),
    /// The payment was never charged.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
}

fn holds(left: Option<Amount>, amount: Amount) -> Result<(), NotRefundable> {
    if left.is_none_or(|left| left < amount) { Err(NotRefundable::TooMuch(left)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Payment;
    use boxoffice_kernel::{Currency, Money, TicketId, UserId};
    use proptest::prelude::*;

    fn amount(minor: u64) -> Amount {
        Amount::from_minor(minor).unwrap()
    }

    fn paid(minor: u64) -> Payment {
        let (money, now) = (Money { amount: amount(minor), currency: Currency::Eur }, Timestamp::now());
        let payment = Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(60), now);
        Payment { status: Status::Success, intent: Some("pi_1".parse().unwrap()), ..payment }
    }

    fn wanted(payment: &Payment, name: &str, minor: u64) -> Refund {
        let id = payment.id.refund(name);
        Refund::wanted(id, amount(minor), "asked for", RefundedBy::Request, Actor::System, Timestamp::now())
    }

    fn seen(refund: &Refund, id: &str, state: State) -> Seen {
        let ours = Some((refund.id, refund.attempt));
        Seen { id: id.parse().unwrap(), ours, amount: refund.amount, state, failure_reason: None }
    }

    fn external(id: &str, minor: u64, state: State) -> Seen {
        Seen { id: id.parse().unwrap(), ours: None, amount: amount(minor), state, failure_reason: None }
    }

    fn moved(refunds: &[Seen]) -> Moved {
        Moved { refunds: refunds.to_vec(), ..Moved::default() }
    }

    fn after(payment: &Payment, seen: &[Seen]) -> (Payment, Fact) {
        payment.take_in(&moved(seen), Timestamp::now()).unwrap().unwrap()
    }

    #[test]
    fn money_that_a_failed_refund_owes_is_given_back_under_no_other() {
        let payment = paid(100);
        let part = wanted(&payment, "part", 60);
        let (failed, _) = after(&payment.ask_back(part.clone()).unwrap(), &[seen(&part, "re_1", State::Failed)]);
        let refused = failed.ask_back(wanted(&payment, "more", 41));
        assert_eq!(refused, Err(NotRefundable::TooMuch(Some(amount(40)))));
        let more = wanted(&payment, "more", 40);
        let (both, _) = after(&failed.ask_back(more.clone()).unwrap(), &[seen(&more, "re_2", State::Succeeded)]);
        assert!(both.ask_again(part.id, Timestamp::now()).is_ok());
        let (settled, _) = both.settle_otherwise(part.id, "by bank transfer", Timestamp::now()).unwrap();
        assert_eq!(settled.status, Status::Refunded);
    }

    #[test]
    fn a_part_given_back_leaves_the_payment_charged_and_the_rest_ends_it() {
        let payment = paid(100);
        let part = wanted(&payment, "part", 30);
        let asked = payment.ask_back(part.clone()).unwrap();
        assert_eq!((asked.version, asked.revision, asked.refundable()), (payment.version, 1, Some(amount(70))));
        let (partly, fact) = after(&asked, &[seen(&part, "re_1", State::Succeeded)]);
        assert_eq!((partly.status, partly.given_back(), partly.version), (Status::Success, 30, payment.version + 1));
        assert!(matches!(fact, Fact::Refunded(refund, PaidFrom::Account) if refund.amount == amount(30)));
        let rest = wanted(&partly, "rest", 70);
        let (whole, _) = after(&partly.ask_back(rest.clone()).unwrap(), &[seen(&rest, "re_2", State::Succeeded)]);
        assert_eq!((whole.status, whole.refund_reason.as_deref()), (Status::Refunded, Some("asked for")));
        assert_eq!(whole.refundable(), None);
    }

    #[test]
    fn more_than_is_left_is_not_asked_for() {
        let payment = paid(100);
        let asked = payment.ask_back(wanted(&payment, "part", 60)).unwrap();
        let refused = asked.ask_back(wanted(&payment, "more", 41));
        assert_eq!(refused, Err(NotRefundable::TooMuch(Some(amount(40)))));
        let waiting = Payment { status: Status::Pending, ..payment.clone() };
        let refused = waiting.ask_back(wanted(&payment, "part", 1));
        assert_eq!(refused, Err(NotRefundable::Status(Status::Pending)));
    }

    #[test]
    fn a_refund_that_came_back_makes_the_payment_charged_again_and_waits_for_an_operator() {
        let payment = paid(100);
        let refund = wanted(&payment, "whole", 100);
        let asked = payment.ask_back(refund.clone()).unwrap();
        let (refunded, _) = after(&asked, &[seen(&refund, "re_1", State::Succeeded)]);
        assert_eq!(refunded.status, Status::Refunded);
        let (back, fact) = after(&refunded, &[seen(&refund, "re_1", State::Failed)]);
        assert!(matches!(fact, Fact::RefundFailed(_, true)));
        assert_eq!((back.status, back.refund_reason.clone(), back.left_account()), (Status::Success, None, 0));
        assert_eq!(back.failed_refund().map(|failed| failed.id), Some(refund.id));

        // The failed attempt is still on the provider's list, and is not taken for the new one.
        let again = back.ask_again(refund.id, Timestamp::now()).unwrap();
        let old = seen(&refund, "re_1", State::Failed);
        assert_eq!(again.take_in(&moved(std::slice::from_ref(&old)), Timestamp::now()).unwrap(), None);
        let second = again.refund(refund.id).unwrap().clone();
        let (refunded, _) = after(&again, &[old, seen(&second, "re_2", State::Succeeded)]);
        assert_eq!((refunded.status, refunded.failed_refund()), (Status::Refunded, None));
        assert_eq!(back.ask_again(payment.id.refund("another"), Timestamp::now()), Err(NotACase::NotFound.into()));
        let id = refund.id;
        assert_eq!(refunded.ask_again(id, Timestamp::now()), Err(NotACase::NotFailed.into()));
    }

    #[test]
    fn a_failed_refund_that_was_settled_otherwise_is_given_back() {
        let payment = paid(100);
        let refund = wanted(&payment, "whole", 100);
        let asked = payment.ask_back(refund.clone()).unwrap();
        let (failed, fact) = after(&asked, &[seen(&refund, "re_1", State::Failed)]);
        assert!(matches!(fact, Fact::RefundFailed(_, false)), "its money never left: {fact:?}");
        let (settled, fact) = failed.settle_otherwise(refund.id, "by bank transfer", Timestamp::now()).unwrap();
        assert!(matches!(fact, Fact::Refunded(_, PaidFrom::Elsewhere)), "{fact:?}");
        assert_eq!((settled.status, settled.left_account(), settled.failed_refund()), (Status::Refunded, 0, None));
        let twice = settled.settle_otherwise(refund.id, "again", Timestamp::now());
        assert_eq!(twice, Err(NotACase::NotFailed.into()));
    }

    #[test]
    fn a_refund_made_at_the_provider_is_taken_in_once() {
        let payment = paid(100);
        let at_provider = [external("re_gone", 10, State::Failed), external("re_1", 40, State::Pending)];
        let (pending, fact) = after(&payment, &at_provider);
        assert!(matches!(&fact, Fact::RefundPending(refund) if refund.by == RefundedBy::External), "{fact:?}");
        assert_eq!(pending.take_in(&moved(&at_provider), Timestamp::now()).unwrap(), None);
        let done = [external("re_1", 40, State::Succeeded)];
        let (partly, fact) = after(&pending, &done);
        assert!(matches!(fact, Fact::Refunded(_, PaidFrom::Pending)), "{fact:?}");
        assert_eq!((partly.given_back(), partly.refunds.len()), (40, 1));
        assert_eq!(partly.take_in(&moved(&done), Timestamp::now()).unwrap(), None);
    }

    #[test]
    fn a_refund_that_the_provider_refuses_is_called_off_or_waits_for_an_operator() {
        let payment = paid(100);
        let refund = wanted(&payment, "whole", 100);
        let asked = payment.ask_back(refund.clone()).unwrap();
        let refuse = |state| asked.refuse_refund(refund.id, state, "charge_disputed", Timestamp::now()).unwrap();
        let (canceled, _) = refuse(State::Canceled).unwrap();
        assert_eq!((canceled.refundable(), canceled.failed_refund()), (Some(amount(100)), None));
        let (failed, _) = refuse(State::Failed).unwrap();
        assert!(failed.failed_refund().is_some());
        assert_eq!(failed.refuse_refund(refund.id, State::Failed, "again", Timestamp::now()), Ok(None));
    }

    proptest! {
        /// For every sequence of the provider's answers, what left never exceeds what the provider says has left, and the status follows the sum.
        #[test]
        fn taking_in_ends_and_agrees_with_the_provider(
            parts in prop::collection::vec((1..40_u64, 0..4_usize, any::<bool>()), 0..8)
        ) {
            const STATES: [State; 4] = [State::Pending, State::Succeeded, State::Failed, State::Canceled];
            let mut payment = paid(100);
            let (mut at_provider, mut sum) = (Vec::new(), 0);
            for (number, (minor, state, ours)) in parts.into_iter().enumerate() {
                let state = STATES[state];
                let has_left = matches!(state, State::Pending | State::Succeeded);
                if has_left && sum + minor > 100 {
                    continue;
                }
                let refund = wanted(&payment, &number.to_string(), minor);
                let name = format!("re_{number}");
                if ours && let Ok(asked) = payment.ask_back(refund.clone()) {
                    payment = asked;
                    at_provider.push(seen(&refund, &name, state));
                } else {
                    at_provider.push(external(&name, minor, state));
                }
                sum += if has_left { minor } else { 0 };
            }
            let mut steps = 0;
            while let Some((next, _)) = payment.take_in(&moved(&at_provider), Timestamp::now()).unwrap() {
                prop_assert_eq!((next.version, next.revision), (payment.version + 1, payment.revision + 1));
                payment = next;
                steps += 1;
                prop_assert!(steps <= at_provider.len());
            }
            prop_assert_eq!(payment.left_account(), sum);
            prop_assert_eq!(payment.status == Status::Refunded, payment.given_back() == 100);
        }
    }
}
