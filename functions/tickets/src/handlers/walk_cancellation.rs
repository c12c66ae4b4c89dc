//! Takes a step of the walk over a cancelled event's bookings: requests the cancellation of as many as the rate allows, and counts what became of the others.
//!
//! | | |
//! |---|---|
//! | trigger | state `Walk Cancellation` of the event cancellation |
//! | reads | the cancellation (AP-471), a page of the event's tickets (AP-59), their payments (AP-44), sagas (AP-72) and reservations (AP-28), the event's seats (AP-10) |
//! | writes | the request of each booking (AP-473), the progress after each page (AP-472) |
//! | emits | `TicketCancellationRequested`, once a booking, which starts its saga; `CancellationStarted` when it hands over |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | a booking is asked for once, a page counts once, and only the execution that has the run walks |

use crate::walk::{Progress, Run, Walk};
use boxoffice_kernel::{InventoryId, Trace};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// The input from the state machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    inventory_id: InventoryId,
    run: u32,
    execution_arn: String,
    trace: Trace,
}

/// The next move of the state machine.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Waits, and takes another step.
    Walking,
    /// Ends: every booking is at rest.
    Done,
    /// Ends: the next execution goes on.
    HandedOver,
    /// Ends: another execution has the walk.
    Overtaken,
}

/// The output to the state machine.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stepped {
    outcome: Outcome,
    pause_seconds: u32,
}

/// Succeeds with what to do next.
///
/// # Errors
/// See the table above.
pub async fn run(walk: &Walk, step: Step) -> Result<Stepped, StepFailure> {
    let Step { inventory_id, run, execution_arn: execution, trace } = step;
    let progress = walk.step(&Run { inventory_id, run, execution }, &trace).await?;
    let (outcome, pause_seconds) = match progress {
        Progress::Walking(seconds) => (Outcome::Walking, seconds),
        Progress::Done => (Outcome::Done, 0),
        Progress::HandedOver => (Outcome::HandedOver, 0),
        Progress::Overtaken => (Outcome::Overtaken, 0),
    };
    let correlation_id = &trace.correlation_id;
    tracing::info!(%inventory_id, run, ?outcome, %correlation_id, "cancellation walked");
    Ok(Stepped { outcome, pause_seconds })
}
