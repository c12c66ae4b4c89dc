//! Sells the seats, confirms the ticket and issues its admissions.
//!
//! | | |
//! |---|---|
//! | trigger | state `Confirm Ticket` of the booking saga, after the payment succeeded |
//! | reads | ticket and reservation (AP-50, AP-19) |
//! | writes | serials (AP-500); ticket, reservation, shards and admissions, in one transaction (AP-55) |
//! | emits | `TicketConfirmed`, `InventorySold`, `AdmissionsIssued` |
//! | fails with | `TicketNotPending`, `HoldLost`, `Transient`, `Defect` |
//! | undo | `revoke-admissions` for the admissions, `release-hold` for the sale, `cancel-ticket` for the ticket |
//! | safe to repeat | a confirmed ticket stays so |

use super::BookedTicket;
use crate::store::{ChangeError, Sale};
use boxoffice_kernel::Refusal;
use boxoffice_runtime::{SagaInput, StepFailure};

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [Refusal; 2] = [Refusal::TicketNotPending, Refusal::HoldLost];

/// Succeeds when the ticket is confirmed.
///
/// # Errors
/// See the table above.
pub async fn run(sale: &Sale, input: SagaInput<BookedTicket>) -> Result<(), StepFailure> {
    sale.confirm(input.booking.ticket_id, &input.trace).await.map_err(|error| match error {
        ChangeError::Unchanged(_) | ChangeError::TakenBack => {
            StepFailure::Refused { refusal: Refusal::TicketNotPending, detail: error.to_string() }
        }
        ChangeError::HoldLost => StepFailure::Refused { refusal: Refusal::HoldLost, detail: error.to_string() },
        ChangeError::NotFound | ChangeError::Used => StepFailure::Defect(error.to_string()),
        ChangeError::Store(error) => error.into(),
    })
}
