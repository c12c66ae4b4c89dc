//! The provider does not work, for a while or for good.

use crate::{Alone, bookings_of};
use boxoffice_e2e::{
    Card, PaymentStatus, Seats, TicketStatus, Verdict,
    provider::{Fault, Which},
    wait::{AFTER_THE_HOLD, Look, SOON, until},
};

#[tokio::test]
async fn an_outage_that_does_not_end_undoes_the_booking() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let outage = provider.arm(&Which::charging(bookings_of(&show)), Fault::Error500, None, 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_cancelled("PAYMENT_UNAVAILABLE").await?;

    assert!(provider.hits(&outage).await? > 1, "an outage is tried again before it is believed");
    provider.disarm(&outage).await?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentExpired\n"
    );
    let saga = booking.saga().await?;
    let step = saga.step("initiate-payment").unwrap();
    assert_eq!(step.status, "FAILED");
    assert!(step.attempt > 1, "{step:?}");
    Ok(())
}

#[tokio::test]
async fn an_outage_that_begins_with_the_charge_and_does_not_end_undoes_the_booking() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    // The provider has made the payment by now, so undoing means calling it off there.
    let outage = provider.arm(&Which::confirming(bookings_of(&show)), Fault::Error500, None, 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_cancelled("PAYMENT_UNAVAILABLE").await?;

    provider.disarm(&outage).await?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    Ok(())
}

#[tokio::test]
async fn an_outage_that_passes_costs_nothing_but_time() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let outage = provider.arm(&Which::charging(bookings_of(&show)), Fault::Error500, Some(2), 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    // Confirmed includes: charged once.
    booking.until_confirmed().await?;

    assert_eq!(provider.hits(&outage).await?, 2);
    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed\n\
         seats: InventoryReserved InventorySold\n\
         payment: PaymentInitiated PaymentCompleted\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_provider_that_hangs_once_costs_nothing_but_time() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let hang = provider.arm(&Which::confirming(bookings_of(&show)), Fault::Timeout, Some(1), 60_000).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    assert_eq!(provider.hits(&hang).await?, 1);
    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_meets_an_outage_can_try_again() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    provider.arm(&Which::charging(bookings_of(&show)), Fault::Error500, Some(1), 0).await?;

    let refused = booking.pay(Card::Good).await?;
    refused.refusal(503, "SERVICE_UNAVAILABLE")?;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(booking.now().await?.status, TicketStatus::Pending);
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_meets_an_outage_and_leaves_keeps_no_seats() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    let outage = provider.arm(&Which::charging(bookings_of(&show)), Fault::Error500, None, 0).await?;

    booking.pay(Card::Good).await?.refusal(503, "SERVICE_UNAVAILABLE")?;
    let (ticket, _) = booking.until_settled(AFTER_THE_HOLD).await?;

    provider.disarm(&outage).await?;
    assert_eq!(ticket.status, TicketStatus::Cancelled);
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_for_a_while() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    let outage = provider.arm(&Which::charging(bookings_of(&show)), Fault::Error500, None, 0).await?;

    // Refused all along; at first by the provider, and once the breaker is open without asking it.
    until("the provider is no longer asked", SOON, async || {
        let before = provider.hits(&outage).await?;
        let reply = booking.pay(Card::Good).await?;
        if reply.status == 409 {
            return Err(boxoffice_e2e::Failure::new("the hold was over before the breaker opened"));
        }
        reply.refusal(503, "SERVICE_UNAVAILABLE")?;
        let after = provider.hits(&outage).await?;
        Ok(Look::done_if(before == after && after > 0, after))
    })
    .await?;

    provider.disarm(&outage).await?;
    booking.until_settled(AFTER_THE_HOLD).await?;
    booking.check_money().await?;
    assert_eq!(show.seats().await?.total(), 10);
    Ok(())
}
