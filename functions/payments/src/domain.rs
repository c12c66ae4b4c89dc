//! A payment, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ PROCESSING ──▶ SUCCESS ──▶ REFUNDED
//!    │             ├──▶ FAILED
//!    └──▶ EXPIRED ◀┘
//! ```
//!
//! Every change goes through a method here and is written on condition that the payment is still the version the method saw, so
//! that of two who would decide differently one is told to look again.

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
    /// The provider has been, or is about to be, asked to charge.
    Processing,
    /// Charged.
    Success,
    /// Declined.
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

/// The provider's id of the payment it was asked for. It goes into the path of later requests, so it is held to harmless characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct IntentId(String);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IntentId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        provider_name(text).map(Self)
    }
}

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

deserialize_from_str!(MethodToken, IntentId);

boxoffice_kernel::schema::string_schema!(MethodToken, {
    pattern: "^[A-Za-z0-9_-]{1,255}$",
    example: "pm_card_visa"
});

/// That somebody asked for the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundWish {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The payment of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id, which follows from the ticket's.
    pub id: PaymentId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// Who pays.
    pub user_id: UserId,
    /// How much.
    pub money: Money,
    /// How.
    pub method: Method,
    /// Where it is.
    pub status: Status,
    /// The provider's id for it, from the moment the provider knows of it.
    pub intent: Option<IntentId>,
    /// Why it failed or expired.
    pub failure_reason: Option<String>,
    /// Why it was given back.
    pub refund_reason: Option<String>,
    /// That somebody asked for it back: known before the provider is asked, so that a refund nobody finished is finished.
    pub refund_wish: Option<RefundWish>,
    /// Until when it may be paid: as long as the seats are held.
    pub payable_until: Timestamp,
    /// How often it has been changed.
    pub version: u64,
    /// When the saga created it.
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
}

/// Why a payment is not deleted: money is still in it, or may come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {0} is not over yet")]
pub struct NotSettled(pub Status);

/// Why a string is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of PENDING, PROCESSING, SUCCESS, FAILED, REFUNDED and EXPIRED")]
pub struct InvalidStatus;

/// A change that the payment's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {from} does not become {to}")]
pub struct IllegalTransition {
    from: Status,
    to: Status,
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

    /// Whether nothing can follow: there is no money in it, and none will come.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Failed | Self::Refunded | Self::Expired)
    }

    /// Whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Processing | Self::Expired)
                | (Self::Processing, Self::Success | Self::Failed | Self::Expired)
                | (Self::Success, Self::Refunded)
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
            intent: None,
            failure_reason: None,
            refund_reason: None,
            refund_wish: None,
            payable_until,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    fn becomes(&self, status: Status, now: Timestamp) -> Result<Self, IllegalTransition> {
        if !self.status.may_become(status) {
            return Err(IllegalTransition { from: self.status, to: status });
        }
        Ok(Self { status, version: self.version + 1, updated_at: now, ..self.clone() })
    }

    /// Whether the buyer may pay now.
    ///
    /// # Errors
    /// When it is not waiting for them, or no longer.
    pub fn may_be_paid(&self, now: Timestamp) -> Result<(), NotPayable> {
        match self.status {
            // Resuming an attempt whose outcome nobody heard is always right: the provider knows the answer.
            Status::Processing => Ok(()),
            Status::Pending if self.payable_until <= now => Err(NotPayable::TooLate(self.payable_until)),
            Status::Pending => Ok(()),
            other => Err(NotPayable::NotPending(other)),
        }
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
        self.becomes(Status::Success, now)
    }

    /// The payment, declined.
    ///
    /// # Errors
    /// Unless it is processing.
    pub fn fail(&self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        Ok(Self { failure_reason: Some(reason), ..self.becomes(Status::Failed, now)? })
    }

    /// The payment, never to be charged.
    ///
    /// # Errors
    /// Unless it is pending or processing.
    pub fn expire(&self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        Ok(Self { failure_reason: Some(reason), ..self.becomes(Status::Expired, now)? })
    }

    /// The payment, given back.
    ///
    /// # Errors
    /// Unless it is charged.
    pub fn refund(&self, reason: String, now: Timestamp) -> Result<Self, IllegalTransition> {
        Ok(Self { refund_reason: Some(reason), ..self.becomes(Status::Refunded, now)? })
    }

    /// The payment, off the lists. Its record stays.
    ///
    /// # Errors
    /// Unless nothing can follow its status: a payment that was charged and not given back stays in sight.
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
        for end in [Status::Failed, Status::Refunded, Status::Expired] {
            assert!(ALL.into_iter().all(|next| !end.may_become(next)), "{end}");
        }
    }

    #[test]
    fn only_what_is_over_is_deleted() {
        let now = Timestamp::now();
        for status in ALL {
            let over = ALL.into_iter().all(|next| !status.may_become(next));
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
        assert!(payment(Status::Processing).succeed(Timestamp::now()).is_ok());
    }

    #[test]
    fn a_payment_is_refused_after_its_hold() {
        let payment = payment(Status::Pending);
        assert_eq!(payment.may_be_paid(payment.payable_until), Err(NotPayable::TooLate(payment.payable_until)));
        assert_eq!(payment.may_be_paid(payment.created_at), Ok(()));
    }

    #[test]
    fn an_attempt_nobody_heard_of_may_be_resumed_even_late() {
        let payment = payment(Status::Processing);
        assert_eq!(payment.may_be_paid(payment.payable_until), Ok(()));
    }

    #[test]
    fn a_token_does_not_print() {
        let token: MethodToken = "pm_secret".parse().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert!("pm/../refunds".parse::<MethodToken>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_tried_the_version_counts_the_changes(tries in prop::collection::vec(0..5_u8, 0..20)) {
            let now = Timestamp::now();
            let (mut current, mut changes) = (payment(Status::Pending), 0);
            for attempt in tries {
                let next = match attempt {
                    0 => current.start(Method::CreditCard, now),
                    1 => current.succeed(now),
                    2 => current.fail("declined".into(), now),
                    3 => current.expire("late".into(), now),
                    _ => current.refund("asked".into(), now),
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
