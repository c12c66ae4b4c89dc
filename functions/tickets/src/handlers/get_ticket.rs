//! Shows a ticket.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/{id}` |
//! | reads | the ticket (AP-50) |

use super::answer::{TicketView, not_found};
use crate::TicketStore;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the ticket.
///
/// # Errors
/// When there is none.
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = store.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&TicketView::from(ticket))
}
