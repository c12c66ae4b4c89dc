//! The texts of each kind of message. No I/O.
//!
//! A kind is a pair of files in `templates/`: `<kind>.txt`, whose first line is the subject and whose rest is the message as it is shown, texted
//! and pushed; and `<kind>.html`, what a mail says in HTML. They are compiled in, and the HTML ones escape every value.
//!
//! A message says what happened, and not to whom: a name is only in the mail itself, and nobody's address or payment method anywhere.
//!
//! A booking that is paid is one message, when it is confirmed: its mail has the codes of the admissions, which nothing else has and nothing keeps, and a
//! calendar file; so has the mail about an event that was moved. The mail about a cancelled booking has a calendar file that takes the entry away. Seats that are held and wait for their payment, and a payment that was declined or went
//! through, are on the page that the buyer is looking at.

use crate::codes::{Codes, TicketCode};
use askama::Template as _;
use boxoffice_kernel::{Amount, Currency, PaymentId, Quantity, Text, TicketId, Timestamp, TransactionId, calendar};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// Why a string is not a [`FreeText`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Counted in characters.
    #[error("must be 1 to {} characters long", FreeText::MAX)]
    Length,
    /// It says nothing.
    #[error("must not be blank")]
    Blank,
    /// Line breaks and tabs apart.
    #[error("must not contain control characters")]
    ControlCharacter,
}

/// 1 to 1000 characters, on as many lines as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FreeText(String);

impl FreeText {
    /// The most characters.
    pub const MAX: usize = 1000;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FreeText {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let spaces = [' ', '\t', '\r', '\n'];
        if text.chars().any(|character| character.is_control() && !spaces.contains(&character)) {
            return Err(InvalidText::ControlCharacter);
        }
        match text.chars().take(Self::MAX + 1).count() {
            1..=Self::MAX if text.trim().is_empty() => Err(InvalidText::Blank),
            1..=Self::MAX => Ok(Self(text.to_owned())),
            _ => Err(InvalidText::Length),
        }
    }
}

impl fmt::Display for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FreeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

boxoffice_kernel::schema::string_schema!(FreeText, {
    min: 1,
    max: FreeText::MAX,
    // No control characters but line breaks and tabs, and something besides spaces.
    pattern: "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u0020\\u007f-\\u009f][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$",
    example: "The doors open an hour earlier."
});

/// The templates of a message. For [`Template::TicketHeld`], [`Template::PaymentCompleted`] and [`Template::PaymentFailed`] there are only
/// messages from before a booking became one message; they can still be read, and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = NotificationTemplate)]
pub enum Template {
    /// A user has verified their mail address.
    Welcome,
    /// Seats are held.
    TicketHeld,
    /// The seats are theirs.
    TicketConfirmed,
    /// The seats are not, or no longer.
    TicketCancelled,
    /// The event of the ticket takes place at another time or in another place.
    TicketEventChanged,
    /// Money was taken.
    PaymentCompleted,
    /// It was not.
    PaymentFailed,
    /// It was given back.
    PaymentRefunded,
    /// The text from an ADMIN.
    Message,
    /// Something by which a user logs in or is reached is another.
    AccountChanged,
    /// The account is gone.
    AccountDeleted,
}

/// A part of an account that its owner is told of when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The name to log in with.
    Username,
    /// Where they get mail.
    Email,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// Where they get text messages.
    Phone,
    /// The device that gets push messages.
    PushEndpoint,
    /// The password.
    Password,
    /// The second factor.
    SecondFactor,
}

impl Part {
    fn words(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "mail address",
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::Phone => "telephone number",
            Self::PushEndpoint => "device for push messages",
            Self::Password => "password",
            Self::SecondFactor => "second factor",
        }
    }
}

/// A change of an account, as its owner is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountChange {
    /// The changed parts.
    pub changed: Vec<Part>,
    /// When.
    pub at: Timestamp,
    /// Whether its owner was logged in, and not an ADMIN or operator.
    pub by_owner: bool,
}

impl AccountChange {
    fn parts(&self) -> String {
        let parts: Vec<_> = self.changed.iter().map(|part| part.words()).collect();
        match parts.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            _ => parts.concat(),
        }
    }

    fn moment(&self) -> String {
        moment(self.at)
    }
}

