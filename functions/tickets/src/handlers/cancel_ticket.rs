//! Cancels the ticket, when its money and its seats are back.
//!
//! | | |
//! |---|---|
//! | trigger | state `Cancel Ticket` of the booking saga |
//! | reads | the ticket (AP-50) |
//! | writes | the ticket (AP-53) |
//! | emits | `TicketCancelled` |
//! | fails with | `Transient`, `Defect` |
//! | is the undo of | `create-ticket`, and of the ticket's part in `confirm-ticket` |
//! | safe to repeat | a cancelled ticket stays so |

use super::BookedTicket;
use crate::{
    TicketStore,
    domain::{CancellationReason, Status, Unchanged},
    store::ChangeError,
};
use boxoffice_runtime::{SagaInput, StepFailure};

/// Succeeds when the ticket is cancelled.
///
/// # Errors
/// See the table above.
pub async fn run(store: &TicketStore, input: SagaInput<BookedTicket>) -> Result<(), StepFailure> {
    let reason = input.failure.as_ref().map_or(CancellationReason::BookingFailed, |failure| {
        CancellationReason::of_failure(&failure.error, &failure.step)
    });
    match store.cancel(input.booking.ticket_id, reason, &input.trace).await {
        Ok(_) | Err(ChangeError::Unchanged(Unchanged::Already(Status::Cancelled))) => Ok(()),
        Err(ChangeError::Store(error)) => Err(error.into()),
        Err(error) => Err(StepFailure::Defect(error.to_string())),
    }
}
