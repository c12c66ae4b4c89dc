//! What other systems hear.

use boxoffice_e2e::{BoxOffice, Card, Outcome, Verdict, ensure, story::Body, wait::SOON};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_stored_event_reaches_the_bus_as_it_was_stored() -> Verdict {
    let house = BoxOffice::open().await?;
    house
        .bus
        .listening(async |listener| {
            let show = house.show(10).await?;
            let paid = show.order(1).booked().await?;
            let declined = show.order(1).paid_with(Card::Declined).booked().await?;
            let unpaid = show.order(1).booked().await?;
            paid.until_payable().await?;
            paid.pay(Card::Good).await?.with_status(200)?;
            paid.until_confirmed().await?;
            paid.cancel().await?.with_status(202)?;
            paid.until_cancelled("CANCELLED_BY_BUYER").await?;
            declined.until_cancelled("PAYMENT_DECLINED").await?;
            unpaid.until_cancelled("HOLD_EXPIRED").await?;
            house
                .api
                .put_inventory(show.id(), &Body::show(20).without("currency").json())
                .send()
                .await?
                .with_status(200)?;
            house.api.delete_inventory(show.id()).send().await?.with_status(204)?;

            let mut stored = house.tables.events_of(show.id()).await?;
            for booking in [&paid, &declined, &unpaid] {
                stored.extend(booking.history().await?.all());
            }
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
            check_types(&types)
        })
        .await?;
    Ok(())
}

/// The journeys above lead to every event there is.
fn check_types(heard: &BTreeSet<String>) -> Outcome<()> {
    let all = [
        "InventoryCreated",
        "InventoryUpdated",
        "InventoryDeleted",
        "InventoryReserved",
        "InventorySold",
        "InventoryReleased",
        "TicketCreated",
        "TicketCancellationRequested",
        "TicketConfirmed",
        "TicketCancelled",
        "PaymentInitiated",
        "PaymentProcessing",
        "PaymentCompleted",
        "PaymentFailed",
        "PaymentExpired",
        "PaymentRefunded",
    ];
    let missing: Vec<_> = all.into_iter().filter(|name| !heard.contains(*name)).collect();
    ensure!(missing.is_empty(), "the bus never carried {missing:?}");
    Ok(())
}
