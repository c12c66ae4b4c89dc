//! Shows a payment.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/{id}` |
//! | reads | the payment (AP-30) |

use super::answer::{PaymentView, example, shown};
use crate::{PaymentStore, domain::Status};
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Shows a payment.
///
/// A deleted one is shown to an ADMIN only.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/payments/{id}",
    operation_id = "get-payment",
    tag = "payments",
    params(("id" = inline(PaymentId), Path, description = "The payment")),
    responses(
        (status = 200, description = "The payment", body = PaymentView, example = json!(example(Status::Success))),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment")
    )
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let payment = shown(store, id, caller).await?;
    Answer::ok(&PaymentView::for_caller(payment, caller))
}
