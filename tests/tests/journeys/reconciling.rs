//! Faults that nobody saw happen: tables that contradict each other, and bookings that nobody is at work on.
//!
//! A run goes through everything there is, other tests' bookings too, and leaves alone what has moved in the last quarter of an hour. Who asks for a run
//! may find that another's has just done the work; so what was found is read in the log, which has every run's.

use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, Seats, Show, TicketStatus, Verdict,
    logs::Since,
    story::in_seconds,
    tables::StoredEvent,
    wait::{Look, SOON, until},
};
use serde_json::Value;

const HOURS_AGO: i64 = -7200;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u32) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Makes a booking look as if all that happened to it had happened hours ago.
async fn age(house: &BoxOffice, booking: &Booking) -> Outcome<()> {
    let then = || text(in_seconds(HOURS_AGO));
    let (id, payment) = (booking.id(), booking.payment_id());
    let ticket = [("updatedAt".to_owned(), then()), ("holdExpiresAt".to_owned(), then())];
    house.tables.overwrite("TicketsTable", (&format!("TKT#{id}"), "TICKET"), &ticket).await?;
    let moved = [("updatedAt".to_owned(), then())];
    house.tables.overwrite("PaymentsTable", (&format!("PAY#{payment}"), "PAYMENT"), &moved).await?;
    let saga = house.tables.items_where("SagasTable", "ticketId", id).await?;
    let steps = saga.iter().flat_map(|item| item.keys()).filter(|name| name.starts_with("step:"));
    let mut entries: Vec<_> = steps.map(|step| (format!("{step}.executedAt"), then())).collect();
    entries.push(("startedAt".to_owned(), then()));
    house.tables.overwrite("SagasTable", (&format!("SAGA#{id}"), "SAGA"), &entries).await
}

/// Writes counters of a show of one shard, as no call of ours would.
async fn corrupt(house: &BoxOffice, show: &Show, counters: &[(&str, u32)]) -> Outcome<()> {
    let counters: Vec<_> = counters.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect();
    house.tables.overwrite("InventoryTable", (&format!("INV#{}", show.id()), "SHARD#000"), &counters).await
}

/// The log lines that runs wrote of this finding since then: how each ended, and of what kind it was.
async fn said(house: &BoxOffice, since: Since, id: &str) -> Outcome<Vec<(String, String)>> {
    let of = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let about_it = |line: String| {
        let line: Value = serde_json::from_str(line.strip_prefix("reconcile: ")?).ok()?;
        let finding: Value = serde_json::from_str(&of(&line, "finding")?).ok()?;
        let whose = of(&finding, "ticketId").or_else(|| of(&finding, "inventoryId"));
        (whose.as_deref() == Some(id)).then_some((of(&line, "message")?, of(&finding, "kind")?))
    };
    Ok(house.logs.lines(since).await?.into_iter().filter_map(about_it).collect())
}

/// The kinds of what was repaired of this since then.
async fn repaired(house: &BoxOffice, since: Since, id: &str) -> Outcome<Vec<String>> {
    let said = said(house, since, id).await?.into_iter();
    let repaired = said.filter(|(message, _)| message == "a violation was found and repaired");
    Ok(repaired.map(|(_, kind)| kind).collect())
}

/// Reconciles until this was repaired.
async fn until_repaired(house: &BoxOffice, since: Since, id: &str) -> Outcome<Vec<String>> {
    until(format_args!("what is wrong with {id} is repaired"), SOON, async || {
        let summary = house.reconcile("e2e").await?;
        let repaired = repaired(house, since, id).await?;
        Ok(if repaired.is_empty() { Look::NotYet(summary.to_string()) } else { Look::Done(repaired) })
    })
    .await
}

/// A booking of so many seats whose saga was stopped while it waited for its buyer.
async fn stopped(house: &BoxOffice, show: &Show, seats: u32) -> Outcome<Booking> {
    let booking = show.order(seats).booked().await?;
    // From here on it only waits: nothing of it is written any more.
    booking.until_awaited().await?;
    for execution in house.machine.until_started(booking.id(), 1).await? {
        house.machine.stop(&execution).await?;
    }
    Ok(booking)
}

