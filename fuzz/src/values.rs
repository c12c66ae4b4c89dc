//! The types of the domain, read from text and from JSON.
//!
//! A value that is read, printed and read again is the same; and each type keeps to its range: an amount is the number it was read from, in whole cents; a quantity
//! is between one and a million; an instant sorts as its spelling; a text is trimmed, printable and no longer than it may be.

use crate::{addressed, input_for};
use boxoffice_aws::Limit;
use boxoffice_kernel::{
    Amount, Channel, Correlation, Currency, Email, EventId, IdempotencyKey, InventoryId, NotificationId, PaymentId,
    PhoneNumber, PushEndpoint, Quantity, ReservationId, Role, SagaId, SessionId, Text, TicketId, Timestamp,
    TransactionId, UserId,
};
use boxoffice_notifications::content::FreeText;
use boxoffice_payments::domain::{IntentId, Method, MethodToken};
use boxoffice_users::domain::Username;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

const READERS: [fn(&[u8]); 9] = [amount, quantity, instant, ids, texts, contacts, names, keys, enumerations];

/// See the module.
pub fn check(input: &[u8]) {
    if let Some((read, rest)) = addressed(&READERS, input) {
        read(rest);
    }
}

/// The text as a value, should it be one; printed and read again it is the same.
fn from_text<T>(input: &[u8]) -> Option<T>
where
    T: FromStr + Display + PartialEq + Debug,
{
    let value: T = str::from_utf8(input).ok()?.parse().ok()?;
    assert_eq!(value.to_string().parse().ok().as_ref(), Some(&value), "{value} is not what it was");
    Some(value)
}

/// The same of JSON.
fn from_json<T>(input: &[u8]) -> Option<T>
where
    T: DeserializeOwned + Serialize + PartialEq + Debug,
{
    let value: T = serde_json::from_slice(input).ok()?;
    let printed = serde_json::to_string(&value).expect("what was read is written");
    assert_eq!(serde_json::from_str(&printed).ok().as_ref(), Some(&value), "{printed} is not what it was");
    Some(value)
}

/// As JSON the text says the same as without.
fn either_way<T>(input: &[u8]) -> Option<T>
where
    T: FromStr + Display + DeserializeOwned + Serialize + PartialEq + Debug,
{
    from_json::<T>(input);
    let value = from_text::<T>(input)?;
    let quoted = serde_json::to_vec(str::from_utf8(input).expect("text")).expect("text is written");
    assert_eq!(from_json::<T>(&quoted).as_ref(), Some(&value));
    Some(value)
}

#[expect(clippy::float_cmp, reason = "the same number, not one near it")]
#[expect(clippy::cast_precision_loss, reason = "an amount is below 2^53 cents")]
fn amount(input: &[u8]) {
    let Some(amount) = from_json::<Amount>(input) else { return };
    assert!((1..=Amount::MAX.minor()).contains(&amount.minor()), "{amount}");
    let sent: f64 = str::from_utf8(input).expect("JSON is text").trim().parse().expect("a number");
    let answered = serde_json::to_string(&amount).expect("an amount is written");
    assert_eq!(answered.parse(), Ok(sent), "the amount is another number than was sent");
    assert_eq!(amount.to_string().parse(), Ok(sent), "{amount} does not print as was sent");
    assert!((amount.minor() as f64 / 100.0) == sent);
    let times = amount.times(Quantity::new(3).expect("three seats"));
    assert!(times.map_or(amount.minor() * 3 > Amount::MAX.minor(), |total| total.minor() == amount.minor() * 3));
}

fn quantity(input: &[u8]) {
    for quantity in from_text::<Quantity>(input).into_iter().chain(from_json::<Quantity>(input)) {
        assert!((1..=Quantity::MAX).contains(&quantity.get()), "{quantity}");
    }
    if let Some(limit) = str::from_utf8(input).ok().and_then(|text| text.parse::<Limit>().ok()) {
        assert!((1..=usize::from(Limit::MAX)).contains(&limit.get()));
    }
}

/// Two instants, a line each.
fn instant(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let instants: Vec<Timestamp> = lines.iter().take(2).filter_map(|line| either_way(line)).collect();
    for instant in &instants {
        let spelling = instant.to_string();
        assert!(spelling.len() == 24 && spelling.ends_with('Z'), "{spelling}");
        assert_eq!(Timestamp::from_unix_millis(instant.unix_millis()), Some(*instant));
        assert!(instant.plus_seconds(u32::MAX) >= *instant && instant.minus_seconds(u32::MAX) <= *instant);
    }
    if let [a, b] = instants[..] {
        assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()), "{a} and {b} sort otherwise than their spellings");
    }
}

