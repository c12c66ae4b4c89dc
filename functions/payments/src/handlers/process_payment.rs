//! Charges the buyer of a ticket that is held for them.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/process` |
//! | reads | payment, instruction and task token (AP-30, AP-32, AP-37) |
//! | writes | the budgets of declines of the buyer and the address (AP-373, AP-374); the payment (AP-34, AP-35); charges at the provider; reports to the waiting saga |
//! | emits | `PaymentProcessing`, then `PaymentCompleted`, `PaymentFailed` or (called off meanwhile) `PaymentExpired` |
//! | safe to repeat | the provider is asked under a key of the attempt: a repeat resumes what nobody heard the end of, and is answered like the first call |

use super::answer::{PaymentView, charged, example, shown};
use crate::{
    App,
    domain::{Method, MethodToken, Status},
    gateway::PaymentGateway,
};
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, address, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The payment method to charge.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Charge {
    /// How the buyer pays; as the booking named it unless given.
    payment_method: Option<Method>,
    /// The provider's token of what to charge. Without it, an attempt under way is looked up: so does a buyer who comes back from their bank.
    payment_method_token: Option<MethodToken>,
}

/// Charges the buyer of a ticket that is held for them.
///
/// A call that got no answer is repeated as it was: it resumes the charge, charges once, and is answered like the first call. After a decline
/// the seats stay held and another card may be tried, until five were declined. A payment that is still PROCESSING has a
/// `nextAction` when the buyer's bank wants to see them; afterwards this call without a token says how it went. After too many declined cards of the
/// buyer or the address, 429 `TOO_MANY_DECLINES` says in `Retry-After` how long to wait.
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
            description = "The payment: SUCCESS, or PROCESSING while the buyer or the provider has something to do",
            body = PaymentView,
            example = json!(example(Status::Success))
        ),
        (status = 402, description = "`PAYMENT_DECLINED`: the provider will not take it; while the seats are held, another card may be tried"),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment"),
        (status = 409, description = "`PAYMENT_NOT_PENDING`: it was paid or ended before. `HOLD_EXPIRED`: too late. \
            `PAYMENT_METHOD_UNAVAILABLE`: the account does not take this method, or its money would arrive after the hold")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let Charge { payment_method, payment_method_token } = http::body(&request, |_| None)?;
    let payment = shown(&app.store, id, http::caller(&request)?).await?;
    let trace = http::trace(&request);
    let payment = match payment_method_token {
        Some(token) => app.pay(&payment, (payment_method, &token), &address::of(&request), &trace).await?,
        None if payment.status == Status::Pending && payment.declined == 0 => {
            let detail = "There is nothing to look up: the payment has not been tried yet.";
            return Err(Problem::new(Code::ValidationError, detail).at("paymentMethodToken"));
        }
        None => app.cashier.settle(id, &trace).await?,
    };
    Answer::ok(&charged(payment)?)
}
