//! Charges the buyer of a ticket that is held for them.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/process` |
//! | reads | payment, instruction and task token (AP-30, AP-32, AP-37) |
//! | writes | the payment (AP-34, AP-35); charges at the provider; reports to the waiting saga |
//! | emits | `PaymentProcessing`, then `PaymentCompleted`, `PaymentFailed` or (called off meanwhile) `PaymentExpired` |
//! | safe to repeat | the provider is asked under the payment's own key: a repeat resumes what nobody heard the end of |

use super::answer::{PaymentView, charged, example, shown};
use crate::{
    App,
    domain::{Method, MethodToken, Status},
    gateway::PaymentGateway,
};
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// What to charge.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Charge {
    /// How the buyer pays; as the booking named it unless given.
    payment_method: Option<Method>,
    /// The provider's token of what to charge.
    payment_method_token: MethodToken,
}

/// Charges the buyer of a ticket that is held for them.
///
/// A call that got no answer is repeated as it was: it resumes the charge, and charges once.
///
/// # Errors
/// When it is somebody else's, was declined, cannot be paid any more, or the provider does not answer.
#[utoipa::path(
    post,
    path = "/payments/{id}/process",
    operation_id = "process-payment",
    tag = "payments",
    params(("id" = inline(PaymentId), Path, description = "The payment")),
    request_body(content = Charge, example = json!({"paymentMethodToken": "pm_card_visa"})),
    responses(
        (
            status = 200,
            description = "The payment, charged",
            body = PaymentView,
            example = json!(example(Status::Success))
        ),
        (status = 402, description = "`PAYMENT_DECLINED`: the provider will not take it"),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment"),
        (status = 409, description = "`PAYMENT_NOT_PENDING`: it was paid or ended before. `HOLD_EXPIRED`: too late")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let Charge { payment_method, payment_method_token } = http::body(&request, |_| None)?;
    shown(&app.store, id, http::caller(&request)?).await?;
    let payment = app.cashier.pay(id, payment_method, &payment_method_token, &http::trace(&request)).await?;
    Answer::ok(&charged(payment)?)
}
