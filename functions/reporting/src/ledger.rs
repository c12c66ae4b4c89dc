//! The ledger: each event that moves money, as postings that sum to zero. No I/O.
//!
//! An [`Entry`] moves one amount between two accounts, so it cannot be out of balance. The accounts are chosen so that an entry follows from its event alone:
//!
//! | Account | Its balance |
//! |---|---|
//! | [`Account::OrganiserPayable`] | less what buyers were charged |
//! | [`Account::ProviderClearing`] | the money at the payment provider |
//! | [`Account::Refund`] | what left as refunds, on its way or arrived |
//! | [`Account::Dispute`] | what buyers' banks took for disputes, until a lost one counts as a refund |
//! | [`Account::Elsewhere`] | less what operators paid to buyers past the provider |
//!
//! The organiser is due the charges, less refunds and disputes: refunds and disputes are accounts of their own, so that a settlement shows
//! each (`docs/adr/0055-a-ledger-of-postings.md`).

use boxoffice_kernel::{Amount, Currency, EventId, Timestamp, money::minor};
use boxoffice_payments::{
    dispute,
    domain::{Payment, signed},
    refund::{self, PaidFrom, Refund},
};
use boxoffice_runtime::{Event, StepFailure};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeSet, fmt, ops::AddAssign};

/// One side of the bookkeeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = LedgerAccount)]
pub enum Account {
    /// The source of charges: what is owed for them.
    OrganiserPayable,
    /// Our account at the payment provider.
    ProviderClearing,
    /// Money given back.
    Refund,
    /// Money that buyers' banks took.
    Dispute,
    /// Operators who paid a refund past the provider.
    Elsewhere,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OrganiserPayable => "ORGANISER_PAYABLE",
            Self::ProviderClearing => "PROVIDER_CLEARING",
            Self::Refund => "REFUND",
            Self::Dispute => "DISPUTE",
            Self::Elsewhere => "ELSEWHERE",
        })
    }
}

/// An account's part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The amount it gets, in minor units; below zero when it gives.
    pub amount: i64,
}

/// The kinds of entry. Each has an account that gives and one that gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = LedgerEntryKind)]
pub enum Kind {
    /// A payment was charged.
    Charged,
    /// The provider has taken money for a refund.
    Refunded,
    /// The money of a refund came back, because it did not arrive.
    RefundReturned,
    /// An operator paid a refund past the provider.
    RefundedElsewhere,
    /// The buyer's bank took money back.
    Disputed,
    /// The money of a dispute came back.
    DisputeWon,
    /// The money of a dispute stays with the buyer, as a refund.
    DisputeLost,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Charged,
        Self::Refunded,
        Self::RefundReturned,
        Self::RefundedElsewhere,
        Self::Disputed,
        Self::DisputeWon,
        Self::DisputeLost,
    ];

    /// The account that gives, and the one that gets.
    fn accounts(self) -> [Account; 2] {
        match self {
            Self::Charged => [Account::OrganiserPayable, Account::ProviderClearing],
            Self::Refunded => [Account::ProviderClearing, Account::Refund],
            Self::RefundReturned => [Account::Refund, Account::ProviderClearing],
            Self::RefundedElsewhere => [Account::Elsewhere, Account::Refund],
            Self::Disputed => [Account::ProviderClearing, Account::Dispute],
            Self::DisputeWon => [Account::Dispute, Account::ProviderClearing],
            Self::DisputeLost => [Account::Dispute, Account::Refund],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Charged => "CHARGED",
            Self::Refunded => "REFUNDED",
            Self::RefundReturned => "REFUND_RETURNED",
            Self::RefundedElsewhere => "REFUNDED_ELSEWHERE",
            Self::Disputed => "DISPUTED",
            Self::DisputeWon => "DISPUTE_WON",
            Self::DisputeLost => "DISPUTE_LOST",
        })
    }
}

