//! Creates the ticket's payment, and charges it at once when the booking named a payment method to charge.
//!
//! | | |
//! |---|---|
//! | trigger | state `Initiate Payment` of the booking saga |
//! | reads | payment and instruction (AP-30, AP-32) |
//! | writes | the payment (AP-33 to AP-35); charges at the provider |
//! | emits | `PaymentInitiated`; `PaymentCompleted`, `PaymentFailed` or (called off meanwhile) `PaymentExpired` when charged at once |
//! | fails with | `PaymentDeclined`, `PaymentVoided`, `Transient`, `Defect` |
//! | undo | `reverse-payment` |
//! | safe to repeat | the payment's id is the ticket's; the provider is asked under the payment's own key |

use super::Bill;
use crate::{
    App,
    domain::{Payment, Status},
    gateway::PaymentGateway,
};
use boxoffice_aws::transaction::Written;
use boxoffice_runtime::{SagaInput, StepFailure};
use serde::Serialize;

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [&str; 2] = ["PaymentDeclined", "PaymentVoided"];

/// What the state machine needs to know: whether to wait for the buyer.
#[derive(Debug, Serialize)]
pub struct Initiated {
    status: Status,
}

/// Succeeds when the payment is charged, or waits for the buyer.
///
/// # Errors
/// See the table above.
pub async fn run<G: PaymentGateway>(app: &App<G>, input: SagaInput<Bill>) -> Result<Initiated, StepFailure> {
    let id = input.booking.ticket_id.payment();
    let instruction = app.store.instruction(id).await?;
    let charges_now = instruction.as_ref().is_some_and(|instruction| instruction.token.is_some());
    let payment = match app.store.get(id).await? {
        Some(payment) => payment,
        None => {
            let status = if charges_now { Status::Processing } else { Status::Pending };
            let method = instruction.map(|instruction| instruction.method).unwrap_or_default();
            let payment = input.booking.payment(method, status, None);
            if app.store.create(&payment, &input.trace).await? == Written::Stale {
                return Err(StepFailure::Transient("the payment was created in between".into()));
            }
            payment
        }
    };
    let payment =
        if payment.status == Status::Processing { app.cashier.charge(payment, &input.trace).await? } else { payment };
    outcome(&payment)
}

fn outcome(payment: &Payment) -> Result<Initiated, StepFailure> {
    let reason = || payment.failure_reason.clone().unwrap_or_default();
    match payment.status {
        status @ (Status::Pending | Status::Processing | Status::Success) => Ok(Initiated { status }),
        Status::Failed => Err(StepFailure::Refused { name: "PaymentDeclined", detail: reason() }),
        Status::Expired | Status::Refunded => Err(StepFailure::Refused { name: "PaymentVoided", detail: reason() }),
    }
}
