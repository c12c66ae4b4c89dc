//! Where functions meet Lambda: the edge of every bin, so that a handler is parse, load, decide, save, answer and nothing else.
//!
//! | Module | Holds |
//! |---|---|
//! | [`address`] | where a request comes from, as budgets count it |
//! | [`auth`] | who is calling, and what they may do |
//! | [`config`] | environment variables that must be there |
//! | [`event`] | a domain event in, an effect once |
//! | [`http`] | an API Gateway request in, JSON or problem+json out |
//! | [`metrics`] | numbers for `CloudWatch`, as lines of the log |
//! | [`problem`] | every refusal the API knows: its code, status and field (RFC 9457) |
//! | [`routes`] | every route of the API |
//! | [`stream`] | the event store's stream, read |
//! | [`task`] | a saga step in, a result or an error name of the state machine's contract out |

pub mod address;
pub mod auth;
pub mod config;
pub mod event;
pub mod http;
pub mod metrics;
pub mod problem;
pub mod routes;
pub mod stream;
pub mod task;

use boxoffice_kernel::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{
    SubscriberBuilder,
    format::{Format, Json, JsonFields, Writer},
    time::FormatTime,
};

pub use event::Event;
pub use metrics::Metrics;
pub use problem::{Code, Problem};
pub use task::{SagaInput, StepFailure};

/// Starts structured logging: JSON lines on standard output, from the level that Lambda's logging configuration asks for
/// (`AWS_LAMBDA_LOG_LEVEL`; `INFO` unless it does).
pub fn init_telemetry() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    json_lines(level.unwrap_or(LevelFilter::INFO)).init();
}

fn json_lines(level: LevelFilter) -> SubscriberBuilder<JsonFields, Format<Json, Rfc3339>, LevelFilter> {
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_timer(Rfc3339).with_max_level(level)
}

/// The `timestamp` of each line. Lambda filters JSON logs by level, and takes a line without an RFC 3339 `timestamp` for INFO whatever its `level` says: at
/// a higher level it would drop our errors
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).
struct Rfc3339;

impl FormatTime for Rfc3339 {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        write!(line, "{}", Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    /// The lines written, shared with the subscriber.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_time_and_the_level_that_lambda_filters_by() {
        let (lines, before) = (Lines::default(), Timestamp::now());
        let writer = lines.clone();
        let logger = json_lines(LevelFilter::INFO).with_writer(move || writer.clone()).finish();

        tracing::subscriber::with_default(logger, || tracing::error!(function = "login", "store broken"));

        let written = lines.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&written).unwrap();
        let time: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(before.unix_millis() <= time.unix_millis() && time.unix_millis() <= Timestamp::now().unix_millis());
        assert_eq!(
            (&line["level"], &line["message"], &line["function"]),
            (&"ERROR".into(), &"store broken".into(), &"login".into())
        );
    }
}
