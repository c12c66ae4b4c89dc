//! Stripe says that something happened to a payment: said well, said badly, and never said.

use boxoffice_e2e::{
    BoxOffice, Verdict,
    model::{PaymentStatus, Seats},
    story::{Booking, Card},
    wait::{Look, SOON, until},
};
use serde_json::json;

/// A booking whose buyer is at their bank.
async fn at_the_bank(house: &BoxOffice) -> boxoffice_e2e::Outcome<Booking> {
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::AsksForAction).await?.with_status(200)?;
    Ok(booking)
}

/// How often the API accepted events of this kind about this booking.
async fn accepted(house: &BoxOffice, booking: &Booking, kind: &str) -> boxoffice_e2e::Outcome<usize> {
    let deliveries = house.provider()?.deliveries(booking.id()).await?;
    let news = deliveries.iter().filter(|delivery| delivery.kind == kind);
    Ok(news.filter(|delivery| delivery.outcome == json!(204)).count())
}

#[tokio::test]
async fn an_event_confirms_a_booking_whose_buyer_never_comes_back() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = at_the_bank(&house).await?;
    booking.authenticates(true).await?;
    booking.until_confirmed().await?;
    booking.check_money().await?;
    assert_eq!(
        accepted(&house, &booking, "payment_intent.succeeded").await?,
        1,
        "the end of the hold would have settled the payment, too"
    );
    Ok(())
}

#[tokio::test]
async fn an_event_that_comes_twice_or_late_ends_alike() -> Verdict {
    let house = BoxOffice::open().await?;
    for (act, delay_ms, times) in [("double", 0, 2), ("delay", 2000, 1)] {
        let booking = at_the_bank(&house).await?;
        house.provider()?.mishandle(booking.id(), act, delay_ms).await?;
        booking.authenticates(true).await?;
        booking.until_confirmed().await?;
        booking.check_money().await?;
        until(format_args!("the API accepted {times} events"), SOON, async || {
            let count = accepted(&house, &booking, "payment_intent.succeeded").await?;
            Ok(Look::done_if(count == times, count))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_event_costs_time_and_nothing_else() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = at_the_bank(&house).await?;
    house.provider()?.mishandle(booking.id(), "lose", 0).await?;
    booking.authenticates(true).await?;
    // The saga asks for itself when the hold ends.
    booking.until_confirmed().await?;
    booking.check_money().await?;
    assert_eq!(accepted(&house, &booking, "payment_intent.succeeded").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_refund_in_the_providers_dashboard_takes_the_booking_back_though_no_event_arrives() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    house.provider()?.refund_unheard(booking.id()).await?;
    until("reconcile has read of the refund in the provider's record", SOON, async || {
        let summary = house.reconcile("e2e").await?;
        let payment = booking.payment().await?;
        Ok(Look::done_if(payment.status == PaymentStatus::Refunded, summary))
    })
    .await?;
    booking.until_cancelled("PAYMENT_REFUNDED").await?;
    assert_eq!(accepted(&house, &booking, "refund.created").await?, 0);
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_forged_event_moves_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = at_the_bank(&house).await?;
    let provider = house.provider()?;
    let intent = provider.intent(booking.id()).await?;
    let lie = json!({ "object": "payment_intent", "id": intent, "status": "succeeded" });
    let forged = |secret: Option<&str>| json!({ "type": "payment_intent.succeeded", "object": lie, "secret": secret });
    for secret in [None, Some("whsec_guessed")] {
        assert_eq!(provider.forge(&forged(secret)).await?, json!(400));
    }
    // Signed well it is a reason to look, and Stripe says otherwise.
    assert_eq!(provider.forge(&forged(Some("whsec_boxoffice_local"))).await?, json!(204));
    assert_eq!(booking.payment().await?.status, PaymentStatus::Processing);
    booking.until_cancelled("HOLD_EXPIRED").await?;
    Ok(())
}

#[tokio::test]
async fn an_event_about_nothing_of_ours_is_accepted_and_passed_over() -> Verdict {
    let house = BoxOffice::open().await?;
    let provider = house.provider()?;
    let strangers = json!({ "object": "payment_intent", "id": "pi_strangers" });
    let customer = json!({ "object": "customer", "id": "cus_1" });
    for (object, account) in [(&strangers, None), (&strangers, Some("acct_another")), (&customer, None)] {
        let event = json!({
            "type": "payment_intent.succeeded", "object": object, "account": account, "secret": "whsec_boxoffice_local"
        });
        assert_eq!(provider.forge(&event).await?, json!(204));
    }
    Ok(())
}

#[tokio::test]
async fn an_event_that_says_declined_leaves_the_seats_held() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::AsksForAction).await?.with_status(200)?;
    booking.authenticates(false).await?;
    booking.until_awaited().await?;
    assert_eq!(show.seats().await?, Seats { available: 8, held: 2, sold: 0 });
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    Ok(())
}
