//! An operator's acts, over HTTP and at a terminal.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, SagaStatus, Seats, TicketStatus, Verdict, ensure,
    story::fresh_id,
    tables::StoredEvent,
    wait::{Look, SOON, until},
};
use serde_json::{Value, json};

/// Whether a booking's saga is among those that run.
async fn is_running(house: &BoxOffice, booking: &Booking) -> Outcome<bool> {
    let first = house.admin.get("/operations/sagas").query("status", "RUNNING").query("limit", "100");
    let running: Vec<Value> = house.admin.whole_list(first).await?;
    Ok(running.iter().any(|saga| saga.get("ticketId").is_some_and(|id| id == booking.id())))
}

async fn until_running_is(house: &BoxOffice, booking: &Booking, listed: bool) -> Outcome<()> {
    until(format_args!("listed as running: {listed}"), SOON, async || {
        let now = is_running(house, booking).await?;
        Ok(if now == listed { Look::Done(()) } else { Look::NotYet(format!("listed: {now}")) })
    })
    .await
}

/// Everything that operators do, as it was recorded.
pub(crate) async fn of_operators(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let (show, because) = (house.show(10).await?, json!({ "reason": "The hall is closed" }));
    let forced = show.order(1).paid_with(Card::Good).booked().await?;
    forced.until_confirmed().await?;
    let stuck = show.order(1).booked().await?;
    stuck.until_awaited().await?;
    house.tables.record_as_stuck(stuck.id()).await?;
    let nothing = json!({ "event": { "aggregateId": fresh_id("tkt"), "aggregateVersion": 1 } });
    house.put_in_queue("NotificationDeadLetterQueueUrl", &nothing.to_string()).await?;

    let mut stored = Vec::new();
    for (path, body) in [
        (format!("/operations/sagas/{}/compensate", forced.id()), &because),
        (format!("/operations/sagas/{}/redrive", stuck.id()), &because),
        ("/operations/queues/notification-dead-letters/redrive".to_owned(), &json!({})),
        ("/operations/replays".to_owned(), &json!({ "aggregateId": show.id(), "dryRun": false })),
        ("/operations/reconcile".to_owned(), &json!({})),
    ] {
        let reply = house.admin.post(&path).json(body).send().await?;
        ensure!(matches!(reply.status, 200 | 202), "{reply:?}");
        let correlation_id = reply.header("x-correlation-id").unwrap_or_default();
        let acts = house.tables.items_where("EventsTable", "correlationId", correlation_id).await?;
        let ids = acts.iter().filter_map(|act| act.get("aggregateId")?.as_str()).filter(|id| id.starts_with("act_"));
        for id in ids {
            stored.extend(house.tables.events_of(id).await?);
        }
    }
    for booking in [&forced, &stuck] {
        booking.until_saga_is(SagaStatus::Compensated, SOON).await?;
    }
    Ok(stored)
}

#[tokio::test]
async fn a_saga_is_listed_while_it_runs() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;
    until_running_is(&house, &booking, true).await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    until_running_is(&house, &booking, false).await?;
    Ok(())
}

#[tokio::test]
async fn a_confirmed_booking_is_taken_back_by_force() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let path = format!("/operations/sagas/{}/compensate", booking.id());
    let body = json!({ "reason": "The hall is closed" });

    let act: Value = house.admin.post(&path).json(&body).send().await?.answer(202)?;

    booking.until_cancelled("CANCELLED_BY_OPERATOR").await?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    let recorded = house.tables.events_of(act["actId"].as_str().unwrap_or_default()).await?;
    assert_eq!(recorded.len(), 1);
    assert!(recorded[0].detail.contains("The hall is closed"), "{}", recorded[0].detail);
    assert_eq!(act["requestedBy"], house.admin.id());
    house.admin.post(&path).json(&body).send().await?.refusal(409, "SAGA_ALREADY_COMPENSATED")?;
    Ok(())
}

#[tokio::test]
async fn a_saga_that_is_not_stuck_is_not_redriven() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let redrive =
        |ticket: &str, body: &Value| house.admin.post(&format!("/operations/sagas/{ticket}/redrive")).json(body);
    let body = json!({ "reason": "A try" });
    redrive(booking.id(), &body).send().await?.refusal(409, "SAGA_NOT_STUCK")?;
    redrive(&fresh_id("tkt"), &body).send().await?.refusal(404, "SAGA_NOT_FOUND")?;
    redrive(booking.id(), &json!({ "reason": " " })).send().await?.refusal(400, "VALIDATION_ERROR")?;
    redrive(booking.id(), &json!({})).send().await?.refusal(400, "VALIDATION_ERROR")?;
    assert_eq!(booking.saga().await?.status, SagaStatus::Completed);
    Ok(())
}

#[tokio::test]
async fn a_confirmed_booking_that_something_calls_stuck_is_not_redriven() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    house.tables.record_as_stuck(booking.id()).await?;

    let path = format!("/operations/sagas/{}/redrive", booking.id());
    let body = json!({ "reason": "It looks stuck" });
    house.admin.post(&path).json(&body).send().await?.refusal(409, "SAGA_NOT_STUCK")?;

    assert_eq!(booking.now().await?.status, TicketStatus::Confirmed);
    assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
    Ok(())
}

