//! Takes a payment that is over off the lists. The record of its money stays.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /payments/{id}` |
//! | reads | the payment (AP-30) |
//! | writes | marks the payment, takes it off its lists (AP-43) |
//! | emits | `PaymentDeleted` |
//! | safe to repeat | the second call answers 404 |

use crate::PaymentStore;
use boxoffice_kernel::PaymentId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Deletes a payment that is over.
///
/// One that failed, expired or was given back is marked, and left off every list. Its record stays: an ADMIN still finds it by
/// its id. One that holds money, or may come to, cannot be deleted.
///
/// # Errors
/// When there is none, or it is not over.
#[utoipa::path(
    delete,
    path = "/payments/{id}",
    operation_id = "delete-payment",
    tag = "payments",
    params(("id" = inline(PaymentId), Path, description = "The payment")),
    responses(
        (status = 204, description = "It is off the lists"),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such payment, or deleted before"),
        (status = 409, description = "`NOT_SETTLED`: it is neither FAILED nor EXPIRED nor REFUNDED")
    )
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let id: PaymentId = http::path(&request, "id", Code::InvalidId)?;
    store.delete(id, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
