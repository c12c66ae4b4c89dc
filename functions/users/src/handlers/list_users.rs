//! Lists users, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users?limit=&next=` |
//! | reads | a page of users (AP-88) |

use super::answer::{UserView, page, user_example};
use crate::UserStore;
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// List users, newest first
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "list-users",
    tag = "users",
    params(
        Paging,
    ),
    responses((status = 200, description = "A page of users", body = inline(Page<UserView>), example = json!({
        "items": [user_example()]
    })))
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(users.list(limit, cursor).await?))
}
