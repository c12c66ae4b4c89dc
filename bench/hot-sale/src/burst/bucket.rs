//! Token buckets: how AWS and Stripe limit rates.

use std::time::Duration;

/// A bucket that holds so many tokens at most and gains so many a second. It is full at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    size: f64,
    refill: f64,
    left: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket: how many tokens it holds, and how many it gains a second.
    pub fn new(size: f64, refill: f64) -> Self {
        Self { size, refill, left: size, at: Duration::ZERO }
    }

    /// The bucket of a quota that is stated as a rate alone: it holds one second's worth.
    pub fn of_rate(per_second: f64) -> Self {
        Self::new(per_second, per_second)
    }

    fn refill(&mut self, now: Duration) {
        let gained = self.refill * now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + gained).min(self.size);
        self.at = self.at.max(now);
    }

    /// Takes tokens, or refuses and takes none: what a service does that answers with a throttling error.
    ///
    /// A request of more tokens than the bucket holds is served by a full one, which then owes the rest.
    pub fn take(&mut self, tokens: f64, now: Duration) -> bool {
        self.refill(now);
        let served = self.left >= tokens.min(self.size);
        if served {
            self.left -= tokens;
        }
        served
    }

    /// Takes tokens ahead, and says how long to wait for them: what a service does that delays instead of refusing. First come, first served.
    pub fn wait(&mut self, tokens: f64, now: Duration) -> Duration {
        self.refill(now);
        self.left -= tokens;
        Duration::from_secs_f64((-self.left).max(0.0) / self.refill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn taken(bucket: &mut Bucket, asked: u32, now: Duration) -> u32 {
        (0..asked).map(|_| u32::from(bucket.take(1.0, now))).sum()
    }

    #[test]
    fn a_full_bucket_serves_its_size_at_once_and_then_its_refill_each_second() {
        let mut bucket = Bucket::new(800.0, 150.0);
        assert_eq!(taken(&mut bucket, 4_000, Duration::ZERO), 800);
        assert_eq!(taken(&mut bucket, 4_000, SECOND), 150);
        assert_eq!(taken(&mut bucket, 4_000, SECOND * 3), 300);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_size() {
        let mut bucket = Bucket::new(10.0, 5.0);
        assert_eq!(taken(&mut bucket, 99, SECOND * 3_600), 10);
    }

    #[test]
    fn a_refused_request_takes_nothing() {
        let mut bucket = Bucket::new(3.0, 1.0);
        assert!(bucket.take(2.0, Duration::ZERO));
        assert!(!bucket.take(2.0, Duration::ZERO));
        assert!(bucket.take(1.0, Duration::ZERO));
    }

    #[test]
    fn a_request_larger_than_the_bucket_is_served_and_paid_back() {
        let mut bucket = Bucket::of_rate(10.0);
        assert!(bucket.take(30.0, Duration::ZERO));
        assert!(!bucket.take(1.0, SECOND * 2));
        assert!(bucket.take(1.0, SECOND * 3));
    }

    #[test]
    fn delayed_requests_queue_behind_each_other() {
        let mut bucket = Bucket::new(2.0, 4.0);
        let waits: Vec<_> = (0..4).map(|_| bucket.wait(1.0, Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [0, 0, 250, 500]);
        // Half a second on, the debt of two is paid, and the next waits for its own token only.
        assert_eq!(bucket.wait(1.0, SECOND / 2).as_millis(), 250);
    }

    #[test]
    fn the_last_of_a_burst_starts_when_the_documented_arithmetic_says() {
        // 3,850 starts in a region of 800 and 150 a second: the last after 20.3 s.
        let mut bucket = Bucket::new(800.0, 150.0);
        let last = (0..3_850).map(|_| bucket.wait(1.0, Duration::ZERO)).last().unwrap();
        assert!((20.3..20.4).contains(&last.as_secs_f64()), "{last:?}");
    }
}
