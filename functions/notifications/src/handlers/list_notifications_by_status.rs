//! Lists the notifications of a status, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications/status/{status}?limit=&next=` |
//! | reads | a page of notifications (AP-109) |

use super::answer::{NotificationView, example, page};
use crate::{NotificationStore, domain::Status, store::NotificationList};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the notifications of a status, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/notifications/status/{status}",
    operation_id = "list-notifications-by-status",
    tag = "notifications",
    params(
        ("status" = Status, Path, description = "The status."),
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
    let status: Status = http::path(&request, "status", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(NotificationList::WithStatus(status), limit, cursor).await?))
}
