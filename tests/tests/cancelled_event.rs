//! An organiser cancels an event, and the execution that walks over its bookings is killed three times on the way.
//!
//! `make cancellation` does so with 5,000 bookings, `make test` with 200: `BOXOFFICE_CANCELLATION_BOOKINGS` says how many. No time is asserted; it is printed.

use boxoffice_e2e::{
    BoxOffice, Card, Failure, Outcome, Seats, Show, Verdict, ensure,
    people::Person,
    stack::setting,
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How many calls are under way at a time.
const AT_ONCE: usize = 12;
/// How many bookings somebody makes.
const BOOKINGS_EACH: usize = 20;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancellation {
    state: String,
    run: u32,
    walked: usize,
    cancelled: usize,
    refunded: usize,
    open: usize,
    failed: usize,
    cases: Vec<Value>,
    unaccounted_seats: u32,
    requested_by: String,
    ended_at: Option<String>,
}

/// The end of one booking, as its buyer, the provider and the event store have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fate {
    ticket: String,
    reason: Option<String>,
    charged: u64,
    refunded: u64,
    requests: usize,
    mails: usize,
}

/// Every booking was paid, asked for once, refunded once, cancelled for the event, and told once.
fn judge(fates: &[Fate], price: u64) -> Outcome<()> {
    for fate in fates {
        ensure!(fate.reason.as_deref() == Some("EVENT_CANCELLED"), "not cancelled for its event: {fate:?}");
        ensure!((fate.charged, fate.refunded) == (price, price), "its money did not come back once: {fate:?}");
        ensure!(fate.requests == 1, "its cancellation was not requested once: {fate:?}");
        ensure!(fate.mails == 1, "its buyer was not told once: {fate:?}");
    }
    Ok(())
}

/// Everybody's turn, so many at once.
async fn each<T, F>(count: usize, one: impl Fn(usize) -> F + Send + Sync + 'static) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let (next, one, mut hands) = (Arc::new(AtomicUsize::new(0)), Arc::new(one), JoinSet::new());
    for _ in 0..AT_ONCE {
        let (next, one) = (Arc::clone(&next), Arc::clone(&one));
        hands.spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(done);
                }
                done.push((number, one(number).await?));
            }
        });
    }
    let done: Outcome<Vec<Vec<(usize, T)>>> = hands.join_all().await.into_iter().collect();
    let mut done: Vec<(usize, T)> = done?.into_iter().flatten().collect();
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, it)| it).collect())
}

