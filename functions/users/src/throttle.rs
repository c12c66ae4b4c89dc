//! How often somebody may guess a password. No I/O.
//!
//! Every attempt is charged before it is checked, and given back when it was right, so that a hundred guesses sent at once count as a hundred. Three
//! accounts are kept:
//!
//! - of the **source** for the account it tries: a known device, a session, or the address of a stranger. Some tries are free, then each costs a delay that
//!   doubles, then this source is locked out of this account for a while. No other source is.
//! - of the **account**, over all strangers: after so many failures a stranger's first try has to wait, for as long as [`Limits::account_delay_seconds`] and
//!   no longer. The wait is the newcomer's own: nobody else's tries prolong it. Devices and sessions that the account knows do not wait.
//! - of the **address** that tries, over all accounts: so many failures in a while, then none. Known devices and sessions are not counted by address.
//!
//! An account that does not exist is charged like one that does.
//!
//! So a stranger with any number of tries from any number of addresses keeps the owner waiting for [`Limits::account_delay_seconds`] at most, and with a
//! known device not at all. The price is that guesses at one account are bounded for each address and not in all: `docs/adr/0032-lock-out.md`.

use boxoffice_kernel::Timestamp;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one source at one account that cost no delay.
    pub free: u32,
    /// Failures that lock a source out of an account; as many of all strangers together make the account guarded.
    pub lockout: u32,
    /// For how many seconds; also how long failures are remembered.
    pub lockout_seconds: u32,
    /// Failures from one address in that time, over all accounts.
    pub address: u32,
    /// How many seconds a stranger waits before the first try at a guarded account, and between tries.
    pub account_delay_seconds: u32,
}

/// How long to wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts; wait {seconds} s")]
pub struct Wait {
    /// In seconds, at least 1.
    pub seconds: u64,
}

impl Wait {
    /// Until this instant, in milliseconds since 1970.
    pub fn until(millis: i64, now: Timestamp) -> Self {
        let left = u64::try_from(millis.saturating_sub(now.unix_millis())).unwrap_or(0);
        Self { seconds: left.div_ceil(1000).max(1) }
    }
}

/// Failed tries of one source at one account, those under way among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many; none of a newcomer who waits for the first.
    pub count: u32,
    /// When the next may be made, in milliseconds since 1970.
    pub not_before: i64,
    /// When these are forgotten, in Unix seconds.
    pub expires_at: u64,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// It is made, and counted.
    Counted(Tries),
    /// It is too early. Holds the record to keep, where the newcomer's wait begins with this attempt.
    Early(Wait, Option<Tries>),
}

impl Tries {
    /// These tries and one more, at an account whose failures make strangers wait for so many seconds.
    pub fn charge(before: Option<Self>, delay: u32, limits: &Limits, now: Timestamp) -> Charge {
        let before = before.filter(|tries| tries.expires_at > now.unix_seconds());
        match before {
            None if delay > 0 => {
                let tries = Self::until(0, now.plus_seconds(delay), limits);
                Charge::Early(Wait::until(tries.not_before, now), Some(tries))
            }
            Some(tries) if tries.not_before > now.unix_millis() => {
                Charge::Early(Wait::until(tries.not_before, now), None)
            }
            before => {
                let count = before.map_or(0, |tries| tries.count).saturating_add(1);
                let not_before = now.plus_seconds(limits.delay_after(count).max(delay));
                Charge::Counted(Self::until(count, not_before, limits))
            }
        }
    }

    fn until(count: u32, not_before: Timestamp, limits: &Limits) -> Self {
        let expires_at = not_before.plus_seconds(limits.lockout_seconds).unix_seconds();
        Self { count, not_before: not_before.unix_millis(), expires_at }
    }
}

impl Limits {
    /// How many seconds a source waits after so many failures of its own.
    fn delay_after(&self, failures: u32) -> u32 {
        if failures >= self.lockout {
            return self.lockout_seconds;
        }
        match failures.checked_sub(self.free) {
            None => 0,
            Some(beyond) => 2_u32.checked_pow(beyond).unwrap_or(u32::MAX).min(self.lockout_seconds),
        }
    }

    /// How many seconds a stranger waits at an account of which so many tries of strangers failed.
    pub fn delay_for_strangers(&self, failures: u32) -> u32 {
        if failures >= self.lockout { self.account_delay_seconds } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const LIMITS: Limits =
        Limits { free: 5, lockout: 10, lockout_seconds: 900, address: 100, account_delay_seconds: 30 };

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn counted(charge: Charge) -> Tries {
        match charge {
            Charge::Counted(tries) => tries,
            Charge::Early(..) => panic!("not counted: {charge:?}"),
        }
    }

    #[test]
    fn five_tries_are_free_then_delays_double_then_the_source_is_locked_out() {
        let delays: Vec<u32> = (1..=12).map(|failures| LIMITS.delay_after(failures)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 900, 900, 900]);
    }

    #[test]
    fn an_attempt_that_is_too_early_is_told_how_long_to_wait() {
        let mut tries = None;
        for _ in 0..5 {
            tries = Some(counted(Tries::charge(tries, 0, &LIMITS, now())));
        }
        assert_eq!(Tries::charge(tries, 0, &LIMITS, now()), Charge::Early(Wait { seconds: 1 }, None));
        let later = now().plus_seconds(1);
        assert_eq!(counted(Tries::charge(tries, 0, &LIMITS, later)).count, 6);
    }

