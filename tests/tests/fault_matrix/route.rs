//! Ways through the machine.

use crate::plan::{Fault, Kind, Plan};
use boxoffice_e2e::Card;
use std::{collections::BTreeMap, fmt};

/// When the buyer is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    AtOnce,
    Later,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::AtOnce, Self::Later];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "charged at once",
            Self::Later => "pays later",
        })
    }
}

/// Where a booking ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Completed,
    Compensated,
    NeedsAttention,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "confirmed",
            Self::Compensated => "undone",
            Self::NeedsAttention => "operator",
        })
    }
}

/// A way through the machine: what the buyer does, and what it takes to be sent that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Paid and confirmed.
    Paid(Mode),
    /// Ordered with its charge, and the saga starts when nothing is charged any more.
    TooLate,
    /// The buyer never pays.
    NeverPaid,
    /// The buyer pays, and the saga does not hear of it before the hold ends.
    PaidUnheard,
    /// Paid, and then turned back.
    TurnedBack(Mode),
    /// Turned back, and the way back is barred.
    Stuck(Mode),
}

/// A route and the states on it, each with how often it writes.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) route: Route,
    pub(crate) states: BTreeMap<String, usize>,
}

impl Route {
    /// The simplest first: a state is tried on the first that meets it.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for mode in Mode::ALL {
            all.push(Self::Paid(mode));
            match mode {
                Mode::AtOnce => all.push(Self::TooLate),
                Mode::Later => all.extend([Self::NeverPaid, Self::PaidUnheard]),
            }
            all.extend([Self::TurnedBack(mode), Self::Stuck(mode)]);
        }
        all
    }

    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::Paid(mode) | Self::TurnedBack(mode) | Self::Stuck(mode) => mode,
            Self::TooLate => Mode::AtOnce,
            Self::NeverPaid | Self::PaidUnheard => Mode::Later,
        }
    }

    /// The card that the buyer pays with when there is something to pay.
    pub(crate) fn card(self) -> Option<Card> {
        (self != Self::NeverPaid).then_some(Card::Good)
    }

    /// The circumstance that sends a booking this way.
    pub(crate) fn plan(self) -> Plan {
        let refused = || ("Confirm Ticket".to_owned(), vec![Fault::refusal("TicketNotPending")]);
        let barred = || ("Reverse Payment".to_owned(), vec![Fault::refusal("Unthought")]);
        match self {
            Self::Paid(_) | Self::NeverPaid => Plan::new(),
            Self::TooLate => Plan::from([("Verify Hold".to_owned(), vec![Fault::refusal("HoldExpired")])]),
            Self::PaidUnheard => Plan::from([("Await Payment".to_owned(), vec![Fault::once(Kind::Unheard)])]),
            Self::TurnedBack(_) => Plan::from([refused()]),
            Self::Stuck(_) => Plan::from([refused(), barred()]),
        }
    }

    /// Where it ends when nothing else goes wrong.
    pub(crate) fn end(self) -> End {
        match self {
            Self::Paid(_) | Self::PaidUnheard => End::Completed,
            Self::TooLate | Self::NeverPaid | Self::TurnedBack(_) => End::Compensated,
            Self::Stuck(_) => End::NeedsAttention,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid(mode) => write!(f, "paid, {mode}"),
            Self::TooLate => f.write_str("begun too late to be charged"),
            Self::NeverPaid => f.write_str("never paid"),
            Self::PaidUnheard => f.write_str("paid, and not heard of"),
            Self::TurnedBack(mode) => write!(f, "turned back, {mode}"),
            Self::Stuck(mode) => write!(f, "turned back and barred, {mode}"),
        }
    }
}
