//! Events on the bus, as other systems hear them.

use crate::{
    doors::events_of_a_door, operator::of_operators, reconciling::repair_events, second_factor,
    tickets::a_booking_of_a_past_event,
};
use boxoffice_e2e::{
    BoxOffice, Card, Failure, Outcome, Person, Verdict, ensure,
    mailbox::DEVICE_THAT_IS_GONE,
    story::{Body, fresh},
    tables::StoredEvent,
    wait::{Look, SOON, until},
};
use boxoffice_kernel::InventoryId;
use serde_json::json;
use std::collections::BTreeSet;

/// The events of refunds and disputes that only the provider can bring about: the store tests of payments check their details against the schemas, and no journey
/// leads to them yet.
const ELSEWHERE: [&str; 4] = ["PaymentDisputeClosed", "PaymentDisputed", "PaymentRefundFailed", "PaymentRefundPending"];

#[tokio::test]
async fn every_stored_event_reaches_the_bus_as_it_was_stored() -> Verdict {
    let house = BoxOffice::open().await?;
    house
        .bus
        .listening(async |listener| {
            let mut stored = of_bookings(&house).await?;
            stored.extend(of_people(&house).await?);
            stored.extend(of_an_account(&house).await?);
            stored.extend(repair_events(&house).await?);
            stored.extend(of_operators(&house).await?);
            stored.extend(events_of_a_door(&house).await?);
            listener.until_heard(&stored, SOON).await?;

            let mut types = BTreeSet::new();
            for event in &stored {
                let metadata = &event.event.metadata;
                let Some(heard) = listener.heard().get(&metadata.event_id) else { continue };
                house.contracts.check_detail(&heard.detail_type, &heard.detail)?;
                let same = (heard.source.as_str(), heard.detail_type.as_str())
                    == (event.source.as_str(), metadata.event_type.as_str())
                    && serde_json::from_str(&event.detail)
                        .is_ok_and(|stored: serde_json::Value| stored == heard.detail);
                ensure!(same, "stored as {event:?}, heard as {heard:?}");
                types.insert(heard.detail_type.clone());
            }
            // The journeys below lead to every event but those.
            let elsewhere = ELSEWHERE.map(str::to_owned).into();
            let missing: BTreeSet<_> = house.contracts.types()?.difference(&types).cloned().collect();
            let missing: Vec<_> = missing.difference(&elsewhere).collect();
            ensure!(missing.is_empty(), "the bus never carried {missing:?}");
            Ok(())
        })
        .await?;
    Ok(())
}

async fn of_bookings(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let (admin, show) = (&house.admin, house.show(10).await?);
    let paid = show.order(1).booked().await?;
    let declined = show.order(1).paid_with(Card::Declined).booked().await?;
    let unpaid = show.order(1).booked().await?;
    paid.until_awaited().await?;
    paid.pay(Card::Good).await?.with_status(200)?;
    paid.until_confirmed().await?;
    house.buyer.post(&format!("/tickets/{}/mail", paid.id())).send().await?.with_status(202)?;
    paid.cancel().await?.with_status(202)?;
    paid.until_cancelled("CANCELLED_BY_BUYER").await?;
    declined.declined_for_good().await?;
    admin.delete(&format!("/tickets/{}", declined.id())).send().await?.with_status(204)?;
    admin.delete(&format!("/payments/{}", declined.payment_id())).send().await?.with_status(204)?;
    let completed = a_booking_of_a_past_event(house).await?;
    unpaid.until_cancelled("HOLD_EXPIRED").await?;
    let changed = Body::show(20).without("currency").json();
    house.manager.put_inventory(show.id(), &changed).send().await?.with_status(200)?;
    house.manager.delete_inventory(show.id()).send().await?.with_status(204)?;

    let moved = house.show(10).await?;
    let told = moved.order(1).paid_with(Card::Good).booked().await?;
    told.until_confirmed().await?;
    house.manager.put_inventory(moved.id(), &json!({ "location": "Open air" })).send().await?.with_status(200)?;
    until("the buyer's ticket says where", SOON, async || {
        let history = told.history().await?.to_string();
        Ok(Look::done_if(history.contains("TicketEventChanged"), history))
    })
    .await?;

    let part = admin.post(&format!("/payments/{}/refund", told.payment_id())).header("Idempotency-Key", &fresh("part"));
    part.json(&json!({ "amount": 1 })).send().await?.with_status(200)?;
    let cancel = house.manager.post(&format!("/inventory/{}/cancellation", moved.id()));
    cancel.json(&json!({ "reason": "On the bus" })).send().await?.with_status(202)?;
    told.until_cancelled("EVENT_CANCELLED").await?;

    let mut stored = house.tables.events_of(show.id()).await?;
    stored.extend(house.tables.events_of(moved.id()).await?);
    let event: InventoryId = moved.id().parse().map_err(|error| Failure::new(format!("{error}")))?;
    stored.extend(house.tables.events_of(&event.cancellation().to_string()).await?);
    for booking in [&paid, &declined, &unpaid, &completed, &told] {
        stored.extend(booking.history().await?.all());
    }
    Ok(stored)
}

/// A person suspended and let in again, with a verified address and another password; and one who enrols a second factor.
async fn of_an_account(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let person = house.somebody().await?;
    for verb in ["suspend", "reinstate"] {
        let act = house.admin.post(&format!("/users/{}/{verb}", person.id()));
        act.json(&json!({ "reason": "On the bus" })).send().await?.with_status(200)?;
    }
    let log_in = person.log_in().await?;
    house.verified(&person).await?;
    let change = house.api.change_password(&person.account.password, &fresh("another secret"));
    change.bearer(&log_in.access_token).send().await?.with_status(204)?;
    let careful = house.somebody().await?;
    second_factor::enrol(house, &careful).await?;
    let mut stored = house.tables.events_of(person.id()).await?;
    stored.extend(house.tables.events_of(careful.id()).await?);
    Ok(stored)
}

async fn of_people(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let body = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let (lost, leaving) = (Person::register_as(&house.api, &body).await?, house.somebody().await?);
    house.verified(&lost).await?;
    let failed = house.until_notified(&lost, 1).await?;
    let unsent = failed.first().ok_or_else(|| Failure::new("nobody was told"))?;
    let resend = format!("/operations/notifications/{}/resend", unsent.id);
    house.admin.post(&resend).json(&json!({ "reason": "On the bus" })).send().await?.with_status(202)?;
    until("the message has failed once more", SOON, async || {
        let events = house.tables.events_of(&unsent.id).await?;
        Ok(Look::done_if(events.len() == 4, ()))
    })
    .await?;
    house.verified(&leaving).await?;
    let welcome = house.until_notified(&leaving, 1).await?;
    leaving.put_user(leaving.id(), &json!({ "firstName": "Kim" })).send().await?.with_status(200)?;
    let mut stored = house.tables.events_of(leaving.id()).await?;
    for message in &welcome {
        leaving.delete(&format!("/notifications/{}", message.id)).send().await?.with_status(204)?;
    }
    leaving.delete(&format!("/users/{}", leaving.id())).send().await?.with_status(204)?;

    // Erasure removed the personal fields of earlier events, so their stored form differs from the one on the bus.
    stored.extend(house.tables.events_of(leaving.id()).await?.pop());
    stored.extend(house.tables.events_of(lost.id()).await?);
    for message in failed.iter().chain(&welcome) {
        stored.extend(house.tables.events_of(&message.id).await?);
    }
    Ok(stored)
}
