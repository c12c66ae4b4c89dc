//! A notification, who may send it, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ SENT
//!    └──────▶ FAILED
//! ```
//!
//! Whoever sends first takes a lease, so that of two executions that an event delivered twice has started only one sends. A lease ends by
//! itself: its holder may be gone.

use crate::content::{Content, FreeText, Template};
use boxoffice_kernel::{Channel, Contact, Correlation, Email, EventId, NotificationId, PhoneNumber, PushEndpoint};
use boxoffice_kernel::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = NotificationStatus)]
pub enum Status {
    /// To be sent.
    Pending,
    /// Handed over to what delivers it.
    Sent,
    /// Never to be sent.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Sent, Self::Failed];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a string is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be PENDING, SENT or FAILED")]
pub struct InvalidStatus;

impl FromStr for Status {
    type Err = InvalidStatus;
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(InvalidStatus)
    }
}

/// Where one message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    /// A mailbox.
    Email(&'a Email),
    /// A telephone.
    Phone(&'a PhoneNumber),
    /// A device.
    Device(&'a PushEndpoint),
}

impl<'a> Address<'a> {
    /// Where this channel reaches them, should it.
    pub fn of(contact: &'a Contact, channel: Channel) -> Option<Self> {
        match channel {
            Channel::Email => Some(Self::Email(&contact.email)),
            Channel::Sms => contact.phone.as_ref().map(Self::Phone),
            Channel::Push => contact.push_endpoint.as_ref().map(Self::Device),
        }
    }
}

/// The channel of their choice, or mail where that does not reach them.
pub fn reachable_channel(contact: &Contact) -> Channel {
    Address::of(contact, contact.channel).map_or(Channel::Email, |_| contact.channel)
}

/// Who is sending a notification, and until when nobody else will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The execution of the state machine.
    pub holder: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Lease {
    /// Longer than the function that sends may run (15 s): who comes after that finds its predecessor gone.
    pub const SECONDS: u32 = 20;

    fn keeps_out(&self, who: &str, now: Timestamp) -> bool {
        self.holder != who && now < self.until
    }
}

/// A message to a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its id; of one that an event led to, it follows from the event's.
    pub id: NotificationId,
    /// To whom.
    pub user_id: UserId,
    /// By which channel.
    pub channel: Channel,
    /// What it is about.
    pub content: Content,
    /// What it says, in short.
    pub message: FreeText,
    /// Where it is.
    pub status: Status,
    /// How often somebody set out to send it.
    pub attempts: u32,
    /// The event that led to it.
    pub event_id: Option<EventId>,
    /// The request that began it all.
    pub correlation_id: Correlation,
    /// Who is sending it.
    pub lease: Option<Lease>,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
    /// Why it never will be.
    pub failure_reason: Option<String>,
    /// Since when it is on no list.
    pub deleted_at: Option<Timestamp>,
    /// How many events it has.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Why nobody may send it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotToSend {
    /// It is settled.
    #[error("the notification is {0} already")]
    Settled(Status),
    /// Its user deleted it first.
    #[error("the notification is deleted")]
    Deleted,
    /// Someone else is at it.
    #[error("another execution is sending the notification, or was until {0}")]
    Leased(Timestamp),
}

impl Notification {
    /// A new notification, to be sent.
    pub fn new(
        id: NotificationId,
        user_id: UserId,
        channel: Channel,
        content: Content,
        message: FreeText,
        correlation_id: Correlation,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            user_id,
            channel,
            content,
            message,
            status: Status::Pending,
            attempts: 0,
            event_id: None,
            correlation_id,
            lease: None,
            sent_at: None,
            failure_reason: None,
            deleted_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// The same, because of this event.
    #[must_use]
    pub fn because_of(self, event: EventId) -> Self {
        Self { id: event.notification(), event_id: Some(event), ..self }
    }

    /// Which template it is made of.
    pub fn template(&self) -> Template {
        self.content.template()
    }

    /// This execution sets out to send it, alone. A retry of the same execution finds its own lease, which does not keep it out.
    ///
    /// # Errors
    /// When it is not to be sent, or another execution is at it.
    pub fn claim(&self, who: &str, now: Timestamp) -> Result<Self, NotToSend> {
        if self.status != Status::Pending {
            return Err(NotToSend::Settled(self.status));
        }
        if self.deleted_at.is_some() {
            return Err(NotToSend::Deleted);
        }
        self.unless_leased(who, now)?;
        let lease = Some(Lease { holder: who.to_owned(), until: now.plus_seconds(Lease::SECONDS) });
        Ok(Self { attempts: self.attempts.saturating_add(1), lease, ..self.clone() })
    }

    fn unless_leased(&self, who: &str, now: Timestamp) -> Result<(), NotToSend> {
        match &self.lease {
            Some(lease) if lease.keeps_out(who, now) => Err(NotToSend::Leased(lease.until)),
            _ => Ok(()),
        }
    }

    /// It has been handed over. Whoever did that says so, whatever became of the lease meanwhile.
    ///
    /// # Errors
    /// When it is settled.
    pub fn sent(&self, now: Timestamp) -> Result<Self, NotToSend> {
        self.settled(Status::Sent, now).map(|sent| Self { sent_at: Some(now), ..sent })
    }

    /// It will never be sent, says this execution.
    ///
    /// # Errors
    /// When it is settled, or another execution is at it.
    pub fn failed(&self, who: &str, reason: String, now: Timestamp) -> Result<Self, NotToSend> {
        let failed = self.settled(Status::Failed, now)?;
        self.unless_leased(who, now)?;
        Ok(Self { failure_reason: Some(reason), ..failed })
    }

    fn settled(&self, status: Status, now: Timestamp) -> Result<Self, NotToSend> {
        if self.status != Status::Pending {
            return Err(NotToSend::Settled(self.status));
        }
        Ok(Self { status, lease: None, ..self.changed(now) })
    }

    /// Off every list.
    ///
    /// # Errors
    /// When it is already.
    pub fn deleted(&self, now: Timestamp) -> Result<Self, NotToSend> {
        match self.deleted_at {
            Some(_) => Err(NotToSend::Deleted),
            None => Ok(Self { deleted_at: Some(now), ..self.changed(now) }),
        }
    }

    fn changed(&self, now: Timestamp) -> Self {
        Self { version: self.version.saturating_add(1), updated_at: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Notification {
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, user) = (NotificationId::generate(), UserId::generate());
        let content = Content::Message(text.clone());
        Notification::new(id, user, Channel::Email, content, text, EventId::generate().into(), Timestamp::now())
    }

    fn contact(channel: Channel, phone: Option<&str>) -> Contact {
        Contact {
            first_name: "Ada".parse().unwrap(),
            channel,
            email: "ada@example.org".parse().unwrap(),
            phone: phone.map(|phone| phone.parse().unwrap()),
            push_endpoint: None,
        }
    }

    #[test]
    fn one_execution_sends_and_another_waits_until_the_lease_is_over() {
        let now = Timestamp::now();
        let claimed = pending().claim("first", now).unwrap();
        let until = now.plus_seconds(Lease::SECONDS);
        assert_eq!(claimed.claim("second", now), Err(NotToSend::Leased(until)));
        assert_eq!(claimed.claim("first", now).map(|again| again.attempts), Ok(2));
        assert_eq!(claimed.claim("second", until).map(|taken| taken.attempts), Ok(2));
    }

    #[test]
    fn an_execution_that_gives_up_does_not_fail_what_another_is_sending() {
        let now = Timestamp::now();
        let claimed = pending().claim("first", now).unwrap();
        assert!(matches!(claimed.failed("second", "no answer".into(), now), Err(NotToSend::Leased(_))));
        let failed = claimed.failed("first", "no answer".into(), now).unwrap();
        assert_eq!((failed.status, failed.failure_reason.as_deref()), (Status::Failed, Some("no answer")));
    }

    #[test]
    fn what_is_settled_stays_so() {
        let now = Timestamp::now();
        let sent = pending().claim("first", now).unwrap().sent(now).unwrap();
        assert_eq!((sent.status, sent.sent_at, sent.version, &sent.lease), (Status::Sent, Some(now), 2, &None));
        assert_eq!(sent.claim("second", now), Err(NotToSend::Settled(Status::Sent)));
        assert_eq!(sent.sent(now), Err(NotToSend::Settled(Status::Sent)));
        assert_eq!(sent.failed("first", String::new(), now), Err(NotToSend::Settled(Status::Sent)));
    }

    #[test]
    fn what_is_deleted_is_not_sent() {
        let now = Timestamp::now();
        let deleted = pending().deleted(now).unwrap();
        assert_eq!(deleted.claim("first", now), Err(NotToSend::Deleted));
        assert_eq!(deleted.deleted(now), Err(NotToSend::Deleted));
    }

    #[test]
    fn an_event_names_its_notification() {
        let event = EventId::generate();
        assert_eq!(pending().because_of(event).id, event.notification());
    }

    #[test]
    fn who_has_no_address_for_their_channel_gets_mail() {
        assert_eq!(reachable_channel(&contact(Channel::Sms, Some("+14155550123"))), Channel::Sms);
        assert_eq!(reachable_channel(&contact(Channel::Sms, None)), Channel::Email);
        assert_eq!(reachable_channel(&contact(Channel::Push, Some("+14155550123"))), Channel::Email);
    }
}
