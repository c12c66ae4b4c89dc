//! One Idempotency-Key, one booking.

use boxoffice_e2e::{BoxOffice, Card, Seats, Verdict, model::Ticket, race::at_once, story::fresh};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_same_order_sent_again_gets_the_same_ticket() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = show.order(2);

    let first = order.sent().await?;
    let again = order.sent().await?;

    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.answer::<Ticket>(201)?.id, again.answer::<Ticket>(201)?.id);
    assert_eq!(show.seats().await?, Seats { available: 8, held: 2, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn the_same_order_sent_again_when_all_is_over_gets_the_same_ticket() -> Verdict {
    let house = BoxOffice::open().await?;
    // The last seat: only a replay can be answered with a ticket.
    let show = house.show(1).await?;
    let order = show.order(1).paid_with(Card::Good);
    let booking = order.booked().await?;
    booking.until_confirmed().await?;

    let again: Ticket = order.sent().await?.answer(201)?;

    assert_eq!(again.id, booking.ticket.id);
    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: 1 });
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn another_order_under_the_same_key_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = show.order(2);
    order.booked().await?;

    for other in [
        order.clone().with("quantity", 3),
        order.clone().with("paymentMethod", "PAYPAL"),
        order.clone().paid_with(Card::Good),
    ] {
        other.sent().await?.refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
    }
    assert_eq!(show.seats().await?, Seats { available: 8, held: 2, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_key_is_its_user_s_own() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = show.order(2);
    let mine = order.booked().await?;

    // A caller with the same key by chance neither gets the other's ticket nor learns that it exists.
    let mut theirs = order.clone();
    theirs.buyer = house.somebody().await?;
    let reply = theirs.sent().await?;

    assert_eq!(reply.header("idempotent-replayed"), None);
    assert_ne!(reply.answer::<Ticket>(201)?.id, mine.ticket.id);
    assert_eq!(show.seats().await?, Seats { available: 6, held: 4, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn the_same_order_written_differently_is_the_same_order() -> Verdict {
    let house = BoxOffice::open().await?;
    let order = house.show(10).await?.order(1).with("paymentMethod", "CREDIT_CARD");
    let booking = order.booked().await?;

    // Spelled with other white space and order of fields, and with a default left unsaid and another said.
    let body = order.body.json();
    let text = format!(
        "{{ \"quantity\" : 1,\n  \"inventoryId\": {},\n  \"userId\": {} }}",
        body["inventoryId"],
        json!(house.buyer.id())
    );
    let request = house.buyer.post("/tickets").header("Idempotency-Key", &order.key);
    let again: Ticket = request.text("application/json; charset=utf-8", text).send().await?.answer(201)?;

    assert_eq!(again.id, booking.ticket.id);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_orders_at_one_moment_are_one_booking() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(50).await?;
    let order = show.order(2);

    let replies = at_once(20, |_| {
        let request = order.request();
        async move { request.send().await }
    })
    .await?;

    let mut tickets = BTreeSet::new();
    for reply in &replies {
        tickets.insert(reply.got.answer::<Ticket>(201)?.id);
    }
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    assert_eq!(show.seats().await?, Seats { available: 48, held: 2, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_refused_order_does_not_use_up_its_key() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(1).await?;
    let order = show.order(2);
    order.sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;

    house.manager.put_inventory(show.id(), &json!({ "totalSeats": 2 })).send().await?.with_status(200)?;
    order.booked().await?;

    assert_eq!(show.seats().await?, Seats { available: 0, held: 2, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn an_order_needs_a_key() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let body = show.order(1).body.json();

    let problem = house.buyer.post("/tickets").json(&body).send().await?.refusal(400, "IDEMPOTENCY_KEY_REQUIRED")?;
    assert_eq!(problem.field.as_deref(), Some("Idempotency-Key"));
    let mut order = show.order(1);
    order.key = "x".repeat(256);
    order.sent().await?.refusal(400, "VALIDATION_ERROR")?;
    order.key = format!("{} with spaces", fresh("key"));
    order.sent().await?.refusal(400, "VALIDATION_ERROR")?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    Ok(())
}
