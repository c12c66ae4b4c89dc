//! Makes of an event what its user is to be told, and keeps where users are reached.
//!
//! | | |
//! |---|---|
//! | trigger | state `Record Notification` of the notification machine, which the rules in `template.yaml` start |
//! | reads | where the user is reached (AP-102) |
//! | writes | where the user is reached (AP-100, AP-101), the notification (AP-104) |
//! | emits | `NotificationRequested` |
//! | fails with | `Transient`, also while the news of the user has not arrived; `Defect` |
//! | safe to repeat | a notification's id follows from the event's, and who records it first decides; of a user the latest version stays |

use crate::{
    NotificationStore,
    content::{Booking, CancelledBooking, Content, Payment},
    domain::{Notification, reachable_channel},
    events::RequestedBy,
    store::Known,
};
use boxoffice_kernel::{Channel, Contact, Email, NotificationId, PhoneNumber, PushEndpoint, Text, Timestamp, UserId};
use boxoffice_runtime::{
    StepFailure,
    event::{Delivered, Event},
};
use serde::{Deserialize, Serialize};

/// What is to be sent now, if anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<NotificationId>,
}

/// Whom an event is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Concerned {
    user_id: UserId,
}

/// Where a user is reached, in the words of the users' events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserData {
    first_name: Text<50>,
    notification_channel: Channel,
    email: Email,
    #[serde(default)]
    phone: Option<PhoneNumber>,
    #[serde(default)]
    push_endpoint: Option<PushEndpoint>,
}

impl From<UserData> for Contact {
    fn from(user: UserData) -> Self {
        Self {
            first_name: user.first_name,
            channel: user.notification_channel,
            email: user.email,
            phone: user.phone,
            push_endpoint: user.push_endpoint,
        }
    }
}

/// A notification that a call asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requested {
    notification_id: NotificationId,
}

/// What this event has to tell its user; nothing, of one that only changes where they are reached.
///
/// # Errors
/// [`StepFailure::Defect`] when no message is about such an event, or it is not what its contract says.
pub fn content(event: &Event) -> Result<Option<Content>, StepFailure> {
    let content = match event.kind() {
        "UserCreated" => Content::Welcome,
        "UserUpdated" | "UserDeleted" => return Ok(None),
        "TicketCreated" => Content::TicketHeld(event.data::<Booking>()?),
        "TicketConfirmed" => Content::TicketConfirmed(event.data::<Booking>()?),
        "TicketCancelled" => Content::TicketCancelled(event.data::<CancelledBooking>()?),
        "PaymentCompleted" => Content::PaymentCompleted(event.data::<Payment>()?),
        "PaymentFailed" => Content::PaymentFailed(event.data::<Payment>()?),
        "PaymentRefunded" => Content::PaymentRefunded(event.data::<Payment>()?),
        other => return Err(StepFailure::Defect(format!("no message is known for {other}"))),
    };
    Ok(Some(content))
}

/// Where the user is reached from this event of theirs on.
///
/// # Errors
/// [`StepFailure::Defect`] when it is not what its contract says.
pub fn contact(event: &Event) -> Result<Contact, StepFailure> {
    event.data::<UserData>().map(Contact::from)
}

async fn keep_contact(store: &NotificationStore, event: &Event, user: UserId) -> Result<(), StepFailure> {
    match event.kind() {
        "UserCreated" | "UserUpdated" => {
            store.keep_contact(user, &contact(event)?, event.version()).await?;
        }
        "UserDeleted" => {
            store.forget_contact(user, event.version()).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Answers with the notification to send.
///
/// # Errors
/// See the table above.
pub async fn run(store: &NotificationStore, delivered: Delivered) -> Result<Recorded, StepFailure> {
    let event = delivered.detail;
    if event.kind() == "NotificationRequested" {
        let requested: Requested = event.data()?;
        return Ok(Recorded { notification_id: Some(requested.notification_id) });
    }
    let user = event.data::<Concerned>()?.user_id;
    keep_contact(store, &event, user).await?;
    let Some(content) = content(&event)? else { return Ok(Recorded { notification_id: None }) };
    let contact = match store.contact(user).await? {
        Some(Known::Contact(contact)) => contact,
        Some(Known::Deleted) => return Ok(Recorded { notification_id: None }),
        None => return Err(StepFailure::Transient(format!("no event of {user} has arrived yet"))),
    };
    let message = content.message().map_err(|error| StepFailure::Defect(error.to_string()))?;
    let correlation_id = event.correlation_id().clone();
    let channel = reachable_channel(&contact);
    let id = event.id().notification();
    let notification =
        Notification::new(id, user, channel, content, message, correlation_id, Timestamp::now()).because_of(event.id());
    store.record(&notification, RequestedBy::Event, &event.cause()).await?;
    let correlation_id = &notification.correlation_id;
    tracing::info!(notification_id = %id, event_type = event.kind(), %correlation_id, "notification recorded");
    Ok(Recorded { notification_id: Some(id) })
}
