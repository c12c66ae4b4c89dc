//! A payment, and which status may follow which. No I/O.
//!
//! ```text
//!    ┌── declined ──┐
//!    ▼              │
//! PENDING ──▶ PROCESSING ──▶ SUCCESS ◀──▶ REFUNDED
//!    │             ├──▶ FAILED
//!    └──▶ EXPIRED ◀┘
//! ```
//!
//! A decline does not end the payment: it is PENDING again, one attempt further, until [`DECLINES`] of them have been declined.
//!
//! It is REFUNDED while the buyer has all of the money back: its refunds ([`crate::refund`]) say so, and one of them may come back.
//!
//! Every change goes through a method here and is written on condition that the payment is still the version the method saw, so
//! that of two who would decide differently one is told to look again.

use crate::{dispute::Dispute, refund::Refund};
use boxoffice_kernel::{Money, PaymentId, TicketId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PaymentStatus)]
pub enum Status {
    /// Waiting for the buyer.
    Pending,
    /// The provider has been, or is about to be, asked to charge, or waits for the buyer to authenticate.
    Processing,
    /// Charged.
    Success,
    /// Declined as often as it may be.
    Failed,
    /// Charged, and given back.
    Refunded,
    /// Never charged: the time was up, or the booking was called off.
    Expired,
}

/// How the buyer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PaymentMethod)]
pub enum Method {
    /// By credit card.
    #[default]
    CreditCard,
    /// By debit card.
    DebitCard,
    /// By `PayPal`.
    Paypal,
    /// By bank transfer.
    BankTransfer,
}

/// Minor units that may leave as well as come.
pub fn signed(minor: u64) -> i64 {
    i64::try_from(minor).unwrap_or(i64::MAX)
}

/// How long a debit may take to be confirmed or refused: 14 business days (<https://docs.stripe.com/payments/sepa-debit>).
const BANK_TRANSFER_SECONDS: u32 = 20 * 86_400;

impl Method {
    /// Refuses a method whose money may arrive only when the seats are no longer held.
    ///
    /// # Errors
    /// When seats that are held for so many seconds do not wait for it.
    pub fn must_settle_within(self, seconds: u32) -> Result<(), SettlesTooLate> {
        let settled = match self {
            Self::CreditCard | Self::DebitCard | Self::Paypal => 0,
            Self::BankTransfer => BANK_TRANSFER_SECONDS,
        };
        if settled <= seconds { Ok(()) } else { Err(SettlesTooLate(self)) }
    }
}

/// Why a payment method is not offered for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("money by {0} may take weeks to arrive, and the seats are not held for so long")]
pub struct SettlesTooLate(pub Method);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreditCard => "CREDIT_CARD",
            Self::DebitCard => "DEBIT_CARD",
            Self::Paypal => "PAYPAL",
            Self::BankTransfer => "BANK_TRANSFER",
        })
    }
}

/// Why a string is not a provider's name for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 letters, digits, underscores or hyphens")]
pub struct InvalidName;

fn provider_name(text: &str) -> Result<String, InvalidName> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let valid = (1..=255).contains(&text.len()) && text.bytes().all(harmless);
    valid.then(|| text.to_owned()).ok_or(InvalidName)
}

/// The provider's token for a payment method. It buys nothing without our key, and is kept out of logs, events and answers all the same.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MethodToken(String);

impl MethodToken {
    /// The token itself, for the provider.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MethodToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MethodToken(…)")
    }
}

impl FromStr for MethodToken {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        provider_name(text).map(Self)
    }
}

macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                provider_name(text).map(Self)
            }
        }
    };
}

provider_id!(
    /// The provider's id of the payment it was asked for. It goes into the path of later requests, so only harmless characters are allowed.
    IntentId
);
provider_id!(
    /// The provider's id of a refund.
    ProviderRefundId
);
provider_id!(
    /// The provider's id of a dispute.
    ProviderDisputeId
);
provider_id!(
    /// The provider's id of an entry in its record of what happened.
    ProviderEventId
);
provider_id!(
    /// The provider's id of a line of the account's statement.
    ProviderLineId
);

