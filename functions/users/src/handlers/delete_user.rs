//! Deletes a user: what is personal goes, that there was a user stays, and so does the record of their money.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /users/{id}` |
//! | reads | the user, their history (AP-80, AP-89); their tickets to come, from `find-upcoming-tickets` |
//! | writes | the user, what was unique in them, their history, the end of every session, the count of ADMINs, in one transaction (AP-85, AP-91); the condition that the token of who deletes stands (AP-326) |
//! | emits | `UserDeleted` |
//! | safe to repeat | there is no such user any more: a repeat is refused |

use super::answer::{not_found, requester};
use crate::{UserDeletion, store::ChangeError, upcoming::UpcomingTickets};
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Delete a user
///
/// Their personal data is erased, from their history too; tickets and payments stay, under an id that is nobody's. A user with a ticket to an event that
/// is still to come cannot be deleted. It needs a log-in of the last 300 s.
///
/// # Errors
/// When there is no such user, it is not the caller's to delete, or they have tickets to come.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "delete-user",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
        (status = 409, description = "`USER_HAS_TICKETS`: paid or pending tickets to events still to come; `ILLEGAL_TRANSITION`: an ADMIN's own account, or the last ADMIN's"),
    )
)]
pub async fn handle<U: UpcomingTickets>(deletion: &UserDeletion<U>, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    caller.may_act_for(id)?;
    let by = requester(&caller);
    let user = deletion.users.get(id).await?.ok_or_else(not_found)?;
    user.deletable(by).map_err(ChangeError::from)?;
    let tickets = deletion.tickets.count(id).await?;
    if tickets > 0 {
        let detail =
            format!("The user has {tickets} paid or pending tickets to events still to come. Cancel them first.");
        return Err(Problem::new(Code::UserHasTickets, detail));
    }
    deletion.users.delete(id, by, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
