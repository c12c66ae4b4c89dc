//! Shows the caller.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/me` |
//! | reads | the user (AP-80) |

use super::answer::{UserView, not_found, user_example};
use crate::UserStore;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;

/// Show who is logged in
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "get-me",
    tag = "users",
    responses(
        (status = 200, description = "The user", body = UserView, example = json!(user_example())),
        (status = 404, description = "`USER_NOT_FOUND`: deleted a moment ago"),
    )
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    let user = users.get(caller.user_id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
