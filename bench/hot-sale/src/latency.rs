//! How long DynamoDB takes: an assumption, since nothing here has been run on AWS. A report shows what half and twice of it do.

use serde::Serialize;
use std::time::Duration;

/// A distribution of times, log-normal: most are near the median, and some are far above it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of all are below, in milliseconds.
    pub p50: f64,
    /// The 99th percentile, in milliseconds.
    pub p99: f64,
}

/// How many standard deviations above its mean a normal variable's 99th percentile is.
const P99: f64 = 2.326_347_874;

impl Latency {
    /// The same distribution, so many times as long.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { p50: self.p50 * factor, p99: self.p99 * factor }
    }

    /// One of them.
    pub fn draw(self, random: &mut fastrand::Rng) -> Duration {
        let spread = (self.p99 / self.p50).ln() / P99;
        Duration::from_secs_f64(self.p50 / 1000.0 * (spread * normal(random)).exp())
    }
}

/// A standard normal variable, by Box and Muller.
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// Times between two events of a Poisson process of so many a second.
pub fn gap(per_second: f64, random: &mut fastrand::Rng) -> Duration {
    Duration::from_secs_f64(-(1.0 - random.f64()).ln() / per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_are_below_the_median_and_one_in_a_hundred_above_the_99th_percentile() {
        let mut random = fastrand::Rng::with_seed(7);
        let latency = Latency { p50: 8.0, p99: 25.0 };
        let drawn: Vec<_> = (0..100_000).map(|_| latency.draw(&mut random).as_secs_f64() * 1000.0).collect();
        let above = |limit: f64| drawn.iter().filter(|time| **time > limit).count();
        assert!((49_000..51_000).contains(&above(8.0)), "{}", above(8.0));
        assert!((900..1_100).contains(&above(25.0)), "{}", above(25.0));
    }

    #[test]
    fn gaps_add_up_to_the_rate() {
        let mut random = fastrand::Rng::with_seed(7);
        let seconds: f64 = (0..100_000).map(|_| gap(1000.0, &mut random).as_secs_f64()).sum();
        assert!((98.0..102.0).contains(&seconds), "{seconds}");
    }
}
