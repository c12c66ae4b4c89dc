//! Lists notifications, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications?limit=&next=` |
//! | reads | a page of notifications (AP-109) |

use super::answer::{NotificationView, example, page};
use crate::{NotificationStore, store::NotificationList};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists notifications, newest first.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/notifications",
    operation_id = "list-notifications",
    tag = "notifications",
    params(
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
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(NotificationList::All, limit, cursor).await?))
}
