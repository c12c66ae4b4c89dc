//! Shows a user.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/{id}` |
//! | reads | the user (AP-80) |

use super::answer::{UserView, not_found};
use crate::UserStore;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Show a user
///
/// # Errors
/// When there is none, or it is not the caller's to see.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "get-user",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
        })),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(id)?;
    let user = users.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
