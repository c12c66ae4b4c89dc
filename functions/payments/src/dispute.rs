//! The disputes of a payment: the buyer's bank takes the money back and asks why it was charged. No I/O.
//!
//! ```text
//! OPEN ──▶ WON    the money is ours again
//!   └────▶ LOST   the buyer keeps it, as if it had been refunded
//! ```

use crate::{
    domain::{Payment, ProviderDisputeId},
    events::RefundedBy,
    refund::{Fact, PaidFrom, Refund},
};
use boxoffice_kernel::{Actor, Amount, Timestamp, money};
use serde::{Deserialize, Serialize};

/// Where a dispute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = DisputeState)]
pub enum State {
    /// The money is gone, and may come back. The seller answers at the provider.
    Open,
    /// The money came back.
    Won,
    /// The money stays with the buyer.
    Lost,
}

/// One dispute of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dispute {
    /// The provider's id.
    pub id: ProviderDisputeId,
    /// How much is disputed.
    #[serde(with = "money::minor", rename = "amountMinor")]
    pub amount: Amount,
    /// Where it is.
    pub state: State,
    /// The buyer's reason, in the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A dispute as the provider has it. One that has moved no money, an inquiry, is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The provider's id.
    pub id: ProviderDisputeId,
    /// How much is disputed.
    pub amount: Amount,
    /// Where it is.
    pub state: State,
    /// The buyer's reason, in the provider's word.
    pub reason: Option<String>,
}

/// The reason of what a lost dispute gave back.
pub const LOST: &str = "a lost dispute";

impl Payment {
    /// How much of it is at the buyer's bank because of disputes, open or lost, in minor units.
    pub fn disputed(&self) -> u64 {
        let gone = self.disputes.iter().filter(|dispute| dispute.state != State::Won);
        gone.map(|dispute| dispute.amount.minor()).sum()
    }

    /// The first dispute that is not decided.
    pub fn open_dispute(&self) -> Option<&Dispute> {
        self.disputes.iter().find(|dispute| dispute.state == State::Open)
    }

    /// Whether an operator has something to do with it: a refund that failed, or a dispute to answer.
    pub fn is_a_case(&self) -> bool {
        self.failed_refund().is_some() || self.open_dispute().is_some()
    }

    /// The first change that one of the provider's disputes makes: to a dispute, or as money that a lost one gave back.
    pub(crate) fn change_by_dispute(&self, seen: &Seen, now: Timestamp) -> Option<(Self, Fact)> {
        let Some(place) = self.disputes.iter().position(|known| known.id == seen.id) else {
            let Seen { id, amount, reason, .. } = seen.clone();
            let dispute = Dispute { id, amount, state: State::Open, reason, created_at: now, updated_at: now };
            let mut after = self.clone();
            after.disputes.push(dispute.clone());
            return Some((after, Fact::Disputed(dispute)));
        };
        let known = self.disputes.get(place)?;
        match (known.state, seen.state) {
            (State::Open, State::Won | State::Lost) => {
                let closed = Dispute { state: seen.state, updated_at: now, ..known.clone() };
                let mut after = self.clone();
                *after.disputes.get_mut(place)? = closed.clone();
                Some((after, Fact::DisputeClosed(closed)))
            }
            (State::Lost, _) => self.given_back_by(known, now),
            _ => None,
        }
    }

