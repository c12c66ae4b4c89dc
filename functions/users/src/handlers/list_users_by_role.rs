//! Lists the users of a role, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/role/{role}?limit=&next=` |
//! | reads | a page of users (AP-88) |

use super::answer::{UserView, page, user_example};
use crate::UserStore;
use boxoffice_aws::Page;
use boxoffice_kernel::Role;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// List the users of a role, newest first
///
/// # Errors
/// When there is no such role, or `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/users/role/{role}",
    operation_id = "list-users-by-role",
    tag = "users",
    params(
        ("role" = Role, Path, description = "The role"),
        Paging,
    ),
    responses((status = 200, description = "A page of users", body = inline(Page<UserView>), example = json!({
        "items": [user_example()]
    })))
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let role: Role = http::path(&request, "role", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(users.list_by_role(role, limit, cursor).await?))
}
