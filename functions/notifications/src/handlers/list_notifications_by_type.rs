//! Lists the notifications of a channel, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications/type/{type}?limit=&next=` |
//! | reads | a page of notifications (AP-109) |

use super::answer::{NotificationView, example, page};
use crate::{NotificationStore, store::NotificationList};
use boxoffice_aws::Page;
use boxoffice_kernel::Channel;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the notifications of a channel, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/notifications/type/{type}",
    operation_id = "list-notifications-by-type",
    tag = "notifications",
    params(
        ("type" = Channel, Path, description = "The channel."),
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
    let channel: Channel = http::path(&request, "type", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(NotificationList::ByChannel(channel), limit, cursor).await?))
}
