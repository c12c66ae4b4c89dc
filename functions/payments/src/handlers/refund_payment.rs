//! Gives a payment back, whole or in part; once all of it is back, its booking is taken back by a saga.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/refund` |
//! | reads | the payment (AP-30) |
//! | writes | the refund that is asked for (AP-430), then what becomes of it (AP-431); refunds at the provider |
//! | emits | `PaymentRefunded`, which starts the saga that releases the seats and cancels the ticket; before it or instead `PaymentRefundPending`, `PaymentPartlyRefunded`, `PaymentRefundFailed` |
//! | safe to repeat | the provider is asked under the refund's own key; of a whole payment a second call answers 409, of a part one under the same `Idempotency-Key` is answered like the first |

use super::answer::{PaymentView, example};
use crate::{
    App,
    cashier::CashierError,
    domain::{Payment, Status},
    gateway::PaymentGateway,
};
use boxoffice_kernel::{Amount, PaymentId, Text};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;
use utoipa::openapi::RefOr;

/// How much of the payment is given back, and why.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// In words.
    reason: Option<Text<200>>,
    /// How much of what is left. Without it, all of it.
    amount: Option<Amount>,
}

/// A refund may go without a body, but not with a body of `null`, which is how the annotation would write what is optional.
#[derive(Debug)]
pub(crate) struct OptionalBody;

impl utoipa::Modify for OptionalBody {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let path = document.paths.paths.get_mut("/payments/{id}/refund");
        if let Some(RefOr::T(body)) = path.and_then(|path| path.post.as_mut()?.request_body.as_mut()) {
            body.required = None;
        }
    }
}

/// Gives a payment back, whole or in part.
///
/// Without an `amount` all that is left of it; seats and ticket follow a moment later. A part of it leaves the booking as it is, until the last part is
/// given back. Each refund of a part needs an `Idempotency-Key` of its own.
///
/// # Errors
/// When there is no money to give back, or the provider does not answer.
#[utoipa::path(
    post,
    path = "/payments/{id}/refund",
    operation_id = "refund-payment",
    tag = "payments",
    params(
        ("id" = inline(PaymentId), Path, description = "The payment"),
        (
            "Idempotency-Key" = Option<String>, Header,
            description = "Required with `amount`: random, and the same when the call is tried again"
        )
    ),
    request_body(content = Refund, example = json!({"reason": "The concert was moved"})),
    responses(
        (
            status = 200,
            description = "The payment: REFUNDED, or SUCCESS while some of it is left",
            body = PaymentView,
            example = json!(example(Status::Refunded))
        ),
        (
            status = 202,
            description = "The payment: its money is on the way back, and it is REFUNDED when the provider says so",
            body = PaymentView,
            example = json!(example(Status::Success))
        ),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment"),
        (status = 400, description = "`IDEMPOTENCY_KEY_REQUIRED`: an amount, and no `Idempotency-Key`"),
        (
            status = 409,
            description = "`PAYMENT_NOT_REFUNDABLE`: it was not charged, so much is not left of it, or the refund failed and waits for an operator"
        ),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for a refund of another amount")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let refund: Refund = if request.body().is_empty() { Refund::default() } else { http::body(&request, |_| None)? };
    let reason = refund.reason.as_ref().map_or("requested", Text::as_str);
    let trace = http::trace(&request);
    let refunded = match refund.amount {
        Some(amount) => {
            let name = id.refund(&http::idempotency_key(&request)?.to_string());
            app.cashier.refund_part(id, name, amount, reason, &trace).await
        }
        None => app.cashier.refund(id, reason, &trace).await,
    };
    answered(refunded)
}

/// The answer to an operator's act on a refund: 202 while the money is on its way.
///
/// # Errors
/// When the act is refused, or the refund failed.
pub(crate) fn answered(refunded: Result<Payment, CashierError>) -> Result<Answer, Problem> {
    match refunded {
        Err(CashierError::RefundPending(payment)) => Answer::accepted(&PaymentView::from(*payment)),
        refunded => Answer::ok(&PaymentView::from(refunded?)),
    }
}

#[cfg(test)]
mod tests {
    use crate::handlers::ApiDoc;
    use utoipa::OpenApi as _;

    #[test]
    fn the_body_is_an_object_and_optional() {
        let document = serde_json::to_value(ApiDoc::openapi()).unwrap();
        let body = &document["paths"]["/payments/{id}/refund"]["post"]["requestBody"];
        assert_eq!(body.get("required"), None);
        assert_eq!(body["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Refund");
        assert_eq!(document["components"]["schemas"]["Refund"]["additionalProperties"], false);
    }
}
