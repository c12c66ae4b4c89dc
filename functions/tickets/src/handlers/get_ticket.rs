//! Shows a ticket.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/{id}` |
//! | reads | the ticket (AP-50) |

use super::answer::{TicketView, example, not_found};
use crate::{TicketStore, domain::Status};
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Shows a ticket.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/tickets/{id}",
    operation_id = "get-ticket",
    tag = "tickets",
    params(("id" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (status = 200, description = "The ticket", body = TicketView, example = json!(example(Status::Confirmed))),
        (status = 404, description = "`TICKET_NOT_FOUND`: there is none, or it has been deleted"),
    )
)]
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = store.get(id).await?.ok_or_else(not_found)?;
    http::caller(&request)?.may_act_for(ticket.user_id)?;
    Answer::ok(&TicketView::from(ticket))
}
