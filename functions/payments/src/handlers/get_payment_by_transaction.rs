//! Shows the payment of a transaction.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/transaction/{transactionId}` |
//! | reads | the payment (AP-30) |

use super::answer::{PaymentView, example, shown};
use crate::{PaymentStore, domain::Status};
use boxoffice_kernel::TransactionId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Shows the payment of a transaction.
///
/// The transaction is what the buyer's statement names.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/payments/transaction/{transactionId}",
    operation_id = "get-payment-by-transaction",
    tag = "payments",
    params(("transactionId" = inline(TransactionId), Path, description = "The transaction")),
    responses(
        (status = 200, description = "The payment", body = PaymentView, example = json!(example(Status::Success))),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such transaction")
    )
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let transaction: TransactionId = http::path(&request, "transactionId", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let payment = shown(store, transaction.payment(), caller).await?;
    Answer::ok(&PaymentView::for_caller(payment, caller))
}