/// An event that moved money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The event. It has one entry at most.
    pub event_id: EventId,
    /// How it moved the money.
    pub kind: Kind,
    /// How much, which is never nothing.
    #[serde(rename = "amountMinor", with = "minor")]
    pub amount: Amount,
    /// In what.
    pub currency: Currency,
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.occurred_at, self.event_id).cmp(&(other.occurred_at, other.event_id))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    amount: Amount,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefundData {
    refund_amount: Amount,
    paid_from: Option<PaidFrom>,
    #[serde(default)]
    came_back: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DisputeData {
    dispute_amount: Amount,
    outcome: Option<dispute::State>,
}

#[derive(Debug, Deserialize)]
struct Priced {
    currency: Currency,
}

impl Entry {
    /// The entry of this event; none when it moves no money.
    ///
    /// # Errors
    /// [`StepFailure::Defect`] when the event is not what its contract says.
    pub fn of(event: &Event) -> Result<Option<Self>, StepFailure> {
        let (kind, amount) = match event.kind() {
            "PaymentCompleted" => (Kind::Charged, event.data::<Charge>()?.amount),
            "PaymentRefundPending" => (Kind::Refunded, event.data::<RefundData>()?.refund_amount),
            "PaymentPartlyRefunded" | "PaymentRefunded" => {
                let data: RefundData = event.data()?;
                let kind = match data.paid_from {
                    // Events from before `paidFrom` say nothing: the usual case.
                    Some(PaidFrom::Account) | None => Kind::Refunded,
                    Some(PaidFrom::Dispute) => Kind::DisputeLost,
                    Some(PaidFrom::Elsewhere) => Kind::RefundedElsewhere,
                    Some(PaidFrom::Pending) => return Ok(None),
                };
                (kind, data.refund_amount)
            }
            "PaymentRefundFailed" => match event.data::<RefundData>()? {
                RefundData { came_back: true, refund_amount, .. } => (Kind::RefundReturned, refund_amount),
                RefundData { came_back: false, .. } => return Ok(None),
            },
            "PaymentDisputed" => (Kind::Disputed, event.data::<DisputeData>()?.dispute_amount),
            "PaymentDisputeClosed" => match event.data::<DisputeData>()? {
                DisputeData { outcome: Some(dispute::State::Won), dispute_amount } => {
                    (Kind::DisputeWon, dispute_amount)
                }
                // A refund follows, as an event of its own.
                DisputeData { .. } => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Priced { currency } = event.data()?;
        Ok(Some(Self { occurred_at: event.occurred_at(), event_id: event.id(), kind, amount, currency }))
    }

    /// Its postings. They sum to zero.
    pub fn postings(&self) -> [Posting; 2] {
        let amount = signed(self.amount.minor());
        let [from, to] = self.kind.accounts();
        [Posting { account: from, amount: -amount }, Posting { account: to, amount }]
    }
}

/// The balance of each account, in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Balances {
    /// [`Account::OrganiserPayable`].
    pub organiser_payable: i64,
    /// [`Account::ProviderClearing`].
    pub provider_clearing: i64,
    /// [`Account::Refund`].
    pub refund: i64,
    /// [`Account::Dispute`].
    pub dispute: i64,
    /// [`Account::Elsewhere`].
    pub elsewhere: i64,
}

impl Balances {
    /// The balances after these entries.
    pub fn after<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut balances = Self::default();
        for entry in entries {
            balances.post(entry);
        }
        balances
    }

    fn post(&mut self, entry: &Entry) {
        for Posting { account, amount } in entry.postings() {
            *self.account(account) += amount;
        }
    }

    fn account(&mut self, account: Account) -> &mut i64 {
        match account {
            Account::OrganiserPayable => &mut self.organiser_payable,
            Account::ProviderClearing => &mut self.provider_clearing,
            Account::Refund => &mut self.refund,
            Account::Dispute => &mut self.dispute,
            Account::Elsewhere => &mut self.elsewhere,
        }
    }

    /// The balances that a payment's state says.
    pub fn due(payment: &Payment) -> Self {
        let sum = |such: fn(&&Refund) -> bool| -> i64 {
            payment.refunds.iter().filter(such).map(|refund| signed(refund.amount.minor())).sum()
        };
        let left = signed(payment.left_account());
        let by_dispute = sum(|refund| refund.dispute.is_some() && refund.state == refund::State::Succeeded);
        let elsewhere = sum(|refund| refund.settled_otherwise.is_some());
        let disputed = signed(payment.disputed());
        Self {
            organiser_payable: -payment.charged(),
            provider_clearing: payment.at_provider(),
            refund: left + by_dispute + elsewhere,
            dispute: disputed - by_dispute,
            elsewhere: -elsewhere,
        }
    }
}

impl AddAssign for Balances {
    fn add_assign(&mut self, other: Self) {
        self.organiser_payable += other.organiser_payable;
        self.provider_clearing += other.provider_clearing;
        self.refund += other.refund;
        self.dispute += other.dispute;
        self.elsewhere += other.elsewhere;
    }
}

/// The movements of money in a period, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// By how much each account changed.
    pub balances: Balances,
    /// How many payments were charged.
    pub charges: u64,
    /// How many refunds left, were paid elsewhere, or came of lost disputes.
    pub refunds: u64,
    /// How many disputes were opened.
    pub disputes: u64,
}

