//! Takes a notification off every list. The event store keeps what was sent, and when.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /notifications/{id}` |
//! | reads | the notification (AP-103) |
//! | writes | the notification, marked (AP-108) |
//! | emits | `NotificationDeleted` |
//! | safe to repeat | the second call finds none |

use super::answer::not_found;
use crate::NotificationStore;
use boxoffice_kernel::NotificationId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Deletes a notification.
///
/// One that is still `PENDING` is not sent, unless that is under way.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    delete,
    path = "/notifications/{id}",
    operation_id = "delete-notification",
    tag = "notifications",
    params(("id" = NotificationId, Path, description = "The notification.")),
    responses(
        (status = 204, description = "It is on no list any more."),
        (status = 404, description = "`NOTIFICATION_NOT_FOUND`: there is none, or it is deleted."),
    )
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let id: NotificationId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let notification = store.get(id).await?.ok_or_else(not_found)?;
    caller.may_act_for(notification.user_id)?;
    store.delete(id, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
