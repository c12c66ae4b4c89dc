//! Takes a booking's seats back for a payment that came late, if they are still free.
//!
//! | | |
//! |---|---|
//! | trigger | state `Renew Hold` of the booking saga |
//! | reads | the reservation (AP-19), terms and shards (AP-10) |
//! | writes | the reservation and its shards (AP-21) |
//! | emits | `InventoryReserved` |
//! | fails with | `SeatsGone`, `Transient`, `Defect` |
//! | undo | `release-hold` |
//! | safe to repeat | seats that are held or sold stay so, and what `release-hold` gave back is not held again |

use super::BookedSeats;
use crate::{InventoryStore, store::Renewal};
use boxoffice_kernel::Refusal;
use boxoffice_runtime::{SagaInput, StepFailure};

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [Refusal; 1] = [Refusal::SeatsGone];

/// Succeeds when the seats are held.
///
/// # Errors
/// See the table above.
pub async fn run(store: &InventoryStore, input: SagaInput<BookedSeats>) -> Result<(), StepFailure> {
    match store.renew(input.booking.ticket_id, &input.trace).await? {
        Renewal::Held => Ok(()),
        Renewal::Gone => {
            let detail = "the seats were given back for good, or to others, before the payment came".into();
            Err(StepFailure::Refused { refusal: Refusal::SeatsGone, detail })
        }
    }
}
