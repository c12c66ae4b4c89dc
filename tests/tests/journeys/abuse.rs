//! Input that no client sends by mistake, and clients that do not behave: answered as a refusal where there is somebody to answer, never with a fault of ours,
//! and nothing changes.
//!
//! `refusals.rs` has what a client may well get wrong. Answers that API Gateway's stand-in gives by itself, before the product sees the request, are told apart in
//! `docs/testing.md`.

use crate::refusals::{refused, unchanged};
use boxoffice_e2e::{
    BoxOffice, Outcome, Show, Verdict, ensure,
    http::Request,
    platform::{Ability, can, is_the_gateways_own},
    story::{Body, Order, fresh, fresh_id},
    wire::Wire,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A body as it is written, where JSON's own types would not let us.
fn written(house: &BoxOffice, fields: &str) -> Request {
    house.manager.post("/inventory").text("application/json", fields)
}

/// An event to put on sale, with this text in the place of a field's value.
fn event_with(field: &str, text: &str) -> String {
    let mark = fresh("mark");
    Body::show(10).with(field, mark.clone()).json().to_string().replace(&format!("\"{mark}\""), text)
}

#[tokio::test]
async fn numbers_beyond_reason_are_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let digits = "9".repeat(400);
    let decimals = format!("49.9{}1", "0".repeat(12));
    for number in
        ["1e400", "-1e400", "1e-400", "-0", "-0.0", "0e0", "18446744073709551616", "5e-324", &digits, &decimals]
    {
        let case = format!("price = {number}");
        refused(&case, written(&house, &event_with("price", number)), 400, "INVALID_PRICE", Some("price")).await?;
    }
    for number in ["1e400", "-0", "1e-400", "18446744073709551616", "4294967297", "1.0000001", "1e7", &digits] {
        let case = format!("totalSeats = {number}");
        let request = written(&house, &event_with("totalSeats", number));
        refused(&case, request, 400, "INVALID_QUANTITY", Some("totalSeats")).await?;
    }
    for number in ["NaN", "Infinity", "5x10", "+1", "01", ".5", "1.", "1e", "--1", "1_000"] {
        let case = format!("price = {number}");
        refused(&case, written(&house, &event_with("price", number)), 400, "INVALID_JSON", None).await?;
    }
    let show = house.show(10).await?;
    for version in ["18446744073709551616", "-1", "1e400", "1.5"] {
        let change = house.manager.call(reqwest::Method::PUT, &format!("/inventory/{}", show.id()));
        let change = change.text("application/json", format!("{{\"price\":5,\"version\":{version}}}"));
        refused(&format!("version = {version}"), change, 400, "VALIDATION_ERROR", Some("version")).await?;
    }
    unchanged(&house, &show).await?;
    Ok(())
}

