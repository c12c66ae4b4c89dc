//! The sales reports and the messages that a play's events lead to, held against its tables.
//!
//! The events are told as a stream tells them: each aggregate's in order, the aggregates in any, in batches of which some come twice.

use crate::{
    house::House,
    model::{Admissions, Booking},
    rules::{Broken, holds},
};
use boxoffice_kernel::{Channel, Contact, InventoryId, TicketId, UserId};
use boxoffice_notifications::{
    NotificationStore,
    content::Content,
    record::{Recorded, record},
};
use boxoffice_reporting::{Projector, ViewStore, domain::Counts};
use boxoffice_runtime::Event;
use boxoffice_testing::{Table, stream};
use boxoffice_tickets::domain::Status as Ticket;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The reason of a refund that is part of cancelling an event.
const EVENT_CANCELLED: &str = "EventCancelled";
/// The most records of a batch.
const BATCH: usize = 40;

/// A booking at rest.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) event: InventoryId,
    pub(crate) ticket: TicketId,
    pub(crate) booking: Booking,
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event.get("metadata").and_then(|metadata| metadata.get(name)?.as_str()).unwrap_or_default()
}

/// The events of each aggregate in order, and of all in none.
fn shuffled(events: Vec<Value>, random: &mut Rng) -> Vec<Value> {
    let mut places = BTreeMap::new();
    let mut aggregates: Vec<VecDeque<Value>> = Vec::new();
    for event in events {
        // By first appearance: ids are other ones each time.
        let place = *places.entry(text(&event, "aggregateId").to_owned()).or_insert(aggregates.len());
        if place == aggregates.len() {
            aggregates.push(VecDeque::new());
        }
        aggregates.get_mut(place).expect("a place").push_back(event);
    }
    let mut shuffled = Vec::new();
    while !aggregates.is_empty() {
        let place = random.usize(..aggregates.len());
        match aggregates.get_mut(place).and_then(VecDeque::pop_front) {
            Some(event) => shuffled.push(event),
            None => drop(aggregates.swap_remove(place)),
        }
    }
    shuffled
}

/// The same in batches, some of which come twice.
fn batches(events: Vec<Value>, random: &mut Rng) -> Vec<Vec<Value>> {
    let mut left = shuffled(events, random);
    let mut batches = Vec::new();
    while !left.is_empty() {
        let rest = left.split_off(random.usize(1..=BATCH).min(left.len()));
        let times = if random.u8(..4) == 0 { 2 } else { 1 };
        batches.extend(std::iter::repeat_n(left, times));
        left = rest;
    }
    batches
}

fn record_of(event: &Value) -> Value {
    let image = |name: &str| json!({ "S": text(event, name) });
    let image = json!({
        "aggregateId": image("aggregateId"), "eventType": image("eventType"), "source": { "S": "boxoffice.tests" },
        "occurredAt": image("occurredAt"), "correlationId": image("correlationId"), "detail": { "S": event.to_string() }
    });
    stream::inserted("1", &image)
}

/// The sales report of each event, made of these events, says what the tables say.
///
/// # Errors
/// With the difference.
pub(crate) async fn sales_are_those_of(
    house: &House,
    events: Vec<Value>,
    halls: &[InventoryId],
    settled: &[Settled],
    random: &mut Rng,
) -> Result<(), Broken> {
    let database = house.database();
    let views = ViewStore::new(house.client(), database.table(Table::Views));
    let projector = Projector::new(views.clone());
    for batch in batches(events, random) {
        let records: Vec<_> = batch.iter().map(record_of).collect();
        let batch = serde_json::from_value(json!({ "Records": records })).expect("a batch");
        let projected = projector.project(batch).await.map_err(|error| format!("nothing is projected: {error}"))?;
        holds!(projected.malformed.is_empty(), "events are malformed: {:?}", projected.malformed);
    }
    for hall in halls {
        let shown = views.sales(*hall).await.map_err(|error| format!("no sales are shown: {error}"))?;
        let shown = shown.ok_or_else(|| format!("{hall} is not shown"))?;
        let mut expected: BTreeMap<&str, Counts> = BTreeMap::new();
        for Settled { ticket, booking, .. } in settled.iter().filter(|settled| settled.event == *hall) {
            let (currency, amount, _) = house.money(*ticket).await;
            let seats = i64::from(booking.quantity);
            let was_confirmed = matches!(booking.admissions, Some(Admissions::Issued | Admissions::Revoked));
            let is_cancelled = booking.ticket.is_some_and(|(status, _)| status == Ticket::Cancelled);
            *expected.entry(currency.code()).or_default() += Counts {
                held: seats,
                sold: if was_confirmed { seats } else { 0 },
                cancelled: if is_cancelled { seats } else { 0 },
                returned: if is_cancelled && was_confirmed { seats } else { 0 },
                revenue: amount * i64::from(booking.account.charges),
                refunds: amount * i64::from(booking.account.refunds),
            };
        }
        let mut by_currency: BTreeMap<&str, Counts> = BTreeMap::new();
        for (slot, counts) in &shown.sales.0 {
            *by_currency.entry(slot.currency.code()).or_default() += *counts;
        }
        holds!(by_currency == expected, "the sales of {hall} are shown as\n  {by_currency:?}\nand are\n  {expected:?}");
    }
    Ok(())
}

