//! Suspends a user: every session ends, and no other begins.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/{id}/suspend` |
//! | reads | the user (AP-80) |
//! | writes | the user, the end of every session, the count of ADMINs (AP-327) |
//! | emits | `UserSuspended`, unless it is so already |
//! | safe to repeat | a user of whom it is so already stays as they are |

use super::answer::{StandingChange, UserView, requester};
use crate::{
    UserStore,
    security::{Incident, Origin, SecurityLog},
};
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Suspend a user
///
/// Every session of the user ends, and a log-in is refused with `ACCOUNT_SUSPENDED` until an ADMIN reinstates them. Their bookings stay.
///
/// # Errors
/// When there is no such user, or it is the caller or the last ADMIN.
#[utoipa::path(
    post,
    path = "/users/{id}/suspend",
    operation_id = "suspend-user",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    request_body(content = StandingChange, example = json!({ "reason": "Resells tickets" })),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 2,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:05:00.000Z",
            "suspension": {
                "reason": "Resells tickets", "since": "2026-11-23T10:05:00.000Z", "by": "usr_01970000000070008000000000000002"
            }
        })),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
        (status = 409, description = "`ILLEGAL_TRANSITION`: the caller's own account, or the last ADMIN's"),
    )
)]
pub async fn handle(users: &UserStore, log: &SecurityLog, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let StandingChange { reason } = http::body(&request, |_| None)?;
    let user = users.suspend(id, &reason, requester(&caller), &http::trace(&request)).await?;
    log.note(Incident::UserSuspended, Some(id), &Origin::of(&request));
    Answer::ok(&UserView::from(user))
}
