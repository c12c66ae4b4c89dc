//! Read models: how an event sells, what somebody has booked, and answers that need not be sent again.

use boxoffice_e2e::{
    BoxOffice, Card, Outcome, Show, Verdict,
    model::{Cents, Figures, Inventory, Page, Sales},
    story::{Body, fresh_id, in_seconds},
    wait::{AFTER_THE_HOLD, Look, SOON, until},
};
use serde_json::{Value, json};
use std::time::Duration;

async fn until_sales_are(house: &BoxOffice, show: &Show, expected: Figures, within: Duration) -> Outcome<Sales> {
    until(format_args!("the sales of {} are {expected:?}", show.id()), within, async || {
        let reply = house.manager.get(&format!("/inventory/{}/sales", show.id())).send().await?;
        // The views follow the events: for a moment they have not heard of a new one.
        if reply.status == 404 {
            return Ok(Look::NotYet(reply.body));
        }
        let sales: Sales = reply.answer(200)?;
        Ok(Look::done_if(sales.total == expected, sales))
    })
    .await
}

#[tokio::test]
async fn an_event_s_sales_follow_what_became_of_its_bookings() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(20).await?;
    let nothing = Figures { held: 0, sold: 0, cancelled: 0, revenue: Cents(0), refunds: Cents(0) };
    until_sales_are(&house, &show, nothing, SOON).await?;

    show.order(2).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    let given_back = show.order(3).paid_with(Card::Good).booked().await?;
    given_back.until_confirmed().await?;
    let paid = Figures { sold: 5, revenue: Cents(24_950), ..nothing };
    until_sales_are(&house, &show, paid, SOON).await?;
    given_back.cancel().await?.with_status(202)?;
    given_back.until_cancelled("CANCELLED_BY_BUYER").await?;
    show.order(4).booked().await?.declined_for_good().await?;
    let settled = Figures { sold: 2, cancelled: 7, revenue: Cents(24_950), refunds: Cents(14_970), ..nothing };
    until_sales_are(&house, &show, settled, SOON).await?;
    let waiting = show.order(1).booked().await?;
    until_sales_are(&house, &show, Figures { held: 1, ..settled }, SOON).await?;
    waiting.until_cancelled("HOLD_EXPIRED").await?;

    let expected = Figures { cancelled: 8, ..settled };
    let sales = until_sales_are(&house, &show, expected, AFTER_THE_HOLD).await?;
    assert_eq!((sales.inventory_id.as_str(), sales.event_name.as_str()), (show.id(), show.name()));
    assert_eq!(sales.currency, "EUR");
    assert!(sales.as_of.is_some(), "{sales:?}");
    // The hours add up to the whole: of seats that came to be held or sold, those that still are and those that are not.
    let sum = |part: fn(&Figures) -> i64| sales.by_hour.iter().map(|hour| part(&hour.figures)).sum::<i64>();
    let money = |part: fn(&Figures) -> Cents| sales.by_hour.iter().map(|hour| part(&hour.figures).0).sum::<u64>();
    assert_eq!((sum(|f| f.held), sum(|f| f.sold), sum(|f| f.cancelled)), (10, 5, 8), "{sales:?}");
    assert_eq!((money(|f| f.revenue), money(|f| f.refunds)), (24_950, 14_970), "{sales:?}");
    assert!(sales.by_hour.is_sorted_by(|one, next| one.hour < next.hour), "{sales:?}");
    Ok(())
}

#[tokio::test]
async fn read_models_made_again_say_the_same_and_miss_nothing_that_happens_meanwhile() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(20).await?;
    show.order(2).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    let sold = Figures { held: 0, sold: 2, cancelled: 0, revenue: Cents(9_980), refunds: Cents(0) };
    until_sales_are(&house, &show, sold, SOON).await?;

    let meanwhile = async { show.order(1).paid_with(Card::Good).booked().await?.until_confirmed().await };
    let (rebuilt, bought) = tokio::join!(house.terminal.run(&["projections", "rebuild"]), meanwhile);
    bought?;
    let rebuilt = rebuilt?.done()?;
    assert!(rebuilt["told"].as_u64() > Some(0) && rebuilt["sweepFrom"].is_string(), "{rebuilt}");
    let all = Figures { sold: 3, revenue: Cents(14_970), ..sold };
    until_sales_are(&house, &show, all, SOON).await?;
    // Functions at work may go on with what was shown before.
    let early = house.terminal.run(&["projections", "sweep"]).await?;
    assert_eq!(early.code, 3, "{}", early.answer);
    Ok(())
}

