//! The message that an event calls for, and where users are reached.

use crate::{
    NotificationStore,
    content::{AccountChange, CancelledBooking, Content, MovedBooking, Part, Payment, TicketSummary},
    domain::{Address, Notification, reachable_channel},
    events::RequestedBy,
    store::{ChangeError, Known},
};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{
    Actor, Channel, Contact, Email, NotificationId, PhoneNumber, PushEndpoint, Text, Timestamp, UserId,
};
use boxoffice_runtime::{StepFailure, event::Event};
use serde::Deserialize;

/// A notification that an event is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// It is new, and this invocation's to send.
    New(Box<Notification>),
    /// It was there before.
    Known(NotificationId),
}

impl Recorded {
    /// The notification.
    pub fn id(&self) -> NotificationId {
        match self {
            Self::New(notification) => notification.id,
            Self::Known(id) => *id,
        }
    }
}

/// The user that an event is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Concerned {
    pub(crate) user_id: UserId,
}

/// Why money was given back, in the words of `PaymentRefunded`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refund {
    #[serde(default)]
    refund_reason: Option<String>,
}

/// The reason of a refund that is part of cancelling an event.
const EVENT_CANCELLED: &str = "EventCancelled";

/// Where a user is reached, in the words of the users' events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserData {
    first_name: Text<50>,
    notification_channel: Channel,
    email: Email,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    phone: Option<PhoneNumber>,
    #[serde(default)]
    phone_verified: bool,
    #[serde(default)]
    push_endpoint: Option<PushEndpoint>,
}

/// The changes of a user, in the words of `UserUpdated` and `UserEmailVerified`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Changes {
    changed: Vec<Part>,
    previous_email: Option<Email>,
}

impl From<UserData> for Contact {
    fn from(user: UserData) -> Self {
        Self {
            first_name: user.first_name,
            channel: user.notification_channel,
            email: user.email,
            email_verified: user.email_verified,
            phone: user.phone,
            phone_verified: user.phone_verified,
            push_endpoint: user.push_endpoint,
        }
    }
}

/// A notification that a call, or an operator's resend, asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requested {
    notification_id: NotificationId,
}

/// The message that this event calls for; nothing for one that only changes contacts, or only the name of an event.
///
/// A booking leads to one message when it is confirmed, declined or never paid: the one for the ticket's event, which says what became of the payment
/// too.
///
/// # Errors
/// [`StepFailure::Defect`] when no message is about such an event, or it is not what its contract says.
pub fn content(event: &Event) -> Result<Option<Content>, StepFailure> {
    let content = match event.kind() {
        "UserCreated" | "UserDeleted" => return Ok(None),
        "UserEmailVerified" => {
            let changes: Changes = event.data()?;
            match changes.previous_email {
                Some(_) => Content::AccountChanged(account_change(event, changes.changed)?),
                None => Content::Welcome,
            }
        }
        "UserUpdated" => {
            let changes: Changes = event.data()?;
            if changes.changed.is_empty() {
                return Ok(None);
            }
            Content::AccountChanged(account_change(event, changes.changed)?)
        }
        "UserPasswordChanged" => Content::AccountChanged(account_change(event, vec![Part::Password])?),
        "UserSecondFactorChanged" => Content::AccountChanged(account_change(event, vec![Part::SecondFactor])?),
        // Asked for once more, it says what it said, with the codes of then.
        "TicketConfirmed" | "TicketMailRequested" => {
            let mut booking = event.data::<TicketSummary>()?;
            booking.ticket_version = event.version();
            Content::TicketConfirmed(booking)
        }
        "TicketCancelled" => {
            let mut cancelled = event.data::<CancelledBooking>()?;
            cancelled.booking.ticket_version = event.version();
            Content::TicketCancelled(cancelled)
        }
        "TicketEventChanged" => {
            let mut moved = event.data::<MovedBooking>()?;
            moved.booking.ticket_version = event.version();
            return Ok(moved.is_moved().then_some(Content::TicketEventChanged(moved)));
        }
        // The ticket's message tells of the refund too, so that a thousand buyers of a cancelled event get a thousand messages and not two.
        "PaymentRefunded" if event.data::<Refund>()?.refund_reason.as_deref() == Some(EVENT_CANCELLED) => {
            return Ok(None);
        }
        "PaymentRefunded" => Content::PaymentRefunded(event.data::<Payment>()?),
        other => return Err(StepFailure::Defect(format!("no message is known for {other}"))),
    };
    Ok(Some(content))
}

