//! Bad input: refused with the right status and code, at the right field, and nothing changes.

use boxoffice_e2e::{
    BoxOffice, Outcome, Show, Verdict, ensure,
    http::Request,
    platform,
    story::{Body, fresh, fresh_id, in_days},
};
use serde_json::{Value, json};

/// Sends what should be refused, and says which case it was should it not be.
pub(crate) async fn refused(case: &str, request: Request, status: u16, code: &str, field: Option<&str>) -> Outcome<()> {
    let reply = request.send().await?;
    let problem = platform::refused_by_either(&reply, status, code).await.map_err(|failure| failure.during(case))?;
    let named = problem.as_ref().and_then(|problem| problem.field.as_deref());
    // The gateway names no field.
    ensure!(field.is_none() || problem.is_none() || named == field, "{case}: at field {named:?} and not {field:?}");
    Ok(())
}

pub(crate) async fn unchanged(house: &BoxOffice, show: &Show) -> Outcome<()> {
    let (now, before) = (show.now().await?, &show.inventory);
    ensure!(now == *before, "{before:?} became {now:?}");
    let events = house.tables.events_of(show.id()).await?.len();
    ensure!(events == 1, "{} has {events} events and not only that of its creation", show.id());
    let tickets = house.tables.items_where("TicketsTable", "inventoryId", show.id()).await?;
    ensure!(tickets.is_empty(), "{} has tickets: {tickets:?}", show.id());
    Ok(())
}

/// A field, its bad values, and the code they are refused with.
fn bad_fields_of_an_event() -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let too_long = |length: usize| Value::from("x".repeat(length));
    vec![
        (
            "eventName",
            "VALIDATION_ERROR",
            vec![json!(""), json!("   "), too_long(201), json!(5), json!(null), json!("a\nb")],
        ),
        ("location", "VALIDATION_ERROR", vec![json!(""), too_long(301), json!({}), json!("a\u{0}b")]),
        ("currency", "VALIDATION_ERROR", vec![json!("usd"), json!("XYZ"), json!(""), json!(840)]),
        (
            "totalSeats",
            "INVALID_QUANTITY",
            vec![json!(0), json!(-1), json!(1.5), json!(1_000_001), json!(1e30), json!("10"), json!(true)],
        ),
        (
            "price",
            "INVALID_PRICE",
            vec![
                json!(0),
                json!(-5),
                json!(0.49),
                json!(1_000_000),
                json!(0.001),
                json!(19.999),
                json!(1e99),
                json!("10"),
                json!([]),
            ],
        ),
        (
            "eventDate",
            "INVALID_EVENT_DATE",
            vec![
                json!(in_days(-1)),
                json!("2001-01-01T00:00:00Z"),
                json!("tomorrow"),
                json!("2030-06-01"),
                json!(""),
                json!("2030-06-01T20:00:00"),
                json!("2030-13-01T00:00:00Z"),
                json!(1_900_000_000),
            ],
        ),
    ]
}

