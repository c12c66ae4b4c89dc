//! A booking's events as a story: when, what happened, and the event that said so.

use boxoffice_e2e::{Booking, Failure, Outcome, Seats, tables::StoredEvent};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// One line of it.
pub(crate) struct Line {
    /// Seconds since the booking.
    pub(crate) seconds: f64,
    /// The event in words for people.
    pub(crate) words: String,
    /// The event.
    pub(crate) event: String,
    /// How it is to be taken.
    pub(crate) mood: Mood,
}

/// How a line is to be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Neutral,
    Good,
    Bad,
}

/// The whole story of a booking, oldest first. Events that one transaction wrote share a line.
pub(crate) async fn of(booking: &Booking) -> Outcome<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut start = None;
    for stored in booking.history().await?.all() {
        let metadata = &stored.event.metadata;
        let at = OffsetDateTime::parse(&metadata.occurred_at, &Rfc3339)
            .map_err(|error| Failure::of("occurredAt", &error))?;
        let start = *start.get_or_insert(at);
        let (words, mood) = words(booking, &stored);
        lines.push(Line { seconds: (at - start).as_seconds_f64(), words, event: metadata.event_type.clone(), mood });
    }
    Ok(lines)
}

fn words(booking: &Booking, stored: &StoredEvent) -> (String, Mood) {
    let ticket = &booking.ticket;
    let (seats, amount) = (plural(ticket.quantity), format!("{} {}", ticket.total_amount, ticket.currency));
    let said = |field: &str| stored.event.data.get(field).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
    match stored.event.metadata.event_type.as_str() {
        "TicketCreated" => (format!("booked for {amount}"), Mood::Neutral),
        "InventoryReserved" => (format!("{seats} held"), Mood::Neutral),
        "PaymentInitiated" => ("payment opened".into(), Mood::Neutral),
        "PaymentProcessing" => ("card is being charged".into(), Mood::Neutral),
        "PaymentCompleted" => (format!("{amount} paid"), Mood::Good),
        "PaymentFailed" => (format!("card declined: {}", said("failureReason")), Mood::Bad),
        "PaymentExpired" => ("nobody paid, payment closed".into(), Mood::Bad),
        "PaymentRefunded" => (format!("{amount} refunded"), Mood::Good),
        "InventorySold" => (format!("{seats} sold"), Mood::Good),
        "InventoryReleased" => (format!("{seats} back on sale"), Mood::Neutral),
        "TicketConfirmed" => ("ticket CONFIRMED".into(), Mood::Good),
        "TicketCancellationRequested" => ("buyer cancels".into(), Mood::Neutral),
        "TicketCancelled" => (format!("ticket CANCELLED: {}", said("cancellationReason")), Mood::Bad),
        other => (other.to_owned(), Mood::Neutral),
    }
}

/// `total = available + held + sold`, as the demo's every story ends.
pub(crate) fn equation(seats: Seats) -> String {
    format!("{} total = {seats}", seats.total())
}

fn plural(seats: u32) -> String {
    if seats == 1 { "1 seat".into() } else { format!("{seats} seats") }
}
