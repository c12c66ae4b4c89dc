//! Shows a payment.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/{id}` |
//! | reads | the payment (AP-30) |

use super::answer::{PaymentView, not_found};
use crate::PaymentStore;
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the payment.
///
/// # Errors
/// When there is none.
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    let payment = store.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&PaymentView::from(payment))
}