#[tokio::test]
async fn an_event_with_a_bad_field_does_not_go_on_sale() -> Verdict {
    let house = BoxOffice::open().await?;
    for (field, code, values) in bad_fields_of_an_event() {
        for value in values {
            let body = Body::show(10).with(field, value.clone());
            let case = format!("POST /inventory with {field} = {value}");
            refused(&case, house.manager.post_inventory(&body.json()), 400, code, Some(field)).await?;
            if let Some(name) = body.json()["eventName"].as_str().filter(|_| field != "eventName") {
                refused(&case, house.api.get_by_name(name), 404, "INVENTORY_NOT_FOUND", None).await?;
            }
        }
    }
    for field in ["eventName", "eventDate", "totalSeats", "price", "location"] {
        let body = Body::show(10).without(field);
        let case = format!("POST /inventory without {field}");
        refused(&case, house.manager.post_inventory(&body.json()), 400, "VALIDATION_ERROR", Some(field)).await?;
    }
    for field in ["availableSeats", "id", "version", "soldSeats", "Price", "__proto__"] {
        let body = Body::show(10).with(field, 1);
        let case = format!("POST /inventory with {field}");
        refused(&case, house.manager.post_inventory(&body.json()), 400, "UNKNOWN_FIELD", Some(field)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_change_changes_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    for (field, code, values) in bad_fields_of_an_event() {
        // `null` in a change means the same as leaving the field out.
        for value in values.into_iter().filter(|value| !value.is_null()) {
            let case = format!("PUT /inventory with {field} = {value}");
            let change = house.manager.put_inventory(show.id(), &json!({ field: value }));
            refused(&case, change, 400, code, Some(field)).await?;
        }
    }
    let change = house.manager.put_inventory(show.id(), &json!({ "availableSeats": 5 }));
    refused("PUT with availableSeats", change, 400, "UNKNOWN_FIELD", Some("availableSeats")).await?;
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_order_books_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let bad: [(&str, &str, Vec<Value>); 5] = [
        (
            "quantity",
            "INVALID_QUANTITY",
            vec![json!(0), json!(-1), json!(1.5), json!(1_000_001), json!(1e30), json!("2"), json!(null), json!(true)],
        ),
        (
            "userId",
            "VALIDATION_ERROR",
            vec![json!(""), json!("anna"), json!(fresh_id("tkt")), json!(fresh_id("usr").to_uppercase()), json!(7)],
        ),
        ("inventoryId", "VALIDATION_ERROR", vec![json!("inv_1"), json!(fresh_id("tkt")), json!(5)]),
        ("paymentMethod", "VALIDATION_ERROR", vec![json!("CASH"), json!("credit_card"), json!(1)]),
        (
            "paymentMethodToken",
            "VALIDATION_ERROR",
            vec![json!(""), json!("pm/../refunds"), json!("4242 4242 4242 4242"), json!("x".repeat(256)), json!(1)],
        ),
    ];
    for (field, code, values) in bad {
        for value in values {
            let case = format!("POST /tickets with {field} = {value}");
            refused(&case, show.order(1).with(field, value).request(), 400, code, Some(field)).await?;
        }
    }
    let no_quantity = show.order(1).without("quantity");
    refused("POST /tickets without quantity", no_quantity.request(), 400, "VALIDATION_ERROR", Some("quantity")).await?;
    let neither = show.order(1).without("inventoryId");
    refused("POST /tickets for no event", neither.request(), 400, "VALIDATION_ERROR", None).await?;
    let both = show.order(1).with("eventName", show.name());
    refused("POST /tickets for two events", both.request(), 400, "VALIDATION_ERROR", None).await?;
    for field in ["pricePerTicket", "totalAmount", "status", "eventDate", "holdExpiresAt", "cardNumber"] {
        let case = format!("POST /tickets with {field}");
        refused(&case, show.order(1).with(field, 1).request(), 400, "UNKNOWN_FIELD", Some(field)).await?;
    }
    let nowhere = show.order(1).with("inventoryId", fresh_id("inv"));
    refused("POST /tickets for no such event", nowhere.request(), 404, "INVENTORY_NOT_FOUND", None).await?;
    let unheard_of = show.order(1).without("inventoryId").with("eventName", fresh("Unheard of"));
    refused("POST /tickets for no such name", unheard_of.request(), 404, "INVENTORY_NOT_FOUND", None).await?;
    unchanged(&house, &show).await?;
    Ok(())
}

/// Every call that reads a body.
fn calls_with_a_body(house: &BoxOffice, show: &Show) -> Vec<(&'static str, Request)> {
    let post = |path: &str| house.admin.post(path).header("Idempotency-Key", &fresh("order"));
    let put = |path: String| house.admin.call(reqwest::Method::PUT, &path);
    vec![
        ("POST /users", post("/users")),
        ("POST /users/register", post("/users/register")),
        ("POST /users/login", post("/users/login")),
        ("POST /users/refresh", post("/users/refresh")),
        ("POST /users/me/password", post("/users/me/password")),
        ("PUT /users/{id}", put(format!("/users/{}", house.buyer.id()))),
        ("POST /notifications", post("/notifications")),
        ("POST /payments", post("/payments")),
        ("POST /inventory", post("/inventory")),
        ("PUT /inventory/{id}", put(format!("/inventory/{}", show.id()))),
        ("POST /tickets", post("/tickets")),
        ("POST /payments/{id}/process", post(&format!("/payments/{}/process", fresh_id("pay")))),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_this_call_s_json_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let nested = "[".repeat(30_000);
    let bodies = ["", "{", "[]", "null", "7", "\"text\"", "[1,2", "{'a':1}", "{} {}", "<xml/>", "\u{0}", &nested];
    for (call, request) in calls_with_a_body(&house, &show) {
        for body in bodies {
            let shown: String = body.chars().take(12).collect();
            let case = format!("{call} with the body {shown:?}");
            let request = request.clone().text("application/json", body);
            if body == "{} {}" {
                // An empty object may miss its fields before anyone sees that something follows it.
                let reply = request.send().await?;
                ensure!(reply.status == 400, "{case}: {reply:?}");
            } else {
                refused(&case, request, 400, "INVALID_JSON", None).await?;
            }
        }
    }
    // Its fields in their order, without their names.
    let event = json!([fresh("Show"), in_days(30), 10, 49.9, "EUR", "Hall"]);
    refused("a bare list as an event", house.manager.post_inventory(&event), 400, "INVALID_JSON", None).await?;
    let order = json!([house.buyer.id(), null, show.id(), 1, null, null]);
    refused("a bare list as an order", house.buyer.post_ticket(&fresh("order"), &order), 400, "INVALID_JSON", None)
        .await?;
    let twice = format!("{{\"quantity\":1,\"quantity\":2,\"inventoryId\":\"{}\"}}", show.id());
    let request =
        house.buyer.post("/tickets").header("Idempotency-Key", &fresh("order")).text("application/json", twice);
    refused("a field there twice", request, 400, "INVALID_JSON", Some("quantity")).await?;
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn only_json_is_read() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    for (call, request) in calls_with_a_body(&house, &show) {
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonx"]
        {
            let case = format!("{call} as {content_type}");
            let request = request.clone().text(content_type, "{}");
            refused(&case, request, 415, "UNSUPPORTED_MEDIA_TYPE", Some("Content-Type")).await?;
        }
    }
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_larger_than_any_call_needs_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = show.order(1).body;
    for (size, bytes) in [("65 KiB", 65 * 1024), ("1.5 MB", 1_500_000)] {
        let padding = Value::from("x".repeat(bytes));
        let bodies = [
            ("POST /inventory", house.manager.post_inventory(&Body::show(1).with("location", padding.clone()).json())),
            ("POST /tickets", house.buyer.post_ticket(&fresh("order"), &order.clone().with("userId", padding).json())),
        ];
        for (call, request) in bodies {
            refused(&format!("{call} with {size}"), request, 413, "BODY_TOO_LARGE", None).await?;
        }
    }
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let malformed = |prefix: &str| {
        let id = fresh_id(prefix);
        vec![
            "x".to_owned(),
            format!("{prefix}_"),
            format!("{prefix}_123"),
            id.to_uppercase(),
            format!("{id}0"),
            fresh_id("zzz"),
            format!("{prefix}_../../etc"),
            "%00".to_owned(),
            "'; DROP TABLE tickets; --".to_owned(),
        ]
    };
    // As one segment, whatever it holds.
    for (kind, prefix) in [
        ("inventory", "inv"),
        ("tickets", "tkt"),
        ("payments", "pay"),
        ("sagas", "tkt"),
        ("users", "usr"),
        ("notifications", "ntf"),
    ] {
        for id in malformed(prefix) {
            let request = house.admin.get(&format!("/{kind}/{}", id.replace('/', "%2F")));
            refused(&format!("GET /{kind}/{id}"), request, 400, "INVALID_ID", None).await?;
        }
    }
    refused("cancel", house.buyer.cancel("tkt_1"), 400, "INVALID_ID", None).await?;
    refused("pay", house.buyer.process("pay_1", "pm_card_visa"), 400, "INVALID_ID", None).await?;
    refused("refund", house.admin.refund("pay_1", "Why not?"), 400, "INVALID_ID", None).await?;
    refused("by ticket", house.admin.get("/payments/ticket/tkt_1"), 400, "INVALID_ID", None).await?;
    refused("withdraw", house.manager.delete_inventory("inv_1"), 400, "INVALID_ID", None).await?;
    refused("change", house.manager.put_inventory("inv_1", &json!({ "price": 5 })), 400, "INVALID_ID", None).await?;
    Ok(())
}

#[tokio::test]
async fn an_id_of_nothing_is_not_found() -> Verdict {
    let house = BoxOffice::open().await?;
    let (ticket, payment) = (fresh_id("tkt"), fresh_id("pay"));
    for (path, code) in [
        (format!("/tickets/{ticket}"), "TICKET_NOT_FOUND"),
        (format!("/payments/{payment}"), "PAYMENT_NOT_FOUND"),
        (format!("/payments/ticket/{ticket}"), "PAYMENT_NOT_FOUND"),
        (format!("/sagas/{ticket}"), "SAGA_NOT_FOUND"),
        (format!("/payments/transaction/{}", fresh_id("txn")), "PAYMENT_NOT_FOUND"),
        (format!("/users/{}", fresh_id("usr")), "USER_NOT_FOUND"),
        (format!("/users/username/{}", fresh("nobody")), "USER_NOT_FOUND"),
        (format!("/users/email/{}@example.org", fresh("nobody")), "USER_NOT_FOUND"),
        (format!("/notifications/{}", fresh_id("ntf")), "NOTIFICATION_NOT_FOUND"),
    ] {
        refused(&format!("GET {path}"), house.admin.get(&path), 404, code, None).await?;
    }
    refused("pay", house.buyer.process(&payment, "pm_card_visa"), 404, "PAYMENT_NOT_FOUND", None).await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_quantity_moves_no_seat_by_hand() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    for verb in ["reserve", "release"] {
        for quantity in ["0", "-1", "1.5", "abc", "", "1000001", "99999999999999999999", "1e3"] {
            let case = format!("{verb} {quantity:?} seats");
            let by_id = house.manager.move_by_hand(show.id(), verb, quantity);
            refused(&case, by_id, 400, "INVALID_QUANTITY", Some("quantity")).await?;
            let by_name = house.manager.move_by_name(show.name(), verb, quantity);
            refused(&case, by_name, 400, "INVALID_QUANTITY", Some("quantity")).await?;
        }
        let none = house.manager.post(&format!("/inventory/{}/{verb}", show.id()));
        refused(&format!("{verb} without a quantity"), none, 400, "INVALID_QUANTITY", Some("quantity")).await?;
    }
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_question_to_a_list_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    house.show(1).await?;
    house.show(1).await?;
    let lists = [
        ("/inventory", house.api.get("/inventory")),
        ("/inventory/available", house.api.get("/inventory/available")),
        (
            "/inventory/date-range",
            house.api.get("/inventory/date-range").query("start", &in_days(1)).query("end", &in_days(99)),
        ),
    ];
    let page: boxoffice_e2e::model::Page<Value> = lists[0].1.clone().query("limit", "1").send().await?.answer(200)?;
    let cursor_of_another_list = page.next.unwrap();
    for (path, list) in &lists {
        for limit in ["0", "-1", "101", "ten", "", "1.5"] {
            let case = format!("GET {path}?limit={limit}");
            refused(&case, list.clone().query("limit", limit), 400, "VALIDATION_ERROR", Some("limit")).await?;
        }
        for cursor in ["x", "e30", "AAAA", "{}", &"A".repeat(3000)] {
            let case = format!("GET {path}?next={cursor}");
            refused(&case, list.clone().query("next", cursor), 400, "INVALID_CURSOR", Some("next")).await?;
        }
    }
    for (path, list) in &lists[1..] {
        let case = format!("GET {path} with the cursor of another list");
        refused(&case, list.clone().query("next", &cursor_of_another_list), 400, "INVALID_CURSOR", Some("next"))
            .await?;
    }
    let range = || house.api.get("/inventory/date-range");
    for (case, request, field) in [
        ("a range without dates", range(), "start"),
        ("a range without an end", range().query("start", &in_days(1)), "end"),
        ("a range from never", range().query("start", "never").query("end", &in_days(1)), "start"),
        ("a range that ends before it starts", range().query("start", &in_days(2)).query("end", &in_days(1)), "end"),
    ] {
        refused(case, request, 400, "INVALID_EVENT_DATE", Some(field)).await?;
    }
    Ok(())
}
