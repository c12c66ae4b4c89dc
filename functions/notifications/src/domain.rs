//! A notification, who may send it, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ SENT
//!    │ ▲
//!    ▼ │ an operator's resend
//!  FAILED
//! ```
//!
//! A sender first takes a lease, so that of two deliveries of one event only one sends. A lease ends by itself, as its holder may be gone. An attempt
//! that the service is known not to have taken gives its lease back; one whose outcome nobody knows leaves it to run out. So the next sender that
//! finds a lease which is over knows that the message may have been sent, and counts it: after [`MOST_UNANSWERED`] of them the message fails, and an
//! operator decides.

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

/// Why a channel does not reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is none.
    #[error("the user has no address for {0}")]
    NoAddress(Channel),
    /// It may be anybody's.
    #[error("the user has not verified their address for {0}")]
    Unverified(Channel),
}

impl<'a> Address<'a> {
    /// Where a message goes by this channel: to a verified address, and one about an order that was paid also to the mail address that its buyer gave.
    ///
    /// # Errors
    /// When the channel does not reach them.
    pub fn of(contact: &'a Contact, channel: Channel, content: &Content) -> Result<Self, Unreachable> {
        let (address, is_verified) = Self::known(contact, channel).ok_or(Unreachable::NoAddress(channel))?;
        let may_go = is_verified || (channel == Channel::Email && content.is_about_a_paid_order());
        if may_go { Ok(address) } else { Err(Unreachable::Unverified(channel)) }
    }

    /// The address that a user has for this channel, and whether it is verified. A device is, since it registered itself.
    fn known(contact: &'a Contact, channel: Channel) -> Option<(Self, bool)> {
        match channel {
            Channel::Email => Some((Self::Email(&contact.email), contact.email_verified)),
            Channel::Sms => contact.phone.as_ref().map(|phone| (Self::Phone(phone), contact.phone_verified)),
            Channel::Push => contact.push_endpoint.as_ref().map(|device| (Self::Device(device), true)),
        }
    }
}

/// The channel of their choice, or mail where that does not reach them.
pub fn reachable_channel(contact: &Contact) -> Channel {
    let is_verified = Address::known(contact, contact.channel).is_some_and(|(_, is_verified)| is_verified);
    if is_verified { contact.channel } else { Channel::Email }
}

/// How many attempts may end without anybody knowing whether the service took the message. Each may have delivered it.
pub const MOST_UNANSWERED: u32 = 3;