#[tokio::test]
async fn there_are_no_sales_of_what_is_not_on_sale() -> Verdict {
    let house = BoxOffice::open().await?;
    let path = format!("/inventory/{}/sales", fresh_id("inv"));
    house.manager.get(&path).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.manager.get("/inventory/inv_1/sales").send().await?.refusal(400, "INVALID_ID")?;
    Ok(())
}

#[tokio::test]
async fn a_booking_is_read_with_its_event_and_its_payment() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = &house.buyer;
    let show = house.show(10).await?;
    let first = show.order(2).paid_with(Card::Good).booked().await?;
    let second = show.order(1).paid_with(Card::Declined).booked().await?;
    first.until_confirmed().await?;
    second.declined_for_good().await?;

    let list = || me.get(&format!("/users/{}/bookings", me.id()));
    let items = until("both bookings show how they ended", SOON, async || {
        let page: Page<Value> = list().send().await?.answer(200)?;
        let ended = |item: &Value, ticket: &str, payment: &str| {
            item["ticket"]["status"] == ticket && item["payment"]["status"] == payment
        };
        let done = matches!(page.items.as_slice(),
            [newer, older] if ended(newer, "CANCELLED", "FAILED") && ended(older, "CONFIRMED", "SUCCESS"));
        Ok(Look::done_if(done, page.items))
    })
    .await?;

    let (newer, older) = (&items[0], &items[1]);
    assert_eq!((&newer["ticket"]["id"], &older["ticket"]["id"]), (&json!(second.id()), &json!(first.id())));
    assert_eq!(older["ticket"]["totalAmount"], json!(99.8));
    assert_eq!(older["event"]["eventName"], json!(show.name()));
    assert_eq!(older["event"]["inventoryId"], json!(show.id()));
    assert_eq!(older["event"]["location"], json!(show.inventory.location));
    assert_eq!((&older["payment"]["id"], &older["payment"]["amount"]), (&json!(first.payment_id()), &json!(99.8)));
    let whole: Vec<Value> = me.whole_list(list().query("limit", "1")).await?;
    assert_eq!(whole, items, "page by page");
    Ok(())
}

