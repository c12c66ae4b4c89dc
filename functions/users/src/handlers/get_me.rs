//! Shows the caller.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/me` |
//! | reads | the user (AP-80) |

use super::answer::{UserView, not_found};
use crate::UserStore;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;

/// Show who is logged in
///
/// # Errors
/// When the store fails.
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "get-me",
    tag = "users",
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
        })),
        (status = 404, description = "`USER_NOT_FOUND`: deleted a moment ago"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    let user = users.get(caller.user_id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
