//! Checks that the booking's seats are still held, before anyone is asked to pay for them.
//!
//! | | |
//! |---|---|
//! | trigger | state `Verify Hold` of the booking saga |
//! | reads | the reservation (AP-19) |
//! | fails with | `HoldExpired`, `HoldLost`, `Transient`, `Defect` |
//! | undo | of the hold it checks: `release-hold` |

use super::BookedSeats;
use crate::{InventoryStore, domain::ReservationState};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{SagaInput, StepFailure};

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [&str; 2] = ["HoldExpired", "HoldLost"];

/// Succeeds when the seats are held and there is time left to pay.
///
/// # Errors
/// See the table above.
pub async fn run(store: &InventoryStore, input: SagaInput<BookedSeats>) -> Result<(), StepFailure> {
    let BookedSeats { ticket_id, hold_expires_at } = input.booking;
    let reservation = store.reservation(ticket_id).await?;
    if !reservation.is_some_and(|reservation| reservation.state == ReservationState::Held) {
        return Err(StepFailure::Refused { name: "HoldLost", detail: "the seats are no longer held".into() });
    }
    if hold_expires_at <= Timestamp::now() {
        let detail = format!("the hold ended at {hold_expires_at}");
        return Err(StepFailure::Refused { name: "HoldExpired", detail });
    }
    Ok(())
}
