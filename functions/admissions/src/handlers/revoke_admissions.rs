//! Revokes a booking's admissions, before its money and its seats go back: a seat that is for sale again admits nobody.
//!
//! | | |
//! |---|---|
//! | trigger | state `Revoke Admissions` of the booking saga |
//! | reads | the ticket's admissions (AP-502) |
//! | writes | the admissions (AP-503) |
//! | emits | `AdmissionsRevoked`, unless there are none |
//! | fails with | `Transient`, `Defect` |
//! | is the undo of | the issue in `confirm-ticket` |
//! | safe to repeat | revoked admissions stay so; a ticket without admissions is barred from getting any, so that a `confirm-ticket` that comes late issues nothing |

use super::BookedAdmissions;
use crate::AdmissionStore;
use boxoffice_runtime::{SagaInput, StepFailure};

/// Succeeds when the booking has no admission that admits, and will have none.
///
/// # Errors
/// See the table above.
pub async fn run(store: &AdmissionStore, input: SagaInput<BookedAdmissions>) -> Result<(), StepFailure> {
    Ok(store.revoke(input.booking.ticket_id, &input.trace).await?)
}