#[tokio::test]
async fn an_event_that_could_not_start_its_saga_does_when_it_is_redriven() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    // As if the bus had never got through to the state machine.
    for execution in house.machine.executions_about(booking.id()).await? {
        house.machine.stop(&execution).await?;
    }
    house.tables.forget_saga(booking.id()).await?;
    let created = house.tables.events_of(booking.id()).await?.remove(0);
    let detail: Value = serde_json::from_str(&created.detail).unwrap();
    let message = json!({
        "version": "0", "id": fresh_id("evt"), "source": created.source, "detail-type": "TicketCreated", "detail": detail
    });
    house.put_in_queue("SagaStartDeadLetterQueueUrl", &message.to_string()).await?;

    let told = house.terminal.run(&["dead-letters", "redrive", "saga-start-dead-letters"]).await?.done()?;

    assert!(told["moved"].as_u64() >= Some(1), "{told}");
    booking.until_saga_is(SagaStatus::InProgress, SOON).await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    let acts = house.tables.acts("DeadLettersRedriven", "cli:ada").await?;
    ensure!(acts.iter().any(|act| act["queue"] == "saga-start-dead-letters"), "not recorded: {acts:?}");
    Ok(())
}

#[tokio::test]
async fn a_message_that_cannot_be_redriven_stays_with_its_reason() -> Verdict {
    let house = BoxOffice::open().await?;
    let nothing = json!({ "event": { "aggregateId": fresh_id("tkt"), "aggregateVersion": 1 } });
    house.put_in_queue("NotificationDeadLetterQueueUrl", &nothing.to_string()).await?;
    let path = "/operations/queues/notification-dead-letters/redrive";
    let redriven: Value = house.admin.post(path).query("limit", "100").send().await?.answer(200)?;
    let failed = redriven["failed"].as_array().cloned().unwrap_or_default();
    let reason = |stayed: &Value| stayed["reason"].as_str().unwrap_or_default().contains("has no event");
    ensure!(failed.iter().any(reason), "it did not stay: {redriven}");

    let queues: Value = house.admin.get("/operations/queues").send().await?.answer(200)?;
    let queues = queues["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(queues.len(), 5, "{queues:?}");
    let depth = queues.iter().find(|queue| queue["name"] == "notification-dead-letters").map(|queue| &queue["depth"]);
    assert!(depth.and_then(Value::as_u64) >= Some(1), "what stayed is not counted: {queues:?}");
    house.admin.post("/operations/queues/nowhere/redrive").send().await?.refusal(404, "QUEUE_NOT_FOUND")?;
    Ok(())
}

#[tokio::test]
async fn a_replay_is_heard_again_and_changes_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let (events, seats) = (house.tables.events_of(booking.id()).await?, show.seats().await?);
    let told = house.until_notified(&house.buyer, 1).await?.len();
    let replay = |dry_run: bool| {
        house.admin.post("/operations/replays").json(&json!({ "aggregateId": booking.id(), "dryRun": dry_run }))
    };

    let rehearsed: Value = replay(true).send().await?.answer(200)?;
    assert_eq!(rehearsed, json!({ "read": events.len(), "matched": events.len(), "published": 0 }));
    assert_eq!(house.tables.acts("EventsReplayed", booking.id()).await?.len(), 0, "a rehearsal is no act");
    let heard = events.clone();
    let replayed = house
        .bus
        .listening(async |listener| {
            let replayed: Value = replay(false).send().await?.answer(200)?;
            listener.until_heard(&heard, SOON).await?;
            Ok(replayed)
        })
        .await?;
    assert_eq!(replayed["published"], events.len());

    let acts = house.tables.acts("EventsReplayed", booking.id()).await?;
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0]["requestedBy"], house.admin.id());
    until("every execution of it has ended", SOON, async || {
        let running = house.machine.executions_about(booking.id()).await?;
        let running = running.into_iter().filter(|execution| execution.status == "RUNNING").count();
        Ok(if running == 0 { Look::Done(()) } else { Look::NotYet(format!("{running} run")) })
    })
    .await?;
    booking.until_confirmed().await?;
    assert_eq!(house.tables.events_of(booking.id()).await?.len(), events.len());
    assert_eq!((show.seats().await?, house.until_notified(&house.buyer, told).await?.len()), (seats, told));
    Ok(())
}

#[tokio::test]
async fn a_replay_says_which_events_it_means() -> Verdict {
    let house = BoxOffice::open().await?;
    let replay = |body: Value| house.admin.post("/operations/replays").json(&body);
    replay(json!({ "dryRun": true })).send().await?.refusal(400, "INVALID_SELECTOR")?;
    let backwards = json!({ "from": "2030-01-02T00:00:00Z", "to": "2030-01-01T00:00:00Z", "dryRun": true });
    replay(backwards).send().await?.refusal(400, "INVALID_SELECTOR")?;
    replay(json!({ "eventType": "ticket_created", "dryRun": true })).send().await?.refusal(400, "VALIDATION_ERROR")?;
    let cursor = json!({ "eventType": "TicketCreated", "next": "nowhere", "dryRun": true });
    replay(cursor).send().await?.refusal(400, "INVALID_CURSOR")?;

    let none = ["events", "replay", "--type", "NothingOfTheKind", "--dry-run"];
    let told = house.terminal.run(&none).await?.done()?;
    assert_eq!((&told["matched"], &told["published"], &told["dryRun"]), (&json!(0), &json!(0), &json!(true)));
    assert_eq!(house.terminal.run(&["events", "replay"]).await?.code, 3);
    Ok(())
}
