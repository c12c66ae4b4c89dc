//! Gives a payment back; its booking is then taken back by a saga.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/{id}/refund` |
//! | reads | the payment (AP-30) |
//! | writes | the payment (AP-34); refunds at the provider |
//! | emits | `PaymentRefunded`, which starts the saga that releases the seats and cancels the ticket |
//! | safe to repeat | the provider is asked under the payment's own key; a second call answers 409 |

use super::answer::PaymentView;
use crate::App;
use boxoffice_kernel::{PaymentId, Text};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refund {
    reason: Option<Text<200>>,
}

/// Answers 200 with the payment, given back.
///
/// # Errors
/// When there is no money to give back, or the provider does not answer.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let refund: Refund = if request.body().is_empty() { Refund::default() } else { http::body(&request, |_| None)? };
    let reason = refund.reason.as_ref().map_or("requested", Text::as_str);
    let payment = app.cashier.refund(id, reason, &http::trace(&request)).await?;
    Answer::ok(&PaymentView::from(payment))
}