/// A number may be written in many ways; what counts is which number it is, and money is never rounded to another.
#[tokio::test]
async fn a_number_is_the_same_however_it_is_written() -> Verdict {
    let house = BoxOffice::open().await?;
    for (price, seats) in [("4990e-2", "1e1"), ("0.4990E+2", "10.0"), ("49.90000", "0.1e2")] {
        let body = event_with("price", price).replace("\"totalSeats\":10", &format!("\"totalSeats\":{seats}"));
        let reply = written(&house, &body).send().await?;
        let event: Value = reply.answer(201)?;
        ensure!(
            event["price"] == json!(49.9) && event["totalSeats"] == json!(10),
            "{price} and {seats} became {event}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn nesting_has_no_bottom_and_is_not_followed() -> Verdict {
    let house = BoxOffice::open().await?;
    if !can(Ability::HandsOnOddities, "that JSON nested 10,000 deep is refused by the functions").await? {
        return Ok(());
    }
    let show = house.show(10).await?;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for (how, nested) in [("lists", deep("[", "]")), ("objects", format!("{}1", "{\"a\":".repeat(10_000)))] {
        for field in ["eventName", "totalSeats", "price", "eventDate"] {
            let reply = written(&house, &event_with(field, &nested)).send().await?;
            ensure!(reply.status == 400, "10,000 {how} as {field}: {reply:?}");
        }
        let body = format!("{{\"nothing\":{nested}}}");
        refused(how, written(&house, &body), 400, "UNKNOWN_FIELD", Some("nothing")).await?;
    }
    let order = house.buyer.post("/tickets").header("Idempotency-Key", &fresh("order"));
    let reply = order.text("application/json", format!("{{\"quantity\":{}}}", deep("[", "]"))).send().await?;
    reply.refusal(400, "INVALID_QUANTITY")?;
    unchanged(&house, &show).await?;
    Ok(())
}

/// Text of characters below U+0100, a byte each.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().filter_map(|character| u8::try_from(character).ok()).collect()
}

#[tokio::test]
async fn text_that_is_no_text_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let good = Body::show(10).json().to_string();
    for (case, body) in [
        ("a byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a NUL in a text", event_with("location", "\"a\u{0}b\"").into_bytes()),
        ("a line break in a text", event_with("location", "\"a\nb\"").into_bytes()),
        ("a NUL after the body", format!("{good}\u{0}").into_bytes()),
        ("a NUL before it", format!("\u{0}{good}").into_bytes()),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0]),
        ("bytes that are no UTF-8", vec![0xff, 0xfe, 0x80, 0xc0, 0xaf]),
        ("Latin-1 in a text", latin_1(&event_with("location", "\"Café\""))),
    ] {
        let request = house.manager.post("/inventory").text("application/json", body);
        refused(case, request, 400, "INVALID_JSON", None).await?;
    }
    for (case, text) in [
        ("an escaped NUL", "\"a\\u0000b\""),
        ("half a surrogate pair", "\"\\ud800\""),
        ("a surrogate pair turned round", "\"\\udc00\\ud800\""),
        ("an escaped line break", "\"a\\nb\""),
        ("a C1 control", "\"a\u{85}b\""),
        ("spaces of every kind", "\"\u{a0}\u{2003}\u{3000} \""),
        ("nothing that anybody sees", "\"\u{200b}\u{3164}\u{2060}\""),
        ("a direction overridden", "\"gig \u{202e}gnp\""),
        ("an escaped U+FFFD", "\"Caf\\ufffd\""),
    ] {
        for field in ["eventName", "location"] {
            refused(case, written(&house, &event_with(field, text)), 400, "VALIDATION_ERROR", Some(field)).await?;
        }
    }
    let with_bad_id = [b"{\"quantity\":1,\"inventoryId\":\"inv_\xff\xc0\xaf\"}".as_slice()].concat();
    let order = house.buyer.post("/tickets").header("Idempotency-Key", &fresh("order"));
    let order = order.text("application/json", with_bad_id);
    refused("no UTF-8 in an id", order, 400, "INVALID_JSON", None).await?;
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_field_is_itself_however_its_name_is_written() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = |body: String| {
        house.buyer.post("/tickets").header("Idempotency-Key", &fresh("order")).text("application/json", body)
    };
    let twice = |second: &str| format!("{{\"quantity\":1,\"{second}\":2,\"inventoryId\":\"{}\"}}", show.id());
    refused("a name written twice", order(twice("\\u0071uantity")), 400, "INVALID_JSON", Some("quantity")).await?;
    let long = "x".repeat(50_000);
    for name in
        ["Quantity", "quantity ", "\u{feff}quantity", "quаntity", "", "a`b", "x at line 1", "constructor", &long]
    {
        let case: String = format!("a field named {name:?}").chars().take(60).collect();
        refused(&case, order(twice(name)), 400, "UNKNOWN_FIELD", Some(name)).await?;
    }
    unchanged(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn texts_of_sixty_thousand_characters_are_refused_in_every_field() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let huge = "é".repeat(30_000);
    for (field, code) in
        [("eventName", "VALIDATION_ERROR"), ("currency", "VALIDATION_ERROR"), ("eventDate", "INVALID_EVENT_DATE")]
    {
        let request = house.manager.post_inventory(&Body::show(10).with(field, huge.clone()).json());
        refused(&format!("60 KB as {field}"), request, 400, code, Some(field)).await?;
    }
    for field in ["userId", "inventoryId", "paymentMethod", "paymentMethodToken"] {
        let request = show.order(1).with(field, huge.clone()).request();
        refused(&format!("60 KB as {field}"), request, 400, "VALIDATION_ERROR", Some(field)).await?;
    }
    for field in ["username", "email", "password", "firstName", "phone", "pushEndpoint", "notificationChannel"] {
        let request = house.api.post("/users").json(&Body::user().with(field, huge.clone()).json());
        refused(&format!("60 KB as {field}"), request, 400, "VALIDATION_ERROR", Some(field)).await?;
    }
    let refresh = house.api.refresh(&huge);
    refused("60 KB as a refresh token", refresh, 400, "VALIDATION_ERROR", Some("refreshToken")).await?;
    unchanged(&house, &show).await?;
    Ok(())
}

