//! Charges the payment of a booking that named what to charge; any other payment waits for the buyer.
//!
//! | | |
//! |---|---|
//! | trigger | state `Initiate Payment` of the booking saga |
//! | reads | the payment, which the booking wrote (AP-30); what to charge (AP-32) |
//! | writes | the buyer's budget of declines (AP-373, AP-374); the payment (AP-34, AP-35); charges at the provider, unless the budget is spent |
//! | emits | when it charges: `PaymentCompleted`, `PaymentFailed` or (called off meanwhile) `PaymentExpired` |
//! | fails with | `PaymentDeclined`, `PaymentVoided`, `Transient`, `Defect` |
//! | undo | `reverse-payment` |
//! | safe to repeat | the provider is asked under the payment's own key |

use super::Bill;
use crate::{
    App,
    cashier::CashierError,
    domain::{Payment, Status},
    gateway::PaymentGateway,
};
use boxoffice_kernel::Refusal;
use boxoffice_runtime::{SagaInput, StepFailure};
use serde::Serialize;

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [Refusal; 2] = [Refusal::PaymentDeclined, Refusal::PaymentVoided];

/// The output to the state machine: whether to wait for the buyer.
#[derive(Debug, Serialize)]
pub struct Initiated {
    status: Status,
}

/// Succeeds when the payment is charged, or waits for the buyer: to pay, to authenticate, or to try another card after a decline.
///
/// # Errors
/// See the table above.
pub async fn run<G: PaymentGateway>(app: &App<G>, input: SagaInput<Bill>) -> Result<Initiated, StepFailure> {
    let payment = app.store.get(input.booking.ticket_id.payment()).await?.ok_or(CashierError::NotFound)?;
    let payment =
        if payment.is_charged_with_booking() { app.charge_with_booking(payment, &input.trace).await? } else { payment };
    outcome(&payment)
}

fn outcome(payment: &Payment) -> Result<Initiated, StepFailure> {
    let reason = || payment.failure_reason.clone().unwrap_or_default();
    match payment.status {
        status @ (Status::Pending | Status::Processing | Status::Success) => Ok(Initiated { status }),
        Status::Failed => Err(StepFailure::Refused { refusal: Refusal::PaymentDeclined, detail: "declined".into() }),
        Status::Expired | Status::Refunded => {
            Err(StepFailure::Refused { refusal: Refusal::PaymentVoided, detail: reason() })
        }
    }
}
