//! What each kind of message says. No I/O.
//!
//! A kind is a pair of files in `templates/`: `<kind>.txt`, whose first line is the subject and whose rest is the message as it is shown, texted
//! and pushed; and `<kind>.html`, what a mail says in HTML. They are compiled in, and the HTML ones escape every value.
//!
//! A message says what happened, and not to whom: a name is only in the mail itself, and nobody's address or payment method anywhere.

use askama::Template as _;
use boxoffice_kernel::{Amount, Currency, PaymentId, Quantity, Text, TicketId, Timestamp, TransactionId};
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

/// Which templates a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = NotificationTemplate)]
pub enum Template {
    /// A user has registered.
    Welcome,
    /// Seats are held.
    TicketHeld,
    /// The seats are theirs.
    TicketConfirmed,
    /// The seats are not, or no longer.
    TicketCancelled,
    /// Money was taken.
    PaymentCompleted,
    /// It was not.
    PaymentFailed,
    /// It was given back.
    PaymentRefunded,
    /// What an ADMIN has to say.
    Message,
}

/// A booking, as far as a message tells of it: some of the data of a ticket's event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
    /// The ticket.
    pub ticket_id: TicketId,
    /// What is on.
    pub event_name: Text<200>,
    /// When.
    pub event_date: Timestamp,
    /// How many seats.
    pub quantity: Quantity,
    /// What they cost.
    pub total_amount: Amount,
    /// In this currency.
    pub currency: Currency,
    /// Until when they are held.
    pub hold_expires_at: Timestamp,
}

/// A booking that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelledBooking {
    /// Which.
    #[serde(flatten)]
    pub booking: Booking,
    /// Why.
    pub cancellation_reason: CancellationReason,
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
    /// The buyer wanted out.
    CancelledByBuyer,
    /// An operator took the booking back.
    CancelledByOperator,
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
    /// Which.
    pub payment_id: PaymentId,
    /// For what.
    pub ticket_id: TicketId,
    /// How much.
    pub amount: Amount,
    /// In this currency.
    pub currency: Currency,
    /// As their statement names it.
    pub transaction_id: TransactionId,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", content = "about", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Content {
    /// A user has registered.
    Welcome,
    /// Seats are held.
    TicketHeld(Booking),
    /// The seats are theirs.
    TicketConfirmed(Booking),
    /// The seats are not, or no longer.
    TicketCancelled(CancelledBooking),
    /// Money was taken.
    PaymentCompleted(Payment),
    /// It was not.
    PaymentFailed(Payment),
    /// It was given back.
    PaymentRefunded(Payment),
    /// What an ADMIN has to say.
    Message(FreeText),
}

/// Why there is no message. Templates are compiled and their values bounded, so it is a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {0:?} template makes no message: {1}")]
pub struct Unwritable(Template, String);

/// A message, ready for every channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Of a mail.
    pub subject: String,
    /// A mail in text.
    pub text: String,
    /// A mail in HTML.
    pub html: String,
    /// Anywhere else.
    pub message: FreeText,
}

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");

/// `1 June 2030, 20:00 UTC`.
fn moment(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.unix_millis()) * 1_000_000);
    at.ok().and_then(|at| at.format(MOMENT).ok()).unwrap_or_default()
}

fn seats(quantity: Quantity) -> String {
    if quantity.get() == 1 { "1 seat".to_owned() } else { format!("{quantity} seats") }
}

impl Booking {
    fn seats(&self) -> String {
        seats(self.quantity)
    }

    fn date(&self) -> String {
        moment(self.event_date)
    }

    fn held_until(&self) -> String {
        moment(self.hold_expires_at)
    }
}

impl CancellationReason {
    /// Why, in a sentence.
    fn why(self) -> &'static str {
        match self {
            Self::HoldExpired => "It was not paid for in time.",
            Self::PaymentDeclined => "The payment was declined.",
            Self::PaymentUnavailable => "The payment could not be made: the payment provider was not available.",
            Self::CancelledByBuyer => "You asked us to cancel it.",
            Self::CancelledByOperator => "We had to cancel it.",
            Self::PaymentRefunded => "Your payment was refunded.",
            Self::HoldLost => "The seats were gone before your payment arrived.",
            Self::BookingFailed => "The booking could not be completed.",
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
            }
        }
    )+};
}

templates!(
    welcome: (), "welcome.txt", "welcome.html";
    ticket_held: Booking, "ticket_held.txt", "ticket_held.html";
    ticket_confirmed: Booking, "ticket_confirmed.txt", "ticket_confirmed.html";
    ticket_cancelled: CancelledBooking, "ticket_cancelled.txt", "ticket_cancelled.html";
    payment_completed: Payment, "payment_completed.txt", "payment_completed.html";
    payment_failed: Payment, "payment_failed.txt", "payment_failed.html";
    payment_refunded: Payment, "payment_refunded.txt", "payment_refunded.html";
    message: FreeText, "message.txt", "message.html";
);

/// A mail in text: what is around the message.
#[derive(askama::Template)]
#[template(path = "layout.txt")]
struct Mail<'a> {
    first_name: &'a str,
    message: &'a str,
}

