//! Logs a user out.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/logout` |
//! | reads | the user's access (AP-03) |
//! | writes | the end of the caller's session (AP-95) |
//! | safe to repeat | the token is no longer valid: a repeat is refused, and nothing changes |

use crate::SessionStore;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;

/// Log out
///
/// Ends the session that the access token is of: its access tokens and its refresh token are void at once. Other sessions stay.
#[utoipa::path(
    post,
    path = "/users/logout",
    operation_id = "logout",
    tag = "users",
    responses((status = 204, description = "The session has ended"))
)]
pub async fn handle(sessions: &SessionStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    sessions.end(caller.user_id, caller.session).await?;
    Ok(Answer::no_content())
}
