//! The rules that must hold of everything at rest, whatever led there: those of docs/ARCHITECTURE.md, read from the tables and the provider's ledger.

use crate::{
    executions::{Executions, NEEDS_ATTENTION},
    house::{House, Ordered},
    model::{Admissions, Booking},
};
use boxoffice_inventory::domain::ReservationState;
use boxoffice_kernel::{InventoryId, TicketId};
use boxoffice_payments::domain::Status as Payment;
use boxoffice_tickets::domain::Status as Ticket;
use serde_json::Value;

/// A rule that does not hold, in words.
pub type Broken = String;

macro_rules! holds {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use holds;

/// An order that came through.
#[derive(Debug)]
pub(crate) struct Booked<'a> {
    /// Its place among the orders.
    pub(crate) place: usize,
    /// The event that it is for.
    pub(crate) event: InventoryId,
    /// The order as its buyer remembers it.
    pub(crate) ordered: &'a Ordered,
    /// The same, in words.
    pub(crate) order: &'a Booking,
    /// Its ticket.
    pub(crate) ticket: TicketId,
}

/// No execution waits for an operator.
///
/// # Errors
/// With the one that does.
pub(crate) fn nobody_needs_attention(executions: &Executions) -> Result<(), Broken> {
    for running in &executions.all {
        let state = &running.execution.state;
        holds!(state != NEEDS_ATTENTION, "an execution of booking {} needs attention", running.booking);
    }
    Ok(())
}

/// A ticket, its payment, its money, its seats, its admissions, its buyer's pool, its saga and the events of each agree. Returns the booking as it is.
///
/// # Errors
/// With the rule that does not hold.
pub(crate) async fn booking_is_consistent(house: &House, booked: &Booked<'_>) -> Result<Booking, Broken> {
    let Booked { place, event, ordered, order, ticket: id } = *booked;
    let booking = house.look(order, Some(id)).await;
    let is = |status| booking.ticket.is_some_and(|(ticket, _)| ticket == status);
    let paid = booking.payment.map(|(status, _)| status);
    let seats = booking.seats.map(|(state, _)| state);
    let moved = (booking.account.charges, booking.account.refunds);
    let told = || format!("booking {place}: {booking:?}");
    holds!(is(Ticket::Confirmed) || is(Ticket::Cancelled), "a ticket is not settled; {}", told());
    holds!(
        is(Ticket::Confirmed) == (paid == Some(Payment::Success)),
        "a ticket is CONFIRMED exactly when its payment is SUCCESS; {}",
        told()
    );
    if is(Ticket::Confirmed) {
        holds!(moved == (1, 0), "a confirmed ticket is charged once; {}", told());
        holds!(seats == Some(ReservationState::Sold), "a confirmed ticket has its seats; {}", told());
        holds!(booking.admissions == Some(Admissions::Issued), "a confirmed ticket admits; {}", told());
    } else {
        holds!(moved.0 == moved.1 && moved.0 <= 1, "a cancelled ticket has no money; {}", told());
        holds!(seats == Some(ReservationState::Released), "a cancelled ticket has no seat; {}", told());
        holds!(booking.admissions != Some(Admissions::Issued), "a cancelled ticket admits nobody; {}", told());
    }
    holds!(booking.instruction.is_none(), "what to charge is kept after the end; {}", told());
    let pool = house.tickets.pool(ordered.buyer(), event).await.expect("an answer");
    let taken = if is(Ticket::Confirmed) { i64::from(booking.quantity) } else { 0 };
    holds!((pool.held, pool.taken) == (0, taken), "the buyer's pool is {pool:?}; {}", told());
    let saga = house.saga_status(id).await;
    let ended = if is(Ticket::Confirmed) { "Completed" } else { "Compensated" };
    holds!(format!("{saga:?}") == format!("Some({ended})"), "the saga is {saga:?}; {}", told());
    for (aggregate, version) in [
        (id.to_string(), booking.ticket.map(|(_, version)| version)),
        (id.payment().to_string(), booking.payment.map(|(_, version)| version)),
        (id.reservation().to_string(), booking.seats.map(|(_, version)| version)),
        (
            id.admission(1).expect("a first admission").to_string(),
            booking.admissions.map(|admissions| match admissions {
                Admissions::Issued => 1,
                Admissions::Revoked => 2,
                Admissions::Barred => 0,
            }),
        ),
    ] {
        one_event_a_change(house, &aggregate, version.unwrap_or(0)).await?;
    }
    Ok(booking)
}

/// An event's seats add up, and are those of its bookings.
///
/// # Errors
/// With the rule that does not hold.
pub(crate) async fn seats_are_those_of(house: &House, event: InventoryId, bookings: &[Booking]) -> Result<(), Broken> {
    let seats_that_are = |wanted| {
        let is = |booking: &&Booking| booking.seats.is_some_and(|(state, _)| state == wanted);
        bookings.iter().filter(is).map(|booking| i64::from(booking.quantity)).sum::<i64>()
    };
    let (held, sold) = (seats_that_are(ReservationState::Held), seats_that_are(ReservationState::Sold));
    let counts = house.count(event).await;
    one_event_a_change(house, &event.to_string(), u64::try_from(counts.terms).unwrap_or(0)).await?;
    holds!(counts.adds_up(), "the seats do not add up: {counts}");
    holds!(counts.held == held + counts.reserved, "{held} seats are held by tickets; {counts}");
    holds!(counts.sold == sold, "{sold} seats are of confirmed tickets; {counts}");
    Ok(())
}

async fn one_event_a_change(house: &House, aggregate: &str, changes: u64) -> Result<(), Broken> {
    let version = |event: &Value| event.get("metadata").and_then(|it| it.get("aggregateVersion")?.as_u64());
    let stated: Vec<_> = house.events_of(aggregate).await.iter().map(version).collect();
    let expected: Vec<_> = (1..=changes).map(Some).collect();
    holds!(stated == expected, "{aggregate} was changed {changes} times, and its events are {stated:?}");
    Ok(())
}
