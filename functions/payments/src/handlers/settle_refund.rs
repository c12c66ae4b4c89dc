//! Settles a failed refund in another way than through the payment provider.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/refunds/{refundId}/settle` |
//! | reads | the payment (AP-30) |
//! | writes | the refund as settled otherwise (AP-431) |
//! | emits | `PaymentRefunded` or `PaymentPartlyRefunded`, with `settledOtherwise` |
//! | safe to repeat | only a failed refund is settled; a second call answers 409 |

use super::answer::{PaymentView, example};
use crate::{App, domain::Status, gateway::PaymentGateway};
use boxoffice_kernel::{PaymentId, RefundId, Text};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// How the buyer got the money.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// In words, such as the reference of a bank transfer.
    reason: Text<200>,
}

/// Settles a failed refund in another way than through the payment provider.
///
/// For money that the buyer got by a bank transfer, or gave up. It counts as given back: once all of the payment is, its booking is taken back.
///
/// # Errors
/// When there is no such refund, or it has not failed.
#[utoipa::path(
    post,
    path = "/payments/{id}/refunds/{refundId}/settle",
    operation_id = "settle-refund",
    tag = "payments",
    params(
        ("id" = inline(PaymentId), Path, description = "The payment"),
        ("refundId" = inline(RefundId), Path, description = "The refund that failed")
    ),
    request_body(content = Settlement, example = json!({"reason": "Bank transfer of 2030-06-03"})),
    responses(
        (
            status = 200,
            description = "The payment: REFUNDED, or SUCCESS while some of it is left",
            body = PaymentView,
            example = json!(example(Status::Refunded))
        ),
        (status = 404, description = "`PAYMENT_NOT_FOUND`, `REFUND_NOT_FOUND`: no such payment or refund"),
        (status = 409, description = "`REFUND_NOT_FAILED`: it has not failed, or was settled before")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let refund: RefundId = http::path(&request, "refundId", Code::InvalidId)?;
    let Settlement { reason } = http::body(&request, |_| None)?;
    let settled = app.cashier.settle_refund(id, refund, reason.as_str(), &http::trace(&request)).await?;
    Answer::ok(&PaymentView::from(settled))
}
