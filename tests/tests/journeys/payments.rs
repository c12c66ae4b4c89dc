//! Payments as the reference's clients know them: made by a call, found by their transaction, deleted when they are over.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, Person, Verdict, ensure,
    http::Request,
    model::{Cents, Payment},
    story::fresh_id,
};
use serde_json::json;

/// `POST /payments` for this booking, with these fields beside.
fn post(by: &Person, booking: &Booking, more: &serde_json::Value) -> Request {
    let mut body = json!({ "ticketId": booking.id() });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    by.post_payment(&body)
}

#[tokio::test]
async fn a_payment_made_by_a_call_pays_for_the_ticket() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(2).booked().await?;
    let waiting = booking.until_awaited().await?;

    let order = |method: &str| {
        json!({
            "userId": house.buyer.id(), "amount": waiting.amount, "paymentMethod": method,
            "paymentMethodToken": Card::Good.token(),
        })
    };
    let refused = post(&house.buyer, &booking, &order("PAYPAL")).send().await?;
    let problem = refused.refusal(409, "PAYMENT_METHOD_UNAVAILABLE")?;
    assert_eq!(problem.field.as_deref(), Some("paymentMethod"));
    let reply = post(&house.buyer, &booking, &order("CREDIT_CARD")).send().await?;
    let payment: Payment = reply.answer(201)?;

    let location = reply.header("location").unwrap_or_default();
    assert!(location.ends_with(&format!("/payments/{}", payment.id)), "Location: {location}");
    assert_eq!((payment.id.as_str(), payment.amount), (booking.payment_id(), Cents(9980)));
    assert_eq!((payment.status, payment.payment_method.as_str()), (PaymentStatus::Success, "CREDIT_CARD"));
    booking.until_confirmed().await?;
    Ok(())
}

#[tokio::test]
async fn a_payment_asked_for_without_a_card_is_shown_and_not_made() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;

    let shown: Payment = post(&house.buyer, &booking, &json!({})).send().await?.answer(201)?;

    assert_eq!((shown.id.as_str(), shown.status), (booking.payment_id(), PaymentStatus::Pending));
    assert_eq!(booking.money().await?.charged, 0);
    let again: Payment =
        post(&house.buyer, &booking, &json!({ "paymentMethod": shown.payment_method })).send().await?.answer(201)?;
    assert_eq!(again, shown);
    Ok(())
}

#[tokio::test]
async fn the_caller_cannot_set_the_amount() -> Verdict {
    let house = BoxOffice::open().await?;
    let (booking, other) = (house.show(10).await?.order(1).booked().await?, house.somebody().await?);
    booking.until_awaited().await?;
    let token = Card::Good.token();

    for amount in [json!(0.01), json!(49.91), json!(499)] {
        let order = json!({ "amount": amount, "paymentMethodToken": token });
        let problem = post(&house.buyer, &booking, &order).send().await?.refusal(400, "INVALID_AMOUNT")?;
        assert_eq!(problem.field.as_deref(), Some("amount"));
    }
    let for_another = json!({ "userId": other.id(), "paymentMethodToken": token });
    post(&house.buyer, &booking, &for_another).send().await?.refusal(403, "FORBIDDEN")?;
    post(&other, &booking, &json!({ "paymentMethodToken": token })).send().await?.refusal(403, "FORBIDDEN")?;
    let other_method = post(&house.buyer, &booking, &json!({ "paymentMethod": "BANK_TRANSFER" })).send().await?;
    other_method.refusal(409, "PAYMENT_METHOD_MISMATCH")?;
    let nothing = house.buyer.post_payment(&json!({ "ticketId": fresh_id("tkt") }));
    nothing.send().await?.refusal(404, "PAYMENT_NOT_FOUND")?;

    assert_eq!(booking.payment().await?.status, PaymentStatus::Pending);
    assert_eq!(booking.money().await?.charged, 0);
    Ok(())
}

#[tokio::test]
async fn a_declined_card_is_declined_by_this_call_too() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;
    let order = json!({ "paymentMethodToken": Card::Declined.token() });
    // The second call repeats the first, and is answered like it.
    for _ in 0..2 {
        post(&house.buyer, &booking, &order).send().await?.refusal(402, "PAYMENT_DECLINED")?;
    }
    booking.declined_for_good().await?;
    let another = json!({ "paymentMethodToken": Card::Good.token() });
    post(&house.buyer, &booking, &another).send().await?.refusal(409, "PAYMENT_NOT_PENDING")?;
    Ok(())
}

