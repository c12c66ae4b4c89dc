//! The events of this context. The contracts are `events/Notification*.schema.json`.
//!
//! The notification without its address: no event carries one.

use crate::{
    content::{FreeText, Template},
    domain::{Notification, Status},
};
use boxoffice_kernel::{Channel, DomainEvent, EventId, NotificationId, Operator, Reason, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The notification an event is about, as it is after it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    notification_id: NotificationId,
    user_id: UserId,
    message: FreeText,
    #[serde(rename = "type")]
    channel: Channel,
    status: Status,
    template: Template,
    attempts: u32,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    /// The event that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

impl From<&Notification> for Subject {
    fn from(notification: &Notification) -> Self {
        Self {
            notification_id: notification.id,
            user_id: notification.user_id,
            message: notification.message.clone(),
            channel: notification.channel,
            status: notification.status,
            template: notification.template(),
            attempts: notification.attempts,
            created_at: notification.created_at,
            sent_at: notification.sent_at,
            failure_reason: notification.failure_reason.clone(),
            event_id: notification.event_id,
        }
    }
}

/// The initiator of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestedBy {
    /// An event led to it; the invocation that recorded it sends it too.
    Event,
    /// A call; its event brings it to the queue.
    Request,
}

macro_rules! about_a_notification {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* }),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The notification.
            #[serde(flatten)]
            pub notification: Subject,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "notifications";
            fn aggregate_id(&self) -> String {
                self.notification.notification_id.to_string()
            }
        }
    )+};
}

about_a_notification!(
    /// There is something to send.
    NotificationRequested {
        /// The initiator.
        requested_by: RequestedBy
    },
    /// It was handed over.
    NotificationSent {},
    /// It was given up, and says why.
    NotificationFailed {},
    /// An operator has one that failed sent again.
    NotificationResendRequested {
        /// The user.
        requested_by: Operator,
        /// Why.
        reason: Reason
    },
    /// Its user, or an ADMIN, took it off every list.
    NotificationDeleted {}
);
