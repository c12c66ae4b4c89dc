//! Giving a ticket back.

use boxoffice_e2e::{
    BoxOffice, Card, PaymentStatus, Seats, TicketStatus, Verdict,
    model::{Payment, Ticket},
    story::fresh_id,
};

#[tokio::test]
async fn a_cancelled_paid_ticket_is_refunded() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    let ticket: Ticket = booking.cancel().await?.answer(202)?;
    assert!(ticket.cancellation_requested_at.is_some(), "{ticket:?}");
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Refunded);
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed TicketCancellationRequested TicketCancelled\n\
         seats: InventoryReserved InventorySold InventoryReleased\n\
         payment: PaymentInitiated PaymentCompleted PaymentRefunded\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_ticket_cancelled_before_it_is_paid_costs_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).booked().await?;
    booking.until_awaited().await?;

    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketCancellationRequested TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentExpired\n"
    );
    booking.pay(Card::Good).await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    Ok(())
}

#[tokio::test]
async fn a_ticket_cancelled_at_once_ends_with_no_seats_and_no_money() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    // The cancellation meets the saga wherever it happens to be: before, while or after it charges.
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn asking_twice_cancels_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    let (one, other) = tokio::join!(booking.cancel(), booking.cancel());
    for reply in [one?, other?] {
        assert!(reply.status == 202 || reply.refusal(409, "TICKET_ALREADY_CANCELLED").is_ok(), "{reply:?}");
    }
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    booking.cancel().await?.refusal(409, "TICKET_ALREADY_CANCELLED")?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(
        booking.history().await?.to_string().lines().next(),
        Some("ticket: TicketCreated TicketConfirmed TicketCancellationRequested TicketCancelled")
    );
    Ok(())
}

#[tokio::test]
async fn a_refund_gives_the_seats_back_too() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    let reply = house.admin.refund(booking.payment_id(), "The singer is ill.").send().await?;
    let payment: Payment = reply.answer(200)?;
    assert_eq!(payment.status, PaymentStatus::Refunded);
    assert_eq!(payment.refund_reason.as_deref(), Some("The singer is ill."));
    booking.until_cancelled("PAYMENT_REFUNDED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed TicketCancelled\n\
         seats: InventoryReserved InventorySold InventoryReleased\n\
         payment: PaymentInitiated PaymentCompleted PaymentRefunded\n"
    );
    house.admin.refund(booking.payment_id(), "Again.").send().await?.refusal(409, "PAYMENT_NOT_REFUNDABLE")?;
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_payment_that_took_no_money_gives_none_back() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;

    house.admin.refund(booking.payment_id(), "Why not?").send().await?.refusal(409, "PAYMENT_NOT_REFUNDABLE")?;
    assert_eq!(booking.payment().await?.status, PaymentStatus::Pending);
    assert_eq!(booking.now().await?.status, TicketStatus::Pending);
    Ok(())
}

#[tokio::test]
async fn a_ticket_that_never_was_cannot_be_cancelled() -> Verdict {
    let house = BoxOffice::open().await?;
    house.buyer.cancel(&fresh_id("tkt")).send().await?.refusal(404, "TICKET_NOT_FOUND")?;
    house.admin.refund(&fresh_id("pay"), "Nothing.").send().await?.refusal(404, "PAYMENT_NOT_FOUND")?;
    Ok(())
}
