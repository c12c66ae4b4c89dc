//! Takes the request to cancel a ticket, the buyer's own or an ADMIN's, any time before the event. A saga then refunds, releases and cancels.
//!
//! | | |
//! |---|---|
//! | trigger | `PATCH /tickets/{id}/cancel` |
//! | reads | the ticket (AP-50), the event's date as it is now (AP-281) |
//! | writes | the wish (AP-52) |
//! | emits | `TicketCancellationRequested`, which starts the saga |
//! | safe to repeat | a second wish changes nothing and gets the same answer |

use super::answer::{TicketView, example, not_found};
use crate::{
    domain::{Status, Ticket, Unchanged},
    store::{ChangeError, Sale},
};
use boxoffice_kernel::{TicketId, Trace, UserId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Cancels a ticket.
///
/// The wish is recorded at once; the money, the seats and the ticket's status follow within moments.
/// `GET /tickets/{id}` and `GET /sagas/{ticketId}` show how far it is.
///
/// # Errors
/// When there is no such ticket, it is somebody else's, it is cancelled already, or the event has begun.
#[utoipa::path(
    patch,
    path = "/tickets/{id}/cancel",
    operation_id = "request-cancellation",
    tag = "tickets",
    params(("id" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (
            status = 202,
            description = "The wish is recorded, now or before; a failure from here on is ours to repair",
            body = TicketView,
            example = json!(example(Status::Pending))
        ),
        (status = 404, description = "`TICKET_NOT_FOUND`: there is none, or it has been deleted"),
        (
            status = 409,
            description = "`TICKET_ALREADY_CANCELLED`; `SALES_CLOSED`: the event has begun; `ADMISSION_USED`: somebody has \
                           entered with it; `ILLEGAL_TRANSITION`: it is COMPLETED"
        ),
    )
)]
pub async fn handle(sale: &Sale, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = sale.tickets.get(id).await?.ok_or_else(not_found)?;
    let caller = http::caller(&request)?;
    caller.may_act_for(ticket.user_id)?;
    let ticket = wish(sale, ticket, caller.user_id, &http::trace(&request)).await?;
    Answer::accepted(&TicketView::from(ticket))
}

/// The ticket with a request to cancel it: this user's, or an earlier one, which stands.
///
/// # Errors
/// When it is too late for that.
pub(super) async fn wish(sale: &Sale, ticket: Ticket, by: UserId, trace: &Trace) -> Result<Ticket, Problem> {
    match sale.request_cancellation(ticket.id, by, trace).await {
        Err(ChangeError::Unchanged(Unchanged::CancellationRequested(_))) => {
            Ok(sale.tickets.get(ticket.id).await?.ok_or(ChangeError::NotFound)?)
        }
        outcome => Ok(outcome?),
    }
}
