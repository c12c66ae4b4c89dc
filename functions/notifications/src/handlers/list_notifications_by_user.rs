//! Lists a user's notifications, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications/user/{userId}?limit=&next=` |
//! | reads | a page of notifications (AP-109) |

use super::answer::{NotificationView, example, page};
use crate::{NotificationStore, store::NotificationList};
use boxoffice_aws::Page;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists a user's notifications, newest first.
///
/// # Errors
/// When a parameter is not what it should be, or it is another user's list.
#[utoipa::path(
    get,
    path = "/notifications/user/{userId}",
    operation_id = "list-notifications-by-user",
    tag = "notifications",
    params(
        ("userId" = UserId, Path, description = "The user."),
        Paging,
    ),
    responses((
        status = 200,
        description = "A page of them.",
        body = inline(Page<NotificationView>),
        example = json!({"items": [example()]})
    ))
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let user: UserId = http::path(&request, "userId", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(user)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(NotificationList::OfUser(user), limit, cursor).await?))
}
