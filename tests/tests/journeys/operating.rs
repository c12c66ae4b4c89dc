//! An operator's view.

use boxoffice_e2e::{
    BoxOffice, Card, SagaStatus, Verdict, ensure,
    logs::Since,
    story::{fresh, fresh_id},
    wait::{Look, SOON, until},
};
use reqwest::Method;

#[tokio::test]
async fn health_says_what_it_checked() -> Verdict {
    let house = BoxOffice::open().await?;
    let health = house.admin.health().await?;
    for part in [
        "inventory-table",
        "tickets-table",
        "payments-table",
        "sagas-table",
        "users-table",
        "sessions-table",
        "notifications-table",
        "admissions-table",
        "views-table",
        "events-table",
        "event-bus",
        "booking-saga",
    ] {
        let check = health.checks.iter().find(|check| check.name == part);
        assert!(check.is_some_and(|check| check.status == "UP" && check.latency_ms >= 0.0), "{part}: {health:?}");
    }
    // A queue of cases for an operator that is not empty (another test's, say) is no outage, and is said.
    let degraded = health.checks.iter().any(|check| check.status == "DEGRADED");
    assert_eq!(health.status, if degraded { "DEGRADED" } else { "UP" }, "{health:?}");
    Ok(())
}

#[tokio::test]
async fn strangers_and_buyers_learn_up_or_down_from_health() -> Verdict {
    let house = BoxOffice::open().await?;
    for (who, api) in [("a stranger", &house.api), ("a buyer", &house.buyer)] {
        let body: serde_json::Value = api.get("/health").send().await?.answer(200)?;
        assert_eq!(body, serde_json::json!({ "status": "UP" }), "{who}");
    }
    let body: serde_json::Value = house.api.get("/health").bearer("not.a.token").send().await?.answer(200)?;
    assert_eq!(body, serde_json::json!({ "status": "UP" }), "a token that is not valid");
    Ok(())
}

