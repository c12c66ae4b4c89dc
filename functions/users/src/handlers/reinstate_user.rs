//! Reinstates a user who was suspended: they may log in again.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/{id}/reinstate` |
//! | reads | the user (AP-80) |
//! | writes | the user, the count of ADMINs (AP-328) |
//! | emits | `UserReinstated`, unless it is so already |
//! | safe to repeat | a user of whom it is so already stays as they are |

use super::answer::{StandingChange, UserView, requester};
use crate::UserStore;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Reinstate a user
///
/// They may log in again.
///
/// # Errors
/// When there is no such user.
#[utoipa::path(
    post,
    path = "/users/{id}/reinstate",
    operation_id = "reinstate-user",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    request_body(content = StandingChange, example = json!({ "reason": "It was another user" })),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 3,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:10:00.000Z"
        })),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let StandingChange { reason } = http::body(&request, |_| None)?;
    let user = users.reinstate(id, &reason, requester(&caller), &http::trace(&request)).await?;
    Answer::ok(&UserView::from(user))
}
