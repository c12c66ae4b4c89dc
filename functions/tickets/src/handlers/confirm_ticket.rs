//! Sells the seats and confirms the ticket.
//!
//! | | |
//! |---|---|
//! | trigger | state `Confirm Ticket` of the booking saga, after the payment succeeded |
//! | reads | ticket and reservation (AP-50, AP-19) |
//! | writes | ticket, reservation and shards, in one transaction (AP-55) |
//! | emits | `TicketConfirmed`, `InventorySold` |
//! | fails with | `TicketNotPending`, `HoldLost`, `Transient`, `Defect` |
//! | undo | `release-hold` for the sale, `cancel-ticket` for the ticket |
//! | safe to repeat | a confirmed ticket stays so |

use super::BookedTicket;
use crate::store::{ChangeError, Sale};
use boxoffice_runtime::{SagaInput, StepFailure};

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [&str; 2] = ["TicketNotPending", "HoldLost"];

/// Succeeds when the ticket is confirmed.
///
/// # Errors
/// See the table above.
pub async fn run(sale: &Sale, input: SagaInput<BookedTicket>) -> Result<(), StepFailure> {
    sale.confirm(input.booking.ticket_id, &input.trace).await.map_err(|error| match error {
        ChangeError::Unchanged(_) => StepFailure::Refused { name: "TicketNotPending", detail: error.to_string() },
        ChangeError::HoldLost => StepFailure::Refused { name: "HoldLost", detail: error.to_string() },
        ChangeError::NotFound => StepFailure::Defect(error.to_string()),
        ChangeError::Store(error) => error.into(),
    })
}
