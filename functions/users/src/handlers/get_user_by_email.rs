//! Shows the user who has this mail address.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/email/{email}` |
//! | reads | whose it is, then the user (AP-82, AP-80) |

use super::answer::{UserView, not_found, visible};
use crate::UserStore;
use boxoffice_kernel::Email;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Show the user who has this mail address
///
/// Whether a mail address is taken is an ADMIN's to know: anybody else gets 403 for every one but their own.
///
/// # Errors
/// When there is none, or it is not the caller's to see.
#[utoipa::path(
    get,
    path = "/users/email/{email}",
    operation_id = "get-user-by-email",
    tag = "users",
    params(("email" = Email, Path, description = "The mail address, in any case")),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
        })),
        (status = 404, description = "`USER_NOT_FOUND`: nobody has it"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let mut found = None;
    for email in http::spellings::<Email>(&request, "email", Code::ValidationError)? {
        found = found.or(users.whose_mail(&email).await?);
    }
    let id = visible(&http::caller(&request)?, found)?;
    let user = users.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
