//! Ends every session of a user.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /users/{id}/sessions` |
//! | reads | the user (AP-80) |
//! | writes | the end of every session (AP-324, AP-91) |
//! | safe to repeat | sessions that have ended stay so; the caller's own token is void then |

use super::answer::{not_found, user_to_log_out};
use crate::{SessionStore, UserStore};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// End every session of a user
///
/// The caller's too, where they are that user: log in again. It needs a log-in of the last 300 s.
///
/// # Errors
/// When there is no such user, or they are not the caller's to act for.
#[utoipa::path(
    delete,
    path = "/users/{id}/sessions",
    operation_id = "end-sessions",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses(
        (status = 204, description = "Every session has ended"),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(users: &UserStore, sessions: &SessionStore, request: Request) -> Result<Answer, Problem> {
    let user = user_to_log_out(&request)?;
    users.get(user).await?.ok_or_else(not_found)?;
    match sessions.end_every(user).await? {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(not_found()),
    }
}
