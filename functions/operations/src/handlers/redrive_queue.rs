//! Sends on what waits in a dead-letter queue.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/queues/{queue}/redrive?limit=` |
//! | reads | the queue, events (AP-151, AP-153), sagas (AP-72) |
//! | writes | the bus, or what `project-events` writes; the act (AP-150); the queue |
//! | emits | `DeadLettersRedriven`; of stuck bookings `SagaRedriveRequested` |
//! | safe to repeat | a message is deleted last, and consumers handle an event once |

use super::answer::operator;
use crate::{
    Redriver,
    domain::Queue,
    redriver::{Order, Redriven},
};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use std::time::{Duration, Instant};

/// After how long nothing more of the event store is read: the gateway waits for 29 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends on what waits in a dead-letter queue, some of it.
///
/// `left` says about how many messages were not looked at; call again until there are none. A message that cannot be sent on stays in the queue, and is
/// answered with the reason.
///
/// # Errors
/// When there is no such queue, or something does not answer.
#[utoipa::path(
    post,
    path = "/operations/queues/{queue}/redrive",
    operation_id = "redrive-queue",
    tag = "operations",
    params(
        ("queue" = inline(Queue), Path, description = "The queue"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 100, description = "How many messages to look at, at most; 20 unless given")
    ),
    responses(
        (
            status = 200,
            description = "How many messages were sent on, and why the others stay",
            body = inline(Redriven),
            example = json!({ "queue": "saga-start-dead-letters", "moved": 3, "failed": [], "left": 0 })
        ),
        (status = 404, description = "`QUEUE_NOT_FOUND`: no such queue")
    )
)]
pub async fn handle(redriver: &Redriver, request: Request) -> Result<Answer, Problem> {
    let queue: Queue = http::path(&request, "queue", Code::QueueNotFound)?;
    let most = http::query(&request, "limit", Code::ValidationError)?.unwrap_or_default();
    let (requested_by, trace) = (operator(&request)?, http::trace(&request));
    let order = Order { requested_by, trace, most, until: Some(Instant::now() + PATIENCE) };
    Answer::ok(&redriver.redrive(queue, &order).await?)
}
