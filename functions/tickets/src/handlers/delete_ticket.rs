//! Deletes a ticket that is over: marks it, and shows it to nobody any more. What it cost, and what became of that,
//! stays.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /tickets/{id}` |
//! | reads | the ticket (AP-50) |
//! | writes | the mark; off every list (AP-62) |
//! | emits | `TicketDeleted` |
//! | safe to repeat | the second call answers 404 |

use super::answer::not_found;
use crate::TicketStore;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Deletes a ticket that is over.
///
/// It must be CANCELLED or COMPLETED. From then on it is on no list; its payment and its history stay.
///
/// # Errors
/// When there is no such ticket, it is somebody else's, or it is not over.
#[utoipa::path(
    delete,
    path = "/tickets/{id}",
    operation_id = "delete-ticket",
    tag = "tickets",
    params(("id" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "`TICKET_NOT_FOUND`: there is none, or it has been deleted"),
        (status = 409, description = "`NOT_SETTLED`: it is PENDING or CONFIRMED"),
    )
)]
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = store.get(id).await?.ok_or_else(not_found)?;
    http::caller(&request)?.may_act_for(ticket.user_id)?;
    store.delete(id, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