macro_rules! deserialize_from_str {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

deserialize_from_str!(MethodToken, IntentId, ProviderRefundId, ProviderDisputeId, ProviderEventId, ProviderLineId);

boxoffice_kernel::schema::string_schema!(MethodToken, {
    pattern: "^[A-Za-z0-9_-]{1,255}$",
    example: "pm_card_visa"
});

/// How often a payment may be declined. A mistyped card must not cost the seats, and nobody shall try out a list of cards on one booking.
pub const DECLINES: u32 = 5;
/// After so many attempts, declined or given up, the one under way is the last.
pub const ATTEMPTS: u32 = 20;

/// The act that the buyer owes before the provider charges: confirm to their bank that it is they who pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// Where to send the buyer's browser; without it, the provider's own script completes the payment with the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub redirect_url: Option<String>,
    /// The secret that the provider's script needs in the buyer's browser. It completes this payment and nothing else.
    pub client_secret: String,
}

/// A digest of the token that was tried last, by which a repeated call is told from another try. The token itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tried(String);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Tried {
    /// The digest of this token, charged by this method.
    pub fn of(token: &MethodToken, method: Method) -> Self {
        Self(boxoffice_kernel::Fingerprint::of(&[token.reveal(), &method.to_string()]).short().to_owned())
    }
}

/// The payment of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id, which follows from the ticket's.
    pub id: PaymentId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The payer.
    pub user_id: UserId,
    /// The amount and its currency.
    pub money: Money,
    /// How.
    pub method: Method,
    /// Where it is.
    pub status: Status,
    /// The number of this attempt at charging it, from 1. Each has an intent and idempotency keys of its own.
    pub attempt: u32,
    /// How many attempts were declined.
    pub declined: u32,
    /// The provider's id for the attempt, from the moment the provider knows of it.
    pub intent: Option<IntentId>,
    /// The card of the attempt, or of the last one.
    pub tried: Option<Tried>,
    /// The act that the buyer owes before the attempt can succeed.
    pub next_action: Option<NextAction>,
    /// Why the last attempt was declined, failed or expired.
    pub failure_reason: Option<String>,
    /// Why it was given back.
    pub refund_reason: Option<String>,
    /// Its refunds, the oldest first.
    pub refunds: Vec<Refund>,
    /// Its disputes, the oldest first.
    pub disputes: Vec<Dispute>,
    /// How often its refunds were written. One that is asked for makes no version: it is no event's business until the provider has it.
    pub revision: u64,
    /// Until when it may be paid: as long as the seats are held.
    pub payable_until: Timestamp,
    /// How often it has been changed.
    pub version: u64,
    /// When it was written, with its booking.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was taken off the lists.
    pub deleted_at: Option<Timestamp>,
}

/// Why a payment cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPayable {
    /// It is not waiting for anyone.
    #[error("the payment is {0}")]
    NotPending(Status),
    /// The seats were not paid for in time.
    #[error("the payment could be made until {0}")]
    TooLate(Timestamp),
    /// The money would arrive after the seats are no longer held.
    #[error(transparent)]
    SettlesTooLate(#[from] SettlesTooLate),
}

/// Why a payment is not deleted: money is still in it, or may come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {0} is still open")]
pub struct NotSettled(pub Status);

/// Why a string is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of PENDING, PROCESSING, SUCCESS, FAILED, REFUNDED and EXPIRED")]
pub struct InvalidStatus;

/// A change that the payment's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {from} cannot become {to}")]
pub struct IllegalTransition {
    from: Status,
    to: Status,
}

impl IllegalTransition {
    /// That one from here to there.
    pub fn between(from: Status, to: Status) -> Self {
        Self { from, to }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Refunded => "REFUNDED",
            Self::Expired => "EXPIRED",
        })
    }
}