#[tokio::test]
async fn a_moved_event_has_moved_in_its_bookings_too() -> Verdict {
    let house = BoxOffice::open().await?;
    let (me, show) = (&house.buyer, house.show(10).await?);
    show.order(1).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    house.manager.put_inventory(show.id(), &json!({ "location": "Open air" })).send().await?.with_status(200)?;

    until("the booking shows the new place", SOON, async || {
        let page: Page<Value> = me.get(&format!("/users/{}/bookings", me.id())).send().await?.answer(200)?;
        let moved = page.items.first().is_some_and(|item| item["event"]["location"] == "Open air");
        Ok(Look::done_if(moved, page.items))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_that_has_not_changed_is_not_sent_again() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (by_id, by_name) = (format!("/inventory/{}", show.id()), house.api.get_by_name(show.name()));
    for request in [house.api.get(&by_id), by_name] {
        let first = request.clone().send().await?;
        let tag = first.with_status(200)?.header("etag").map(str::to_owned);
        let tag = tag.ok_or_else(|| boxoffice_e2e::Failure::new(format!("no ETag: {first:?}")))?;
        let kept = first.header("cache-control").unwrap_or_default();
        assert!(kept.contains("max-age="), "{kept}");

        let again = request.clone().header("If-None-Match", &tag).send().await?;
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
        let other = request.header("If-None-Match", "\"something else\"").send().await?;
        assert_eq!(other.answer::<Inventory>(200)?.id, show.id());
    }
    let before = house.api.get(&by_id).send().await?;
    show.order(1).booked().await?;
    let tag = before.header("etag").unwrap_or_default();
    let after = house.api.get(&by_id).header("If-None-Match", tag).send().await?;
    assert_eq!(after.answer::<Inventory>(200)?.held_seats, 1);
    assert_ne!(after.header("etag"), Some(tag));
    for list in ["/inventory", "/inventory/available"] {
        assert!(house.api.get(list).send().await?.header("etag").is_some(), "{list}");
    }
    // No cache keeps a person's own data.
    let own = house.buyer.get("/users/me").send().await?;
    assert_eq!((own.header("cache-control"), own.header("etag")), (Some("no-store"), None));
    Ok(())
}

#[tokio::test]
async fn a_settlement_says_what_was_charged_and_given_back_and_its_ledger_sums_to_zero() -> Verdict {
    let house = BoxOffice::open().await?;
    // A spreadsheet would take such a name for a formula.
    let name = format!("=1+1 {}", fresh_id("inv"));
    let show = house.show_with(&Body::show(10).with("eventName", name.as_str())).await?;
    let (from, to) = (in_seconds(-3_600), in_seconds(3_600));
    let ask = |path: &str| house.manager.get(path).query("from", &from).query("to", &to);
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let refund = house.admin.post(&format!("/payments/{}/refund", booking.payment_id()));
    let refund = refund.header("Idempotency-Key", &fresh_id("part"));
    refund.json(&json!({ "reason": "behind a pillar", "amount": 20.0 })).send().await?.with_status(200)?;

    let money = json!({
        "currency": "EUR", "charges": 1, "charged": 99.8, "refunds": 1, "refunded": 20.0, "refundedElsewhere": 0.0,
        "disputes": 0, "disputed": 0.0, "net": 79.8
    });
    until("the settlement knows the refund", SOON, async || {
        let reply = ask("/reports/settlement").query("inventoryId", show.id()).send().await?;
        let settlement: Value = reply.answer(200)?;
        Ok(Look::done_if(settlement["totals"] == json!([money]), settlement))
    })
    .await?;
    let csv = ask("/reports/settlement").query("inventoryId", show.id()).query("format", "csv").send().await?;
    csv.with_status(200)?;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let row = csv.body.lines().nth(1).unwrap_or_default();
    assert!(row.ends_with(&format!(",{},\"'{name}\",EUR,1,99.80,1,20.00,0.00,0,0.00,79.80", show.id())), "{row}");

    let ledger = || ask("/reports/ledger").query("inventoryId", show.id());
    let entries: Vec<Value> = house.manager.whole_list(ledger().query("limit", "1")).await?;
    let kinds: Vec<_> = entries.iter().map(|entry| (&entry["kind"], &entry["amount"])).collect();
    assert_eq!(kinds, [(&json!("CHARGED"), &json!(99.8)), (&json!("REFUNDED"), &json!(20.0))]);
    assert!(entries.iter().all(|entry| entry["paymentId"] == booking.payment_id()), "{entries:?}");
    let csv = ledger().query("format", "csv").send().await?;
    let amounts = csv.body.lines().skip(1).filter_map(|row| row.rsplit(',').next());
    assert_eq!(amounts.collect::<Vec<_>>(), ["-99.80", "99.80", "-20.00", "20.00"]);
    Ok(())
}

#[tokio::test]
async fn a_settlement_of_no_period_is_refused_and_that_of_a_long_one_needs_an_event() -> Verdict {
    const YEAR: i64 = 365 * 86_400;
    let house = BoxOffice::open().await?;
    let ask = |from: i64, to: i64| {
        let asked = house.manager.get("/reports/settlement").query("from", &in_seconds(from));
        asked.query("to", &in_seconds(to))
    };
    house.manager.get("/reports/settlement").send().await?.refusal(400, "INVALID_EVENT_DATE")?;
    ask(10, 0).send().await?.refusal(400, "INVALID_EVENT_DATE")?;
    ask(-YEAR, 0).send().await?.refusal(400, "INVALID_EVENT_DATE")?;
    let unknown = ask(-YEAR, 0).query("inventoryId", &fresh_id("inv")).send().await?;
    assert_eq!(unknown.answer::<Value>(200)?["events"], json!([]));
    ask(0, 10).query("format", "xml").send().await?.refusal(400, "VALIDATION_ERROR")?;
    house.buyer.get("/reports/ledger").send().await?.refusal(403, "FORBIDDEN")?;
    Ok(())
}
