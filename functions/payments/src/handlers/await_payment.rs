//! Leaves word with the payment that the saga waits for it.
//!
//! | | |
//! |---|---|
//! | trigger | state `Await Payment` of the booking saga, with a task token |
//! | writes | the payment's task token (AP-36) |
//! | fails with | `Transient`, `Defect` |
//! | undo | `reverse-payment` |
//! | safe to repeat | the last token is the one that counts; a payment already settled is reported at once |

use super::Bill;
use crate::{App, gateway::PaymentGateway};
use boxoffice_runtime::{SagaInput, StepFailure};

/// Succeeds when the payment knows whom to tell.
///
/// # Errors
/// See the table above.
pub async fn run<G: PaymentGateway>(app: &App<G>, input: SagaInput<Bill>) -> Result<(), StepFailure> {
    let task_token = input.task_token.ok_or_else(|| StepFailure::Defect("there is no task token".into()))?;
    Ok(app.cashier.wait_for(input.booking.ticket_id.payment(), &task_token).await?)
}
