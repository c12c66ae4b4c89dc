//! How often somebody may guess a password. No I/O.
//!
//! Every attempt is charged before it is checked, and given back when it was right, so that a hundred guesses sent at once count as a hundred. Two
//! accounts are kept:
//!
//! - of the **account** that is tried: some tries are free, then each costs a delay that doubles, then the account is locked for a while. An account that
//!   does not exist is charged like one that does.
//! - of the **address** that tries, over all accounts: so many failures in a while, then none.

use boxoffice_kernel::Timestamp;
use std::net::IpAddr;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one account that cost no delay.
    pub free: u32,
    /// Failures of one account that lock it.
    pub lockout: u32,
    /// For how many seconds; also how long failures are remembered.
    pub lockout_seconds: u32,
    /// Failures from one address in that time.
    pub address: u32,
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

/// Failed tries of one account, those under way among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many.
    pub count: u32,
    /// When the next may be made, in milliseconds since 1970.
    pub not_before: i64,
    /// When these are forgotten, in Unix seconds.
    pub expires_at: u64,
}

impl Tries {
    /// These tries and one more.
    ///
    /// # Errors
    /// When it is too early for one.
    pub fn charge(before: Option<Self>, limits: &Limits, now: Timestamp) -> Result<Self, Wait> {
        let before = before.filter(|tries| tries.expires_at > now.unix_seconds());
        if let Some(tries) = before.filter(|tries| tries.not_before > now.unix_millis()) {
            return Err(Wait::until(tries.not_before, now));
        }
        let count = before.map_or(0, |tries| tries.count).saturating_add(1);
        let not_before = now.plus_seconds(limits.delay_after(count));
        let expires_at = not_before.plus_seconds(limits.lockout_seconds).unix_seconds();
        Ok(Self { count, not_before: not_before.unix_millis(), expires_at })
    }
}

impl Limits {
    /// How many seconds to wait after so many failures.
    fn delay_after(&self, failures: u32) -> u32 {
        if failures >= self.lockout {
            return self.lockout_seconds;
        }
        match failures.checked_sub(self.free) {
            None => 0,
            Some(beyond) => 2_u32.checked_pow(beyond).unwrap_or(u32::MAX).min(self.lockout_seconds),
        }
    }
}

/// What an address is counted as: itself, or of IPv6 the /64 it is in, which is what one subscriber has.
pub fn address_of(source_ip: &str) -> String {
    match source_ip.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { free: 5, lockout: 10, lockout_seconds: 900, address: 100 };

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn five_tries_are_free_then_delays_double_then_the_account_is_locked() {
        let delays: Vec<u32> = (1..=12).map(|failures| LIMITS.delay_after(failures)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 900, 900, 900]);
    }

    #[test]
    fn whoever_is_too_early_is_told_how_long_to_wait() {
        let mut tries = None;
        for _ in 0..5 {
            tries = Some(Tries::charge(tries, &LIMITS, now()).unwrap());
        }
        assert_eq!(Tries::charge(tries, &LIMITS, now()), Err(Wait { seconds: 1 }));
        let later = now().plus_seconds(1);
        assert_eq!(Tries::charge(tries, &LIMITS, later).unwrap().count, 6);
    }

    #[test]
    fn failures_are_forgotten_after_a_while_of_quiet() {
        let old = Tries { count: 9, not_before: 0, expires_at: now().unix_seconds() };
        assert_eq!(Tries::charge(Some(old), &LIMITS, now()).unwrap().count, 1);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_address() {
        assert_eq!(address_of("2001:db8:1:2:3:4:5:6"), address_of("2001:db8:1:2::1"));
        assert_ne!(address_of("2001:db8:1:2::1"), address_of("2001:db8:1:3::1"));
        assert_eq!(address_of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(address_of("192.0.2.1"), "192.0.2.1");
        assert_eq!(address_of("nonsense\n"), "unknown");
    }

    proptest! {
        /// However the guesses are spaced, an account takes no more of them than the free ones, the delayed ones, and one for each lockout.
        #[test]
        fn guesses_are_bounded_by_time(gaps in prop::collection::vec(0..400_u32, 1..200)) {
            let (mut tries, mut clock, mut made) = (None, now(), 0_u32);
            let mut spent = 0;
            for gap in gaps {
                (clock, spent) = (clock.plus_seconds(gap), spent + gap);
                if let Ok(next) = Tries::charge(tries, &LIMITS, clock) {
                    (tries, made) = (Some(next), made + 1);
                }
            }
            prop_assert!(made <= LIMITS.lockout * (spent / LIMITS.lockout_seconds + 1), "{made} in {spent} s");
        }
    }
}
