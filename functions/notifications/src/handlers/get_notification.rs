//! Shows a notification.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications/{id}` |
//! | reads | the notification (AP-103) |

use super::answer::{NotificationView, example, not_found};
use crate::NotificationStore;
use boxoffice_kernel::NotificationId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Shows a notification.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/notifications/{id}",
    operation_id = "get-notification",
    tag = "notifications",
    params(("id" = NotificationId, Path, description = "The notification.")),
    responses(
        (
            status = 200,
            description = "The notification.",
            body = NotificationView,
            example = json!(example())
        ),
        (status = 404, description = "`NOTIFICATION_NOT_FOUND`: there is none, or it is deleted."),
    )
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let id: NotificationId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let notification = store.get(id).await?.ok_or_else(not_found)?;
    caller.may_act_for(notification.user_id)?;
    Answer::ok(&NotificationView::from(notification))
}