fn account_change(event: &Event, changed: Vec<Part>) -> Result<AccountChange, StepFailure> {
    let owner = event.data::<Concerned>()?.user_id;
    let by_owner = event.metadata.trace.actor == Actor::User(owner);
    Ok(AccountChange { changed, at: event.occurred_at(), by_owner })
}

/// Where a notice of this event goes, if not to the user's contact: the address before is told of a new one.
///
/// # Errors
/// [`StepFailure::Defect`] when it is not what its contract says.
pub fn previous_email(event: &Event) -> Result<Option<Email>, StepFailure> {
    match event.kind() {
        "UserUpdated" | "UserEmailVerified" => event.data::<Changes>().map(|changes| changes.previous_email),
        _ => Ok(None),
    }
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
        "UserCreated" | "UserUpdated" | "UserEmailVerified" => {
            store.keep_contact(user, &contact(event)?, event.version()).await?;
        }
        "UserDeleted" => {
            store.forget_contact(user, event.version()).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Nothing new is recorded for somebody who is gone, or has verified no address; what was recorded before is given up when it is sent.
async fn recorded_before(store: &NotificationStore, event: &Event) -> Result<Option<Recorded>, StepFailure> {
    let before = store.get(event.id().notification()).await?;
    Ok(before.map(|before| Recorded::Known(before.id)))
}

/// The notification that this event is about, if there is any: recorded now, with the lease of this invocation, or before.
///
/// # Errors
/// [`StepFailure::Transient`] when the store fails, or the news of the user has not arrived yet; [`StepFailure::Defect`] when the event is not what its
/// contract says.
pub async fn record(store: &NotificationStore, event: &Event, who: &str) -> Result<Option<Recorded>, StepFailure> {
    if matches!(event.kind(), "NotificationRequested" | "NotificationResendRequested") {
        let requested: Requested = event.data()?;
        return Ok(Some(Recorded::Known(requested.notification_id)));
    }
    let user = event.data::<Concerned>()?.user_id;
    keep_contact(store, event, user).await?;
    let Some(content) = content(event)? else { return Ok(None) };
    let contact = match store.contact(user).await? {
        Some(Known::Contact(contact)) => contact,
        Some(Known::Deleted) => return recorded_before(store, event).await,
        None => return Err(StepFailure::Transient(format!("no event of {user} has arrived yet"))),
    };
    // A notice goes by mail, which is how an account is got back; so does a mail that its owner asks for, and whose codes no other message can have.
    let is_mail = matches!(content, Content::AccountChanged(_)) || event.kind() == "TicketMailRequested";
    let channel = if is_mail { Channel::Email } else { reachable_channel(&contact) };
    if previous_email(event)?.is_none() && Address::of(&contact, channel, &content).is_err() {
        return recorded_before(store, event).await;
    }
    let message = content.message().map_err(|error| StepFailure::Defect(error.to_string()))?;
    let (id, now, correlation_id) = (event.id().notification(), Timestamp::now(), event.correlation_id().clone());
    let new = Notification::new(id, user, channel, content, message, correlation_id, now);
    let leased =
        new.because_of(event.id()).claim(who, now).map_err(|refusal| StepFailure::from(ChangeError::from(refusal)))?;
    let written = store.record(&leased, RequestedBy::Event, &event.cause()).await?;
    let correlation_id = &leased.correlation_id;
    tracing::info!(notification_id = %id, event_type = event.kind(), %correlation_id, "notification recorded");
    Ok(Some(match written {
        Written::Yes => Recorded::New(Box::new(leased)),
        Written::Stale => Recorded::Known(id),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_refund_of_a_cancelled_event_has_no_message_of_its_own() {
        let sample: Value = serde_json::from_str(include_str!("../../../events/PaymentRefunded.sample.json")).unwrap();
        let because = |reason: &str| {
            let mut event = sample.clone();
            event["data"]["refundReason"] = json!(reason);
            content(&serde_json::from_value(event).unwrap()).unwrap()
        };
        assert!(because("BookingCancelled").is_some());
        assert_eq!(because("EventCancelled"), None);
    }
}
