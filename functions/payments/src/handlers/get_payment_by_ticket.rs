//! Shows a ticket's payment.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/ticket/{ticketId}` |
//! | reads | the payment (AP-30) |

use super::answer::{PaymentView, not_found};
use crate::PaymentStore;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the payment.
///
/// # Errors
/// When there is none.
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let ticket: TicketId = http::path(&request, "ticketId", Code::InvalidId)?;
    let payment = store.get(ticket.payment()).await?.ok_or_else(not_found)?;
    Answer::ok(&PaymentView::from(payment))
}
