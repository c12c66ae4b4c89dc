//! Where functions meet Lambda: the edge of every bin, so that a handler is parse, load, decide, save, answer and nothing else.
//!
//! | Module | Holds |
//! |---|---|
//! | [`auth`] | who is calling, and what they may do |
//! | [`config`] | environment variables that must be there |
//! | [`event`] | a domain event in, an effect once |
//! | [`http`] | an API Gateway request in, JSON or problem+json out |
//! | [`metrics`] | numbers for `CloudWatch`, as lines of the log |
//! | [`problem`] | every refusal the API knows: its code, status and field (RFC 9457) |
//! | [`routes`] | every route of the API |
//! | [`stream`] | the event store's stream, read |
//! | [`task`] | a saga step in, a result or an error name of the state machine's contract out |

pub mod auth;
pub mod config;
pub mod event;
pub mod http;
pub mod metrics;
pub mod problem;
pub mod routes;
pub mod stream;
pub mod task;

pub use event::Event;
pub use metrics::Metrics;
pub use problem::{Code, Problem};
pub use task::{SagaInput, StepFailure};

/// Starts structured logging: JSON lines on standard output, from the level that Lambda's logging configuration asks for
/// (`AWS_LAMBDA_LOG_LEVEL`; `INFO` unless it does). Lambda adds the time.
pub fn init_telemetry() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .without_time()
        .with_max_level(level.unwrap_or(tracing::level_filters::LevelFilter::INFO))
        .init();
}