    /// The money that a lost dispute gave back, as a refund from outside; nothing when that is known, or nothing was left to give back.
    fn given_back_by(&self, dispute: &Dispute, now: Timestamp) -> Option<(Self, Fact)> {
        let id = self.id.refund(&dispute.id.to_string());
        if self.refund(id).is_some() {
            return None;
        }
        let amount = self.refundable()?.min(dispute.amount);
        let wanted = Refund::wanted(id, amount, LOST, RefundedBy::External, Actor::System, now);
        let refund = Refund { dispute: Some(dispute.id.clone()), ..wanted.arrived() };
        let mut after = self.clone();
        after.refunds.push(refund.clone());
        Some((after, Fact::Refunded(refund, PaidFrom::Dispute)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Status, gateway::Moved, refund::NotRefundable};
    use boxoffice_kernel::{Currency, Money, TicketId, UserId};

    fn paid(minor: u64) -> Payment {
        let (money, now) =
            (Money { amount: Amount::from_minor(minor).unwrap(), currency: Currency::Eur }, Timestamp::now());
        let payment = Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(60), now);
        Payment { status: Status::Success, intent: Some("pi_1".parse().unwrap()), ..payment }
    }

    fn at_provider(minor: u64, state: State) -> Moved {
        let (id, amount) = ("du_1".parse().unwrap(), Amount::from_minor(minor).unwrap());
        Moved { disputes: vec![Seen { id, amount, state, reason: Some("fraudulent".into()) }], ..Moved::default() }
    }

    /// The payment once all is taken in, and the facts on the way.
    fn settled(mut payment: Payment, moved: &Moved) -> (Payment, Vec<Fact>) {
        let mut facts = Vec::new();
        while let Some((after, fact)) = payment.take_in(moved, Timestamp::now()).unwrap() {
            assert_eq!(after.version, payment.version + 1);
            facts.push(fact);
            payment = after;
            assert!(facts.len() < 10, "{facts:?}");
        }
        (payment, facts)
    }

    fn wanted(payment: &Payment, minor: u64) -> Refund {
        let (id, amount) = (payment.id.refund("asked"), Amount::from_minor(minor).unwrap());
        Refund::wanted(id, amount, "asked for", RefundedBy::Request, Actor::System, Timestamp::now())
    }

    #[test]
    fn a_disputed_payment_is_not_refunded_until_the_dispute_is_won() {
        let (open, facts) = settled(paid(100), &at_provider(100, State::Open));
        assert!(matches!(facts[..], [Fact::Disputed(_)]), "{facts:?}");
        assert_eq!((open.status, open.disputed(), open.is_a_case()), (Status::Success, 100, true));
        assert_eq!(open.ask_back(wanted(&open, 1)), Err(NotRefundable::Disputed));
        let (won, facts) = settled(open, &at_provider(100, State::Won));
        assert!(matches!(facts[..], [Fact::DisputeClosed(_)]), "{facts:?}");
        assert_eq!((won.status, won.disputed(), won.is_a_case()), (Status::Success, 0, false));
        assert!(won.ask_back(wanted(&won, 100)).is_ok());
    }

    #[test]
    fn a_lost_dispute_has_given_the_money_back() {
        // Heard of only once it was over.
        let (lost, facts) = settled(paid(100), &at_provider(100, State::Lost));
        assert!(
            matches!(facts[..], [Fact::Disputed(_), Fact::DisputeClosed(_), Fact::Refunded(_, PaidFrom::Dispute)]),
            "{facts:?}"
        );
        assert_eq!(
            (lost.status, lost.disputed(), lost.given_back(), lost.left_account()),
            (Status::Refunded, 100, 100, 0)
        );
        assert_eq!(lost.refunds[0].by, RefundedBy::External);
    }

    #[test]
    fn a_lost_dispute_of_a_part_leaves_the_rest() {
        let (lost, _) = settled(paid(100), &at_provider(40, State::Lost));
        assert_eq!((lost.status, lost.refundable().map(Amount::minor)), (Status::Success, Some(60)));
    }

    #[test]
    fn a_dispute_of_more_than_is_left_gives_back_no_more_than_was_paid() {
        let payment = paid(100);
        let asked = payment.ask_back(wanted(&payment, 30)).unwrap();
        let refund = asked.refunds[0].clone();
        let id = "re_1".parse().unwrap();
        let ours = Some((refund.id, 1));
        let seen = crate::refund::Seen {
            id,
            ours,
            amount: refund.amount,
            state: crate::refund::State::Succeeded,
            failure_reason: None,
        };
        let moved = Moved { refunds: vec![seen], ..at_provider(100, State::Lost) };
        let (lost, _) = settled(asked, &moved);
        assert_eq!((lost.status, lost.given_back(), lost.disputed()), (Status::Refunded, 100, 100));
    }
}
