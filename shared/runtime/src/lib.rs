//! Where functions meet Lambda: the edge of every bin, so that a handler is parse, load, decide, save, answer and nothing else.
//!
//! | Module | Holds |
//! |---|---|
//! | [`config`] | environment variables that must be there |
//! | [`http`] | an API Gateway request in, JSON or problem+json out |
//! | [`problem`] | every refusal the API knows: its code, status and field (RFC 9457) |
//! | [`task`] | a saga step in, a result or an error name of the state machine's contract out |

pub mod config;
pub mod http;
pub mod problem;
pub mod task;

pub use problem::{Code, Problem};
pub use task::{SagaInput, StepFailure};

/// Starts structured logging, as Lambda's logging configuration asks for it (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`).
pub fn init_telemetry() {
    lambda_runtime::tracing::init_default_subscriber();
}
