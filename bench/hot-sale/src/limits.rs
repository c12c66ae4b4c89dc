//! The throughput of one partition: so many units a second, and what it saved of them.

use serde::Serialize;
use std::{collections::HashMap, time::Duration};

/// The limits of one partition: "every partition in a DynamoDB table is designed to deliver a maximum capacity of 3,000 read units per second and 1,000 write
/// units per second" (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Write units a second.
    pub writes: f64,
    /// Read units a second.
    pub reads: f64,
    /// How many seconds' worth of unused units it keeps. DynamoDB keeps up to 300, and promises none of them
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html>).
    pub saved_seconds: f64,
    /// The contents of one partition.
    pub partition: Partition,
}

/// The contents of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Partition {
    /// Everything under one partition key. A sale of seconds meets no split partition.
    Key,
    /// Each item of a table by itself, as after DynamoDB has split a hot key by its sort keys. That takes it minutes of traffic.
    Item,
}

impl Default for Limits {
    fn default() -> Self {
        Self { writes: 1000.0, reads: 3000.0, saved_seconds: 0.1, partition: Partition::Key }
    }
}

/// Reading or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// Read units.
    Read,
    /// Write units.
    Write,
}

/// Every partition that has been asked.
#[derive(Debug)]
pub struct Partitions {
    limits: Limits,
    budgets: HashMap<(Way, String), Budget>,
}

#[derive(Debug)]
struct Budget {
    left: f64,
    at: Duration,
    spent: f64,
}

impl Partitions {
    /// All of them unused.
    pub fn new(limits: Limits) -> Self {
        Self { limits, budgets: HashMap::new() }
    }

    /// Takes units of a partition, unless it has none left. One that has any serves the whole request, and pays it back.
    pub fn take(&mut self, way: Way, partition: &str, units: f64, now: Duration) -> bool {
        let budget = self.budget(way, partition, now);
        if budget.left <= 0.0 {
            return false;
        }
        budget.left -= units;
        budget.spent += units;
        true
    }

    /// Whether a partition has any units left.
    pub fn serves(&mut self, way: Way, partition: &str, now: Duration) -> bool {
        self.budget(way, partition, now).left > 0.0
    }

    /// Takes units of a partition that serves a request of several parts.
    pub fn charge(&mut self, way: Way, partition: &str, units: f64, now: Duration) {
        let budget = self.budget(way, partition, now);
        budget.left -= units;
        budget.spent += units;
    }

    fn budget(&mut self, way: Way, partition: &str, now: Duration) -> &mut Budget {
        let rate = match way {
            Way::Read => self.limits.reads,
            Way::Write => self.limits.writes,
        };
        let most = rate * self.limits.saved_seconds;
        let budget = self.budgets.entry((way, partition.to_owned()));
        let budget = budget.or_insert(Budget { left: most, at: now, spent: 0.0 });
        budget.left = (budget.left + rate * now.saturating_sub(budget.at).as_secs_f64()).min(most);
        budget.at = now;
        budget
    }

    /// The partition that most units were taken of.
    pub fn hottest(&self, way: Way) -> Option<(&str, f64)> {
        let budgets = self.budgets.iter().filter(|((which, _), _)| *which == way);
        let hottest = budgets.max_by(|(_, a), (_, b)| a.spent.total_cmp(&b.spent));
        hottest.map(|((_, name), budget)| (name.as_str(), budget.spent))
    }

    /// The units taken of all partitions together.
    pub fn spent(&self, way: Way) -> f64 {
        self.budgets.iter().filter(|((which, _), _)| *which == way).map(|(_, budget)| budget.spent).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_in(seconds: u64, saved_seconds: f64, way: Way) -> u64 {
        let mut partitions = Partitions::new(Limits { saved_seconds, ..Limits::default() });
        let asks = (0..seconds * 10_000).map(|tenth| Duration::from_micros(tenth * 100));
        asks.map(|now| u64::from(partitions.take(way, "INV#1", 1.0, now))).sum()
    }

    #[test]
    fn a_partition_gives_a_thousand_write_and_three_thousand_read_units_a_second() {
        assert!((9_990..=10_110).contains(&taken_in(10, 0.1, Way::Write)), "{}", taken_in(10, 0.1, Way::Write));
        assert!((29_990..=30_310).contains(&taken_in(10, 0.1, Way::Read)), "{}", taken_in(10, 0.1, Way::Read));
    }

    #[test]
    fn savings_add_to_the_total() {
        assert!((10_990..=11_010).contains(&taken_in(10, 1.0, Way::Write)), "{}", taken_in(10, 1.0, Way::Write));
    }

    #[test]
    fn partitions_and_ways_do_not_share() {
        let mut partitions = Partitions::new(Limits::default());
        assert!(partitions.take(Way::Write, "a", 500.0, Duration::ZERO));
        assert!(!partitions.take(Way::Write, "a", 1.0, Duration::ZERO));
        assert!(partitions.take(Way::Write, "b", 1.0, Duration::ZERO));
        assert!(partitions.take(Way::Read, "a", 1.0, Duration::ZERO));
        assert_eq!(partitions.hottest(Way::Write), Some(("a", 500.0)));
        // Units taken in advance are paid back before more are given: 400 in debt.
        assert!(!partitions.take(Way::Write, "a", 1.0, Duration::from_millis(399)));
        assert!(partitions.take(Way::Write, "a", 1.0, Duration::from_millis(401)));
    }
}