#[tokio::test]
async fn a_method_named_when_paying_is_the_one_on_record() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).with("paymentMethod", "CREDIT_CARD").booked().await?;
    booking.until_awaited().await?;
    let order = json!({ "paymentMethodToken": Card::Good.token(), "paymentMethod": "DEBIT_CARD" });
    let path = format!("/payments/{}/process", booking.payment_id());
    let paid: Payment = house.buyer.post(&path).json(&order).send().await?.answer(200)?;
    assert_eq!(paid.payment_method, "DEBIT_CARD");
    booking.until_confirmed().await?;
    Ok(())
}

#[tokio::test]
async fn a_payment_is_found_by_its_transaction() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    let payment = booking.until_awaited().await?;
    let path = format!("/payments/transaction/{}", payment.transaction_id);
    for who in [&house.buyer, &house.admin] {
        assert_eq!(who.get(&path).send().await?.answer::<Payment>(200)?, payment);
    }
    house.somebody().await?.get(&path).send().await?.refusal(403, "FORBIDDEN")?;
    house.buyer.get("/payments/transaction/txn_1").send().await?.refusal(400, "INVALID_ID")?;
    Ok(())
}

/// A payment that is over, deleted by an ADMIN.
async fn deleted(house: &BoxOffice, booking: &Booking) -> Outcome<()> {
    let (path, admin) = (format!("/payments/{}", booking.payment_id()), &house.admin);
    let before = booking.payment().await?;
    let status = format!("{:?}", before.status).to_uppercase();
    admin.delete(&path).send().await?.with_status(204)?;

    house.buyer.get(&path).send().await?.refusal(404, "PAYMENT_NOT_FOUND")?;
    let kept: Payment = admin.get(&path).send().await?.answer(200)?;
    ensure!(
        kept.deleted_at.is_some() && (kept.amount, kept.status) == (before.amount, before.status),
        "{before:?} was deleted and is {kept:?}"
    );
    for list in [
        house.buyer.get(&format!("/payments/user/{}", house.buyer.id())),
        admin.get("/payments").query("limit", "100"),
        admin.get(&format!("/payments/status/{status}")).query("limit", "100"),
    ] {
        let listed: Vec<Payment> = house.api.whole_list(list).await?;
        ensure!(listed.iter().all(|payment| payment.id != before.id), "{} is still listed", before.id);
    }
    let history = booking.history().await?;
    let last = history.payment.last().map(|stored| stored.event.metadata.event_type.as_str());
    ensure!(last == Some("PaymentDeleted"), "told last: {last:?}");
    Ok(())
}

#[tokio::test]
async fn a_payment_that_is_over_is_deleted_for_all_but_the_books() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let declined = show.order(1).paid_with(Card::Declined).booked().await?;
    let refunded = show.order(1).paid_with(Card::Good).booked().await?;
    declined.declined_for_good().await?;
    refunded.until_confirmed().await?;
    refunded.cancel().await?.with_status(202)?;
    refunded.until_cancelled("CANCELLED_BY_BUYER").await?;

    deleted(&house, &declined).await?;
    deleted(&house, &refunded).await?;
    Ok(())
}

#[tokio::test]
async fn a_payment_that_is_not_over_is_not_deleted() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (waiting, paid) = (show.order(1).booked().await?, show.order(1).paid_with(Card::Good).booked().await?);
    waiting.until_awaited().await?;
    paid.until_confirmed().await?;
    for booking in [&waiting, &paid] {
        let path = format!("/payments/{}", booking.payment_id());
        house.admin.delete(&path).send().await?.refusal(409, "NOT_SETTLED")?;
        house.buyer.delete(&path).send().await?.refusal(403, "FORBIDDEN")?;
    }
    let nothing = format!("/payments/{}", fresh_id("pay"));
    house.admin.delete(&nothing).send().await?.refusal(404, "PAYMENT_NOT_FOUND")?;
    Ok(())
}