/// The message of a booking's end, of its beginning, and of its money, each once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Messages {
    confirmed: u32,
    cancelled: u32,
    refunded: u32,
}

fn contact() -> Contact {
    Contact {
        first_name: "Ada".parse().expect("a name"),
        channel: Channel::Email,
        email: "ada@example.org".parse().expect("an address"),
        email_verified: true,
        phone: None,
        phone_verified: false,
        push_endpoint: None,
    }
}

/// Each booking leads to one message when it is confirmed, one when it is cancelled, and one when its money goes back for another reason than its event's end.
///
/// # Errors
/// With the booking of which that is not so.
pub(crate) async fn messages_are_those_of(
    house: &House,
    events: Vec<Value>,
    settled: &[Settled],
    random: &mut Rng,
) -> Result<(), Broken> {
    let database = house.database();
    let store = NotificationStore::new(house.client(), database.table(Table::Notifications), database.event_store());
    let starts = |event: &Value| {
        matches!(
            text(event, "eventType"),
            "TicketConfirmed" | "TicketCancelled" | "PaymentRefunded" | "TicketEventChanged"
        )
    };
    let (mut messages, mut known) = (BTreeMap::<TicketId, Messages>::new(), BTreeSet::<UserId>::new());
    // The bus keeps no order at all.
    let mut told: Vec<_> = batches(events.into_iter().filter(starts).collect(), random).into_iter().flatten().collect();
    random.shuffle(&mut told);
    for event in told {
        let id = |name: &str| event.get("data").and_then(|data| data.get(name)?.as_str()).unwrap_or_default();
        let (ticket, user) = (id("ticketId").parse().expect("a ticket"), id("userId").parse().expect("a user"));
        if known.insert(user) {
            store.keep_contact(user, &contact(), 1).await.map_err(|error| format!("no contact is kept: {error}"))?;
        }
        let event: Event = serde_json::from_value(event.clone()).expect("an event");
        let recorded = record(&store, &event, "a test").await;
        let recorded = recorded.map_err(|error| format!("{} leads to no message: {error}", event.kind()))?;
        let Some(Recorded::New(message)) = recorded else { continue };
        let messages = messages.entry(ticket).or_default();
        match message.content {
            Content::TicketConfirmed(_) => messages.confirmed += 1,
            Content::TicketCancelled(_) => messages.cancelled += 1,
            Content::PaymentRefunded(_) => messages.refunded += 1,
            _ => {}
        }
    }
    for Settled { ticket, booking, .. } in settled {
        let (.., reason) = house.money(*ticket).await;
        let expected = Messages {
            confirmed: u32::from(matches!(booking.admissions, Some(Admissions::Issued | Admissions::Revoked))),
            cancelled: u32::from(booking.ticket.is_some_and(|(status, _)| status == Ticket::Cancelled)),
            refunded: if reason.as_deref() == Some(EVENT_CANCELLED) { 0 } else { booking.account.refunds },
        };
        let sent = messages.get(ticket).copied().unwrap_or_default();
        holds!(sent == expected, "{ticket} led to {sent:?}, and should to {expected:?}; {booking:?}");
    }
    Ok(())
}
