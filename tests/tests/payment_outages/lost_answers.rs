//! The provider does its work, and nobody hears of it; or does it so late that nobody waits any more.

use crate::{Alone, bookings_of};
use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, SagaStatus, Seats, Show, TicketStatus, Verdict, ensure,
    provider::{Fault, Which},
    wait::{AFTER_THE_HOLD, Look, SOON, until},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

#[tokio::test]
async fn an_answer_lost_after_the_charge_is_found_again() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let lost = provider.arm(&Which::confirming(bookings_of(&show)), Fault::AnswerLost, Some(1), 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    // Confirmed includes: charged once, by the provider's own journal and ledger.
    booking.until_confirmed().await?;

    assert_eq!(provider.hits(&lost).await?, 1);
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
async fn an_answer_lost_when_the_payment_is_made_leads_to_the_same_payment() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let lost = provider.arm(&Which::charging(bookings_of(&show)), Fault::AnswerLost, Some(1), 0).await?;

    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    assert_eq!(provider.hits(&lost).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_never_heard_that_the_payment_worked_has_a_ticket() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    let lost = provider.arm(&Which::confirming(bookings_of(&show)), Fault::AnswerLost, None, 0).await?;

    booking.pay(Card::Good).await?.refusal(503, "SERVICE_UNAVAILABLE")?;
    assert_eq!(provider.charges(booking.id()).await?, 1, "the money was taken");
    // The buyer gives up. When the hold ends, the provider is asked, and knows.
    provider.disarm(&lost).await?;

    never_silence(&stage.house, &show, &booking).await?;
    Ok(())
}

#[tokio::test]
async fn a_charge_that_lands_when_the_hold_is_over_is_never_silence() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    // Longer than the product waits for an answer; the charge is made when it has stopped waiting, after the hold.
    provider.arm(&Which::confirming(bookings_of(&show)), Fault::Delay, Some(1), 30_000).await?;
    until_shortly_before_the_hold_ends(&booking).await?;

    let paid = booking.pay(Card::Good).await?;
    assert!(matches!(paid.status, 200 | 409 | 503), "{paid:?}");
    until("the late charge has been made or refused", SOON, async || {
        let requests = provider.requests(booking.id()).await?;
        let done = requests.iter().any(|request| request.fault.is_some() && request.status.is_some());
        Ok(Look::done_if(done, requests))
    })
    .await?;

    never_silence(&stage.house, &show, &booking).await?;
    Ok(())
}

#[tokio::test]
async fn a_charge_answered_after_the_hold_is_confirmed_or_given_back() -> Verdict {
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show().await?);
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    // Shorter than the product waits for an answer, and longer than the hold still lasts.
    provider.arm(&Which::confirming(bookings_of(&show)), Fault::Delay, Some(1), 3_000).await?;
    until_shortly_before_the_hold_ends(&booking).await?;

    let paid = booking.pay(Card::Good).await?;
    assert!(matches!(paid.status, 200 | 409 | 503), "{paid:?}");

    never_silence(&stage.house, &show, &booking).await?;
    Ok(())
}

async fn until_shortly_before_the_hold_ends(booking: &Booking) -> Outcome<()> {
    let ends = OffsetDateTime::parse(&booking.ticket.hold_expires_at, &Rfc3339)
        .map_err(|error| boxoffice_e2e::Failure::of("holdExpiresAt", &error))?;
    until("the hold is nearly over", AFTER_THE_HOLD, async || {
        let left = ends - OffsetDateTime::now_utc();
        Ok(Look::done_if(left < Duration::milliseconds(1_500), left))
    })
    .await
    .map(drop)
}

/// The buyer has either the ticket or the money, and the books agree, in every outcome.
async fn never_silence(house: &BoxOffice, show: &Show, booking: &Booking) -> Outcome<()> {
    booking.until_settled(AFTER_THE_HOLD).await?;
    let id = booking.id();
    // A late charge may be given back only after the ticket was cancelled; what it may not do is stay.
    until(format_args!("the money of {id} agrees with its ticket"), AFTER_THE_HOLD, async || {
        Ok(match booking.check_money().await {
            Ok(()) => Look::Done(()),
            Err(failure) => Look::NotYet(failure.to_string()),
        })
    })
    .await?;
    let (ticket, saga) = booking.until_settled(SOON).await?;
    let (payment, seats, money) =
        (booking.payment().await?.status, show.seats().await?, house.provider()?.money(id).await?);
    let ends = match ticket.status {
        TicketStatus::Confirmed => {
            saga.status == SagaStatus::Completed
                && payment == PaymentStatus::Success
                && seats == (Seats { available: 9, held: 0, sold: 1 })
        }
        TicketStatus::Cancelled => {
            saga.status == SagaStatus::Compensated
                && matches!(payment, PaymentStatus::Refunded | PaymentStatus::Expired)
                && seats == (Seats { available: 10, held: 0, sold: 0 })
        }
        _ => false,
    };
    ensure!(
        ends,
        "{id} ended {:?}, its saga {:?}, payment {payment:?}, {seats}, {money:?}",
        ticket.status,
        saga.status
    );
    Ok(())
}
