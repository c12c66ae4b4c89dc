//! One booking lived through, and every rule of it checked.

use crate::{
    cell::Cell,
    machine::{Machine, STUCK},
    plan::Folder,
    route::{End, Mode},
};
use boxoffice_e2e::{
    Booking, BoxOffice, Card, Failure, Outcome, PaymentStatus, SagaStatus, Seats, Show, TicketStatus, ensure,
    model::Ticket,
    story::{Order, fresh},
    tables::StoredEvent,
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};
use serde_json::json;
use std::time::Duration;

/// So many seats are on sale, and so many are booked.
const SEATS: u32 = 4;
const BOOKED: u32 = 2;

/// The frozen step and the hold beside all the retries.
const LIFE: Duration = AFTER_ALL_RETRIES.saturating_add(Duration::from_mins(2));

/// The end of a booking.
#[derive(Debug)]
pub(crate) struct Lived {
    pub(crate) correlation_id: String,
    pub(crate) end: Option<End>,
    /// The rules it broke.
    pub(crate) fault: Option<String>,
    pub(crate) events: Vec<StoredEvent>,
}

impl Lived {
    pub(crate) fn cut_short(fault: String) -> Self {
        Self { correlation_id: String::new(), end: None, fault: Some(fault), events: Vec::new() }
    }
}

/// Lives through a booking as its cell has planned.
///
/// # Errors
/// When it never ends.
pub(crate) async fn live(house: &BoxOffice, folder: &Folder, machine: &Machine, cell: &Cell) -> Outcome<Lived> {
    let correlation_id = fresh("fault");
    folder.leave(&correlation_id, &cell.plan)?;
    let show = house.show(SEATS).await?;
    let order = show.order(BOOKED);
    let order = match (cell.route.mode(), cell.card) {
        (Mode::AtOnce, Some(card)) => order.paid_with(card),
        _ => order,
    };
    let reply = order.request().header("X-Correlation-Id", &correlation_id).send().await?;
    let booking = order.got(&reply)?;
    let status = until_ended(house, folder, &correlation_id, &booking, cell).await?;
    let scene = Scene { show, order, booking, correlation_id: &correlation_id, status };
    let checked = check(house, folder, machine, cell, &scene).await;
    Ok(match checked {
        Ok((end, events)) => Lived { correlation_id, end: Some(end), fault: None, events },
        Err(failure) => Lived { correlation_id, ..Lived::cut_short(failure.to_string()) },
    })
}

/// Waits for the end of the execution that took the booking on, and says how it ended; the buyer pays once `Initiate Payment` has been tried, so that
/// the saga comes to wait for the payment.
async fn until_ended(
    house: &BoxOffice,
    folder: &Folder,
    correlation_id: &str,
    booking: &Booking,
    cell: &Cell,
) -> Outcome<String> {
    let mut to_pay = cell.card.filter(|_| cell.route.mode() == Mode::Later);
    until(format_args!("the saga of {} has ended ({cell})", booking.id()), LIFE, async || {
        let attempts = folder.attempts(correlation_id)?;
        if attempts.iter().any(|attempt| attempt.state == "Initiate Payment")
            && let Some(card) = to_pay.take()
            && booking.payment().await?.status == PaymentStatus::Pending
        {
            booking.pay(card).await?;
            if card == Card::Declined {
                // The bank's last word: until then another card might follow.
                for other in (0..4).map(Card::DeclinedToo) {
                    booking.pay(other).await?;
                }
            }
        }
        let Some(arn) = attempts.iter().find_map(|attempt| attempt.execution_arn.clone()) else {
            return Ok(Look::NotYet("nobody has taken it on".into()));
        };
        let execution = house.machine.execution(&arn).await?;
        let states: Vec<_> = attempts.iter().map(|attempt| attempt.state.as_str()).collect();
        let seen = format!("{} after {}", execution.status, states.join(", "));
        Ok(if execution.status == "RUNNING" { Look::NotYet(seen) } else { Look::Done(execution.status) })
    })
    .await
}

/// The evidence that a booking is judged by.
struct Scene<'a> {
    show: Show,
    order: Order,
    booking: Booking,
    correlation_id: &'a str,
    /// How the execution ended.
    status: String,
}

