//! From an order to a confirmed ticket, or back.

use boxoffice_e2e::{
    BoxOffice, Card, PaymentStatus, Seats, TicketStatus, Verdict, ensure,
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
    booking.until_awaited().await?;
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
async fn a_booking_can_be_paid_as_soon_as_it_is_made() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).with("paymentMethod", "DEBIT_CARD").booked().await?;
    let payment = booking.payment().await?;
    assert_eq!((payment.status, payment.payment_method.as_str()), (PaymentStatus::Pending, "DEBIT_CARD"));
    assert_eq!((payment.amount, payment.payable_until), (Cents(9980), booking.ticket.hold_expires_at.clone()));
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
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
    booking.until_awaited().await?;

    let clicks = tokio::join!(booking.pay(Card::Good), booking.pay(Card::Good), booking.pay(Card::Good));
    for click in [clicks.0?, clicks.1?, clicks.2?] {
        // Met the payment under way and learned its outcome, or was told to ask again; or came after it.
        let told = click.status == 200
            || click.refusal(503, "SERVICE_UNAVAILABLE").is_ok()
            || click.refusal(409, "PAYMENT_NOT_PENDING").is_ok();
        assert!(told, "{click:?}");
    }
    booking.until_confirmed().await?;
    // A call whose answer got lost is repeated, and answered as it was.
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.pay(Card::AsksForAction).await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_buyer_declined_twice_keeps_the_seats_and_pays_with_a_third_card() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).paid_with(Card::Declined).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::DeclinedToo(0)).await?.refusal(402, "PAYMENT_DECLINED")?;
    assert_eq!(show.seats().await?, Seats { available: 8, held: 2, sold: 0 });
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
    booking.check_money().await?;
    let history = booking.history().await?.to_string();
    assert!(
        history.starts_with("ticket: TicketCreated TicketConfirmed\nseats: InventoryReserved InventorySold\n"),
        "{history}"
    );
    assert!(
        history.ends_with("PaymentFailed PaymentProcessing PaymentFailed PaymentProcessing PaymentCompleted\n"),
        "{history}"
    );
    Ok(())
}

#[tokio::test]
async fn five_declined_cards_undo_the_booking() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(2).booked().await?;
    booking.until_awaited().await?;
    booking.declined_for_good().await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    booking.pay(Card::Good).await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    let payment = booking.payment().await?;
    assert_eq!((payment.status, payment.failure_reason.as_deref()), (PaymentStatus::Failed, Some("declined")));
    let money = booking.money().await?;
    assert_eq!((money.charged, money.refunded), (0, 0));
    Ok(())
}

#[tokio::test]
async fn a_card_declined_at_once_waits_for_another_until_the_hold_ends() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(1).paid_with(Card::Declined).booked().await?;
    booking.until_cancelled("HOLD_EXPIRED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_authenticates_is_confirmed() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(1).paid_with(Card::AsksForAction).booked().await?;
    let action = booking.until_asked_for_action().await?;
    assert!(!action.client_secret.is_empty(), "{action:?}");
    booking.comes_back().await?.with_status(200)?;
    assert_eq!(booking.payment().await?.status, PaymentStatus::Processing);
    booking.authenticates(true).await?;
    booking.comes_back().await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    assert!(booking.payment().await?.next_action.is_none());
    let money = booking.money().await?;
    assert_eq!((money.charged, money.refunded), (4990, 0));
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_fails_to_authenticate_pays_with_another_card() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::AsksForAction).await?.with_status(200)?;
    booking.authenticates(false).await?;
    booking.comes_back().await?.refusal(402, "PAYMENT_DECLINED")?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_leaves_their_banks_page_is_charged_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(1).paid_with(Card::AsksForAction).booked().await?;
    booking.until_asked_for_action().await?;
    booking.until_cancelled("HOLD_EXPIRED").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    assert_eq!(booking.payment().await?.status, PaymentStatus::Expired);
    let money = booking.money().await?;
    assert_eq!((money.charged, money.refunded), (0, 0));
    assert!(booking.authenticates(true).await.is_err(), "the bank's page still takes the payment");
    Ok(())
}

#[tokio::test]
async fn a_hold_nobody_pays_for_expires() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let booking = show.order(4).booked().await?;
    booking.until_awaited().await?;
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
    let payment = booking.until_awaited().await?;
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
    let payment = booking.until_awaited().await?;
    assert_eq!(payment.transaction_id, payment.id.replacen("pay_", "txn_", 1));
    assert_eq!(payment.payment_method, "DEBIT_CARD");
    assert_eq!(payment.payable_until, booking.ticket.hold_expires_at);
    let by_ticket: boxoffice_e2e::model::Payment =
        house.buyer.get(&format!("/payments/ticket/{}", booking.id())).send().await?.answer(200)?;
    assert_eq!(by_ticket.id, payment.id);
    Ok(())
}

#[tokio::test]
async fn one_correlation_id_of_ours_ties_together_all_that_a_booking_led_to_with_its_authors() -> Verdict {
    let house = BoxOffice::open().await?;
    let (order, correlation) = (house.show(10).await?.order(1).paid_with(Card::Good), fresh("correlation"));

    let reply = order.request().header("X-Correlation-Id", &correlation).send().await?;
    let ours = reply.header("x-correlation-id").unwrap_or_default();
    ensure!(!ours.is_empty() && ours != correlation, "the caller chose the correlation id {ours:?}");
    let booking = order.got(&reply)?;
    booking.until_confirmed().await?;

    for stored in booking.history().await?.all() {
        let metadata = stored.event.metadata;
        assert_eq!(metadata.correlation_id, ours, "{}", metadata.event_type);
        assert_eq!(metadata.client_correlation_id.as_deref(), Some(correlation.as_str()), "{}", metadata.event_type);
        let asked_for = ["TicketCreated", "PaymentInitiated"].contains(&metadata.event_type.as_str())
            || (metadata.event_type == "InventoryReserved" && metadata.aggregate_version == 1);
        let author = if asked_for { house.buyer.id().to_owned() } else { "system".to_owned() };
        assert_eq!(metadata.actor, author, "{}", metadata.event_type);
        assert!(!metadata.causation_id.is_empty(), "{}", metadata.event_type);
    }
    Ok(())
}
