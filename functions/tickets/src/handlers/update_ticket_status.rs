//! Moves a ticket to another status, where a hand may: CANCELLED is a wish, which a saga fulfils; COMPLETED is for who
//! runs the event, once it has begun. CONFIRMED is the saga's alone.
//!
//! | | |
//! |---|---|
//! | trigger | `PATCH /tickets/{id}/status?status=` |
//! | reads | the ticket (AP-50), the event's date as it is now (AP-281) |
//! | writes | the wish to cancel (AP-52), or the ticket (AP-61) |
//! | emits | `TicketCancellationRequested`, which starts the saga, or `TicketCompleted` |
//! | safe to repeat | what is so already stays so, and gets the same answer; a cancelled ticket answers 409, as to `request-cancellation` |

use super::{
    answer::{TicketView, example, not_found},
    request_cancellation::wish,
};
use crate::{
    domain::{Status, Ticket, Unchanged},
    store::{ChangeError, Sale},
};
use boxoffice_kernel::{TicketId, Trace};
use boxoffice_runtime::{Code, Problem, auth::Access, http, http::Answer};
use lambda_http::Request;

/// Moves a ticket to another status.
///
/// CANCELLED does what `PATCH /tickets/{id}/cancel` does, for whose ticket it is and for an ADMIN. COMPLETED is for a
/// MANAGER and an ADMIN, for a CONFIRMED ticket once its event has begun. No other status is given by hand: a ticket
/// becomes CONFIRMED by being paid.
///
/// # Errors
/// When there is no such ticket, the caller may not, or its status does not lead there.
#[utoipa::path(
    patch,
    path = "/tickets/{id}/status",
    operation_id = "update-ticket-status",
    tag = "tickets",
    params(
        ("id" = inline(TicketId), Path, description = "The ticket"),
        ("status" = inline(Status), Query, description = "Where it shall go"),
    ),
    responses(
        (status = 200, description = "It is COMPLETED", body = TicketView, example = json!(example(Status::Completed))),
        (
            status = 202,
            description = "The wish to cancel it is recorded, now or before; a failure from here on is ours to repair",
            body = TicketView,
            example = json!(example(Status::Pending))
        ),
        (status = 404, description = "`TICKET_NOT_FOUND`: there is none, or it has been deleted"),
        (
            status = 409,
            description = "`ILLEGAL_TRANSITION`: its status does not lead there, or not yet, or not by hand; \
                           `TICKET_ALREADY_CANCELLED`; `SALES_CLOSED`: too late to cancel, the event has begun"
        ),
    )
)]
pub async fn handle(sale: &Sale, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let status: Status = http::required_query(&request, "status", Code::ValidationError)?;
    let (caller, trace) = (http::caller(&request)?, http::trace(&request));
    let ticket = sale.tickets.get(id).await?.ok_or_else(not_found)?;
    match status {
        Status::Cancelled => {
            caller.may_act_for(ticket.user_id)?;
            Answer::accepted(&TicketView::from(wish(sale, ticket, caller.user_id, &trace).await?))
        }
        Status::Completed => {
            caller.must_be(Access::Manager)?;
            Answer::ok(&TicketView::from(complete(sale, ticket, &trace).await?))
        }
        Status::Pending | Status::Confirmed => {
            caller.may_act_for(ticket.user_id).or_else(|_| caller.must_be(Access::Manager))?;
            Err(never_by_hand(status))
        }
    }
}

async fn complete(sale: &Sale, ticket: Ticket, trace: &Trace) -> Result<Ticket, Problem> {
    match sale.complete(ticket.id, trace).await {
        Err(ChangeError::Unchanged(Unchanged::Already(Status::Completed))) => Ok(ticket),
        // Not cancelled, as it would be to who wants to cancel it, but about to be.
        Err(ChangeError::Unchanged(error @ Unchanged::CancellationRequested(_))) => {
            Err(Problem::new(Code::IllegalTransition, format!("{error}.")).at("status"))
        }
        outcome => Ok(outcome?),
    }
}

fn never_by_hand(status: Status) -> Problem {
    let detail = match status {
        Status::Confirmed => "A ticket becomes CONFIRMED by being paid, and in no other way.".to_owned(),
        status => format!("No ticket becomes {status} again."),
    };
    Problem::new(Code::IllegalTransition, detail).at("status")
}
