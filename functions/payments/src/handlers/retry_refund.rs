//! Makes a failed refund again.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/refunds/{refundId}/retry` |
//! | reads | the payment (AP-30) |
//! | writes | the refund as another attempt (AP-430), then what becomes of it (AP-431); refunds at the provider |
//! | emits | `PaymentRefunded`, `PaymentPartlyRefunded`, `PaymentRefundPending` or `PaymentRefundFailed` |
//! | safe to repeat | only a failed refund is tried again, and the provider is asked under the attempt's own key |

use super::{
    answer::{PaymentView, example},
    refund_payment::answered,
};
use crate::{App, domain::Status, gateway::PaymentGateway};
use boxoffice_kernel::{PaymentId, RefundId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Makes a failed refund again.
///
/// The provider is asked under another key, so that it does not repeat the failure.
///
/// # Errors
/// When there is no such refund, it has not failed, or fails again.
#[utoipa::path(
    post,
    path = "/payments/{id}/refunds/{refundId}/retry",
    operation_id = "retry-refund",
    tag = "payments",
    params(
        ("id" = inline(PaymentId), Path, description = "The payment"),
        ("refundId" = inline(RefundId), Path, description = "The refund that failed")
    ),
    responses(
        (
            status = 200,
            description = "The payment: REFUNDED, or SUCCESS while some of it is left",
            body = PaymentView,
            example = json!(example(Status::Refunded))
        ),
        (
            status = 202,
            description = "The payment: its money is on the way back",
            body = PaymentView,
            example = json!(example(Status::Success))
        ),
        (status = 404, description = "`PAYMENT_NOT_FOUND`, `REFUND_NOT_FOUND`: no such payment or refund"),
        (
            status = 409,
            description = "`REFUND_NOT_FAILED`: it has not failed, or was settled. `PAYMENT_NOT_REFUNDABLE`: it failed again, or so much is not left"
        )
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let refund: RefundId = http::path(&request, "refundId", Code::InvalidId)?;
    answered(app.cashier.retry_refund(id, refund, &http::trace(&request)).await)
}
