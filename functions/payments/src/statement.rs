//! The account's statement at the provider, and what of it a payment knows; pure.

use crate::{
    dispute::Dispute,
    domain::{IntentId, Payment, ProviderLineId, signed},
};
use boxoffice_kernel::PaymentId;

/// The cause of a line of the account's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A charge.
    Charge,
    /// A refund or a dispute, made or taken back, by the provider's id.
    Other(String),
}

/// A line of the account's statement that is about an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The intent.
    pub intent: IntentId,
    /// The payment that it was opened for, where the line says so.
    pub payment: Option<PaymentId>,
    /// How much came, in minor units of the payment's own currency, fees aside. Below zero when it left.
    pub amount: i64,
    /// The cause.
    pub source: Source,
}

/// A page of the account's statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// The lines about intents. Fees and payouts are about none.
    pub lines: Vec<Line>,
    /// The line after which the next page begins.
    pub next: Option<ProviderLineId>,
}

impl Payment {
    /// Those lines of a statement that this payment knows nothing of. A refund that left and came back is none.
    pub fn unknown<'a>(&self, lines: &'a [Line]) -> Vec<&'a Line> {
        let charged = self.charged();
        let charge = lines.iter().position(|line| {
            line.source == Source::Charge && self.intent.as_ref() == Some(&line.intent) && line.amount == charged
        });
        let left = |id: &str, amount: i64| {
            let refund = self.refunds.iter().any(|refund| {
                let is_it = refund.provider_id.as_ref().is_some_and(|it| it.to_string() == id);
                is_it && refund.has_left() && -signed(refund.amount.minor()) == amount
            });
            let dispute = |it: &Dispute| it.id.to_string() == id && -signed(it.amount.minor()) == amount;
            refund || self.disputes.iter().any(dispute)
        };
        let sum = |id: &str| -> i64 {
            let of_it = lines.iter().filter(|line| matches!(&line.source, Source::Other(source) if source == id));
            of_it.map(|line| line.amount).sum()
        };
        let is_known = |(place, line): &(usize, &'a Line)| match &line.source {
            Source::Charge => Some(*place) == charge,
            Source::Other(id) => sum(id) == 0 || left(id, sum(id)),
        };
        lines.iter().enumerate().filter(|line| !is_known(line)).map(|(_, line)| line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Status,
        events::RefundedBy,
        refund::{Refund, State},
    };
    use boxoffice_kernel::{Actor, Amount, Currency, Money, TicketId, Timestamp, UserId};

    /// A payment of 99.80 of which 1.00 went back as `re_1`.
    fn payment() -> Payment {
        let now = Timestamp::now();
        let money = Money { amount: Amount::from_minor(9980).unwrap(), currency: Currency::Eur };
        let one = Amount::from_minor(100).unwrap();
        let mut payment = Payment::of(TicketId::generate(), UserId::generate(), money, now, now);
        (payment.status, payment.intent) = (Status::Success, Some("pi_1".parse().unwrap()));
        let refund =
            Refund::wanted(payment.id.refund("one"), one, "asked for", RefundedBy::Request, Actor::System, now);
        payment.refunds =
            vec![Refund { state: State::Succeeded, provider_id: Some("re_1".parse().unwrap()), ..refund }];
        payment
    }

    fn line(intent: &str, amount: i64, source: Option<&str>) -> Line {
        let source = source.map_or(Source::Charge, |id| Source::Other(id.to_owned()));
        Line { intent: intent.parse().unwrap(), payment: None, amount, source }
    }

    fn unknown(lines: &[Line]) -> Vec<i64> {
        payment().unknown(lines).iter().map(|line| line.amount).collect()
    }

    const NOTHING: [i64; 0] = [];

    #[test]
    fn a_payment_knows_its_charge_and_its_refunds_once() {
        let (charge, refund) = (line("pi_1", 9980, None), line("pi_1", -100, Some("re_1")));
        assert_eq!(unknown(&[charge.clone(), refund.clone()]), NOTHING);
        assert_eq!(unknown(std::slice::from_ref(&refund)), NOTHING, "the charge may be on an earlier statement");
        assert_eq!(unknown(&[charge.clone(), charge]), [9980]);
        assert_eq!(unknown(&[line("pi_2", 9980, None)]), [9980], "of another attempt");
        assert_eq!(unknown(&[line("pi_1", 9990, None)]), [9990]);
        assert_eq!(unknown(&[line("pi_1", -200, Some("re_1"))]), [-200]);
        assert_eq!(unknown(&[refund, line("pi_1", -100, Some("re_2"))]), [-100]);
    }

    #[test]
    fn a_refund_that_left_and_came_back_is_none() {
        assert_eq!(unknown(&[line("pi_1", -100, Some("re_9")), line("pi_1", 100, Some("re_9"))]), NOTHING);
    }
}
