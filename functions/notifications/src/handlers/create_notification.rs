//! Takes a message to a user. The state machine sends it.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /notifications` |
//! | reads | where the user is reached (AP-102) |
//! | writes | the notification (AP-104) |
//! | emits | `NotificationRequested`, which starts the state machine |
//! | safe to repeat | no: each call is a message |

use super::answer::NotificationView;
use crate::{
    NotificationStore,
    content::{Content, FreeText},
    domain::{Notification, reachable_channel},
    events::RequestedBy,
    store::Known,
};
use boxoffice_kernel::{Channel, NotificationId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// A message to a user.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewNotification {
    /// To whom.
    user_id: UserId,
    /// The text.
    message: FreeText,
    /// By which channel; the user's own choice unless given.
    #[serde(rename = "type")]
    channel: Option<Channel>,
}

/// Sends a message to a user.
///
/// It is `PENDING` in the answer, and `SENT` or `FAILED` a moment later.
///
/// # Errors
/// When the body breaks a rule, or there is no such user.
#[utoipa::path(
    post,
    path = "/notifications",
    operation_id = "create-notification",
    tag = "notifications",
    request_body(
        content = NewNotification,
        example = json!({
            "userId": "usr_01970000000070008000000000000001",
            "message": "The doors open an hour earlier.",
            "type": "EMAIL"
        })
    ),
    responses(
        (
            status = 201,
            description = "It will be sent.",
            body = NotificationView,
            headers(("Location" = String, description = "Where the notification is.")),
            example = json!({
                "id": "ntf_01970000000070008000000000000002",
                "userId": "usr_01970000000070008000000000000001",
                "message": "The doors open an hour earlier.",
                "type": "EMAIL",
                "status": "PENDING",
                "template": "MESSAGE",
                "createdAt": "2030-05-01T08:00:00.000Z",
                "attempts": 0,
                "correlationId": "1c35062b-f2fc-4796-a62a-c3d2fcdbeb80"
            })
        ),
        (status = 404, description = "`USER_NOT_FOUND`: there is no such user, or the news of them has not arrived yet."),
    )
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let new: NewNotification = http::body(&request, |_| None)?;
    let trace = http::trace(&request);
    let contact = match store.contact(new.user_id).await? {
        Some(Known::Contact(contact)) => contact,
        Some(Known::Deleted) | None => {
            return Err(Problem::new(Code::UserNotFound, "There is no user with this id.").at("userId"));
        }
    };
    let notification = Notification::new(
        NotificationId::generate(),
        new.user_id,
        new.channel.unwrap_or_else(|| reachable_channel(&contact)),
        Content::Message(new.message.clone()),
        new.message,
        trace.correlation_id.clone(),
        Timestamp::now(),
    );
    store.record(&notification, RequestedBy::Request, &trace).await?;
    let location = format!("/notifications/{}", notification.id);
    Answer::created(&NotificationView::from(notification), location)
}