/// A booking, as far as a message tells of it: some of the data of a ticket's event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketSummary {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The name of the event.
    pub event_name: Text<200>,
    /// The date of the event.
    pub event_date: Timestamp,
    /// Where; unknown of bookings older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Text<300>>,
    /// How many seats.
    pub quantity: Quantity,
    /// The total.
    pub total_amount: Amount,
    /// In this currency.
    pub currency: Currency,
    /// Until when they are held.
    pub hold_expires_at: Timestamp,
    /// The ticket's version: that of the event, beside whose data it is.
    #[serde(default)]
    pub ticket_version: u64,
}

/// A booking that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelledBooking {
    /// The notification.
    #[serde(flatten)]
    pub booking: TicketSummary,
    /// The reason for the cancellation.
    pub cancellation_reason: CancellationReason,
}

/// A booking whose event was moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedBooking {
    /// The booking, with the event as it is now.
    #[serde(flatten)]
    pub booking: TicketSummary,
    /// The event as the buyer knew it.
    pub previous: KnownEvent,
}

/// An event as its buyer knew it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownEvent {
    /// Its date.
    pub event_date: Timestamp,
    /// Its place.
    pub location: Text<300>,
}

impl MovedBooking {
    /// Whether its time or its place changed, and not only its name.
    pub fn is_moved(&self) -> bool {
        let KnownEvent { event_date, location } = &self.previous;
        self.booking.event_date != *event_date || self.booking.location.as_ref() != Some(location)
    }

    /// The former time, and whether it was elsewhere, in a sentence.
    fn before(&self) -> String {
        let date = moment(self.previous.event_date);
        if self.booking.location.as_ref() == Some(&self.previous.location) {
            format!("Before, it was on {date}.")
        } else {
            format!("Before, it was on {date}, in another place.")
        }
    }
}

/// Why a booking is over, in the words of `TicketCancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancellationReason {
    /// Nobody paid in time.
    HoldExpired,
    /// The payment provider said no.
    PaymentDeclined,
    /// The payment provider said nothing.
    PaymentUnavailable,
    /// The buyer asked for it.
    CancelledByBuyer,
    /// An ADMIN or an operator cancelled it, and not the buyer.
    CancelledByOperator,
    /// The organiser cancelled the event.
    EventCancelled,
    /// The money was given back.
    PaymentRefunded,
    /// The seats were gone before the payment came.
    HoldLost,
    /// Anything else, and what this context does not know yet.
    #[serde(other)]
    BookingFailed,
}

/// A payment, as far as a message tells of it: some of the data of a payment's event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The payment.
    pub payment_id: PaymentId,
    /// For what.
    pub ticket_id: TicketId,
    /// The amount.
    pub amount: Amount,
    /// In this currency.
    pub currency: Currency,
    /// As their statement names it.
    pub transaction_id: TransactionId,
}

/// The subject of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", content = "about", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Content {
    /// A user has verified their mail address.
    Welcome,
    /// Seats are held.
    TicketHeld(TicketSummary),
    /// The seats are theirs.
    TicketConfirmed(TicketSummary),
    /// The seats are not, or no longer.
    TicketCancelled(CancelledBooking),
    /// The event of the ticket takes place at another time or in another place.
    TicketEventChanged(MovedBooking),
    /// Money was taken.
    PaymentCompleted(Payment),
    /// It was not.
    PaymentFailed(Payment),
    /// It was given back.
    PaymentRefunded(Payment),
    /// The text from an ADMIN.
    Message(FreeText),
    /// Something by which a user logs in or is reached is another.
    AccountChanged(AccountChange),
    /// The account is gone.
    AccountDeleted,
}

/// Why there is no message. Templates are compiled and their values bounded, so it is a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {0:?} template makes no message: {1}")]
pub struct Unwritable(Template, String);

/// A message, ready for every channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// A mail.
    pub subject: String,
    /// A mail in text.
    pub text: String,
    /// A mail in HTML.
    pub html: String,
    /// Anywhere else.
    pub message: FreeText,
    /// The codes that a mail's page shows.
    pub codes: Vec<TicketCode>,
    /// The calendar file of a mail.
    pub calendar: Option<String>,
}

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");

/// `1 June 2030, 20:00 UTC`: events have no time zone of their own.
fn moment(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.unix_millis()) * 1_000_000);
    at.ok().and_then(|at| at.format(MOMENT).ok()).unwrap_or_default()
}

fn seats(quantity: Quantity) -> String {
    if quantity.get() == 1 { "1 seat".to_owned() } else { format!("{quantity} seats") }
}

impl TicketSummary {
    fn seats(&self) -> String {
        seats(self.quantity)
    }

