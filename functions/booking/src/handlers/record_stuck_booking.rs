//! Records that a booking cannot be undone by itself. What it writes is its journal entry; the state machine's next state sends the message.
//!
//! | | |
//! |---|---|
//! | trigger | state `Record Stuck Booking` of the booking saga |
//! | writes | its entry in the journal (AP-02), which makes the saga's status `NEEDS_ATTENTION` |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: it takes nothing |
//! | safe to repeat | the entry says the same again |

use boxoffice_kernel::TicketId;
use boxoffice_runtime::{SagaInput, StepFailure, task};
use serde::Deserialize;

/// What this step needs to know of a booking.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckBooking {
    ticket_id: TicketId,
}

impl task::Booking for StuckBooking {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }
}

/// Succeeds always; the log line is for the alarm.
///
/// # Errors
/// None of its own.
pub fn run(input: &SagaInput<StuckBooking>) -> Result<(), StepFailure> {
    let failure = input.failure.as_ref();
    tracing::error!(
        ticket_id = %input.booking.ticket_id,
        correlation_id = %input.trace.correlation_id,
        step = failure.map(|failure| failure.step.as_str()),
        error = failure.map(|failure| failure.error.as_str()),
        cause = failure.map(|failure| failure.cause.as_str()),
        "booking needs attention"
    );
    Ok(())
}