/// The stack serves the next request, and nothing has changed.
async fn as_before(house: &BoxOffice, show: &Show) -> Outcome<()> {
    house.api.health().await?;
    unchanged(house, show).await
}

#[tokio::test]
async fn a_path_leads_nowhere_else_however_it_is_written() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (token, id) = (house.buyer.token().await?, fresh_id("tkt"));
    let authorization = format!("Bearer {token}");
    let long = "x".repeat(4000);
    for (path, status, code) in [
        (format!("/tickets/{id}%00"), 400, "INVALID_ID"),
        (format!("/tickets/%00{id}"), 400, "INVALID_ID"),
        (format!("/tickets/{id}%20"), 400, "INVALID_ID"),
        (format!("/tickets/{id}%0d%0aSet-Cookie:%20a=b"), 400, "INVALID_ID"),
        (format!("/tickets/{}", id.replace("tkt_", "tkt%255f")), 400, "INVALID_ID"),
        ("/tickets/%c0%af%c0%ae".to_owned(), 400, "INVALID_ID"),
        ("/tickets/%ff%fe".to_owned(), 400, "INVALID_ID"),
        ("/tickets/%ED%A0%80".to_owned(), 400, "INVALID_ID"),
        ("/tickets/%F8%88%80%80%80".to_owned(), 400, "INVALID_ID"),
        ("/tickets/%".to_owned(), 400, "INVALID_ID"),
        ("/tickets/%zz".to_owned(), 400, "INVALID_ID"),
        ("/tickets/{id}".to_owned(), 400, "INVALID_ID"),
        (format!("/tickets/{long}"), 400, "INVALID_ID"),
        ("/inventory/event/%00".to_owned(), 400, "VALIDATION_ERROR"),
        ("/inventory/event/%0a".to_owned(), 400, "VALIDATION_ERROR"),
        (format!("/inventory/event/{long}"), 400, "VALIDATION_ERROR"),
        ("/inventory/event/%c0%80".to_owned(), 400, "VALIDATION_ERROR"),
        ("/tickets/status/PENDING%00".to_owned(), 403, "FORBIDDEN"),
        ("/nowhere/%00/%ff".to_owned(), 404, "ROUTE_NOT_FOUND"),
    ] {
        let shown: String = format!("GET {path}").chars().take(80).collect();
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let head = wire.head("GET", &path, &[("Authorization", &authorization)]);
        wire.say(head.as_bytes()).await?;
        let reply = wire.reply(&shown).await?;
        if path.contains('%')
            && !can(Ability::HandsOnOddities, "that odd bytes in a path are told apart by the code of the refusal")
                .await?
        {
            ensure!(matches!(reply.status, 400 | 403 | 404), "{shown}: {reply:?}");
            continue;
        }
        reply.refusal(status, code)?;
    }
    as_before(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_thousand_parameters_are_read_past() -> Verdict {
    let house = BoxOffice::open().await?;
    house.show(1).await?;
    let mut list = house.api.get("/inventory").query("limit", "1");
    for number in 0..1000 {
        list = list.query(&format!("p{number}"), "x");
    }
    let page: Value = list.clone().send().await?.answer(200)?;
    ensure!(page["items"].as_array().is_some_and(|items| items.len() == 1), "{page}");
    // The first of its name counts, however many follow.
    let page: Value =
        house.api.get("/inventory").query("limit", "1").query("limit", "100").send().await?.answer(200)?;
    ensure!(page["items"].as_array().is_some_and(|items| items.len() == 1), "{page}");
    for limit in ["%00", "１", "1\u{0}", " 1", "1\r\nSet-Cookie: a=b", "18446744073709551617", "+1x"] {
        let case = format!("limit = {limit:?}");
        refused(&case, house.api.get("/inventory").query("limit", limit), 400, "VALIDATION_ERROR", Some("limit"))
            .await?;
    }
    let huge = "A".repeat(7000);
    refused("a cursor of 7 KB", house.api.get("/inventory").query("next", &huge), 400, "INVALID_CURSOR", Some("next"))
        .await?;
    Ok(())
}

#[tokio::test]
async fn headers_carry_nothing_into_answers() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let path = format!("/inventory/{}", show.id());
    let tags = (0..800).map(|number| format!("\"{number}\"")).collect::<Vec<_>>().join(", ");
    let many = "x".repeat(6000);
    for (name, value) in [
        ("Accept", "application/xml;q=1e400, */*;q=-1"),
        ("Accept", &many),
        ("Accept-Encoding", "gzip;q=0, identity;q=0, *;q=0"),
        ("Accept-Language", "xx-\u{fffd}"),
        ("If-None-Match", &tags),
        ("If-None-Match", "\"unclosed"),
        ("If-None-Match", "W/W/W/\"\""),
        ("Range", "bytes=0-18446744073709551615"),
        ("Content-Length", "0"),
        ("X-Forwarded-Proto", "^^"),
        ("X-Forwarded-For", "not an address, 999.999.999.999"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Amzn-Trace-Id", "Root=\"}{"),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer a.b.c"),
        ("Authorization", "Basic YTpi"),
        ("Cookie", &many),
        ("Origin", "null"),
    ] {
        let case: String = format!("{name}: {value}").chars().take(60).collect();
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let head = wire.head("GET", &path, &[(name, value)]);
        wire.say(head.as_bytes()).await?;
        let event: Value = wire.reply(&case).await?.answer(200)?;
        ensure!(event["id"] == json!(show.id()), "{case}: {event}");
    }
    for id in ["a b", "a\tb", "\"", "a%0d%0aSet-Cookie: a=b", "é", &many] {
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let head = wire.head("GET", &path, &[("X-Correlation-Id", id)]);
        wire.say(head.as_bytes()).await?;
        let reply = wire.reply("an X-Correlation-Id that is none").await?.with_status(200)?.clone();
        let given = reply.header("x-correlation-id").unwrap_or_default();
        ensure!(
            !given.is_empty() && given != id && reply.header("set-cookie").is_none(),
            "{id:?} came back as {given:?}"
        );
    }
    for key in ["a b", "é", "a\tb", "", &"k".repeat(256)] {
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let mut order = show.order(1);
        key.clone_into(&mut order.key);
        let (head, body) = written_order(&wire, &order, 0).await?;
        wire.say(format!("{head}{body}").as_bytes()).await?;
        let problem = wire.reply(&format!("the key {key:?}")).await?.refusal(400, "VALIDATION_ERROR")?;
        ensure!(problem.field.as_deref() == Some("Idempotency-Key"), "{problem:?}");
    }
    as_before(&house, &show).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_says_what_it_is_or_is_not_read() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let authorization = format!("Bearer {}", house.manager.token().await?);
    let event = Body::show(10);
    let body = event.json().to_string();
    let length = body.len().to_string();
    for types in [
        &[][..],
        &["multipart/form-data; boundary=x"],
        &["application/json/x"],
        &["application/vnd.api+json"],
        &["json"],
        &["\"application/json\""],
        &["application/ json"],
        &["text/html, application/json"],
        &["application/json", "text/plain"],
    ] {
        if types.len() > 1 && !can(Ability::HandsOnOddities, "that a body of two types is refused with 415").await? {
            continue;
        }
        let mut headers = vec![("Authorization", authorization.as_str()), ("Content-Length", &length)];
        headers.extend(types.iter().map(|value| ("Content-Type", *value)));
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let head = wire.head("POST", "/inventory", &headers);
        wire.say(head.as_bytes()).await?;
        wire.say(body.as_bytes()).await?;
        let reply = wire.reply(&format!("a body of {types:?}")).await?;
        if is_the_gateways_own(&reply)
            && !can(Ability::HandsOnOddities, "that a body of an odd type is refused with 415").await?
        {
            ensure!(reply.status == 400, "a body of {types:?}: {reply:?}");
            continue;
        }
        reply.refusal(415, "UNSUPPORTED_MEDIA_TYPE")?;
    }
    refused("the event", house.api.get_by_name(&event.text("eventName")), 404, "INVENTORY_NOT_FOUND", None).await?;
    as_before(&house, &show).await?;
    Ok(())
}