impl AddAssign<&Entry> for Settled {
    fn add_assign(&mut self, entry: &Entry) {
        self.balances.post(entry);
        match entry.kind {
            Kind::Charged => self.charges += 1,
            Kind::Refunded | Kind::RefundedElsewhere | Kind::DisputeLost => self.refunds += 1,
            Kind::Disputed => self.disputes += 1,
            Kind::RefundReturned | Kind::DisputeWon => {}
        }
    }
}

impl AddAssign for Settled {
    fn add_assign(&mut self, other: Self) {
        self.balances += other.balances;
        self.charges += other.charges;
        self.refunds += other.refunds;
        self.disputes += other.disputes;
    }
}

/// A span of time: from an instant on, until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Timestamp,
    to: Timestamp,
}

/// Why two instants are no [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("to must be after from")]
pub struct NoPeriod;

impl Period {
    /// The time between two instants.
    ///
    /// # Errors
    /// When the second is not after the first.
    pub fn between(from: Timestamp, to: Timestamp) -> Result<Self, NoPeriod> {
        if from < to { Ok(Self { from, to }) } else { Err(NoPeriod) }
    }

    /// Its first instant.
    pub fn from(self) -> Timestamp {
        self.from
    }

    /// The first instant after it.
    pub fn to(self) -> Timestamp {
        self.to
    }

    /// Whether it is at most this long.
    pub fn fits(self, seconds: u32) -> bool {
        self.to <= self.from.plus_seconds(seconds)
    }

    /// The months that it touches, as `2030-06`.
    pub fn months(self) -> BTreeSet<String> {
        // No month is shorter than a step, so none is passed over.
        const STEP: u32 = 28 * 86_400;
        let (mut months, mut at) = (BTreeSet::from([month(self.to)]), self.from);
        while at < self.to {
            months.insert(month(at));
            at = at.plus_seconds(STEP);
        }
        months
    }
}

