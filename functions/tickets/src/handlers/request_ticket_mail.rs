//! Has the mail of a confirmed ticket sent once more, for its owner.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /tickets/{id}/mail` |
//! | reads | the ticket (AP-50) |
//! | writes | the ticket's budget of mails (AP-373), the ticket's version (AP-590) |
//! | emits | `TicketMailRequested`, which is a message of its own for `send-notification` |
//! | safe to repeat | each call is one more mail, and the budget bounds them |

use super::answer::{TicketView, example, not_found, spend};
use crate::{Mails, TicketStore, domain::Status, store::ChangeError};
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Sends the mail of a confirmed ticket once more.
///
/// It has the codes of the admissions as they are now, and goes to the owner's present address. After three within an hour it is refused with
/// `TOO_MANY_ATTEMPTS`, and `Retry-After` says for how long.
///
/// # Errors
/// When there is no such ticket, it is somebody else's or not confirmed, or its mails of this hour are spent.
#[utoipa::path(
    post,
    path = "/tickets/{id}/mail",
    operation_id = "request-ticket-mail",
    tag = "tickets",
    params(("id" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (
            status = 202,
            description = "It will be sent within moments",
            body = TicketView,
            example = json!(example(Status::Confirmed))
        ),
        (status = 404, description = "`TICKET_NOT_FOUND`: there is none, or it has been deleted"),
        (
            status = 409,
            description = "`ILLEGAL_TRANSITION`: it is not CONFIRMED; `TICKET_ALREADY_CANCELLED`: its cancellation is requested"
        ),
    )
)]
pub async fn handle(store: &TicketStore, mails: &Mails, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = store.get(id).await?.ok_or_else(not_found)?;
    http::caller(&request)?.may_act_for(ticket.user_id)?;
    let now = Timestamp::now();
    ticket.request_mail(now).map_err(ChangeError::from)?;
    // Nobody fills a mailbox, or has codes drawn without end.
    let spent = "Mails were sent as often as they may be in an hour.";
    spend(&mails.of_user, &format!("mails#{}", ticket.user_id), now, spent).await?;
    spend(&mails.of_ticket, &format!("mails#{id}"), now, spent).await?;
    let ticket = store.request_mail(id, &http::trace(&request)).await?;
    Answer::accepted(&TicketView::from(ticket))
}
