//! Lists users, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users?limit=&next=` |
//! | reads | a page of users (AP-88) |

use super::answer::{UserView, page};
use crate::UserStore;
use boxoffice_aws::{Cursor, Page};
use boxoffice_runtime::{Problem, http, http::Answer};
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
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 100, description = "How many, 20 unless said"),
        ("next" = Option<Cursor>, Query, description = "Where to go on: `next` of the page before"),
    ),
    responses((status = 200, description = "A page of users", body = inline(Page<UserView>), example = json!({
        "items": [{
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
        }]
    })))
)]
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(users.list(limit, cursor).await?))
}
