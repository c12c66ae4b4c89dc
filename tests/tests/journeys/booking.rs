//! From an order to a confirmed ticket, or back.

use boxoffice_e2e::{
    BoxOffice, Card, PaymentStatus, Seats, TicketStatus, Verdict,
    model::{Cents, Ticket},
    story::{Body, fresh},
};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_booking_paid_at_once_is_confirmed() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed\n\
         seats: InventoryReserved InventorySold\n\
         payment: PaymentInitiated PaymentCompleted\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_booking_paid_later_is_confirmed() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(3).booked().await?;
    assert_eq!(booking.ticket.status, TicketStatus::Pending);
    booking.until_payable().await?;
    assert_eq!(show.seats().await?, Seats { available: 7, held: 3, sold: 0 });
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 7, held: 0, sold: 3 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed\n\
         seats: InventoryReserved InventorySold\n\
         payment: PaymentInitiated PaymentProcessing PaymentCompleted\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_payment_is_made_once_however_often_the_buyer_clicks() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_payable().await?;

    let clicks = tokio::join!(booking.pay(Card::Good), booking.pay(Card::Good), booking.pay(Card::Good));
    for click in [clicks.0?, clicks.1?, clicks.2?] {
        // Met the payment under way and learned its outcome, or was told to ask again; or came after it.
        let told = click.status == 200
            || click.refusal(503, "SERVICE_UNAVAILABLE").is_ok()
            || click.refusal(409, "PAYMENT_NOT_PENDING").is_ok();
        assert!(told, "{click:?}");
    }
    booking.until_confirmed().await?;
    booking.pay(Card::Good).await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_declined_card_undoes_the_booking() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).paid_with(Card::Declined).booked().await?;
    booking.until_cancelled("PAYMENT_DECLINED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    let payment = booking.payment().await?;
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert!(payment.failure_reason.is_some(), "{payment:?}");
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentFailed\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_card_declined_later_undoes_the_booking() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).booked().await?;
    booking.until_payable().await?;
    booking.pay(Card::Declined).await?.refusal(402, "PAYMENT_DECLINED")?;
    booking.until_cancelled("PAYMENT_DECLINED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    booking.pay(Card::Good).await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    assert_eq!(booking.payment().await?.status, PaymentStatus::Failed);
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentProcessing PaymentFailed\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_card_that_asks_for_more_than_a_booking_waits_for_is_declined() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(1).paid_with(Card::AsksForAction).booked().await?;
    booking.until_cancelled("PAYMENT_DECLINED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Failed);
    Ok(())
}

#[tokio::test]
async fn a_hold_nobody_pays_for_expires() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(4).booked().await?;
    booking.until_payable().await?;
    assert_eq!(show.seats().await?, Seats { available: 6, held: 4, sold: 0 });
    booking.until_cancelled("HOLD_EXPIRED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketCancelled\n\
         seats: InventoryReserved InventoryReleased\n\
         payment: PaymentInitiated PaymentExpired\n"
    );
    let too_late = booking.pay(Card::Good).await?;
    // The payment has an end of its own by now; a buyer a moment earlier is told that the hold is over.
    assert!(
        too_late.refusal(409, "PAYMENT_NOT_PENDING").or_else(|_| too_late.refusal(409, "HOLD_EXPIRED")).is_ok(),
        "{too_late:?}"
    );
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn the_event_sets_the_price() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show_with(&Body::show(10).with("price", 12.34).with("currency", "GBP")).await?;

    show.order(1).with("pricePerTicket", 0.01).sent().await?.refusal(400, "UNKNOWN_FIELD")?;
    let booking = show.order(3).booked().await?;

    let ticket = &booking.ticket;
    assert_eq!((ticket.price_per_ticket, ticket.total_amount), (Cents(1234), Cents(3702)));
    assert_eq!(ticket.currency, "GBP");
    let payment = booking.until_payable().await?;
    assert_eq!((payment.amount, payment.currency.as_str()), (Cents(3702), "GBP"));
    Ok(())
}

#[tokio::test]
async fn an_event_can_be_booked_by_its_name() -> Verdict {
    let house = BoxOffice::open().await?;
    // A name as people write them: spaces, a slash, accents, a percent sign.
    let show = house.show_with(&Body::show(10).with("eventName", format!("Café 50% / {}", fresh("Näme")))).await?;

    let booking = show.order(1).without("inventoryId").with("eventName", show.name()).booked().await?;

    assert_eq!(booking.ticket.inventory_id, show.id());
    assert_eq!(booking.ticket.event_name, show.name());
    Ok(())
}

#[tokio::test]
async fn a_ticket_says_what_was_bought_and_where_to_go_on() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let order = show.order(2).with("paymentMethod", "DEBIT_CARD");
    let reply = order.sent().await?;
    let ticket: Ticket = reply.answer(201)?;
    let location = reply.header("location").unwrap_or_default();
    assert!(location.ends_with(&format!("/tickets/{}", ticket.id)), "Location: {location}");

    let fields: serde_json::Map<String, serde_json::Value> = reply.answer(201)?;
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let promised = BTreeSet::from([
        "id",
        "userId",
        "inventoryId",
        "eventName",
        "eventDate",
        "quantity",
        "pricePerTicket",
        "totalAmount",
        "currency",
        "status",
        "paymentId",
        "holdExpiresAt",
        "bookingDate",
        "version",
        "createdAt",
        "updatedAt",
    ]);
    assert_eq!(fields, promised);
    assert_eq!(ticket.payment_id, ticket.id.replacen("tkt_", "pay_", 1));
    assert_eq!(house.buyer.ticket(&ticket.id).await?.id, ticket.id);

    let booking = order.got(&reply)?;
    let payment = booking.until_payable().await?;
    assert_eq!(payment.transaction_id, payment.id.replacen("pay_", "txn_", 1));
    assert_eq!(payment.payment_method, "DEBIT_CARD");
    assert_eq!(payment.payable_until, booking.ticket.hold_expires_at);
    let by_ticket: boxoffice_e2e::model::Payment =
        house.buyer.get(&format!("/payments/ticket/{}", booking.id())).send().await?.answer(200)?;
    assert_eq!(by_ticket.id, payment.id);
    Ok(())
}

#[tokio::test]
async fn one_correlation_id_ties_together_all_that_a_booking_led_to() -> Verdict {
    let house = BoxOffice::open().await?;
    let (order, correlation) = (house.show(10).await?.order(1).paid_with(Card::Good), fresh("correlation"));

    let reply = order.request().header("X-Correlation-Id", &correlation).send().await?;
    assert_eq!(reply.header("x-correlation-id"), Some(correlation.as_str()));
    let booking = order.got(&reply)?;
    booking.until_confirmed().await?;

    for stored in booking.history().await?.all() {
        let metadata = stored.event.metadata;
        assert_eq!(metadata.correlation_id, correlation, "{}", metadata.event_type);
        assert!(!metadata.causation_id.is_empty(), "{}", metadata.event_type);
    }
    Ok(())
}
