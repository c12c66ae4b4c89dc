//! Ends one of a user's sessions.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /users/{id}/sessions/{sessionId}` |
//! | reads | the user, the session (AP-80, AP-93) |
//! | writes | its end (AP-323, AP-95) |
//! | safe to repeat | there is no such session any more: a repeat is refused, and nothing changes |

use super::answer::{not_found, user_to_log_out};
use crate::{SessionStore, UserStore};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{SessionId, UserId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// End a session
///
/// Its access tokens and its refresh token are void at once. It needs a log-in of the last 300 s; logging out of the own session does not.
///
/// # Errors
/// When there is no such session, or it is not the caller's to end.
#[utoipa::path(
    delete,
    path = "/users/{id}/sessions/{sessionId}",
    operation_id = "end-session",
    tag = "users",
    params(("id" = UserId, Path, description = "The user"), ("sessionId" = SessionId, Path, description = "The session")),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "`SESSION_NOT_FOUND`: there is none, or not any more; `USER_NOT_FOUND`: there is no such user"),
    )
)]
pub async fn handle(users: &UserStore, sessions: &SessionStore, request: Request) -> Result<Answer, Problem> {
    let user = user_to_log_out(&request)?;
    let session: SessionId = http::path(&request, "sessionId", Code::InvalidId)?;
    users.get(user).await?.ok_or_else(not_found)?;
    match sessions.end_known(user, session).await? {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(Problem::new(Code::SessionNotFound, "There is no such session, or it has ended.")),
    }
}