async fn check(
    house: &BoxOffice,
    folder: &Folder,
    machine: &Machine,
    cell: &Cell,
    scene: &Scene<'_>,
) -> Outcome<(End, Vec<StoredEvent>)> {
    let attempts = folder.attempts(scene.correlation_id)?;
    if let Some((state, kind)) = &cell.evidence {
        let happened =
            attempts.iter().any(|attempt| attempt.state == *state && attempt.fault == Some(*kind) && attempt.happened);
        ensure!(happened, "{kind:?} never happened at {state}: {attempts:?}");
    }
    let mut ticket = scene.booking.now().await?;
    let recorded = !(cell.fails_for_ever() && cell.state == STUCK);
    let end = end(scene, &ticket, recorded).await?;
    ensure!(cell.ends.contains(&end), "it ended {end}, and not {:?}", cell.ends);
    check_seats(scene, &ticket).await?;
    if end == End::NeedsAttention {
        check_stuck(house, machine, cell, scene).await?;
        ticket = put_right(house, scene, recorded).await?;
        check_seats(scene, &ticket).await?;
    }
    check_admissions(house, scene, &ticket).await?;
    scene.booking.check_money().await?;
    // One key, one booking, whatever happened to it.
    let again = scene.order.sent().await?;
    let same: Ticket = again.answer(201)?;
    ensure!(same.id == ticket.id, "the same order made another booking: {} and {}", ticket.id, same.id);
    // Versions without a gap, each event as its schema says.
    Ok((end, scene.booking.history().await?.all()))
}

/// Where execution, saga and ticket say that it ended: they must agree.
async fn end(scene: &Scene<'_>, ticket: &Ticket, recorded: bool) -> Outcome<End> {
    let saga = scene.booking.saga().await?;
    Ok(match (scene.status.as_str(), ticket.status, saga.status) {
        ("SUCCEEDED", TicketStatus::Confirmed, SagaStatus::Completed) => End::Completed,
        ("SUCCEEDED", TicketStatus::Cancelled, SagaStatus::Compensated) => End::Compensated,
        ("FAILED", _, SagaStatus::NeedsAttention) => End::NeedsAttention,
        ("FAILED", _, _) if !recorded => End::NeedsAttention,
        (execution, ticket, status) => {
            let (id, steps) = (scene.booking.id(), saga.transcript());
            return Err(Failure::new(format!(
                "{id} is {ticket:?}, its saga {status:?}, the execution {execution}:\n{steps}"
            )));
        }
    })
}

/// total = available + held + sold, and each seat where its ticket says.
async fn check_seats(scene: &Scene<'_>, ticket: &Ticket) -> Outcome<()> {
    let seats = scene.show.seats().await?;
    let sold = Seats { available: SEATS - BOOKED, held: 0, sold: BOOKED };
    let free = Seats { available: SEATS, held: 0, sold: 0 };
    let right = match ticket.status {
        TicketStatus::Confirmed | TicketStatus::Completed => seats == sold,
        TicketStatus::Cancelled => seats == free,
        // An operator's case: seats whose buyer may have paid are not sold to another.
        TicketStatus::Pending => {
            let money = scene.booking.money().await?;
            seats != free || money.charged == money.refunded
        }
    };
    ensure!(right, "{} is {:?}, the seats are {seats}", ticket.id, ticket.status);
    Ok(())
}

/// A confirmed ticket has an admission a seat, each with a code; a cancelled one has none that is good.
async fn check_admissions(house: &BoxOffice, scene: &Scene<'_>, ticket: &Ticket) -> Outcome<()> {
    let path = format!("/tickets/{}/admissions", ticket.id);
    let reply = house.buyer.get(&path).send().await?;
    let good = if reply.status == 404 { 0 } else { reply.body.matches("\"code\"").count() };
    let expected = match ticket.status {
        TicketStatus::Confirmed | TicketStatus::Completed => BOOKED,
        TicketStatus::Cancelled => 0,
        // An operator's case: it is put right, and looked at again.
        TicketStatus::Pending => return Ok(()),
    };
    ensure!(
        u32::try_from(good) == Ok(expected),
        "{} is {:?}, and {good} of its admissions are good",
        scene.booking.id(),
        ticket.status
    );
    Ok(())
}

/// An operator has it tried again when the fault is over, and it is undone. A booking that could not even be marked as stuck is compensated by force.
async fn put_right(house: &BoxOffice, scene: &Scene<'_>, recorded: bool) -> Outcome<Ticket> {
    let verb = if recorded { "redrive" } else { "compensate" };
    let request = house.admin.post(&format!("/operations/sagas/{}/{verb}", scene.booking.id()));
    request.json(&json!({ "reason": "The fault is over." })).send().await?.with_status(202)?;
    scene.booking.until_saga_is(SagaStatus::Compensated, AFTER_ALL_RETRIES).await?;
    let ticket = scene.booking.now().await?;
    ensure!(ticket.status == TicketStatus::Cancelled, "{} is {:?} after a {verb}", ticket.id, ticket.status);
    Ok(ticket)
}

/// An operator has been told, unless telling is what failed.
async fn check_stuck(house: &BoxOffice, machine: &Machine, cell: &Cell, scene: &Scene<'_>) -> Outcome<()> {
    let telling_failed = cell.fails_for_ever() && machine.way_back(&cell.state)?.is_empty();
    if telling_failed {
        return Ok(());
    }
    until(format_args!("an operator is told of {}", scene.booking.id()), SOON, async || {
        let messages = house.stuck_booking_messages(scene.booking.id()).await?;
        Ok(Look::done_if(!messages.is_empty(), messages))
    })
    .await
    .map(drop)
}