macro_rules! render {
    ($content:expr, $kind:ident { $($field:ident: $value:expr),* }) => {
        match $content {
            Content::Welcome => welcome::$kind { about: &(), $($field: $value),* }.render(),
            Content::TicketHeld(about) => ticket_held::$kind { about, $($field: $value),* }.render(),
            Content::TicketConfirmed(about) => ticket_confirmed::$kind { about, $($field: $value),* }.render(),
            Content::TicketCancelled(about) => ticket_cancelled::$kind { about, $($field: $value),* }.render(),
            Content::PaymentCompleted(about) => payment_completed::$kind { about, $($field: $value),* }.render(),
            Content::PaymentFailed(about) => payment_failed::$kind { about, $($field: $value),* }.render(),
            Content::PaymentRefunded(about) => payment_refunded::$kind { about, $($field: $value),* }.render(),
            Content::Message(about) => message::$kind { about, $($field: $value),* }.render(),
        }
    };
}

impl Content {
    /// Which templates it is written with.
    pub fn template(&self) -> Template {
        match self {
            Self::Welcome => Template::Welcome,
            Self::TicketHeld(_) => Template::TicketHeld,
            Self::TicketConfirmed(_) => Template::TicketConfirmed,
            Self::TicketCancelled(_) => Template::TicketCancelled,
            Self::PaymentCompleted(_) => Template::PaymentCompleted,
            Self::PaymentFailed(_) => Template::PaymentFailed,
            Self::PaymentRefunded(_) => Template::PaymentRefunded,
            Self::Message(_) => Template::Message,
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

    /// What it says, in short.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn message(&self) -> Result<FreeText, Unwritable> {
        self.words().map(|(_, message)| message)
    }

    /// The message in every form, to somebody of this name.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn compose(&self, first_name: &Text<50>) -> Result<Composed, Unwritable> {
        let (subject, message) = self.words()?;
        let first_name = first_name.as_str();
        let text = Mail { first_name, message: message.as_str() }.render();
        let html = render!(self, InHtml { subject: &subject, first_name: first_name });
        let failed = |error: askama::Error| self.unwritable(error);
        Ok(Composed { text: text.map_err(failed)?, html: html.map_err(failed)?, subject, message })
    }
}

impl Composed {
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

    fn booking(event_name: &str) -> Booking {
        Booking {
            ticket_id: "tkt_01970000000070008000000000000001".parse().unwrap(),
            event_name: event_name.parse().unwrap(),
            event_date: "2030-06-01T20:00:00Z".parse().unwrap(),
            quantity: Quantity::new(2).unwrap(),
            total_amount: Amount::from_minor(9980).unwrap(),
            currency: Currency::Eur,
            hold_expires_at: "2030-05-01T08:05:59Z".parse().unwrap(),
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

    fn every_kind(event_name: &str) -> Vec<Content> {
        vec![
            Content::Welcome,
            Content::TicketHeld(booking(event_name)),
            Content::TicketConfirmed(booking(event_name)),
            cancelled(event_name, CancellationReason::PaymentUnavailable),
            Content::PaymentCompleted(payment()),
            Content::PaymentFailed(payment()),
            Content::PaymentRefunded(payment()),
            Content::Message("The doors open\nan hour earlier.".parse().unwrap()),
        ]
    }

    fn ada() -> Text<50> {
        "Ada".parse().unwrap()
    }

    #[test]
    fn a_buyer_is_told_what_is_held_and_until_when() {
        let held = Content::TicketHeld(booking("Late Show")).compose(&ada()).unwrap();
        assert_eq!(held.subject, "Your seats for Late Show are held");
        for said in ["2 seats", "Late Show", "1 June 2030, 20:00 UTC", "99.80 EUR", "1 May 2030, 08:05 UTC"] {
            assert!(held.message.as_str().contains(said), "{said} is not in {}", held.message);
            assert!(held.html.contains(said), "{said} is not in {}", held.html);
        }
        assert!(held.text.starts_with("Hello Ada,\n\n"), "{}", held.text);
        assert!(held.text.contains(held.message.as_str()));
    }

    #[test]
    fn a_buyer_is_told_why_a_booking_is_cancelled() {
        let expired = cancelled("Late Show", CancellationReason::HoldExpired).message().unwrap();
        let own_wish = cancelled("Late Show", CancellationReason::CancelledByBuyer).message().unwrap();
        assert!(expired.as_str().contains("not paid for in time"), "{expired}");
        assert!(own_wish.as_str().contains("You asked us"), "{own_wish}");
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

    proptest! {
        #[test]
        fn the_document_accepts_the_text_that_the_code_does(text in "[ \\t\\r\\na-c\\u{0}-\\u{1f}\\u{7f}-\\u{a0}é]{0,6}") {
            use utoipa::PartialSchema;
            let schema = serde_json::to_value(FreeText::schema()).unwrap();
            let documented = jsonschema::is_valid(&schema, &serde_json::Value::String(text.clone()));
            prop_assert_eq!(documented, text.parse::<FreeText>().is_ok(), "{:?}", text);
        }

        #[test]
        fn every_message_can_be_sent_whatever_the_event_is_called(event_name in "[^\\p{Cc}\\s]([^\\p{Cc}]{0,198}[^\\p{Cc}\\s])?") {
            for content in every_kind(&event_name) {
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
