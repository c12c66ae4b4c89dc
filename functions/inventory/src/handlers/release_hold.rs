//! Gives a booking's seats back for good, whether they were held or sold: the payment's own undo came before, so no money can come for them.
//!
//! | | |
//! |---|---|
//! | trigger | state `Release Hold` of the booking saga |
//! | reads | the reservation (AP-19) |
//! | writes | the reservation and its shards (AP-20) |
//! | emits | `InventoryReleased` |
//! | fails with | `Transient`, `Defect` |
//! | is the undo of | the hold that `create-ticket` took, of `renew-hold`, and of the sale in `confirm-ticket` |
//! | safe to repeat | the reservation remembers that it was released, and for good: a `renew-hold` that comes late holds nothing |

use super::BookedSeats;
use crate::InventoryStore;
use boxoffice_runtime::{SagaInput, StepFailure};

/// Succeeds when the booking has no seats.
///
/// # Errors
/// See the table above.
pub async fn run(store: &InventoryStore, input: SagaInput<BookedSeats>) -> Result<(), StepFailure> {
    let reason = input.failure.map_or_else(|| "BookingFailed".to_owned(), |failure| failure.error);
    store.close(input.booking.ticket_id, &reason, &input.trace).await?;
    Ok(())
}
