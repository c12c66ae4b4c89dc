//! Has a message that failed sent again.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/notifications/{id}/resend` |
//! | reads | the notification (AP-103) |
//! | writes | the notification (AP-261) |
//! | emits | `NotificationResendRequested`, which brings it back to the queue |
//! | safe to repeat | a second call finds the notification PENDING or SENT by the first, changes nothing and gets the same answer |

use super::answer::NotificationView;
use crate::{
    NotificationStore,
    domain::{NotToSend, Notification},
    store::ChangeError,
};
use boxoffice_kernel::{NotificationId, Operator, Reason, Trace};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// Why a message is sent again.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendWish {
    /// In words; it is kept with the act.
    reason: Reason,
}

/// Has a message that failed sent again.
///
/// Use it for a message that is `FAILED`, once the obstacle in its `failureReason` is removed. The user gets the message as it was written, at their
/// present address. The act is kept as an event, `NotificationResendRequested`, with who asked and why.
///
/// # Errors
/// Unless there is such a notification and it is FAILED.
#[utoipa::path(
    post,
    path = "/operations/notifications/{id}/resend",
    operation_id = "resend-notification",
    tag = "operations",
    params(("id" = inline(NotificationId), Path, description = "The notification")),
    request_body(content = ResendWish, example = json!({"reason": "The sender's address is verified now"})),
    responses(
        (
            status = 202,
            description = "It will be sent, by this call or an earlier one",
            body = NotificationView,
            example = json!({
                "id": "ntf_01970000000070008000000000000002",
                "userId": "usr_01970000000070008000000000000001",
                "message": "The doors open an hour earlier.",
                "type": "EMAIL",
                "status": "PENDING",
                "template": "MESSAGE",
                "createdAt": "2030-05-01T08:00:00.000Z",
                "attempts": 1,
                "correlationId": "1c35062b-f2fc-4796-a62a-c3d2fcdbeb80"
            })
        ),
        (status = 404, description = "`NOTIFICATION_NOT_FOUND`: there is none, or it is deleted"),
        (status = 409, description = "`ILLEGAL_TRANSITION`: it has not failed"),
    )
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let id: NotificationId = http::path(&request, "id", Code::InvalidId)?;
    let ResendWish { reason } = http::body(&request, |_| None)?;
    let operator = Operator::User(http::caller(&request)?.user_id);
    let notification = resend(store, id, &operator, &reason, &http::trace(&request)).await?;
    Answer::accepted(&NotificationView::from(notification))
}

/// The notification, sent again by this act or by an earlier one.
///
/// # Errors
/// When it has not failed, there is none, or the store fails.
pub async fn resend(
    store: &NotificationStore,
    id: NotificationId,
    operator: &Operator,
    reason: &Reason,
    trace: &Trace,
) -> Result<Notification, ChangeError> {
    match store.resend(id, operator, reason, trace).await {
        Ok(again) => {
            let correlation_id = &again.correlation_id;
            tracing::info!(notification_id = %id, %operator, %correlation_id, "notification is sent again");
            Ok(again)
        }
        Err(ChangeError::Unchanged(refusal @ NotToSend::NotFailed(_))) => {
            let found = store.get(id).await?.ok_or(ChangeError::NotFound)?;
            if found.resends > 0 { Ok(found) } else { Err(refusal.into()) }
        }
        Err(error) => Err(error),
    }
}
