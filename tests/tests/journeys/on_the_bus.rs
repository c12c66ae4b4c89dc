//! What other systems hear.

use crate::{operator::of_operators, reconciling::of_what_was_put_right, tickets::of_an_event_that_is_over};
use boxoffice_e2e::{
    BoxOffice, Card, Outcome, Person, Verdict, ensure, mailbox::DEVICE_THAT_IS_GONE, story::Body, tables::StoredEvent,
    wait::SOON,
};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_stored_event_reaches_the_bus_as_it_was_stored() -> Verdict {
    let house = BoxOffice::open().await?;
    house
        .bus
        .listening(async |listener| {
            let mut stored = of_bookings(&house).await?;
            stored.extend(of_people(&house).await?);
            stored.extend(of_what_was_put_right(&house).await?);
            stored.extend(of_operators(&house).await?);
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
            // The journeys below lead to every event there is.
            let missing: Vec<_> = house.contracts.types()?.difference(&types).cloned().collect();
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
    paid.until_payable().await?;
    paid.pay(Card::Good).await?.with_status(200)?;
    paid.until_confirmed().await?;
    paid.cancel().await?.with_status(202)?;
    paid.until_cancelled("CANCELLED_BY_BUYER").await?;
    declined.until_cancelled("PAYMENT_DECLINED").await?;
    admin.delete(&format!("/tickets/{}", declined.id())).send().await?.with_status(204)?;
    admin.delete(&format!("/payments/{}", declined.payment_id())).send().await?.with_status(204)?;
    let completed = of_an_event_that_is_over(house).await?;
    unpaid.until_cancelled("HOLD_EXPIRED").await?;
    let changed = Body::show(20).without("currency").json();
    house.manager.put_inventory(show.id(), &changed).send().await?.with_status(200)?;
    house.manager.delete_inventory(show.id()).send().await?.with_status(204)?;

    let mut stored = house.tables.events_of(show.id()).await?;
    for booking in [&paid, &declined, &unpaid, &completed] {
        stored.extend(booking.history().await?.all());
    }
    Ok(stored)
}

async fn of_people(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let body = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let (lost, leaving) = (Person::register_as(&house.api, &body).await?, house.somebody().await?);
    let failed = house.until_notified(&lost, 1).await?;
    let welcome = house.until_notified(&leaving, 1).await?;
    leaving.put_user(leaving.id(), &json!({ "firstName": "Kim" })).send().await?.with_status(200)?;
    let mut stored = house.tables.events_of(leaving.id()).await?;
    for message in &welcome {
        leaving.delete(&format!("/notifications/{}", message.id)).send().await?.with_status(204)?;
    }
    leaving.delete(&format!("/users/{}", leaving.id())).send().await?.with_status(204)?;

    // Of the earlier ones nothing personal is left: as they are stored now, they were never said.
    stored.extend(house.tables.events_of(leaving.id()).await?.pop());
    stored.extend(house.tables.events_of(lost.id()).await?);
    for message in failed.iter().chain(&welcome) {
        stored.extend(house.tables.events_of(&message.id).await?);
    }
    Ok(stored)
}
