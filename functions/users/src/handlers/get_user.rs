//! Shows a user.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/{id}` |
//! | reads | the user (AP-80) |

use super::answer::{UserView, not_found, user_example};
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
        (status = 200, description = "The user", body = UserView, example = json!(user_example())),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(id)?;
    let user = users.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
