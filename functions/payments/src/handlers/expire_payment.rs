//! Ends a payment whose time is up, or finds that it was made after all.
//!
//! | | |
//! |---|---|
//! | trigger | state `Expire Payment` of the booking saga, when the wait has timed out |
//! | reads | the payment (AP-30) |
//! | writes | the payment (AP-34); asks the provider about a charge under way, and calls it off |
//! | emits | `PaymentExpired`, or `PaymentCompleted` or `PaymentFailed` for a charge that was under way |
//! | fails with | `Transient`, `Defect` |
//! | undo | `reverse-payment` |
//! | safe to repeat | a settled payment stays as it is |

use super::Bill;
use crate::{App, domain::Status, gateway::PaymentGateway};
use boxoffice_runtime::{SagaInput, StepFailure};
use serde::Serialize;

/// The output to the state machine: whether the payment succeeded after all.
#[derive(Debug, Serialize)]
pub struct Expired {
    status: Status,
}

/// Succeeds when the payment is settled one way or the other.
///
/// # Errors
/// See the table above.
pub async fn run<G: PaymentGateway>(app: &App<G>, input: SagaInput<Bill>) -> Result<Expired, StepFailure> {
    let payment = app.cashier.expire(input.booking.ticket_id.payment(), &input.trace).await?;
    Ok(Expired { status: payment.status })
}