/// The month of an instant, in UTC.
pub fn month(at: Timestamp) -> String {
    at.to_string().chars().take("2030-06".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::{Actor, Money, TicketId, UserId};
    use boxoffice_payments::{
        dispute::Dispute,
        domain::Status,
        events::RefundedBy,
        gateway::Moved,
        refund::{Fact, Seen},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn amount(minor: u64) -> Amount {
        Amount::from_minor(minor).unwrap()
    }

    fn event(kind: &str, data: &Value) -> Event {
        let mut sample: Value =
            serde_json::from_str(include_str!("../../../events/PaymentCompleted.sample.json")).unwrap();
        sample["metadata"]["eventType"] = json!(kind);
        sample["metadata"]["eventId"] = json!(EventId::generate());
        for (name, value) in data.as_object().unwrap() {
            sample["data"][name] = value.clone();
        }
        serde_json::from_value(sample).unwrap()
    }

    /// The event that states this fact, as the payments' store writes it.
    fn stated(fact: &Fact, whole: bool) -> Event {
        let refunded = if whole { "PaymentRefunded" } else { "PaymentPartlyRefunded" };
        match fact {
            Fact::RefundPending(refund) => event("PaymentRefundPending", &json!({ "refundAmount": refund.amount })),
            Fact::Refunded(refund, from) => {
                event(refunded, &json!({ "refundAmount": refund.amount, "paidFrom": from }))
            }
            Fact::RefundFailed(refund, came_back) => {
                event("PaymentRefundFailed", &json!({ "refundAmount": refund.amount, "cameBack": came_back }))
            }
            Fact::Disputed(dispute) => event("PaymentDisputed", &json!({ "disputeAmount": dispute.amount })),
            Fact::DisputeClosed(Dispute { amount, state, .. }) => {
                event("PaymentDisputeClosed", &json!({ "disputeAmount": amount, "outcome": state }))
            }
        }
    }

    /// A payment with the ledger that its events make.
    struct Book {
        payment: Payment,
        entries: BTreeSet<Entry>,
        at_provider: Moved,
    }

    impl Book {
        fn charged(minor: u64) -> Self {
            let (money, now) = (Money { amount: amount(minor), currency: Currency::Eur }, Timestamp::now());
            let payment = Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(60), now);
            let payment = Payment { status: Status::Success, intent: Some("pi_1".parse().unwrap()), ..payment };
            let mut book = Self { payment, entries: BTreeSet::new(), at_provider: Moved::default() };
            book.enter(&event("PaymentCompleted", &json!({ "amount": amount(minor) })));
            book
        }

        fn enter(&mut self, event: &Event) {
            self.entries.extend(Entry::of(event).unwrap());
        }

        /// Takes in all that the provider says, and checks the ledger after each step.
        fn settle(&mut self) {
            while let Some((after, fact)) = self.payment.take_in(&self.at_provider, Timestamp::now()).unwrap() {
                self.enter(&stated(&fact, after.status == Status::Refunded));
                self.payment = after;
                self.agrees();
            }
        }

        fn agrees(&self) {
            assert_eq!(Balances::after(&self.entries), Balances::due(&self.payment), "{:?}", self.payment);
        }

        /// Asks for a refund; the provider answers with this state.
        fn refund(&mut self, name: &str, minor: u64, state: refund::State) {
            let id = self.payment.id.refund(name);
            let wanted =
                Refund::wanted(id, amount(minor), "asked for", RefundedBy::Request, Actor::System, Timestamp::now());
            if let Ok(asked) = self.payment.ask_back(wanted) {
                self.payment = asked;
                self.see(format!("re_{name}"), Some((id, 1)), minor, state);
            }
        }

        fn see(
            &mut self,
            id: String,
            ours: Option<(boxoffice_kernel::RefundId, u32)>,
            minor: u64,
            state: refund::State,
        ) {
            let seen = Seen { id: id.parse().unwrap(), ours, amount: amount(minor), state, failure_reason: None };
            self.at_provider.refunds.push(seen);
            self.settle();
        }

        fn dispute(&mut self, name: &str, minor: u64, state: dispute::State) {
            let id = format!("du_{name}").parse().unwrap();
            self.at_provider.disputes.push(dispute::Seen { id, amount: amount(minor), state, reason: None });
            self.settle();
        }
    }

    fn balances(book: &Book) -> (i64, i64, i64, i64) {
        let Balances { provider_clearing, refund, dispute, elsewhere, .. } = Balances::after(&book.entries);
        (provider_clearing, refund, dispute, elsewhere)
    }

    #[test]
    fn a_refund_leaves_once_whether_it_was_pending_or_not() {
        let mut book = Book::charged(100);
        book.refund("slow", 30, refund::State::Pending);
        assert_eq!(balances(&book), (70, 30, 0, 0));
        book.at_provider.refunds[0].state = refund::State::Succeeded;
        book.settle();
        assert_eq!(balances(&book), (70, 30, 0, 0));
        book.refund("fast", 70, refund::State::Succeeded);
        assert_eq!((balances(&book), book.payment.status), ((0, 100, 0, 0), Status::Refunded));
        book.at_provider.refunds[1].state = refund::State::Failed;
        book.settle();
        assert_eq!((balances(&book), book.payment.status), ((70, 30, 0, 0), Status::Success));
    }

    #[test]
    fn a_refund_that_is_paid_elsewhere_leaves_the_money_at_the_provider() {
        let mut book = Book::charged(100);
        book.refund("late", 100, refund::State::Failed);
        let id = book.payment.failed_refund().unwrap().id;
        let (after, fact) = book.payment.settle_otherwise(id, "by bank transfer", Timestamp::now()).unwrap();
        book.enter(&stated(&fact, true));
        book.payment = after;
        book.agrees();
        assert_eq!(balances(&book), (100, 100, 0, -100));
    }

    #[test]
    fn a_lost_dispute_becomes_a_refund_as_far_as_there_was_money() {
        let mut book = Book::charged(100);
        book.refund("part", 30, refund::State::Succeeded);
        book.dispute("1", 100, dispute::State::Open);
        assert_eq!(balances(&book), (-30, 30, 100, 0));
        book.at_provider.disputes[0].state = dispute::State::Lost;
        book.settle();
        assert_eq!(balances(&book), (-30, 100, 30, 0));
    }

    #[test]
    fn a_dispute_that_is_won_leaves_no_trace_in_the_balances() {
        let mut book = Book::charged(100);
        book.dispute("1", 40, dispute::State::Won);
        assert_eq!((balances(&book), book.entries.len()), ((100, 0, 0, 0), 3));
    }

    #[test]
    fn an_event_that_moves_no_money_has_no_entry() {
        for text in [
            include_str!("../../../events/PaymentInitiated.sample.json"),
            include_str!("../../../events/PaymentFailed.sample.json"),
            include_str!("../../../events/PaymentExpired.sample.json"),
            include_str!("../../../events/PaymentDeleted.sample.json"),
            include_str!("../../../events/TicketCreated.sample.json"),
        ] {
            assert_eq!(Entry::of(&serde_json::from_str(text).unwrap()).unwrap(), None, "{text}");
        }
        let refused = event("PaymentRefundFailed", &json!({ "refundAmount": 1, "cameBack": false }));
        assert_eq!(Entry::of(&refused).unwrap(), None);
    }

    #[test]
    fn the_samples_of_money_events_have_entries() {
        for (text, kind, minor) in [
            (include_str!("../../../events/PaymentCompleted.sample.json"), Kind::Charged, 9980),
            (include_str!("../../../events/PaymentRefundPending.sample.json"), Kind::Refunded, 2000),
            (include_str!("../../../events/PaymentPartlyRefunded.sample.json"), Kind::Refunded, 2000),
            (include_str!("../../../events/PaymentRefunded.sample.json"), Kind::Refunded, 9980),
            (include_str!("../../../events/PaymentRefundFailed.sample.json"), Kind::RefundReturned, 2000),
            (include_str!("../../../events/PaymentDisputed.sample.json"), Kind::Disputed, 9980),
            (include_str!("../../../events/PaymentDisputeClosed.sample.json"), Kind::DisputeWon, 9980),
        ] {
            let event: Event = serde_json::from_str(text).unwrap();
            let entry = Entry::of(&event).unwrap().unwrap();
            assert_eq!((entry.kind, entry.amount.minor(), entry.event_id), (kind, minor, event.id()));
        }
    }

    #[test]
    fn a_period_touches_every_month_from_its_first_instant_to_its_end() {
        let months = |from: &str, to: &str| {
            let period = Period::between(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            period.months().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(months("2030-06-01T00:00:00Z", "2030-06-30T00:00:00Z"), ["2030-06"]);
        let winter = ["2029-12", "2030-01", "2030-02", "2030-03"];
        assert_eq!(months("2029-12-31T23:59:59.999Z", "2030-03-01T00:00:00Z"), winter);
        let now = Timestamp::now();
        assert_eq!(Period::between(now, now), Err(NoPeriod));
        assert!(Period::between(now, now.plus_seconds(9)).is_ok_and(|period| period.fits(9) && !period.fits(8)));
    }

    #[derive(Debug, Clone)]
    enum Move {
        Ask(u64, refund::State),
        External(u64, refund::State),
        Answer(usize, refund::State),
        Elsewhere,
        Again(refund::State),
        Dispute(u64),
        Decide(bool),
    }

    fn state() -> impl Strategy<Value = refund::State> {
        prop::sample::select(vec![
            refund::State::Pending,
            refund::State::Succeeded,
            refund::State::Failed,
            refund::State::Canceled,
        ])
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (1..60_u64, state()).prop_map(|(minor, state)| Move::Ask(minor, state)),
            (1..60_u64, state()).prop_map(|(minor, state)| Move::External(minor, state)),
            (0..6_usize, state()).prop_map(|(place, state)| Move::Answer(place, state)),
            Just(Move::Elsewhere),
            state().prop_map(Move::Again),
            (1..=100_u64).prop_map(Move::Dispute),
            any::<bool>().prop_map(Move::Decide),
        ];
        prop::collection::vec(one, 0..12)
    }

    fn apply(book: &mut Book, number: usize, next: &Move) {
        match next {
            Move::Ask(minor, state) => book.refund(&number.to_string(), *minor, *state),
            Move::External(minor, state) => book.see(format!("re_x{number}"), None, *minor, *state),
            Move::Answer(place, state) => {
                if let Some(seen) = book.at_provider.refunds.get_mut(*place) {
                    seen.state = *state;
                }
                book.settle();
            }
            Move::Elsewhere => {
                let Some(failed) = book.payment.failed_refund().map(|refund| refund.id) else { return };
                let settled = book.payment.settle_otherwise(failed, "by hand", Timestamp::now());
                let Ok((after, fact)) = settled else { return };
                book.enter(&stated(&fact, after.status == Status::Refunded));
                book.payment = after;
            }
            Move::Again(state) => {
                let Some(failed) = book.payment.failed_refund().cloned() else { return };
                let Ok(again) = book.payment.ask_again(failed.id, Timestamp::now()) else { return };
                book.payment = again;
                let ours = Some((failed.id, failed.attempt + 1));
                book.see(format!("re_a{number}"), ours, failed.amount.minor(), *state);
            }
            Move::Dispute(minor) => book.dispute(&number.to_string(), *minor, dispute::State::Open),
            Move::Decide(won) => {
                let outcome = if *won { dispute::State::Won } else { dispute::State::Lost };
                for dispute in &mut book.at_provider.disputes {
                    if dispute.state == dispute::State::Open {
                        dispute.state = outcome;
                    }
                }
                book.settle();
            }
        }
    }

    proptest! {
        #[test]
        fn the_postings_of_any_entry_sum_to_zero(
            kind in prop::sample::select(Kind::ALL.to_vec()), minor in 1..1_000_000_000_000_u64
        ) {
            let entry = Entry {
                occurred_at: Timestamp::now(),
                event_id: EventId::generate(),
                kind,
                amount: amount(minor),
                currency: Currency::Eur,
            };
            let [from, to] = entry.postings();
            prop_assert_eq!(from.amount + to.amount, 0);
            prop_assert!(from.account != to.account && to.amount > 0);
        }

        /// The ledger of a payment says what its state says after each step of any history.
        #[test]
        fn the_ledger_of_any_history_agrees_with_the_payment(moves in moves()) {
            let mut book = Book::charged(100);
            book.agrees();
            for (number, next) in moves.iter().enumerate() {
                apply(&mut book, number, next);
                book.agrees();
                let Balances { organiser_payable, provider_clearing, refund, dispute, elsewhere } =
                    Balances::after(&book.entries);
                prop_assert_eq!(organiser_payable + provider_clearing + refund + dispute + elsewhere, 0);
            }
            // Control: without one of the entries it does not.
            for left_out in &book.entries {
                let rest = Balances::after(book.entries.iter().filter(|entry| *entry != left_out));
                prop_assert_ne!(rest, Balances::due(&book.payment));
            }
        }
    }
}
