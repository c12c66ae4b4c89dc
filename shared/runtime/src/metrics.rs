//! Numbers for `CloudWatch`, as lines of the log.
//!
//! The embedded metric format: `CloudWatch` Logs makes metrics of such a line by itself, so a function that counts something needs neither a
//! call nor a permission
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! Elsewhere the line is a line.

use crate::config::{self, ConfigError};
use boxoffice_kernel::Timestamp;
use serde_json::{Map, Value, json};
use std::{io::Write as _, time::Duration};

/// The namespace of everything that is counted here.
pub const NAMESPACE: &str = "BoxOffice";

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// A number, with the name of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The metric, in `PascalCase`.
    pub name: &'static str,
    /// The unit.
    pub unit: Unit,
    /// How much of it.
    pub value: u64,
}

impl Metric {
    /// So many of these.
    pub fn count(name: &'static str, value: usize) -> Self {
        Self { name, unit: Unit::Count, value: u64::try_from(value).unwrap_or(u64::MAX) }
    }

    /// So long.
    pub fn time(name: &'static str, value: Duration) -> Self {
        Self { name, unit: Unit::Milliseconds, value: u64::try_from(value.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// The properties of a metrics line, besides its dimensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// Each number is kept in all, and by this too: a name in `PascalCase`, with one of a few values. Every value is a metric of its own, with its price.
    pub by: Option<(&'static str, &'a str)>,
    /// A property for searching log lines; no dimension.
    pub found_by: Option<(&'static str, &'a str)>,
}

/// The dimensions of every metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    environment: String,
    stack: String,
}

impl Metrics {
    /// Those of this stack.
    pub fn new(environment: impl Into<String>, stack: impl Into<String>) -> Self {
        Self { environment: environment.into(), stack: stack.into() }
    }

    /// Those of the stack that the environment names.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::new(config::required("ENVIRONMENT")?, config::required("STACK_NAME")?))
    }

    /// Writes these numbers to the log, all in one line.
    pub fn write(&self, metrics: &[Metric]) {
        self.write_about(metrics, About::default());
    }

    /// The same with what they are about. A line that cannot be written is no reason to fail.
    pub fn write_about(&self, metrics: &[Metric], about: About<'_>) {
        _ = writeln!(std::io::stdout(), "{}", self.line(metrics, about, Timestamp::now()));
    }

    fn line(&self, metrics: &[Metric], about: About<'_>, now: Timestamp) -> Value {
        let definitions: Vec<Value> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.name() })).collect();
        let mut dimensions = vec![json!(["Environment", "Stack"])];
        let mut line: Map<_, _> = metrics.iter().map(|metric| (metric.name.to_owned(), json!(metric.value))).collect();
        line.insert("Environment".into(), json!(self.environment));
        line.insert("Stack".into(), json!(self.stack));
        for (name, value) in about.by.into_iter().chain(about.found_by) {
            line.insert(name.into(), json!(value));
        }
        if let Some((name, _)) = about.by {
            dimensions.push(json!(["Environment", "Stack", name]));
        }
        line.insert(
            "_aws".into(),
            json!({
                "Timestamp": now.unix_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": dimensions,
                    "Metrics": definitions,
                }],
            }),
        );
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_each_number_is_and_whose() {
        let now = "2030-06-01T20:00:00.5Z".parse().unwrap();
        let took = Metric { name: "RunTime", unit: Unit::Milliseconds, value: 1500 };
        let line =
            Metrics::new("prod", "boxoffice").line(&[Metric::count("Violations", 2), took], About::default(), now);
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_906_574_400_500_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "BoxOffice",
                        "Dimensions": [["Environment", "Stack"]],
                        "Metrics": [
                            { "Name": "Violations", "Unit": "Count" },
                            { "Name": "RunTime", "Unit": "Milliseconds" },
                        ],
                    }],
                },
                "Environment": "prod", "Stack": "boxoffice", "Violations": 2, "RunTime": 1500,
            })
        );
    }

    #[test]
    fn a_line_that_counts_by_something_counts_in_all_too() {
        let now = "2030-06-01T20:00:00.5Z".parse().unwrap();
        let about = About { by: Some(("Cause", "HOLD_EXPIRED")), found_by: Some(("correlation_id", "c-1")) };
        let line = Metrics::new("prod", "boxoffice").line(&[Metric::count("BookingsCompensated", 1)], about, now);
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["Environment", "Stack"], ["Environment", "Stack", "Cause"]])
        );
        assert_eq!((&line["Cause"], &line["correlation_id"]), (&json!("HOLD_EXPIRED"), &json!("c-1")));
    }
}