/// An order as it goes over the wire: its head, which promises a body of so many bytes more than there are, and its body.
async fn written_order(wire: &Wire, order: &Order, more: usize) -> Outcome<(String, String)> {
    let body = order.body.json().to_string();
    let (authorization, length) = (format!("Bearer {}", order.buyer.token().await?), (body.len() + more).to_string());
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("Idempotency-Key", &order.key),
    ];
    Ok((wire.head("POST", "/tickets", &headers), body))
}

#[tokio::test]
async fn a_half_sent_request_books_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.show(10).await?);
    for (case, head_kept, body_kept, more) in [
        ("half a head", 100, 0, 0),
        ("a head and no body", usize::MAX, 0, 0),
        ("a byte of the body", usize::MAX, 1, 0),
        ("most of the body", usize::MAX, 60, 0),
        ("a body shorter than was promised", usize::MAX, usize::MAX, 100),
    ] {
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let (head, body) = written_order(&wire, &show.order(1), more).await?;
        wire.say(&head.as_bytes()[..head_kept.min(head.len())]).await?;
        wire.say(&body.as_bytes()[..body_kept.min(body.len())]).await?;
        drop(wire);
        // Another order takes the same way after it, so what was left of this one has been dealt with.
        other.order(1).booked().await.map_err(|failure| failure.during(case))?;
        as_before(&house, &show).await.map_err(|failure| failure.during(case))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_client_delays_no_other() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let mut wire = Wire::to(&house.stack.api_url).await?;
    let (head, body) = written_order(&wire, &show.order(1), 0).await?;
    wire.say(head.as_bytes()).await?;
    let (slowly, rest) = body.as_bytes().split_at(4);
    for byte in slowly {
        wire.say(&[*byte]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        as_before(&house, &show).await?;
    }
    wire.say(rest).await?;
    wire.reply("an order sent slowly").await?.with_status(201)?;
    ensure!(show.seats().await?.held == 1, "the slow order is not there");
    Ok(())
}

/// An order that was sent whole is an order, whether or not its sender waits to hear so; sent again under its key, it is the same one.
#[tokio::test]
async fn a_client_that_hangs_up_finds_its_booking_under_the_key() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let order = show.order(1);
    let mut wire = Wire::to(&house.stack.api_url).await?;
    let (head, body) = written_order(&wire, &order, 0).await?;
    wire.say(format!("{head}{body}").as_bytes()).await?;
    drop(wire);
    order.answered().await?.with_status(201)?;
    let seats = show.seats().await?;
    ensure!((seats.available, seats.held) == (9, 1), "one order, sent twice, holds {seats}");
    house.api.health().await?;
    Ok(())
}

/// Where a request ends must not be a matter of opinion, or the rest of it is somebody else's request.
#[tokio::test]
async fn a_request_has_one_end() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (case, extra) in [
        ("two lengths", vec![("Content-Length", "0"), ("Content-Length", "44")]),
        ("a length and chunks", vec![("Content-Length", "44"), ("Transfer-Encoding", "chunked")]),
        ("a negative length", vec![("Content-Length", "-1")]),
        ("a length in words", vec![("Content-Length", "many")]),
        ("a name with a space", vec![("Idempotency-Key ", "x")]),
    ] {
        let mut wire = Wire::to(&house.stack.api_url).await?;
        let head = wire.head("POST", "/tickets", &extra);
        wire.say(format!("{head}{smuggled}").as_bytes()).await?;
        let reply = wire.reply(case).await?;
        // Refused before it comes to the product, and the rest of the connection with it.
        ensure!(reply.status == 400 && !reply.body.contains("HTTP/1.1"), "{case}: {reply:?}");
    }
    as_before(&house, &show).await?;
    Ok(())
}