/// Books and pays, and stays until the ticket is confirmed, so that only so many sagas run at once.
async fn buys(house: BoxOffice, show: Show, buyer: Person) -> Outcome<String> {
    let order = show.order_of(&buyer, 1).paid_with(Card::Good);
    let ticket = order.got(&order.answered().await?)?.id().to_owned();
    let deadline = Instant::now() + AFTER_ALL_RETRIES;
    loop {
        let item = house.tables.item("TicketsTable", &format!("TKT#{ticket}"), "TICKET").await?.unwrap_or_default();
        match item.get("status").and_then(Value::as_str) {
            Some("CONFIRMED") => return Ok(ticket),
            Some("PENDING") => {}
            other => return Err(Failure::new(format!("{ticket} is {other:?}"))),
        }
        ensure!(Instant::now() < deadline, "{ticket} was not confirmed in time");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

async fn cancels(house: &BoxOffice, show: &Show) -> Outcome<Cancellation> {
    let call = house.manager.post(&format!("/inventory/{}/cancellation", show.id()));
    call.json(&json!({ "reason": "The headliner is ill" })).send().await?.answer(202)
}

async fn progress(house: &BoxOffice, show: &Show) -> Outcome<Cancellation> {
    house.manager.get(&format!("/inventory/{}/cancellation", show.id())).send().await?.answer(200)
}

/// Stops the execution that walks now, wherever it is.
async fn kill(house: &BoxOffice, show: &Show) -> Outcome<()> {
    let walk = until("an execution walks", SOON, async || {
        let walks = house.machine.walks_over(show.id()).await?;
        let running = walks.iter().find(|walk| walk.status == "RUNNING").cloned();
        Ok(running.map_or_else(|| Look::NotYet(format!("{walks:?}")), Look::Done))
    })
    .await?;
    house.machine.stop(&walk).await
}

async fn fate(house: BoxOffice, ticket: String) -> Outcome<Fate> {
    let item = house.tables.item("TicketsTable", &format!("TKT#{ticket}"), "TICKET").await?.unwrap_or_default();
    let reason = item.get("cancellationReason").and_then(Value::as_str).map(str::to_owned);
    let money = house.provider()?.money(&ticket).await?;
    let events = house.tables.events_of(&ticket).await?;
    let requests = events.iter().filter(|it| it.event.metadata.event_type == "TicketCancellationRequested").count();
    Ok(Fate { ticket, reason, charged: money.charged, refunded: money.refunded, requests, mails: 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_booking_of_a_cancelled_event_is_refunded_cancelled_and_told_once_though_its_walk_is_killed() -> Verdict {
    let bookings: usize = setting("BOXOFFICE_CANCELLATION_BOOKINGS", 200)?;
    let house = BoxOffice::open().await?;
    let seats = u32::try_from(bookings).map_err(|error| Failure::of("the bookings", &error))? + 10;
    let show = house.show(seats).await?;
    let mut buyers = Vec::new();
    for _ in 0..bookings.div_ceil(BOOKINGS_EACH) {
        buyers.push(house.somebody().await?);
    }
    let (office, sale, everybody) = (house.clone(), show.clone(), buyers.clone());
    let tickets = each(bookings, move |number| {
        let buyer = everybody.iter().cycle().nth(number).cloned();
        let (house, show) = (office.clone(), sale.clone());
        async move { buys(house, show, buyer.ok_or_else(|| Failure::new("nobody to buy"))?).await }
    })
    .await?;
    // Somebody holds seats and has not paid.
    let unpaid = show.order(2).booked().await?;

    let began = Instant::now();
    let first = cancels(&house, &show).await?;
    assert_eq!((first.state.as_str(), first.run, first.requested_by.as_str()), ("CANCELLING", 1, house.manager.id()));
    show.order(1).sent().await?.refusal(409, "EVENT_CANCELLED")?;
    for killed in 1..=3 {
        let far = bookings * killed / 5;
        until(format_args!("{far} bookings are walked over"), AFTER_ALL_RETRIES, async || {
            let walk = progress(&house, &show).await?;
            Ok(Look::done_if(walk.walked >= far, walk))
        })
        .await?;
        kill(&house, &show).await?;
        let resumed = cancels(&house, &show).await?;
        assert_eq!(resumed.run as usize, killed + 1, "{resumed:?}");
    }
    let patience = AFTER_ALL_RETRIES + Duration::from_millis(1500) * u32::try_from(bookings).unwrap_or(u32::MAX);
    let done = until("every booking is at rest", patience, async || {
        let walk = progress(&house, &show).await?;
        Ok(Look::done_if(walk.state == "DONE", walk))
    })
    .await?;
    println!("{bookings} bookings were at rest {:.0} s after their event was cancelled", began.elapsed().as_secs_f64());
    assert_eq!((done.walked, done.cancelled, done.refunded), (bookings + 1, bookings + 1, bookings), "{done:?}");
    assert_eq!((done.open, done.failed, done.unaccounted_seats), (0, 0, 0), "{done:?}");
    assert!(done.cases.is_empty() && done.ended_at.is_some(), "{done:?}");
    assert_eq!(show.seats().await?, Seats { available: seats, held: 0, sold: 0 });
    assert_eq!(unpaid.now().await?.cancellation_reason.as_deref(), Some("EVENT_CANCELLED"));
    // It is over, and asking again walks over nothing again.
    let again = cancels(&house, &show).await?;
    assert_eq!((again.state.as_str(), again.run), ("DONE", done.run));

    let witness = house.clone();
    let mut fates = each(bookings, move |number| {
        let (house, ticket) = (witness.clone(), tickets.get(number).cloned().unwrap_or_default());
        async move { fate(house, ticket).await }
    })
    .await?;
    let mut mails = Vec::new();
    for (number, buyer) in buyers.iter().enumerate() {
        let theirs = (0..bookings).filter(|booking| booking % buyers.len() == number).count();
        until(format_args!("{} is told of {theirs} cancellations", buyer.id()), AFTER_ALL_RETRIES, async || {
            let all = house.mailbox.mails_to(buyer.email()).await?;
            let told = all.iter().filter(|mail| mail.subject.contains("is cancelled")).count();
            Ok(Look::done_if(told >= theirs, told))
        })
        .await?;
        mails.extend(house.mailbox.mails_to(buyer.email()).await?);
    }
    let about = |ticket: &str, subject: &str| {
        mails.iter().filter(|mail| mail.subject.contains(subject) && mail.body_text.contains(ticket)).count()
    };
    for fate in &mut fates {
        fate.mails = about(&fate.ticket, "is cancelled") + about(&fate.ticket, "refund");
    }
    let told = mails.iter().find(|mail| mail.subject.contains("is cancelled")).map(|mail| mail.body_text.as_str());
    assert!(told.is_some_and(|text| text.contains("The organiser cancelled the event.")), "{told:?}");
    Ok(judge(&fates, show.inventory.price.0)?)
}

#[test]
fn control_the_judge_sees_each_way_in_which_a_booking_can_end_wrong() {
    let right = Fate {
        ticket: "tkt".into(),
        reason: Some("EVENT_CANCELLED".into()),
        charged: 4990,
        refunded: 4990,
        requests: 1,
        mails: 1,
    };
    assert_eq!(judge(std::slice::from_ref(&right), 4990), Ok(()));
    let wrong: [fn(&mut Fate); 6] = [
        |fate| fate.reason = Some("CANCELLED_BY_BUYER".into()),
        |fate| fate.reason = None,
        |fate| fate.refunded = 0,
        |fate| fate.requests = 2,
        |fate| fate.mails = 2,
        |fate| fate.mails = 0,
    ];
    for change in wrong {
        let mut fate = right.clone();
        change(&mut fate);
        assert!(judge(&[right.clone(), fate.clone()], 4990).is_err(), "{fate:?}");
    }
}