fn ids(input: &[u8]) {
    either_way::<InventoryId>(input);
    either_way::<ReservationId>(input);
    either_way::<SagaId>(input);
    either_way::<SessionId>(input);
    either_way::<UserId>(input);
    either_way::<NotificationId>(input);
    if let Some(ticket) = either_way::<TicketId>(input) {
        let payment = ticket.payment();
        assert_eq!((payment.ticket(), payment.transaction().payment()), (ticket, payment));
        assert_eq!(ticket.reservation().ticket(), ticket);
        assert_eq!(either_way::<PaymentId>(payment.to_string().as_bytes()), Some(payment));
        assert_eq!(
            either_way::<TransactionId>(payment.transaction().to_string().as_bytes()),
            Some(payment.transaction())
        );
    }
    either_way::<EventId>(input);
}

fn texts(input: &[u8]) {
    fn text<const MAX: usize>(input: &[u8]) {
        let Some(text) = either_way::<Text<MAX>>(input) else { return };
        let text = text.as_str();
        assert!((1..=MAX).contains(&text.chars().count()) && text.trim() == text, "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    text::<50>(input);
    text::<200>(input);
    text::<300>(input);
    if let Some(text) = either_way::<FreeText>(input) {
        let length = text.as_str().chars().count();
        assert!((1..=FreeText::MAX).contains(&length) && !text.as_str().trim().is_empty());
        assert_eq!(text.as_str().as_bytes(), input, "the words are not theirs");
    }
}

/// Where messages go: what is accepted cannot carry a header, a second address or a display name.
fn contacts(input: &[u8]) {
    if let Some(email) = either_way::<Email>(input) {
        let text = email.as_str();
        assert!(text.len() <= 254 && text.is_ascii() && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        assert!(text.matches('@').count() == 1 && !text.contains([',', ';', '<', '>', '"', '(', ')']), "{text:?}");
        let canonical: Email = email.canonical().parse().expect("the unique spelling is an address");
        assert_eq!(canonical.canonical(), email.canonical());
    }
    if let Some(phone) = either_way::<PhoneNumber>(input) {
        assert!(phone.as_str().len() <= 16 && phone.as_str()[1..].bytes().all(|byte| byte.is_ascii_digit()));
    }
    if let Some(endpoint) = either_way::<PushEndpoint>(input) {
        assert!(endpoint.as_str().is_ascii() && endpoint.as_str().contains(":endpoint/"));
    }
}

/// Names that go into keys, paths and URLs.
fn names(input: &[u8]) {
    if let Some(name) = from_text::<Username>(input) {
        assert!(name.to_string().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)));
        assert_eq!(name.canonical().parse::<Username>().map(|same| same.canonical()), Ok(name.canonical()));
    }
    if let Some(intent) = either_way::<IntentId>(input) {
        assert!(intent.to_string().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    }
    if let Some(token) = from_json::<MethodToken>(input) {
        assert_eq!(format!("{token:?}"), "MethodToken(…)");
    }
}

fn keys(input: &[u8]) {
    from_json::<Correlation>(input);
    if let Some(correlation) = from_text::<Correlation>(input) {
        assert!(!correlation.to_string().contains(['\n', '\r', '"', ' ']));
    }
    if let Some(key) = from_text::<IdempotencyKey>(input) {
        assert_eq!(key.to_string().as_bytes(), input);
    }
}

fn enumerations(input: &[u8]) {
    from_json::<Currency>(input);
    from_json::<Method>(input);
    either_way::<Channel>(input);
    either_way::<Role>(input);
    from_text::<boxoffice_tickets::domain::Status>(input);
    from_text::<boxoffice_payments::domain::Status>(input);
    from_text::<boxoffice_notifications::domain::Status>(input);
}

/// One of each, and some that are nearly one.
pub fn seeds() -> Vec<Vec<u8>> {
    let seeds: [(usize, &[&str]); 9] = [
        (0, &["49.9", "0.01", "1e10", "19.999", "1e400", "-0", "0.1e2", "9999999999.99", "10000000000.01"]),
        (1, &["1", "1000000", "2.0", "1e6", "0", "99999999999999999999"]),
        (
            2,
            &["2030-06-01T20:00:00Z\n2030-06-01T22:00:00.5+02:00", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"],
        ),
        (3, &["tkt_01970000000070008000000000000001", "evt_01970000000070008000000000000001", "usr_1"]),
        (
            4,
            &[
                "Late Show at the Ferris Wheel",
                "  ab ",
                "\"a\\u0000b\"",
                "éß",
                "The doors open\nan hour earlier.",
                "\u{2006}\u{2006}",
            ],
        ),
        (5, &["ada@example.org", "+14155550123", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/1"]),
        (6, &["ada.lovelace", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "\"pm_card_visa\""]),
        (7, &["order-1001", "1-67891233-abcdef", "\"1c35062b-f2fc-4796-a62a-c3d2fcdbeb80\""]),
        (8, &["\"EUR\"", "\"CREDIT_CARD\"", "EMAIL", "ADMIN", "PENDING", "SUCCESS"]),
    ];
    seeds.iter().flat_map(|(reader, texts)| texts.iter().map(|text| input_for(*reader, text))).collect()
}
