//! Shows a ticket's payment.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/ticket/{ticketId}` |
//! | reads | the payment (AP-30) |

use super::answer::{PaymentView, example, shown};
use crate::{PaymentStore, domain::Status};
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Shows a ticket's payment.
///
/// A booking makes it with its ticket.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/payments/ticket/{ticketId}",
    operation_id = "get-payment-by-ticket",
    tag = "payments",
    params(("ticketId" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (status = 200, description = "The payment", body = PaymentView, example = json!(example(Status::Success))),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such ticket")
    )
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let ticket: TicketId = http::path(&request, "ticketId", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let payment = shown(store, ticket.payment(), caller).await?;
    Answer::ok(&PaymentView::for_caller(payment, caller))
}