    /// The event, its place and its time: `Late Show, Concert Hall, on 1 June 2030, 20:00 UTC`.
    fn occasion(&self) -> String {
        let (name, date) = (&self.event_name, moment(self.event_date));
        match &self.location {
            Some(location) => format!("{name}, {location}, on {date}"),
            None => format!("{name} on {date}"),
        }
    }

    /// As the buyer's statement names the payment.
    fn transaction(&self) -> TransactionId {
        self.ticket_id.payment().transaction()
    }

    fn held_until(&self) -> String {
        moment(self.hold_expires_at)
    }

    fn calendar(&self, status: calendar::Status, made_at: Timestamp) -> String {
        let summary = format!("{}, {}", self.seats(), self.ticket_id);
        let entry = calendar::Entry {
            ticket: self.ticket_id,
            version: self.ticket_version,
            status,
            name: self.event_name.as_str(),
            starts_at: self.event_date,
            place: self.location.as_ref().map(Text::as_str),
            summary: &summary,
        };
        entry.file(made_at)
    }
}

impl CancellationReason {
    /// Whether the booking may have been confirmed before, so that its event may be in a calendar.
    fn may_follow_a_confirmation(self) -> bool {
        match self {
            Self::CancelledByBuyer | Self::CancelledByOperator | Self::EventCancelled | Self::PaymentRefunded => true,
            Self::HoldExpired
            | Self::PaymentDeclined
            | Self::PaymentUnavailable
            | Self::HoldLost
            | Self::BookingFailed => false,
        }
    }

    /// Why, in a sentence.
    fn why(self) -> &'static str {
        match self {
            Self::HoldExpired => "It was not paid for in time.",
            Self::PaymentDeclined => "The payment was declined.",
            Self::PaymentUnavailable => "The payment could not be made: the payment provider was not available.",
            Self::CancelledByBuyer => "You asked us to cancel it.",
            Self::CancelledByOperator => "We cancelled it.",
            Self::EventCancelled => "The organiser cancelled the event.",
            Self::PaymentRefunded => "Your payment was refunded.",
            Self::HoldLost => "The seats were gone before your payment arrived.",
            Self::BookingFailed => "The booking could not be completed.",
        }
    }

    /// The fate of the buyer's money, in a sentence.
    fn money(self) -> &'static str {
        match self {
            Self::HoldExpired | Self::PaymentDeclined => "You were not charged; you are welcome to book again.",
            Self::PaymentRefunded => "It may take some days to appear on your statement.",
            Self::PaymentUnavailable
            | Self::CancelledByBuyer
            | Self::CancelledByOperator
            | Self::EventCancelled
            | Self::HoldLost
            | Self::BookingFailed => "What you had paid for it is refunded.",
        }
    }
}

/// The pair of templates of each kind, about a value of its own type.
macro_rules! templates {
    ($($module:ident: $about:ty, $text:tt, $html:tt;)+) => {$(
        mod $module {
            #[allow(unused_imports, reason = "not every kind is about something of this file")]
            use super::*;

            #[derive(askama::Template)]
            #[template(path = $text)]
            pub(super) struct InText<'a> {
                #[allow(dead_code, reason = "not every kind says something of it")]
                pub(super) about: &'a $about,
            }

            #[derive(askama::Template)]
            #[template(path = $html)]
            pub(super) struct InHtml<'a> {
                #[allow(dead_code, reason = "not every kind says something of it")]
                pub(super) about: &'a $about,
                pub(super) subject: &'a str,
                pub(super) first_name: &'a str,
                #[allow(dead_code, reason = "not every kind shows codes")]
                pub(super) codes: &'a Codes,
            }
        }
    )+};
}

templates!(
    welcome: (), "welcome.txt", "welcome.html";
    ticket_held: TicketSummary, "ticket_held.txt", "ticket_held.html";
    ticket_confirmed: TicketSummary, "ticket_confirmed.txt", "ticket_confirmed.html";
    ticket_cancelled: CancelledBooking, "ticket_cancelled.txt", "ticket_cancelled.html";
    ticket_event_changed: MovedBooking, "ticket_event_changed.txt", "ticket_event_changed.html";
    payment_completed: Payment, "payment_completed.txt", "payment_completed.html";
    payment_failed: Payment, "payment_failed.txt", "payment_failed.html";
    payment_refunded: Payment, "payment_refunded.txt", "payment_refunded.html";
    message: FreeText, "message.txt", "message.html";
    account_changed: AccountChange, "account_changed.txt", "account_changed.html";
    account_deleted: (), "account_deleted.txt", "account_deleted.html";
);