/// The lease on a notification: its holder, and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The invocation that sends.
    pub holder: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Lease {
    /// Longer than the function that sends may run (15 s): when the lease is over, its holder is gone.
    pub const SECONDS: u32 = 20;

    fn runs(&self, now: Timestamp) -> bool {
        now < self.until
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
    /// The subject.
    pub content: Content,
    /// The text, in short.
    pub message: FreeText,
    /// Where it is.
    pub status: Status,
    /// How often somebody set out to send it.
    pub attempts: u32,
    /// How many of these attempts, since it was last sent again, ended without a known outcome.
    pub unanswered: u32,
    /// How often an operator had it sent again.
    pub resends: u32,
    /// The event that led to it.
    pub event_id: Option<EventId>,
    /// The request that began it all.
    pub correlation_id: Correlation,
    /// The execution that is sending it.
    pub lease: Option<Lease>,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
    /// Why it was not.
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
    #[error("the notification is already {0}")]
    Settled(Status),
    /// Its user deleted it first.
    #[error("the notification is deleted")]
    Deleted,
    /// Another delivery is at it, or was and left no outcome.
    #[error("the notification is being sent, or its last attempt has no known outcome before {0}")]
    Leased(Timestamp),
    /// It may have arrived already, more than once.
    #[error("the notification may have arrived: {0} attempts have no known outcome")]
    Unanswered(u32),
    /// It has not failed.
    #[error("the notification is {0}; only one that is FAILED is sent again")]
    NotFailed(Status),
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
            unanswered: 0,
            resends: 0,
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

    /// The template it is made of.
    pub fn template(&self) -> Template {
        self.content.template()
    }

    /// This invocation sets out to send it, alone.
    ///
    /// # Errors
    /// When it is not to be sent, somebody else is at it, or too many attempts have no known outcome.
    pub fn claim(&self, who: &str, now: Timestamp) -> Result<Self, NotToSend> {
        if self.status != Status::Pending {
            return Err(NotToSend::Settled(self.status));
        }
        if self.deleted_at.is_some() {
            return Err(NotToSend::Deleted);
        }
        let unanswered = match &self.lease {
            Some(lease) if lease.runs(now) => return Err(NotToSend::Leased(lease.until)),
            Some(_) => self.unanswered.saturating_add(1),
            None => self.unanswered,
        };
        if unanswered >= MOST_UNANSWERED {
            return Err(NotToSend::Unanswered(unanswered));
        }
        let lease = Some(Lease { holder: who.to_owned(), until: now.plus_seconds(Lease::SECONDS) });
        Ok(Self { attempts: self.attempts.saturating_add(1), unanswered, lease, ..self.clone() })
    }

    /// It has been handed over. The invocation that did so says so, whatever became of its lease meanwhile.
    ///
    /// # Errors
    /// When it is settled.
    pub fn sent(&self, now: Timestamp) -> Result<Self, NotToSend> {
        self.settled(Status::Sent, now).map(|sent| Self { sent_at: Some(now), ..sent })
    }

    /// This invocation gives it up.
    ///
    /// # Errors
    /// When it is settled, or another invocation is at it.
    pub fn failed(&self, who: &str, reason: String, now: Timestamp) -> Result<Self, NotToSend> {
        let failed = self.settled(Status::Failed, now)?;
        match &self.lease {
            Some(lease) if lease.holder != who && lease.runs(now) => Err(NotToSend::Leased(lease.until)),
            _ => Ok(Self { failure_reason: Some(reason), ..failed }),
        }
    }

    /// An operator has it sent again.
    ///
    /// # Errors
    /// Unless it is FAILED, and not deleted.
    pub fn resend(&self, now: Timestamp) -> Result<Self, NotToSend> {
        if self.deleted_at.is_some() {
            return Err(NotToSend::Deleted);
        }
        if self.status != Status::Failed {
            return Err(NotToSend::NotFailed(self.status));
        }
        let resends = self.resends.saturating_add(1);
        let again = Self { status: Status::Pending, failure_reason: None, unanswered: 0, resends, ..self.changed(now) };
        Ok(Self { lease: None, ..again })
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
            email_verified: true,
            phone: phone.map(|phone| phone.parse().unwrap()),
            phone_verified: true,
            push_endpoint: None,
        }
    }

    #[test]
    fn one_delivery_sends_and_another_waits_until_the_lease_is_over() {
        let now = Timestamp::now();
        let claimed = pending().claim("first", now).unwrap();
        let until = now.plus_seconds(Lease::SECONDS);
        assert_eq!((claimed.attempts, claimed.unanswered), (1, 0));
        for who in ["second", "first"] {
            assert_eq!(claimed.claim(who, now), Err(NotToSend::Leased(until)));
        }
        let taken = claimed.claim("second", until).unwrap();
        assert_eq!((taken.attempts, taken.unanswered), (2, 1));
    }

    #[test]
    fn a_message_that_may_have_arrived_is_tried_again_a_few_times_and_then_left_to_an_operator() {
        let mut now = Timestamp::now();
        let mut notification = pending();
        for attempt in 0..MOST_UNANSWERED {
            notification = notification.claim("somebody", now).unwrap();
            assert_eq!(notification.unanswered, attempt);
            now = now.plus_seconds(Lease::SECONDS);
        }
        assert_eq!(notification.claim("somebody", now), Err(NotToSend::Unanswered(MOST_UNANSWERED)));
        let again = notification.failed("somebody", "no answer".into(), now).unwrap().resend(now).unwrap();
        assert_eq!(again.claim("somebody", now).map(|again| (again.attempts, again.unanswered)), Ok((4, 0)));
    }

    #[test]
    fn an_attempt_that_was_not_taken_may_be_repeated_at_once_and_without_end() {
        let now = Timestamp::now();
        let mut notification = pending();
        for _ in 0..100 {
            notification = Notification { lease: None, ..notification.claim("somebody", now).unwrap() };
        }
        assert_eq!((notification.attempts, notification.unanswered), (100, 0));
    }

    #[test]
    fn an_invocation_that_gives_up_does_not_fail_what_another_is_sending() {
        let now = Timestamp::now();
        let claimed = pending().claim("first", now).unwrap();
        assert!(matches!(claimed.failed("second", "no answer".into(), now), Err(NotToSend::Leased(_))));
        let failed = claimed.failed("first", "no answer".into(), now).unwrap();
        assert_eq!((failed.status, failed.failure_reason.as_deref()), (Status::Failed, Some("no answer")));
    }

    #[test]
    fn only_a_failed_message_is_sent_again() {
        let now = Timestamp::now();
        let failed = pending().failed("somebody", "the address is wrong".into(), now).unwrap();
        let again = failed.resend(now).unwrap();
        assert_eq!((again.status, again.failure_reason.clone(), again.resends), (Status::Pending, None, 1));
        assert_eq!(again.resend(now), Err(NotToSend::NotFailed(Status::Pending)));
        let sent = again.claim("somebody", now).unwrap().sent(now).unwrap();
        assert_eq!(sent.resend(now), Err(NotToSend::NotFailed(Status::Sent)));
        assert_eq!(failed.deleted(now).unwrap().resend(now), Err(NotToSend::Deleted));
    }

    #[test]
    fn a_settled_notification_never_changes_outcome() {
        let now = Timestamp::now();
        let sent = pending().claim("first", now).unwrap().sent(now).unwrap();
        assert_eq!((sent.status, sent.sent_at, sent.version, &sent.lease), (Status::Sent, Some(now), 2, &None));
        assert_eq!(sent.claim("second", now), Err(NotToSend::Settled(Status::Sent)));
        assert_eq!(sent.sent(now), Err(NotToSend::Settled(Status::Sent)));
        assert_eq!(sent.failed("first", String::new(), now), Err(NotToSend::Settled(Status::Sent)));
    }

    #[test]
    fn a_deleted_notification_is_not_sent() {
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
    fn a_user_without_an_address_for_their_channel_gets_mail() {
        assert_eq!(reachable_channel(&contact(Channel::Sms, Some("+14155550123"))), Channel::Sms);
        assert_eq!(reachable_channel(&contact(Channel::Sms, None)), Channel::Email);
        assert_eq!(reachable_channel(&contact(Channel::Push, Some("+14155550123"))), Channel::Email);
        let unverified = Contact { phone_verified: false, ..contact(Channel::Sms, Some("+14155550123")) };
        assert_eq!(reachable_channel(&unverified), Channel::Email);
    }

    #[test]
    fn an_unverified_address_gets_no_message_but_about_a_paid_order() {
        let phone = Some("+14155550123");
        let known = contact(Channel::Sms, phone);
        let unknown = Contact { email_verified: false, phone_verified: false, ..known.clone() };
        let (free, paid) = (pending().content, Content::TicketConfirmed(paid_booking()));
        for content in [&free, &paid] {
            assert!(Address::of(&known, Channel::Email, content).is_ok());
            assert!(Address::of(&known, Channel::Sms, content).is_ok());
            let unverified = Err(Unreachable::Unverified(Channel::Sms));
            assert_eq!(Address::of(&unknown, Channel::Sms, content), unverified);
        }
        assert_eq!(Address::of(&unknown, Channel::Email, &free), Err(Unreachable::Unverified(Channel::Email)));
        assert_eq!(Address::of(&unknown, Channel::Email, &paid), Ok(Address::Email(&unknown.email)));
        let none = Err(Unreachable::NoAddress(Channel::Sms));
        assert_eq!(Address::of(&contact(Channel::Sms, None), Channel::Sms, &free), none);
    }

    fn paid_booking() -> crate::content::TicketSummary {
        let ticket = boxoffice_kernel::TicketId::generate();
        serde_json::from_value(serde_json::json!({
            "ticketId": ticket, "eventName": "Late Show", "eventDate": "2030-06-01T20:00:00.000Z", "quantity": 2,
            "totalAmount": 99.8, "currency": "EUR", "holdExpiresAt": "2030-05-01T08:05:00.000Z"
        }))
        .unwrap()
    }
}
