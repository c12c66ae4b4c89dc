//! Shows the user who has this name.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/username/{username}` |
//! | reads | whose it is, then the user (AP-81, AP-80) |

use super::answer::{UserView, not_found, user_example, visible};
use crate::{UserStore, domain::Username};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Show the user who has this name
///
/// Whether a name is taken is an ADMIN's to know: anybody else gets 403 for every one but their own.
///
/// # Errors
/// When there is none, or it is not the caller's to see.
#[utoipa::path(
    get,
    path = "/users/username/{username}",
    operation_id = "get-user-by-username",
    tag = "users",
    params(("username" = Username, Path, description = "The name, in any case")),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!(user_example())),
        (status = 404, description = "`USER_NOT_FOUND`: nobody has it"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let username: Username = http::path(&request, "username", Code::ValidationError)?;
    let id = visible(&http::caller(&request)?, users.whose_name(&username).await?)?;
    let user = users.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