/// A mail in text: what is around the message.
#[derive(askama::Template)]
#[template(path = "layout.txt")]
struct Mail<'a> {
    first_name: &'a str,
    message: &'a str,
    note: Option<&'a str>,
}

macro_rules! render {
    ($content:expr, $kind:ident { $($field:ident: $value:expr),* }) => {
        match $content {
            Content::Welcome => welcome::$kind { about: &(), $($field: $value),* }.render(),
            Content::TicketHeld(about) => ticket_held::$kind { about, $($field: $value),* }.render(),
            Content::TicketConfirmed(about) => ticket_confirmed::$kind { about, $($field: $value),* }.render(),
            Content::TicketCancelled(about) => ticket_cancelled::$kind { about, $($field: $value),* }.render(),
            Content::TicketEventChanged(about) => ticket_event_changed::$kind { about, $($field: $value),* }.render(),
            Content::PaymentCompleted(about) => payment_completed::$kind { about, $($field: $value),* }.render(),
            Content::PaymentFailed(about) => payment_failed::$kind { about, $($field: $value),* }.render(),
            Content::PaymentRefunded(about) => payment_refunded::$kind { about, $($field: $value),* }.render(),
            Content::Message(about) => message::$kind { about, $($field: $value),* }.render(),
            Content::AccountChanged(about) => account_changed::$kind { about, $($field: $value),* }.render(),
            Content::AccountDeleted => account_deleted::$kind { about: &(), $($field: $value),* }.render(),
        }
    };
}

impl Content {
    /// The templates it is written with.
    pub fn template(&self) -> Template {
        match self {
            Self::Welcome => Template::Welcome,
            Self::TicketHeld(_) => Template::TicketHeld,
            Self::TicketConfirmed(_) => Template::TicketConfirmed,
            Self::TicketCancelled(_) => Template::TicketCancelled,
            Self::TicketEventChanged(_) => Template::TicketEventChanged,
            Self::PaymentCompleted(_) => Template::PaymentCompleted,
            Self::PaymentFailed(_) => Template::PaymentFailed,
            Self::PaymentRefunded(_) => Template::PaymentRefunded,
            Self::Message(_) => Template::Message,
            Self::AccountChanged(_) => Template::AccountChanged,
            Self::AccountDeleted => Template::AccountDeleted,
        }
    }

    /// Whether it is about an order that its buyer has paid for. Nobody has one sent to another's address for nothing: what is cancelled unpaid, or by its
    /// buyer, is not among them, and the refund is a message of its own.
    pub fn is_about_a_paid_order(&self) -> bool {
        match self {
            Self::TicketConfirmed(_) | Self::TicketEventChanged(_) | Self::PaymentRefunded(_) => true,
            Self::TicketCancelled(cancelled) => matches!(
                cancelled.cancellation_reason,
                CancellationReason::CancelledByOperator
                    | CancellationReason::EventCancelled
                    | CancellationReason::PaymentRefunded
                    | CancellationReason::HoldLost
            ),
            Self::Welcome
            | Self::TicketHeld(_)
            | Self::PaymentCompleted(_)
            | Self::PaymentFailed(_)
            | Self::Message(_)
            | Self::AccountChanged(_)
            | Self::AccountDeleted => false,
        }
    }

    /// The ticket whose codes its mail has.
    pub fn ticket_with_codes(&self) -> Option<TicketId> {
        match self {
            Self::TicketConfirmed(booking) => Some(booking.ticket_id),
            Self::TicketEventChanged(moved) => Some(moved.booking.ticket_id),
            _ => None,
        }
    }

    /// Whether its mail would be wrong before the ticket has admissions.
    pub fn waits_for_admissions(&self) -> bool {
        matches!(self, Self::TicketConfirmed(_))
    }

    /// The calendar file of its mail: of a booking that is good, as its codes are, or of one that is cancelled.
    fn calendar(&self, codes: &Codes, made_at: Timestamp) -> Option<String> {
        use calendar::Status;
        match self {
            Self::TicketConfirmed(booking) | Self::TicketEventChanged(MovedBooking { booking, .. })
                if !codes.codes.is_empty() =>
            {
                Some(booking.calendar(Status::Confirmed, made_at))
            }
            Self::TicketCancelled(CancelledBooking { booking, cancellation_reason })
                if cancellation_reason.may_follow_a_confirmation() =>
            {
                Some(booking.calendar(Status::Cancelled, made_at))
            }
            _ => None,
        }
    }

