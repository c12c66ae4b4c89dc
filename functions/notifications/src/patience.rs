//! How long a message waits for its next try, and when nobody tries any more. No I/O.
//!
//! A mail service that is throttled asks for minutes, and one whose daily quota is spent for up to a day: SES counts the mails of the last 24 hours. So
//! the waits double from one second to a quarter of an hour, half of each by chance, and end after a little more than a day. A message that is not
//! understood is tried for a quarter of an hour, which is time to take a wrong deployment back.

/// For how long a message is tried that a service does not take: a day, and two hours more.
pub const SECONDS: i64 = 26 * 3600;
/// How often a message is tried that is not understood.
pub const TRIES_OF_A_DEFECT: u32 = 10;
/// The longest wait.
pub const LONGEST_SECONDS: u32 = 900;

/// The tries of a message so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// How often it was received, this time included.
    pub times: u32,
    /// How long it has been in the queue.
    pub seconds: i64,
}

/// Whether it is time to give up: sooner for a defect.
pub fn is_over(tried: Tried, defect: bool) -> bool {
    tried.seconds >= SECONDS || (defect && tried.times >= TRIES_OF_A_DEFECT)
}

/// How many seconds to wait before the next try; `chance` is any number.
pub fn wait(tried: Tried, chance: u32) -> u32 {
    let longest = 1_u32.checked_shl(tried.times).unwrap_or(u32::MAX).min(LONGEST_SECONDS);
    let half = longest / 2;
    half + chance % (longest - half + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tried(times: u32, seconds: i64) -> Tried {
        Tried { times, seconds }
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let longest = |times| (0..1000).map(|chance| wait(tried(times, 0), chance)).max().unwrap();
        let shortest = |times| (0..1000).map(|chance| wait(tried(times, 0), chance)).min().unwrap();
        assert_eq!([1, 2, 5, 9, 10, 40].map(longest), [2, 4, 32, 512, 900, 900]);
        assert_eq!([1, 2, 5, 9, 10, 40].map(shortest), [1, 2, 16, 256, 450, 450]);
    }

    #[test]
    fn a_throttled_message_outlasts_a_daily_quota() {
        assert!(!is_over(tried(500, 24 * 3600), false));
        assert!(is_over(tried(1, SECONDS), false));
    }

    #[test]
    fn a_message_that_is_not_understood_is_given_up_within_the_hour() {
        assert!(!is_over(tried(TRIES_OF_A_DEFECT - 1, 600), true));
        assert!(is_over(tried(TRIES_OF_A_DEFECT, 600), true));
        let longest: u32 = (1..TRIES_OF_A_DEFECT).map(|times| wait(tried(times, 0), u32::MAX)).sum();
        assert!(longest < 3600, "{longest} s");
    }

    /// The queue's own redrive, after 1,000 receives, is for a function that cannot even say that it failed: it never comes before the end here.
    #[test]
    fn patience_ends_before_the_queue_gives_up() {
        let (mut waited, mut times) = (0, 0);
        while waited < SECONDS {
            times += 1;
            waited += i64::from(wait(tried(times, waited), 0));
        }
        assert!(times < 500, "{times} receives");
    }

    proptest! {
        #[test]
        fn a_wait_is_one_that_the_queue_takes(times: u32, chance: u32) {
            prop_assert!((1..=43_200).contains(&wait(tried(times, 0), chance)) || times == 0);
        }
    }
}
