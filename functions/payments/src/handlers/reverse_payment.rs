//! Takes a payment back, whatever became of it.
//!
//! | | |
//! |---|---|
//! | trigger | state `Reverse Payment` of the booking saga |
//! | reads | payment, and who waits for it (AP-30, AP-37) |
//! | writes | the payment (AP-34); cancels or refunds at the provider; tells a saga that waits for it |
//! | emits | `PaymentExpired`; for a charge that was under way `PaymentFailed`, or `PaymentCompleted` and `PaymentRefunded` |
//! | fails with | `Transient`, `Defect` |
//! | is the undo of | `initiate-payment`, `await-payment`, `expire-payment` |
//! | safe to repeat | a payment that is back stays back, and a late `initiate-payment` finds it so |

use super::Bill;
use crate::{App, domain::Status, gateway::PaymentGateway};
use boxoffice_runtime::{SagaInput, StepFailure};
use serde::Serialize;

/// The final status of the payment.
#[derive(Debug, Serialize)]
pub struct Reversed {
    status: Status,
}

/// Succeeds when the payment holds no money and never will.
///
/// # Errors
/// See the table above.
pub async fn run<G: PaymentGateway>(app: &App<G>, input: SagaInput<Bill>) -> Result<Reversed, StepFailure> {
    let reason = input.failure.map_or_else(|| "BookingCancelled".to_owned(), |failure| failure.error);
    let payment = app.cashier.reverse(input.booking.ticket_id.payment(), &reason, &input.trace).await?;
    Ok(Reversed { status: payment.status })
}
