//! Gives a payment back; its booking is then taken back by a saga.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/refund` |
//! | reads | the payment (AP-30) |
//! | writes | that it is wanted back (AP-45), then the payment (AP-34); refunds at the provider |
//! | emits | `PaymentRefunded`, which starts the saga that releases the seats and cancels the ticket |
//! | safe to repeat | the provider is asked under the payment's own key; a second call answers 409 |

use super::answer::{PaymentView, example};
use crate::{App, domain::Status, gateway::PaymentGateway};
use boxoffice_kernel::{PaymentId, Text};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;
use utoipa::openapi::RefOr;

/// Why the payment is given back.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// In words.
    reason: Option<Text<200>>,
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

/// Gives a payment back, and takes its booking back.
///
/// The whole amount. Seats and ticket follow a moment later.
///
/// # Errors
/// When there is no money to give back, or the provider does not answer.
#[utoipa::path(
    post,
    path = "/payments/{id}/refund",
    operation_id = "refund-payment",
    tag = "payments",
    params(("id" = inline(PaymentId), Path, description = "The payment")),
    request_body(content = Refund, example = json!({"reason": "The concert was moved"})),
    responses(
        (
            status = 200,
            description = "The payment, given back",
            body = PaymentView,
            example = json!(example(Status::Refunded))
        ),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment"),
        (status = 409, description = "`PAYMENT_NOT_REFUNDABLE`: it was not charged, or was given back before")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let refund: Refund = if request.body().is_empty() { Refund::default() } else { http::body(&request, |_| None)? };
    let reason = refund.reason.as_ref().map_or("requested", Text::as_str);
    let payment = app.cashier.refund(id, reason, &http::trace(&request)).await?;
    Answer::ok(&PaymentView::from(payment))
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
