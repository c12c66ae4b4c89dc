//! Numbers for `CloudWatch`, as lines of the log.
//!
//! The embedded metric format: `CloudWatch` Logs makes metrics of such a line by itself, so a function that counts something needs neither a
//! call nor a permission
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! Elsewhere the line is a line.

use crate::config::{self, ConfigError};
use boxoffice_kernel::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of everything that is counted here.
pub const NAMESPACE: &str = "BoxOffice";

/// What a number counts.
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
    /// What it counts.
    pub unit: Unit,
    /// How much of it.
    pub value: u64,
}

impl Metric {
    /// So many of these.
    pub fn count(name: &'static str, value: usize) -> Self {
        Self { name, unit: Unit::Count, value: u64::try_from(value).unwrap_or(u64::MAX) }
    }
}

/// Whose numbers they are: the dimensions of every metric.
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
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::new(config::required("ENVIRONMENT")?, config::required("STACK_NAME")?))
    }

    /// Writes these numbers to the log, all in one line.
    pub fn write(&self, metrics: &[Metric]) {
        println!("{}", self.line(metrics, Timestamp::now()));
    }

    fn line(&self, metrics: &[Metric], now: Timestamp) -> Value {
        let definitions: Vec<Value> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.name() })).collect();
        let mut line: Map<_, _> = metrics.iter().map(|metric| (metric.name.to_owned(), json!(metric.value))).collect();
        line.insert("Environment".into(), json!(self.environment));
        line.insert("Stack".into(), json!(self.stack));
        line.insert(
            "_aws".into(),
            json!({
                "Timestamp": now.unix_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Environment", "Stack"]],
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
        let line = Metrics::new("prod", "boxoffice").line(&[Metric::count("Violations", 2), took], now);
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
}
