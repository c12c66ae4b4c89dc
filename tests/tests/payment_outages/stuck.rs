//! A booking that cannot be undone becomes an operator's case.

use crate::{Alone, bookings_of};
use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, SagaStatus, Seats, TicketStatus, Verdict, ensure,
    provider::{Fault, Which},
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};

#[tokio::test]
async fn a_charge_nobody_can_ask_about_needs_attention() -> Verdict {
    let stage = Alone::open().await?;
    let (house, show) = (&stage.house, stage.show().await?);
    let provider = house.provider()?;
    // The payment is made there, and from then on there is no answer: whether the money was taken, nobody can say.
    let outage = provider.arm(&Which::about_an_existing_payment(bookings_of(&show)), Fault::Error500, None, 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    let saga = booking.until_saga_is(SagaStatus::NeedsAttention, AFTER_ALL_RETRIES).await?;

    assert_eq!(saga.step("reverse-payment").unwrap().status, "FAILED");
    let message = until_an_operator_is_told(house, &booking).await?;
    assert!(message.contains("Reverse Payment"), "{message}");
    // Seats whose buyer may have paid are not sold to another.
    assert_eq!(show.seats().await?, Seats { available: 9, held: 1, sold: 0 });
    assert_eq!(booking.now().await?.status, TicketStatus::Pending);

    provider.disarm(&outage).await?;
    Ok(())
}

/// The message that an operator works from.
async fn until_an_operator_is_told(house: &BoxOffice, booking: &Booking) -> Outcome<String> {
    until("an operator is told", SOON, async || {
        let messages = house.stuck_booking_messages(booking.id()).await?;
        Ok(messages.into_iter().next().map_or_else(|| Look::NotYet("no message".into()), Look::Done))
    })
    .await
}

#[tokio::test]
async fn a_refund_that_never_works_needs_attention() -> Verdict {
    let stage = Alone::open().await?;
    let (house, show) = (&stage.house, stage.show().await?);
    let provider = house.provider()?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let outage = provider.arm(&Which::refunding(bookings_of(&show)), Fault::Error500, None, 0).await?;

    booking.cancel().await?.with_status(202)?;
    let saga = booking.until_saga_is(SagaStatus::NeedsAttention, AFTER_ALL_RETRIES).await?;

    let failed = saga.step("reverse-payment").unwrap();
    assert_eq!(failed.status, "FAILED");
    assert!(failed.attempt > 1 && failed.error_message.is_some(), "{failed:?}");
    assert!(saga.step("record-stuck-booking").is_some(), "{}", saga.transcript());
    let message = until_an_operator_is_told(house, &booking).await?;
    assert!(serde_json::from_str::<serde_json::Value>(&message).is_ok(), "{message}");
    // An undo that could not begin leaves everything as it was: the buyer has paid, and has the seat.
    assert_eq!(booking.payment().await?.status, PaymentStatus::Success);
    assert_ne!(booking.now().await?.status, TicketStatus::Cancelled);
    assert_eq!(show.seats().await?.available, 9);

    provider.disarm(&outage).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_has_a_stuck_booking_undone_once_the_provider_answers_again() -> Verdict {
    let stage = Alone::open().await?;
    let (house, show) = (&stage.house, stage.show().await?);
    let provider = house.provider()?;
    let outage = provider.arm(&Which::about_an_existing_payment(bookings_of(&show)), Fault::Error500, None, 0).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_saga_is(SagaStatus::NeedsAttention, AFTER_ALL_RETRIES).await?;
    let listed = house.terminal.run(&["sagas", "list", "--status", "needs-attention", "--limit", "100"]).await?;
    ensure!(listed.answer.contains(booking.id()), "not on the operator's list: {}", listed.answer);

    provider.disarm(&outage).await?;
    house.tables.forget_breaker().await?;
    let redrive = ["sagas", "redrive", booking.id(), "--reason", "The provider answers again"];
    let requested = house.terminal.run(&redrive).await?.done()?;
    assert_eq!(requested["requestedBy"], "cli:ada");
    booking.until_saga_is(SagaStatus::Compensated, AFTER_ALL_RETRIES).await?;
    // The reason is still the failure that turned the saga back.
    booking.until_cancelled("PAYMENT_UNAVAILABLE").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    let listed = house.terminal.run(&["sagas", "list", "--status", "needs-attention", "--limit", "100"]).await?;
    ensure!(!listed.answer.contains(booking.id()), "still on the operator's list: {}", listed.answer);
    let acts = house.tables.acts("SagaRedriveRequested", booking.id()).await?;
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0]["reason"], "The provider answers again");
    // There is nothing left to redrive: a rule says no.
    assert_eq!(house.terminal.run(&redrive).await?.code, 3);
    Ok(())
}
