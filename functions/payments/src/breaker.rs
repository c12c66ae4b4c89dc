//! When to stop calling a provider that does not answer. No I/O.
//!
//! The reference's settings are the defaults: of the last 10 calls 50 % failed → open for 10 s → 3 trial calls decide. One item, shared
//! by every instance of every function, holds the state; it is written only when the outcome of a call changes it, so that a healthy
//! provider costs one read a call and no write.

use boxoffice_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// When to open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many of the last calls are looked at.
    pub window: usize,
    /// At how many failures in a hundred it opens.
    pub failure_percent: usize,
    /// Seconds it stays open.
    pub open_seconds: u32,
    /// How many calls then try whether it is over.
    pub trials: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { window: 10, failure_percent: 50, open_seconds: 10, trials: 3 }
    }
}

/// The state of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Breaker {
    /// Calls go through.
    Closed {
        /// The outcomes of the last calls, the newest last; calls before the first known are taken to have succeeded.
        failures: Vec<bool>,
    },
    /// No call goes through before then.
    Open {
        /// When the trials begin.
        until: Timestamp,
    },
    /// A few calls go through and decide.
    HalfOpen {
        /// How many have been let through.
        admitted: u32,
        /// How many of them have succeeded.
        succeeded: u32,
        /// When these trials are given up for lost and new ones begin.
        until: Timestamp,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: Vec::new() }
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Yes,
    /// Yes, once the breaker has been written as this.
    After(Breaker),
    /// No.
    No,
}

impl Breaker {
    /// Whether a call may be made now.
    pub fn admit(&self, now: Timestamp, settings: Settings) -> Admission {
        let trials_until = now.plus_seconds(settings.open_seconds);
        match *self {
            Self::Closed { .. } => Admission::Yes,
            Self::HalfOpen { admitted, succeeded, until } if admitted < settings.trials => {
                Admission::After(Self::HalfOpen { admitted: admitted + 1, succeeded, until })
            }
            Self::Open { until } | Self::HalfOpen { until, .. } if until <= now => {
                Admission::After(Self::HalfOpen { admitted: 1, succeeded: 0, until: trials_until })
            }
            Self::Open { .. } | Self::HalfOpen { .. } => Admission::No,
        }
    }

    /// The breaker after a call that the provider answered, or did not; `None` when that changes nothing.
    pub fn after_call(&self, answered: bool, now: Timestamp, settings: Settings) -> Option<Self> {
        let open = || Self::Open { until: now.plus_seconds(settings.open_seconds) };
        match self {
            Self::Closed { failures } if answered && !failures.contains(&true) => None,
            Self::Closed { failures } => {
                let mut failures = failures.clone();
                failures.push(!answered);
                let excess = failures.len().saturating_sub(settings.window);
                failures.drain(..excess);
                let failed = failures.iter().filter(|failed| **failed).count();
                let trips = failed * 100 >= settings.failure_percent * settings.window;
                Some(if trips { open() } else { Self::Closed { failures } })
            }
            Self::HalfOpen { .. } if !answered => Some(open()),
            Self::HalfOpen { succeeded, .. } if succeeded + 1 >= settings.trials => Some(Self::default()),
            Self::HalfOpen { admitted, succeeded, until } => {
                Some(Self::HalfOpen { admitted: *admitted, succeeded: succeeded + 1, until: *until })
            }
            // A call that began before it opened tells nothing new.
            Self::Open { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: Settings = Settings { window: 10, failure_percent: 50, open_seconds: 10, trials: 3 };

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn after(breaker: &Breaker, calls: &[bool]) -> Breaker {
        calls.iter().fold(breaker.clone(), |breaker, answered| {
            breaker.after_call(*answered, now(), SETTINGS).unwrap_or(breaker)
        })
    }

    #[test]
    fn it_opens_at_half_of_the_last_ten() {
        let four = after(&Breaker::default(), &[false; 4]);
        assert_eq!(four.admit(now(), SETTINGS), Admission::Yes);
        assert_eq!(after(&four, &[false]).admit(now(), SETTINGS), Admission::No);
    }

    #[test]
    fn failures_are_forgotten_as_calls_succeed() {
        let recovered =
            after(&Breaker::default(), &[false, false, false, false, true, true, true, true, true, true, true]);
        assert_eq!(after(&recovered, &[false]).admit(now(), SETTINGS), Admission::Yes);
    }

    #[test]
    fn a_healthy_provider_costs_no_write() {
        assert_eq!(Breaker::default().after_call(true, now(), SETTINGS), None);
    }

    #[test]
    fn after_its_time_three_calls_decide() {
        let open = after(&Breaker::default(), &[false; 5]);
        let later = now().plus_seconds(10);
        let mut breaker = open;
        for _ in 0..3 {
            let Admission::After(next) = breaker.admit(later, SETTINGS) else { panic!("a trial was refused") };
            breaker = next;
        }
        assert_eq!(breaker.admit(later, SETTINGS), Admission::No);
        assert_eq!(after(&breaker, &[true, true, true]), Breaker::default());
        assert!(matches!(after(&breaker, &[true, false]), Breaker::Open { .. }));
    }

    #[test]
    fn trials_that_never_report_do_not_keep_it_shut() {
        let stuck = Breaker::HalfOpen { admitted: 3, succeeded: 0, until: now() };
        assert!(matches!(stuck.admit(now(), SETTINGS), Admission::After(Breaker::HalfOpen { admitted: 1, .. })));
    }

    proptest! {
        #[test]
        fn a_provider_that_always_answers_is_always_called(before in prop::collection::vec(any::<bool>(), 0..30)) {
            let breaker = after(&Breaker::default(), &before);
            let later = now().plus_seconds(SETTINGS.open_seconds);
            let mut breaker = breaker;
            for _ in 0..SETTINGS.trials {
                if let Admission::After(next) = breaker.admit(later, SETTINGS) {
                    breaker = next;
                }
                breaker = breaker.after_call(true, later, SETTINGS).unwrap_or(breaker);
            }
            prop_assert_eq!(breaker.admit(later, SETTINGS), Admission::Yes);
        }
    }
}