    fn unwritable(&self, why: impl fmt::Display) -> Unwritable {
        Unwritable(self.template(), why.to_string())
    }

    /// Subject and message.
    fn words(&self) -> Result<(String, FreeText), Unwritable> {
        let words = render!(self, InText {}).map_err(|error| self.unwritable(error))?;
        let (subject, message) = words.split_once('\n').ok_or_else(|| self.unwritable("no subject"))?;
        let message = match self {
            // An ADMIN's words are theirs, to the last space.
            Self::Message(text) => text.clone(),
            _ => message.trim().parse().map_err(|error| self.unwritable(error))?,
        };
        Ok((subject.to_owned(), message))
    }

    /// The text, in short.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn message(&self) -> Result<FreeText, Unwritable> {
        self.words().map(|(_, message)| message)
    }

    /// The message in every form, to somebody of this name, with nothing enclosed.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn compose(&self, first_name: &Text<50>) -> Result<Composed, Unwritable> {
        self.composed(first_name, Codes::default())
    }

    /// The same as a mail, made at this time: with these codes, and with its calendar file.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn compose_mail(&self, first_name: &Text<50>, codes: Codes, now: Timestamp) -> Result<Composed, Unwritable> {
        let calendar = self.calendar(&codes, now);
        Ok(Composed { calendar, ..self.composed(first_name, codes)? })
    }

    fn composed(&self, first_name: &Text<50>, codes: Codes) -> Result<Composed, Unwritable> {
        let (subject, message) = self.words()?;
        let (first_name, note) = (first_name.as_str(), codes.note());
        let text = Mail { first_name, message: message.as_str(), note: note.as_deref() }.render();
        let html = render!(self, InHtml { subject: &subject, first_name: first_name, codes: &codes });
        let failed = |error: askama::Error| self.unwritable(error);
        let (text, html) = (text.map_err(failed)?, html.map_err(failed)?);
        Ok(Composed { subject, text, html, message, codes: codes.codes, calendar: None })
    }
}

impl Composed {
    /// Whether a mail has more than its text.
    pub fn has_enclosures(&self) -> bool {
        !self.codes.is_empty() || self.calendar.is_some()
    }

    /// How many characters of a message a device gets: more than any shows, and within what each push service takes.
    const PUSHED: usize = 240;

    /// The message for each push service that SNS knows
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html>).
    pub fn push_payload(&self) -> String {
        let body = shortened(self.message.as_str(), Self::PUSHED);
        let title = shortened(&self.subject, Self::PUSHED);
        let apple = serde_json::json!({ "aps": { "alert": { "title": &title, "body": &body } } }).to_string();
        let notification = serde_json::json!({ "title": &title, "body": &body });
        let firebase = serde_json::json!({ "fcmV1Message": { "message": { "notification": notification } } });
        serde_json::json!({ "default": body, "APNS": &apple, "APNS_SANDBOX": apple, "GCM": firebase.to_string() })
            .to_string()
    }
}

fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept = text.chars().take(characters.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn booking(event_name: &str) -> TicketSummary {
        TicketSummary {
            ticket_id: "tkt_01970000000070008000000000000001".parse().unwrap(),
            event_name: event_name.parse().unwrap(),
            event_date: "2030-06-01T20:00:00Z".parse().unwrap(),
            location: Some("Concert Hall, Vienna".parse().unwrap()),
            quantity: Quantity::new(2).unwrap(),
            total_amount: Amount::from_minor(9980).unwrap(),
            currency: Currency::Eur,
            hold_expires_at: "2030-05-01T08:05:59Z".parse().unwrap(),
            ticket_version: 2,
        }
    }

    fn codes(shown: u32, admissions: u32) -> Codes {
        let ticket = booking("Late Show").ticket_id;
        let code = |place| TicketCode { admission_id: ticket.admission(place).unwrap(), serial: place, png: vec![1] };
        Codes { admissions, codes: (1..=shown).map(code).collect() }
    }

    fn mailed(content: &Content, codes: Codes) -> Composed {
        content.compose_mail(&ada(), codes, "2030-05-01T08:06:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_confirmation_shows_a_code_for_each_admission_and_says_how_many_there_are() {
        let mail = mailed(&Content::TicketConfirmed(booking("Late Show")), codes(2, 2));
        let note = "Your 2 codes are in this mail. Each admits one person: show it at the door.";
        assert!(mail.text.contains(&format!(".\n\n{note}\n\nBox Office")), "{}", mail.text);
        assert!(mail.html.contains(note), "{}", mail.html);
        assert_eq!(mail.html.matches("src=\"cid:").count(), 2);
        for code in &mail.codes {
            assert!(mail.html.contains(&format!("src=\"cid:{}\"", code.content_id())), "{}", mail.html);
        }
        // A text message and the stored one have no code, and nothing to say of it.
        assert!(!mail.message.as_str().contains("code"), "{}", mail.message);
    }

    #[test]
    fn a_booking_whose_admissions_are_revoked_shows_no_code_and_enters_no_calendar() {
        let mail = mailed(&Content::TicketConfirmed(booking("Late Show")), codes(0, 2));
        assert!(!mail.html.contains("cid:") && !mail.text.contains("code"), "{}", mail.html);
        assert_eq!((mail.codes.len(), mail.calendar), (0, None));
        let pending = mailed(&Content::TicketEventChanged(moved("Late Show")), Codes::default());
        assert_eq!(pending.calendar, None);
    }

    #[test]
    fn a_calendar_entry_follows_its_event_until_it_is_cancelled() {
        let line = |mail: &Composed, name: &str| {
            let file = mail.calendar.clone().unwrap();
            file.lines().find_map(|line| line.strip_prefix(name).map(ToOwned::to_owned)).unwrap()
        };
        let mut later = moved("Late Show");
        (later.booking.ticket_version, later.booking.event_date) = (3, "2030-06-08T19:30:00Z".parse().unwrap());
        let over = CancelledBooking {
            booking: TicketSummary { ticket_version: 5, ..booking("Late Show") },
            cancellation_reason: CancellationReason::EventCancelled,
        };
        let mails = [
            mailed(&Content::TicketConfirmed(booking("Late Show")), codes(1, 1)),
            mailed(&Content::TicketEventChanged(later), codes(1, 1)),
            mailed(&Content::TicketCancelled(over), Codes::default()),
        ];
        let each = |name: &str| mails.iter().map(|mail| line(mail, name)).collect::<Vec<_>>();
        assert_eq!(each("UID:"), vec!["tkt_01970000000070008000000000000001@boxoffice"; 3]);
        assert_eq!(each("SEQUENCE:"), ["2", "3", "5"]);
        assert_eq!(each("STATUS:"), ["CONFIRMED", "CONFIRMED", "CANCELLED"]);
        assert_eq!(each("DTSTART:"), ["20300601T200000Z", "20300608T193000Z", "20300601T200000Z"]);
    }

    #[test]
    fn a_booking_that_was_never_confirmed_leaves_calendars_alone() {
        for reason in [CancellationReason::HoldExpired, CancellationReason::PaymentDeclined] {
            assert_eq!(mailed(&cancelled("Late Show", reason), Codes::default()).calendar, None);
        }
    }

    fn payment() -> Payment {
        let ticket_id: TicketId = "tkt_01970000000070008000000000000001".parse().unwrap();
        Payment {
            payment_id: ticket_id.payment(),
            ticket_id,
            amount: Amount::from_minor(9980).unwrap(),
            currency: Currency::Eur,
            transaction_id: ticket_id.payment().transaction(),
        }
    }

    fn cancelled(event_name: &str, cancellation_reason: CancellationReason) -> Content {
        Content::TicketCancelled(CancelledBooking { booking: booking(event_name), cancellation_reason })
    }

    fn moved(event_name: &str) -> MovedBooking {
        let previous = KnownEvent {
            event_date: "2030-05-25T19:30:00Z".parse().unwrap(),
            location: "Concert Hall, Vienna".parse().unwrap(),
        };
        MovedBooking { booking: booking(event_name), previous }
    }

    #[test]
    fn a_buyer_of_a_moved_event_learns_its_new_and_its_former_time() {
        let told = Content::TicketEventChanged(moved("Late Show")).compose(&ada()).unwrap();
        assert_eq!(told.subject, "Late Show has been moved");
        for said in ["on 1 June 2030, 20:00 UTC", "on 25 May 2030, 19:30 UTC", "2 seats", "tkt_0197"] {
            assert!(told.message.as_str().contains(said), "{said} is not in {}", told.message);
            assert!(told.html.contains(said), "{said} is not in {}", told.html);
        }
        assert!(!told.message.as_str().contains("another place"), "{}", told.message);
        let mut elsewhere = moved("Late Show");
        elsewhere.previous.location = "Garden".parse().unwrap();
        let told = Content::TicketEventChanged(elsewhere).compose(&ada()).unwrap();
        assert!(told.message.as_str().contains("in another place"), "{}", told.message);
    }

    #[test]
    fn an_event_that_only_got_another_name_has_not_moved() {
        let mut renamed = moved("Late Show");
        assert!(renamed.is_moved());
        renamed.previous.event_date = renamed.booking.event_date;
        assert!(!renamed.is_moved());
    }

    fn every_kind(event_name: &str) -> Vec<Content> {
        vec![
            Content::Welcome,
            Content::TicketHeld(booking(event_name)),
            Content::TicketConfirmed(booking(event_name)),
            cancelled(event_name, CancellationReason::PaymentUnavailable),
            Content::TicketEventChanged(moved(event_name)),
            Content::PaymentCompleted(payment()),
            Content::PaymentFailed(payment()),
            Content::PaymentRefunded(payment()),
            Content::Message("The doors open\nan hour earlier.".parse().unwrap()),
            Content::AccountChanged(changed(&[Part::Email, Part::Phone])),
            Content::AccountDeleted,
        ]
    }

    fn changed(parts: &[Part]) -> AccountChange {
        AccountChange { changed: parts.to_vec(), at: "2030-05-01T08:05:59Z".parse().unwrap(), by_owner: true }
    }

    #[test]
    fn a_notice_names_what_changed_when_and_what_to_do() {
        let message = Content::AccountChanged(changed(&[Part::Email, Part::Phone, Part::Password])).message().unwrap();
        for said in ["mail address, telephone number and password", "1 May 2030, 08:05 UTC", "If it was not you"] {
            assert!(message.as_str().contains(said), "{said} is not in {message}");
        }
        let by_an_admin = AccountChange { by_owner: false, ..changed(&[Part::Username]) };
        let message = Content::AccountChanged(by_an_admin).message().unwrap();
        assert!(message.as_str().contains("We changed the username"), "{message}");
    }

    fn ada() -> Text<50> {
        "Ada".parse().unwrap()
    }

    #[test]
    fn one_message_says_what_is_booked_where_when_and_what_was_paid() {
        let confirmed = Content::TicketConfirmed(booking("Late Show")).compose(&ada()).unwrap();
        assert_eq!(confirmed.subject, "Your booking for Late Show is confirmed");
        let occasion = "Late Show, Concert Hall, Vienna, on 1 June 2030, 20:00 UTC";
        for said in ["2 seats", occasion, "99.80 EUR", "tkt_0197", "txn_0197"] {
            assert!(confirmed.message.as_str().contains(said), "{said} is not in {}", confirmed.message);
            assert!(confirmed.html.contains(said), "{said} is not in {}", confirmed.html);
        }
        assert!(confirmed.text.starts_with("Hello Ada,\n\n"), "{}", confirmed.text);
        assert!(confirmed.text.contains(confirmed.message.as_str()));
    }

    #[test]
    fn a_booking_from_before_its_place_was_kept_says_none() {
        let booking = TicketSummary { location: None, ..booking("Late Show") };
        let message = Content::TicketConfirmed(booking).message().unwrap();
        assert!(message.as_str().contains("for Late Show on 1 June 2030, 20:00 UTC is confirmed"), "{message}");
    }

    #[test]
    fn a_cancellation_says_why_who_wanted_it_and_what_becomes_of_the_money() {
        for (reason, why, money) in [
            (CancellationReason::HoldExpired, "not paid for in time", "not charged"),
            (CancellationReason::PaymentDeclined, "declined", "not charged"),
            (CancellationReason::CancelledByBuyer, "You asked us to cancel it.", "is refunded"),
            (CancellationReason::CancelledByOperator, "We cancelled it.", "is refunded"),
            (CancellationReason::EventCancelled, "The organiser cancelled the event.", "is refunded"),
            (CancellationReason::HoldLost, "gone before your payment", "is refunded"),
        ] {
            let message = cancelled("Late Show", reason).message().unwrap();
            assert!(message.as_str().contains(why) && message.as_str().contains(money), "{reason:?}: {message}");
        }
        let not_theirs = cancelled("Late Show", CancellationReason::CancelledByOperator).message().unwrap();
        assert!(!not_theirs.as_str().contains("You asked"), "{not_theirs}");
    }

    #[test]
    fn nobody_has_a_message_about_an_order_sent_without_paying() {
        let paid = [
            Content::TicketConfirmed(booking("Late Show")),
            Content::TicketEventChanged(moved("Late Show")),
            Content::PaymentRefunded(payment()),
            cancelled("Late Show", CancellationReason::CancelledByOperator),
            cancelled("Late Show", CancellationReason::EventCancelled),
            cancelled("Late Show", CancellationReason::HoldLost),
        ];
        assert!(paid.iter().all(Content::is_about_a_paid_order));
        for reason in [
            CancellationReason::HoldExpired,
            CancellationReason::PaymentDeclined,
            CancellationReason::PaymentUnavailable,
            CancellationReason::CancelledByBuyer,
            CancellationReason::BookingFailed,
        ] {
            assert!(!cancelled("Late Show", reason).is_about_a_paid_order(), "{reason:?}");
        }
        assert!(!Content::Welcome.is_about_a_paid_order());
        assert!(!Content::AccountChanged(changed(&[Part::Email])).is_about_a_paid_order());
    }

    #[test]
    fn a_payment_is_named_with_its_currency() {
        for content in [Content::PaymentCompleted(payment()), Content::PaymentFailed(payment())] {
            assert!(content.message().unwrap().as_str().contains("99.80 EUR"));
        }
        assert!(Content::PaymentRefunded(payment()).compose(&ada()).unwrap().html.contains("99.80 EUR"));
    }

    #[test]
    fn a_message_names_nobody() {
        for content in every_kind("Late Show") {
            assert!(!content.message().unwrap().as_str().contains("Ada"), "{content:?}");
        }
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let hostile = "<script>alert('1')</script> & \"co\"";
        let name: Text<50> = "<b>Ada</b>".parse().unwrap();
        for content in every_kind(hostile).into_iter().chain([Content::Message(hostile.parse().unwrap())]) {
            let composed = content.compose(&name).unwrap();
            assert!(!composed.html.contains("<script>"), "{}", composed.html);
            assert!(!composed.html.contains("<b>"), "{}", composed.html);
        }
        let message = Content::Message(hostile.parse().unwrap()).compose(&name).unwrap();
        assert!(message.text.contains(hostile));
        assert_eq!(message.message.as_str(), hostile);
    }

    #[test]
    fn a_message_survives_the_table() {
        for content in every_kind("Late Show") {
            let json = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content, "{json}");
        }
    }

    #[test]
    fn a_reason_that_is_new_is_still_a_reason() {
        let reason: CancellationReason = serde_json::from_str("\"HALL_BURNT_DOWN\"").unwrap();
        assert_eq!(reason, CancellationReason::BookingFailed);
    }

    #[test]
    fn free_text_has_limits() {
        for good in ["a", " a ", "two\r\nlines", "a\tb", &"é".repeat(1000)] {
            assert!(good.parse::<FreeText>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", " \t\r\n", "\u{2006}\u{3000}", "a\u{7}", "a\u{85}b", &"é".repeat(1001)] {
            assert!(bad.parse::<FreeText>().is_err(), "{bad:?} was accepted");
        }
    }

    /// Names that an event can have.
    fn event_names() -> impl Strategy<Value = String> {
        "[^\\p{Cc}\\s]([^\\p{Cc}]{0,198}[^\\p{Cc}\\s])?"
            .prop_filter("no event has this name", |name| name.parse::<Text<200>>().is_ok())
    }

    proptest! {
        #[test]
        fn the_document_accepts_the_text_that_the_code_does(text in "[ \\t\\r\\na-c\\u{0}-\\u{1f}\\u{7f}-\\u{a0}é]{0,6}") {
            use utoipa::PartialSchema;
            let schema = serde_json::to_value(FreeText::schema()).unwrap();
            let documented = jsonschema::is_valid(&schema, &serde_json::Value::String(text.clone()));
            prop_assert_eq!(documented, text.parse::<FreeText>().is_ok(), "{:?}", text);
        }

        #[test]
        fn every_message_can_be_sent_whatever_the_event_is_called(event_name in event_names()) {
            let longest = TicketSummary { location: Some("x".repeat(300).parse().unwrap()), ..booking(&event_name) };
            for content in every_kind(&event_name).into_iter().chain([Content::TicketConfirmed(longest)]) {
                let composed = content.compose(&ada()).unwrap();
                prop_assert!(composed.message.as_str().chars().count() <= FreeText::MAX);
                prop_assert!(!composed.subject.is_empty() && !composed.subject.contains(['\n', '\r']));
                let payload: serde_json::Value = serde_json::from_str(&composed.push_payload()).unwrap();
                prop_assert!(payload["APNS"].as_str().unwrap().len() <= 4096);
                prop_assert!(payload["GCM"].as_str().unwrap().len() <= 4096);
            }
        }
    }
}