    #[test]
    fn a_newcomer_at_a_guarded_account_waits_once_and_then_has_a_try() {
        let Charge::Early(Wait { seconds: 30 }, Some(place)) = Tries::charge(None, 30, &LIMITS, now()) else {
            panic!("no wait of 30 s")
        };
        assert_eq!(Tries::charge(Some(place), 30, &LIMITS, now()), Charge::Early(Wait { seconds: 30 }, None));
        assert_eq!(counted(Tries::charge(Some(place), 30, &LIMITS, now().plus_seconds(30))).count, 1);
    }

    #[test]
    fn failures_are_forgotten_after_a_while_of_quiet() {
        let old = Tries { count: 9, not_before: 0, expires_at: now().unix_seconds() };
        assert_eq!(counted(Tries::charge(Some(old), 0, &LIMITS, now())).count, 1);
    }

    /// One account's door: failures of strangers in all, and of each source. Nothing of it is ever forgotten but by the clock.
    #[derive(Default)]
    struct Door {
        strangers: u32,
        sources: HashMap<u32, Tries>,
    }

    impl Door {
        /// An attempt at this moment: whether the password was looked at, or how long to wait.
        fn knock(&mut self, source: u32, known: bool, now: Timestamp) -> Result<(), Wait> {
            let delay = if known { 0 } else { LIMITS.delay_for_strangers(self.strangers) };
            match Tries::charge(self.sources.get(&source).copied(), delay, &LIMITS, now) {
                Charge::Counted(tries) => {
                    self.sources.insert(source, tries);
                    self.strangers += u32::from(!known);
                    Ok(())
                }
                Charge::Early(wait, place) => {
                    self.sources.extend(place.map(|place| (source, place)));
                    Err(wait)
                }
            }
        }
    }

    /// The control: one lock for all, as it was before. Every source shares the account's tries.
    fn one_lock_for_all(door: &mut Door, now: Timestamp) -> Result<(), Wait> {
        match Tries::charge(door.sources.get(&0).copied(), 0, &LIMITS, now) {
            Charge::Counted(tries) => {
                door.sources.insert(0, tries);
                Ok(())
            }
            Charge::Early(wait, _) => Err(wait),
        }
    }

    const OWNER: u32 = 0;
    const DEVICE: u32 = 1;

    #[test]
    fn the_control_of_one_lock_for_all_keeps_the_owner_out_for_ever_with_a_try_a_quarter_of_an_hour() {
        let (mut door, mut clock) = (Door::default(), now());
        for _ in 0..10 {
            while one_lock_for_all(&mut door, clock).is_err() {
                clock = clock.plus_seconds(1);
            }
        }
        for _ in 0..96 {
            clock = clock.plus_seconds(LIMITS.lockout_seconds);
            one_lock_for_all(&mut door, clock).unwrap();
            let owner = one_lock_for_all(&mut door, clock.plus_seconds(1));
            assert_eq!(owner, Err(Wait { seconds: 899 }), "a day of lock-out for four tries an hour");
        }
    }

    proptest! {
        /// However many strangers guess, from wherever and whenever: an owner at an address of their own gets a try within the documented time, and
        /// with a known device at once.
        #[test]
        fn no_number_of_tries_keeps_an_owner_out_longer_than_documented(
            guesses in prop::collection::vec((2..40_u32, 0..60_u32), 0..400),
            arrival in 0..2_000_u32,
        ) {
            let (mut door, start) = (Door::default(), now());
            let mut spent = 0;
            let mut due = None;
            let mut admitted = None;
            for (stranger, gap) in guesses.into_iter().chain([(2, 4_000)]) {
                let until = spent + gap;
                // The owner comes, is told how long to wait, and comes again then, whatever strangers did meanwhile.
                for second in spent..=until {
                    let clock = start.plus_seconds(second);
                    if second == arrival {
                        prop_assert_eq!(door.knock(DEVICE, true, clock), Ok(()));
                    }
                    if admitted.is_none() && second == due.unwrap_or(arrival) {
                        match door.knock(OWNER, false, clock) {
                            Ok(()) => admitted = Some(second - arrival),
                            Err(wait) => due = Some(second + u32::try_from(wait.seconds).unwrap()),
                        }
                    }
                }
                spent = until;
                let _ = door.knock(stranger, false, start.plus_seconds(spent));
            }
            let waited = admitted.expect("the owner never got a try");
            prop_assert!(waited <= LIMITS.account_delay_seconds, "the owner waited {waited} s");
        }

        /// However the guesses are spaced, a source has no more of them than the free ones, the delayed ones, and one for each lock-out.
        #[test]
        fn guesses_are_bounded_by_time(gaps in prop::collection::vec(0..400_u32, 1..200), guarded: bool) {
            let (mut tries, mut clock, mut made) = (None, now(), 0_u32);
            let mut spent = 0;
            let delay = if guarded { LIMITS.account_delay_seconds } else { 0 };
            for gap in gaps {
                (clock, spent) = (clock.plus_seconds(gap), spent + gap);
                match Tries::charge(tries, delay, &LIMITS, clock) {
                    Charge::Counted(next) => (tries, made) = (Some(next), made + 1),
                    Charge::Early(_, place) => tries = place.or(tries),
                }
            }
            prop_assert!(made <= LIMITS.lockout * (spent / LIMITS.lockout_seconds + 1), "{made} in {spent} s");
        }
    }
}
