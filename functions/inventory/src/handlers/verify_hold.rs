//! Checks that the booking's seats are still held, before anyone is asked to pay for them.
//!
//! | | |
//! |---|---|
//! | trigger | state `Verify Hold` of the booking saga |
//! | reads | the reservation (AP-19) |
//! | fails with | `HoldLost`, `HoldExpired`, `Transient`, `Defect` |
//! | undo | of the hold it checks: `release-hold` |

use super::BookedSeats;
use crate::{InventoryStore, domain::ReservationState};
use boxoffice_kernel::{Refusal, Timestamp};
use boxoffice_runtime::{SagaInput, StepFailure};
use serde::Serialize;

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [Refusal; 2] = [Refusal::HoldLost, Refusal::HoldExpired];

/// For how long after its hold a booking may still be charged: a saga that starts late finds the seats held, since only a saga releases them. Less than
/// the grace after which `reconcile` calls such a booking off (`docs/adr/0035-a-saga-that-starts-late.md`).
pub const LATEST_START_SECONDS: u32 = 600;

/// The output to the state machine: whether the buyer's own time to pay is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// A payment that the booking itself ordered can go ahead; no other is waited for.
    pub late: bool,
}

/// Succeeds when the seats are held, and were not held in vain for too long.
///
/// # Errors
/// See the table above.
pub async fn run(store: &InventoryStore, input: SagaInput<BookedSeats>) -> Result<Verified, StepFailure> {
    let BookedSeats { ticket_id, hold_expires_at } = input.booking;
    let reservation = store.reservation(ticket_id).await?;
    if !reservation.is_some_and(|reservation| reservation.state == ReservationState::Held) {
        return Err(StepFailure::Refused { refusal: Refusal::HoldLost, detail: "the seats are no longer held".into() });
    }
    verified(hold_expires_at, Timestamp::now())
}

fn verified(hold_expires_at: Timestamp, now: Timestamp) -> Result<Verified, StepFailure> {
    if hold_expires_at.plus_seconds(LATEST_START_SECONDS) <= now {
        let detail = format!("the hold ended at {hold_expires_at}");
        return Err(StepFailure::Refused { refusal: Refusal::HoldExpired, detail });
    }
    Ok(Verified { late: hold_expires_at <= now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saga_that_starts_after_the_hold_is_late_and_after_as_long_again_refused() {
        let ends: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let starting = |seconds| verified(ends, ends.plus_seconds(seconds)).map_err(|failure| failure.name());
        assert_eq!(verified(ends.plus_seconds(1), ends), Ok(Verified { late: false }));
        assert_eq!(starting(0), Ok(Verified { late: true }));
        assert_eq!(starting(LATEST_START_SECONDS - 1), Ok(Verified { late: true }));
        assert_eq!(starting(LATEST_START_SECONDS), Err("HoldExpired"));
    }

    #[test]
    fn reconcile_calls_a_booking_off_only_after_the_latest_start() {
        let template = include_str!("../../../../template.yaml");
        let (_, parameter) = template.split_once("\n  ReconcileGraceSeconds:\n").unwrap();
        let default = parameter.lines().find_map(|line| line.trim().strip_prefix("Default: ")).unwrap();
        assert!(default.parse::<u32>().unwrap() > LATEST_START_SECONDS);
    }
}