impl FromStr for Status {
    type Err = InvalidStatus;
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.to_string() == text).ok_or(InvalidStatus)
    }
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Success, Self::Failed, Self::Refunded, Self::Expired];

    /// Whether it is over: there is no money in it, and none will come unless a refund comes back.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Failed | Self::Refunded | Self::Expired)
    }

    /// Whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Processing | Self::Expired)
                | (Self::Processing, Self::Pending | Self::Processing | Self::Success | Self::Failed | Self::Expired)
                | (Self::Success, Self::Refunded)
                // A refund came back.
                | (Self::Refunded, Self::Success)
        )
    }
}

impl Payment {
    /// A ticket's payment, waiting for the buyer.
    pub fn of(ticket_id: TicketId, user_id: UserId, money: Money, payable_until: Timestamp, now: Timestamp) -> Self {
        Self {
            id: ticket_id.payment(),
            ticket_id,
            user_id,
            money,
            method: Method::default(),
            status: Status::Pending,
            attempt: 1,
            declined: 0,
            intent: None,
            tried: None,
            next_action: None,
            failure_reason: None,
            refund_reason: None,
            refunds: Vec::new(),
            disputes: Vec::new(),
            revision: 0,
            payable_until,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Whether the saga charges it, as its booking named what to charge. A payment that the buyer starts has another version by then: that
    /// attempt is the buyer's, and the saga waits for it.
    pub fn is_charged_with_booking(&self) -> bool {
        self.status == Status::Processing && self.version == 1
    }

    fn becomes(&self, status: Status, now: Timestamp) -> Result<Self, IllegalTransition> {
        if !self.status.may_become(status) {
            return Err(IllegalTransition { from: self.status, to: status });
        }
        Ok(Self { status, next_action: None, version: self.version + 1, updated_at: now, ..self.clone() })
    }

    /// Whether the buyer may pay now.
    ///
    /// # Errors
    /// When it is not waiting for them, or no longer.
    pub fn may_be_paid(&self, now: Timestamp) -> Result<(), NotPayable> {
        match self.status {
            // Resuming an attempt whose outcome nobody heard is always right: the provider knows the answer.
            Status::Processing if self.intent.is_some() => Ok(()),
            // Without a recorded intent the provider has charged nothing.
            Status::Pending | Status::Processing if self.payable_until <= now => {
                Err(NotPayable::TooLate(self.payable_until))
            }
            Status::Pending | Status::Processing => Ok(()),
            other => Err(NotPayable::NotPending(other)),
        }
    }

    /// Whether this method's money arrives while the seats are held.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_be_paid_by(&self, method: Method, now: Timestamp) -> Result<(), NotPayable> {
        let left = self.payable_until.unix_seconds().saturating_sub(now.unix_seconds());
        Ok(method.must_settle_within(u32::try_from(left).unwrap_or(u32::MAX))?)
    }

    /// How much was charged, in minor units.
    pub fn charged(&self) -> i64 {
        match self.status {
            Status::Success | Status::Refunded => signed(self.money.amount.minor()),
            Status::Pending | Status::Processing | Status::Failed | Status::Expired => 0,
        }
    }

    /// How much of its money is at the provider, in minor units: what was charged, less what left again. Below zero when the buyer's bank took more than was there.
    pub fn at_provider(&self) -> i64 {
        self.charged() - signed(self.left_account()) - signed(self.disputed())
    }

    /// The payment, about to be charged in this way.
    ///
    /// # Errors
    /// Unless it is pending.
    pub fn start(&self, method: Method, now: Timestamp) -> Result<Self, IllegalTransition> {
        Ok(Self { method, ..self.becomes(Status::Processing, now)? })
    }

    /// The payment, charged.
    ///
    /// # Errors
    /// Unless it is processing.
    pub fn succeed(&self, now: Timestamp) -> Result<Self, IllegalTransition> {
        // A refund that came back leads to the same status, by another way (`refund`): a charge heard of late must not undo a refund.
        if self.status != Status::Processing {
            return Err(IllegalTransition { from: self.status, to: Status::Success });
        }
        self.becomes(Status::Success, now)
    }

    /// The payment after a decline: waiting for another try, or failed when it was the last. The attempt's intent must be out of the way.
    ///
    /// # Errors
    /// Unless it is processing.
    pub fn decline(&self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        let declined = self.declined + 1;
        let failure_reason = Some(reason);
        if declined >= DECLINES {
            return Ok(Self { declined, failure_reason, ..self.becomes(Status::Failed, now)? });
        }
        let next = self.becomes(Status::Pending, now)?;
        Ok(Self { declined, failure_reason, attempt: self.attempt + 1, intent: None, ..next })
    }

    /// How many more declines leave the payment open.
    pub fn tries_left(&self) -> u32 {
        DECLINES.saturating_sub(self.declined)
    }

    /// The payment, about to be charged in another way than the attempt under way, of which nobody heard the end. That attempt's
    /// intent must be out of the way.
    ///
    /// # Errors
    /// Unless it is processing.
    pub fn restart(&self, method: Method, now: Timestamp) -> Result<Self, IllegalTransition> {
        if self.status != Status::Processing {
            return Err(IllegalTransition { from: self.status, to: Status::Processing });
        }
        let next = self.becomes(Status::Processing, now)?;
        Ok(Self { method, attempt: self.attempt + 1, intent: None, ..next })
    }

    /// The payment, never to be charged.
    ///
    /// # Errors
    /// Unless it is pending or processing.
    pub fn expire(&self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        Ok(Self { failure_reason: Some(reason), ..self.becomes(Status::Expired, now)? })
    }

    /// The payment, off the lists. Its record stays.
    ///
    /// # Errors
    /// Unless it is over: a payment that was charged and not given back stays in sight.
    pub fn delete(&self, now: Timestamp) -> Result<Self, NotSettled> {
        if !self.status.is_end() {
            return Err(NotSettled(self.status));
        }
        Ok(Self { version: self.version + 1, updated_at: now, deleted_at: Some(now), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::{Amount, Currency};
    use proptest::prelude::*;

    const ALL: [Status; 6] = Status::ALL;

    fn payment(status: Status) -> Payment {
        let (money, now) =
            (Money { amount: Amount::from_minor(9980).unwrap(), currency: Currency::Eur }, Timestamp::now());
        Payment { status, ..Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(60), now) }
    }

    #[test]
    fn money_taken_can_only_be_given_back() {
        let allowed: Vec<Status> = ALL.into_iter().filter(|next| Status::Success.may_become(*next)).collect();
        assert_eq!(allowed, [Status::Refunded]);
    }

    #[test]
    fn nothing_follows_an_end() {
        for end in [Status::Failed, Status::Expired] {
            assert!(ALL.into_iter().all(|next| !end.may_become(next)), "{end}");
        }
    }

    #[test]
    fn money_given_back_can_only_come_back() {
        let allowed: Vec<Status> = ALL.into_iter().filter(|next| Status::Refunded.may_become(*next)).collect();
        assert_eq!(allowed, [Status::Success]);
    }

    #[test]
    fn only_what_is_over_is_deleted() {
        let now = Timestamp::now();
        for status in ALL {
            let over = matches!(status, Status::Failed | Status::Refunded | Status::Expired);
            let deleted = payment(status).delete(now);
            assert_eq!((status.is_end(), deleted.is_ok()), (over, over), "{status}");
            assert!(deleted.map_or(true, |deleted| (deleted.status, deleted.deleted_at) == (status, Some(now))));
        }
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
        }
        for other in ["", "success", "PAID", " SUCCESS"] {
            assert_eq!(other.parse::<Status>(), Err(InvalidStatus), "{other}");
        }
    }

    #[test]
    fn a_payment_is_charged_in_the_way_named_last() {
        let started = payment(Status::Pending).start(Method::Paypal, Timestamp::now()).unwrap();
        assert_eq!((started.method, started.status), (Method::Paypal, Status::Processing));
    }

    #[test]
    fn only_a_charge_that_was_asked_for_can_succeed() {
        assert!(payment(Status::Pending).succeed(Timestamp::now()).is_err());
        assert!(payment(Status::Refunded).succeed(Timestamp::now()).is_err());
        assert!(payment(Status::Processing).succeed(Timestamp::now()).is_ok());
    }

    #[test]
    fn a_declined_payment_can_be_tried_again_until_it_was_declined_five_times() {
        let now = Timestamp::now();
        let mut payment = payment(Status::Pending);
        for declined in 1..=DECLINES {
            let attempt = payment.attempt;
            let started =
                Payment { intent: Some("pi_1".parse().unwrap()), ..payment.start(Method::CreditCard, now).unwrap() };
            payment = started.decline("card_declined".into(), now).unwrap();
            assert_eq!((payment.declined, payment.tries_left()), (declined, DECLINES - declined));
            if declined < DECLINES {
                assert_eq!(
                    (payment.status, payment.attempt, payment.intent.clone()),
                    (Status::Pending, attempt + 1, None)
                );
            }
        }
        assert_eq!((payment.status, payment.failure_reason.as_deref()), (Status::Failed, Some("card_declined")));
        assert!(payment.intent.is_some(), "the last attempt's intent is kept");
        assert!(payment.start(Method::CreditCard, now).is_err());
    }

    #[test]
    fn an_attempt_given_up_for_another_card_is_no_decline() {
        let now = Timestamp::now();
        let started = payment(Status::Pending).start(Method::CreditCard, now).unwrap();
        let again = started.restart(Method::DebitCard, now).unwrap();
        assert_eq!((again.status, again.attempt, again.declined), (Status::Processing, 2, 0));
        assert!(payment(Status::Pending).restart(Method::DebitCard, now).is_err());
        assert!(payment(Status::Success).restart(Method::DebitCard, now).is_err());
    }

    #[test]
    fn a_payment_is_refused_after_its_hold() {
        let payment = payment(Status::Pending);
        assert_eq!(payment.may_be_paid(payment.payable_until), Err(NotPayable::TooLate(payment.payable_until)));
        assert_eq!(payment.may_be_paid(payment.created_at), Ok(()));
    }

    #[test]
    fn an_attempt_nobody_heard_of_may_be_resumed_even_late() {
        let payment = Payment { intent: Some("pi_1".parse().unwrap()), ..payment(Status::Processing) };
        assert_eq!(payment.may_be_paid(payment.payable_until), Ok(()));
    }

    #[test]
    fn an_attempt_that_the_provider_does_not_know_is_refused_after_the_hold() {
        let payment = payment(Status::Processing);
        assert_eq!(payment.may_be_paid(payment.created_at), Ok(()));
        assert_eq!(payment.may_be_paid(payment.payable_until), Err(NotPayable::TooLate(payment.payable_until)));
    }

    #[test]
    fn the_saga_charges_what_its_booking_named_and_not_what_the_buyer_started() {
        let (named, waiting) = (payment(Status::Processing), payment(Status::Pending));
        let by_buyer = waiting.start(Method::CreditCard, Timestamp::now()).unwrap();
        let charged = [&named, &waiting, &by_buyer].map(Payment::is_charged_with_booking);
        assert_eq!(charged, [true, false, false]);
    }

    #[test]
    fn a_token_does_not_print() {
        let token: MethodToken = "pm_secret".parse().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert!("pm/../refunds".parse::<MethodToken>().is_err());
    }

    proptest! {
        #[test]
        fn the_version_counts_the_changes_of_any_sequence(tries in prop::collection::vec(0..5_u8, 0..40)) {
            let now = Timestamp::now();
            let (mut current, mut changes) = (payment(Status::Pending), 0);
            for attempt in tries {
                let next = match attempt {
                    0 => current.start(Method::CreditCard, now),
                    1 => current.succeed(now),
                    2 => current.decline("declined".into(), now),
                    3 => current.expire("late".into(), now),
                    _ => current.restart(Method::DebitCard, now),
                };
                if let Ok(next) = next {
                    prop_assert!(current.status.may_become(next.status));
                    changes += 1;
                    current = next;
                }
            }
            prop_assert_eq!(current.version, 1 + changes);
        }
    }
}
