//! Charges the buyer of a ticket that is held for them.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/process` |
//! | reads | payment, instruction and task token (AP-30, AP-32, AP-37) |
//! | writes | the payment (AP-34, AP-35); charges at the provider; reports to the waiting saga |
//! | emits | `PaymentProcessing`, then `PaymentCompleted`, `PaymentFailed` or (called off meanwhile) `PaymentExpired` |
//! | safe to repeat | the provider is asked under the payment's own key: a repeat resumes what nobody heard the end of |

use super::answer::PaymentView;
use crate::{
    App,
    domain::{MethodToken, NotPayable, Status},
};
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Charge {
    payment_method_token: MethodToken,
}

/// Answers 200 with the payment, charged.
///
/// # Errors
/// When it was declined, cannot be paid any more, or the provider does not answer.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let charge: Charge = http::body(&request, |_| None)?;
    let payment = app.cashier.pay(id, charge.payment_method_token, &http::trace(&request)).await?;
    match payment.status {
        Status::Success => Answer::ok(&PaymentView::from(payment)),
        Status::Failed => {
            let reason = payment.failure_reason.unwrap_or_default();
            let detail = format!(
                "The payment provider declined: {reason}. The seats are released; book again to try another way."
            );
            Err(Problem::new(Code::PaymentDeclined, detail))
        }
        other => Err(Problem::new(Code::PaymentNotPending, format!("{}.", NotPayable::NotPending(other)))),
    }
}
