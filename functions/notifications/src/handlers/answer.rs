//! The notification as the API shows it, and this context's refusals.

use crate::{
    content::{FreeText, Template},
    domain::{NotToSend, Notification, Status},
    store::ChangeError,
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Channel, Correlation, EventId, NotificationId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem};
use serde::Serialize;

/// A notification, as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notification)]
pub struct NotificationView {
    id: NotificationId,
    user_id: UserId,
    /// The short text; a mail adds a greeting and details.
    message: FreeText,
    /// By which channel.
    #[serde(rename = "type")]
    channel: Channel,
    status: Status,
    template: Template,
    created_at: Timestamp,
    /// When it was handed over to what delivers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// The event that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    /// The request that began it all.
    #[schema(value_type = String)]
    correlation_id: Correlation,
}

/// A notification, for the API's document.
pub(crate) fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "ntf_01970000000070008000000000000002",
        "userId": "usr_01970000000070008000000000000001",
        "message": "Your account is ready. From now on we tell you here what becomes of your bookings.",
        "type": "EMAIL",
        "status": "SENT",
        "template": "WELCOME",
        "createdAt": "2030-05-01T08:00:00.000Z",
        "sentAt": "2030-05-01T08:00:01.000Z",
        "attempts": 1,
        "eventId": "evt_01970000000070008000000000000002",
        "correlationId": "1c35062b-f2fc-4796-a62a-c3d2fcdbeb80"
    })
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        Self {
            template: notification.template(),
            id: notification.id,
            user_id: notification.user_id,
            message: notification.message,
            channel: notification.channel,
            status: notification.status,
            created_at: notification.created_at,
            sent_at: notification.sent_at,
            failure_reason: notification.failure_reason,
            attempts: notification.attempts,
            event_id: notification.event_id,
            correlation_id: notification.correlation_id,
        }
    }
}

pub(crate) fn page(page: Page<Notification>) -> Page<NotificationView> {
    page.map(NotificationView::from)
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::NotificationNotFound, "There is no notification with this id.")
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound | ChangeError::Unchanged(NotToSend::Deleted) => not_found(),
            ChangeError::Unchanged(error) => Self::new(Code::IllegalTransition, format!("{error}.")),
            ChangeError::Store(error) => error.into(),
        }
    }
}