#[tokio::test]
async fn a_saga_that_went_well_shows_its_steps() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    let saga = booking.saga().await?;

    assert_eq!((saga.ticket_id.as_str(), saga.status), (booking.id(), SagaStatus::Completed));
    assert!(saga.completed_at.is_some() && saga.compensation_reason.is_none(), "{saga:?}");
    assert_eq!(
        saga.transcript(),
        "claim-saga COMPLETED\n\
         verify-hold COMPLETED\n\
         initiate-payment COMPLETED\n\
         confirm-ticket COMPLETED\n"
    );
    assert!(saga.steps.is_sorted_by(|one, next| one.executed_at <= next.executed_at), "{saga:?}");
    for step in &saga.steps {
        assert!(step.attempt >= 1 && step.started_at <= step.executed_at, "{step:?}");
        assert!(step.error_code.is_none() && step.error_message.is_none(), "{step:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_saga_that_waits_shows_what_it_waits_for() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;

    let saga = booking.until_saga_is(SagaStatus::InProgress, SOON).await?;
    assert!(saga.completed_at.is_none(), "{saga:?}");
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(
        booking.saga().await?.transcript(),
        "claim-saga COMPLETED\n\
         verify-hold COMPLETED\n\
         initiate-payment COMPLETED\n\
         await-payment COMPLETED\n\
         confirm-ticket COMPLETED\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_saga_that_turned_back_shows_why() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Declined).booked().await?;
    booking.declined_for_good().await?;

    let saga = booking.saga().await?;

    assert_eq!(saga.status, SagaStatus::Compensated);
    assert!(saga.completed_at.is_some() && saga.compensation_reason.is_some(), "{saga:?}");
    let initiated = saga.step("initiate-payment").unwrap();
    assert_eq!(
        (initiated.status.as_str(), initiated.attempt),
        ("COMPLETED", 1),
        "a decline leaves the buyer to try again"
    );
    for undo in ["reverse-payment", "release-hold", "cancel-ticket"] {
        let step = saga.step(undo).unwrap();
        assert_eq!((step.step_name.as_str(), step.status.as_str()), (undo, "COMPENSATED"));
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_hold_shows_the_step_that_ended_it() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_cancelled("HOLD_EXPIRED").await?;

    let saga = booking.saga().await?;

    assert_eq!(saga.status, SagaStatus::Compensated);
    for step in ["expire-payment", "release-hold", "cancel-ticket"] {
        assert!(saga.step(step).is_some(), "{step} is missing from:\n{}", saga.transcript());
    }
    Ok(())
}

#[tokio::test]
async fn there_is_no_saga_without_a_ticket() -> Verdict {
    let house = BoxOffice::open().await?;
    house.buyer.get(&format!("/sagas/{}", fresh_id("tkt"))).send().await?.refusal(404, "SAGA_NOT_FOUND")?;
    Ok(())
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_as_everything_else_is() -> Verdict {
    let house = BoxOffice::open().await?;
    for path in ["/nothing", "/inventory/a/b/c", "/tickets/x/y/z", "/health/deep"] {
        house.api.get(path).send().await?.refusal(404, "ROUTE_NOT_FOUND")?;
    }
    let (inventory, ticket, payment) = (fresh_id("inv"), fresh_id("tkt"), fresh_id("pay"));
    for (method, path) in [
        (Method::PATCH, "/inventory".to_owned()),
        (Method::POST, format!("/inventory/{inventory}")),
        (Method::GET, format!("/inventory/{inventory}/reserve")),
        (Method::PUT, "/tickets".to_owned()),
        (Method::PUT, format!("/tickets/{ticket}")),
        (Method::POST, format!("/tickets/{ticket}/cancel")),
        (Method::PUT, format!("/payments/{payment}")),
        (Method::GET, format!("/payments/{payment}/process")),
        (Method::DELETE, format!("/sagas/{ticket}")),
        (Method::POST, "/health".to_owned()),
    ] {
        house.api.call(method, &path).send().await?.refusal(405, "METHOD_NOT_ALLOWED")?;
    }
    Ok(())
}

#[tokio::test]
async fn a_booking_is_found_in_every_hops_log_and_in_the_metrics_by_its_correlation_id() -> Verdict {
    let since = Since::now();
    let (house, mine) = (BoxOffice::open().await?, fresh("correlation"));
    let order = house.show(10).await?.order(1).paid_with(Card::Good);
    let reply = order.request().header("X-Correlation-Id", &mine).send().await?;
    order.got(&reply)?.until_confirmed().await?;
    let ours = reply.header("x-correlation-id").unwrap_or_default().to_owned();
    let hops = [
        "create-ticket: ",
        "relay-events: ",
        "claim-saga: ",
        "verify-hold: ",
        "initiate-payment: ",
        "confirm-ticket: ",
        "project-events: ",
        "send-notification: ",
    ];
    let lines = until("every hop has logged it", SOON, async || {
        let lines = house.logs.lines(since).await?;
        let mine: Vec<String> = lines.into_iter().filter(|line| line.contains(&ours)).collect();
        let missing = hops.iter().filter(|hop| !mine.iter().any(|line| line.starts_with(**hop))).collect::<Vec<_>>();
        Ok(if missing.is_empty() { Look::Done(mine) } else { Look::NotYet(format!("not yet by {missing:?}")) })
    })
    .await?;
    for metric in ["BookingsCreated", "BookingsConfirmed", "SeatsHeld", "SeatsSold"] {
        let counted = |line: &&String| line.contains("\"_aws\"") && line.contains(metric);
        assert!(lines.iter().any(|line| counted(&line)), "{metric} is in no line of it: {lines:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_can_be_found_in_the_logs() -> Verdict {
    let (house, since) = (BoxOffice::open().await?, Since::now());
    let mine = fresh("correlation");
    let reply = house.api.get("/health").header("X-Correlation-Id", &mine).send().await?;
    let ours = reply.header("x-correlation-id").unwrap_or_default().to_owned();
    ensure!(!ours.is_empty() && ours != mine, "the caller chose the correlation id {ours:?}");
    until("the request is logged under both ids", SOON, async || {
        let lines = house.logs.lines(since).await?;
        let found = lines.iter().any(|line| line.contains(&ours) && line.contains(&mine));
        Ok(if found { Look::Done(()) } else { Look::NotYet("no line has both".into()) })
    })
    .await?;

    let hostile = "a b\"} c";
    let reply = house.api.get("/health").header("X-Correlation-Id", hostile).send().await?;
    assert!(reply.header("x-correlation-id").is_some_and(|id| !id.is_empty() && id != hostile), "{reply:?}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    Ok(())
}
