//! Refusals of the booking saga's steps, spelled as `statemachines/booking-saga.asl.json` matches them.

use std::{fmt, str::FromStr};

/// A step's refusal: a rule says no, so the state machine turns back and never retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The hold ended before the seats were paid for.
    HoldExpired,
    /// The seats are no longer held.
    HoldLost,
    /// The hold cannot be renewed: others have the seats.
    SeatsGone,
    /// The payment provider declined the card.
    PaymentDeclined,
    /// The payment has expired, or the money was given back.
    PaymentVoided,
    /// The ticket can no longer be confirmed.
    TicketNotPending,
    /// The step was retried in vain until the hold ended.
    DeadlineExceeded,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 7] = [
        Self::HoldExpired,
        Self::HoldLost,
        Self::SeatsGone,
        Self::PaymentDeclined,
        Self::PaymentVoided,
        Self::TicketNotPending,
        Self::DeadlineExceeded,
    ];

    /// The error's name in the state machine.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HoldExpired => "HoldExpired",
            Self::HoldLost => "HoldLost",
            Self::SeatsGone => "SeatsGone",
            Self::PaymentDeclined => "PaymentDeclined",
            Self::PaymentVoided => "PaymentVoided",
            Self::TicketNotPending => "TicketNotPending",
            Self::DeadlineExceeded => "DeadlineExceeded",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error's name that is no refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no refusal of a step")]
pub struct NotARefusal;

impl FromStr for Refusal {
    type Err = NotARefusal;
    fn from_str(name: &str) -> Result<Self, NotARefusal> {
        Self::ALL.into_iter().find(|refusal| refusal.name() == name).ok_or(NotARefusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_it_is_spelled() {
        for refusal in Refusal::ALL {
            assert_eq!(refusal.name().parse(), Ok(refusal));
        }
        assert_eq!("Transient".parse::<Refusal>(), Err(NotARefusal));
    }
}