/// Everything that is stated of a hold that was taken back, and of a counter that was put right.
pub(crate) async fn repair_events(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let (show, since) = (house.show(10).await?, Since::now());
    let orphan = stopped(house, &show, 2).await?;
    age(house, &orphan).await?;
    corrupt(house, &show, &[("held", 3)]).await?;
    until_repaired(house, since, orphan.id()).await?;
    until_repaired(house, since, show.id()).await?;
    orphan.until_cancelled("HOLD_EXPIRED").await?;
    let mut stored = house.tables.events_of(show.id()).await?;
    stored.extend(orphan.history().await?.all());
    Ok(stored)
}

#[tokio::test]
async fn a_hold_whose_saga_was_stopped_comes_back() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, since) = (house.show(10).await?, Since::now());
    let orphan = stopped(&house, &show, 2).await?;

    // Its hold is not over, and a run leaves it alone.
    house.reconcile("e2e").await?;
    assert_eq!(said(&house, since, orphan.id()).await?, Vec::new());

    age(&house, &orphan).await?;
    assert_eq!(until_repaired(&house, since, orphan.id()).await?, ["HOLD_ORPHANED"]);
    orphan.until_cancelled("HOLD_EXPIRED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(orphan.payment().await?.status, PaymentStatus::Expired);
    assert_eq!(
        orphan.history().await?.to_string(),
        "ticket: TicketCreated TicketExpiryRequested TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentExpired\n"
    );
    house.reconcile("e2e").await?;
    assert_eq!(repaired(&house, since, orphan.id()).await?, ["HOLD_ORPHANED"], "once, however often it is looked at");
    Ok(())
}

#[tokio::test]
async fn a_hold_whose_saga_never_began_comes_back() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, since) = (house.show(10).await?, Since::now());
    let orphan = stopped(&house, &show, 3).await?;
    age(&house, &orphan).await?;
    house.tables.remove("SagasTable", (&format!("SAGA#{}", orphan.id()), "SAGA")).await?;

    until_repaired(&house, since, orphan.id()).await?;
    orphan.until_cancelled("HOLD_EXPIRED").await?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_wrong_counter_is_made_what_the_reservations_add_up_to() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, since) = (house.show(10).await?, Since::now());
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    corrupt(&house, &show, &[("available", 5), ("held", 1), ("sold", 1)]).await?;
    assert!(show.seats().await.is_err(), "the seats add up still");

    assert_eq!(until_repaired(&house, since, show.id()).await?, ["COUNTERS_WRONG"]);

    assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
    let events = house.tables.events_of(show.id()).await?;
    let kinds: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(kinds, ["InventoryCreated", "InventoryReconciled"]);
    house.contracts.check(&events[1])?;
    // Seats that were counted again can be sold.
    let next = show.order(8).paid_with(Card::Good).booked().await?;
    next.until_confirmed().await?;
    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: 10 });
    house.reconcile("e2e").await?;
    assert_eq!(repaired(&house, since, show.id()).await?, ["COUNTERS_WRONG"]);
    Ok(())
}

#[tokio::test]
async fn a_finding_for_an_operator_becomes_a_message_and_a_metric() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, since) = (house.show(10).await?, Since::now());
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let key = format!("PAY#{}", booking.payment_id());
    let payment = (key.as_str(), "PAYMENT");
    house.tables.overwrite("PaymentsTable", payment, &[("status".into(), text("REFUNDED"))]).await?;
    age(&house, &booking).await?;

    let message = until("a person is told", SOON, async || {
        house.reconcile("e2e").await?;
        let messages = house.findings_about(booking.id()).await?;
        Ok(messages.into_iter().next().map_or_else(|| Look::NotYet("no message".into()), Look::Done))
    })
    .await?;
    // So that no later run finds it again.
    house.tables.overwrite("PaymentsTable", payment, &[("status".into(), text("SUCCESS"))]).await?;

    let message: Value = serde_json::from_str(&message).unwrap();
    let finding = &message["finding"];
    assert_eq!((&finding["kind"], &finding["payment"]), (&"CONFIRMED_WITHOUT_MONEY".into(), &"REFUNDED".into()));
    assert_eq!(finding["outcome"], "LEFT");
    assert!(message["whatToDo"].as_str().is_some_and(|advice| !advice.is_empty()), "{message}");
    assert_eq!(booking.now().await?.status, TicketStatus::Confirmed);

    let lines = house.logs.lines(since).await?;
    let counted = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(line.strip_prefix("reconcile: ")?).ok()?;
        line.get("_aws")?.get("CloudWatchMetrics")?;
        line.get("ReconcileViolations")?.as_u64()
    });
    assert!(counted.into_iter().any(|left| left > 0), "no run counted a violation: {lines:?}");
    Ok(())
}
