//! Everything of a request but its body: API Gateway's event as a whole, path parameters, query parameters, headers, cursors.
//!
//! - What is accepted is printed as it came, or as the one spelling it has.
//! - A refusal names the parameter or header at fault.
//! - A cursor leads back to the list and the partition it is of, and no other list takes it.

use crate::{addressed, bodies::check_refusal, input_for, material};
use boxoffice_aws::{Cursor, Item, Limit};
use boxoffice_inventory::EventName;
use boxoffice_kernel::{
    EventId, InventoryId, NotificationId, PaymentId, Quantity, SagaId, TicketId, Timestamp, TransactionId, UserId,
};
use boxoffice_platform::handlers::{get_docs, refuse_route};
use boxoffice_runtime::{Code, Problem, address, http, routes};
use lambda_http::{
    Body, Request, RequestExt as _,
    http::header::{CONTENT_TYPE, HeaderName, HeaderValue},
    request::LambdaRequest,
};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt::Display, str::FromStr, sync::LazyLock};

static EVENT: LazyLock<Value> = LazyLock::new(|| material::of_events("fixtures/post-tickets-request.json"));

const READERS: [fn(&[u8]); 8] = [event, ids, names, query, header, cursor, route, media_type];

/// See the module.
pub fn check(input: &[u8]) {
    if let Some((read, rest)) = addressed(&READERS, input) {
        read(rest);
    }
}

/// API Gateway's event, and everything that is ever asked of it.
fn event(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    // A caller cannot change API Gateway's own context.
    let path = value["path"].as_str().unwrap_or_default();
    if !path.starts_with('/') || value["requestContext"]["domainName"] != EVENT["requestContext"]["domainName"] {
        return;
    }
    let Ok(event) = serde_json::from_value::<LambdaRequest>(value) else { return };
    let request: Request = http::without_address(event).into();
    check_trace(&request);
    check_paging(&request);
    check_key(&request);
    for problem in [
        http::path::<TicketId>(&request, "id", Code::InvalidId).err(),
        http::spellings::<EventName>(&request, "eventName", Code::ValidationError).err(),
        http::query::<Quantity>(&request, "quantity", Code::InvalidQuantity).err(),
        http::required_query::<Timestamp>(&request, "start", Code::InvalidEventDate).err(),
        http::body::<Value>(&request, |_| None).err(),
        get_docs::handle(&request).err(),
        refuse_route::handle(&request).err(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(problem.code.status().is_client_error() && !problem.detail.is_empty(), "{problem:?}");
    }
}

fn with_path(name: &str, text: &str) -> Request {
    Request::new(Body::Empty).with_path_parameters(HashMap::from([(name.to_owned(), text.to_owned())]))
}

fn with_query(parameters: HashMap<String, Vec<String>>) -> Request {
    Request::new(Body::Empty).with_query_string_parameters(parameters)
}

/// An id of each kind has one spelling, and no text is an id of two kinds.
fn ids(input: &[u8]) {
    fn spelled<T: FromStr + Display>(text: &str) -> Option<String>
    where
        T::Err: Display,
    {
        match http::path::<T>(&with_path("id", text), "id", Code::InvalidId) {
            Ok(id) => Some(id.to_string()),
            Err(problem) => {
                check_refusal(&problem);
                assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidId, Some("id")));
                None
            }
        }
    }
    let Ok(text) = str::from_utf8(input) else { return };
    let kinds = [
        spelled::<InventoryId>,
        spelled::<TicketId>,
        spelled::<PaymentId>,
        spelled::<TransactionId>,
        spelled::<UserId>,
        spelled::<SagaId>,
        spelled::<EventId>,
        spelled::<NotificationId>,
    ];
    let accepted: Vec<String> = kinds.iter().filter_map(|spelled| spelled(text)).collect();
    assert!(accepted.len() <= 1 && accepted.iter().all(|id| id == text), "{text:?} is {accepted:?}");
}

/// A name in a path, as it came and decoded.
fn names(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match http::spellings::<EventName>(&with_path("eventName", text), "eventName", Code::ValidationError) {
        Ok(names) => {
            assert!((1..=2).contains(&names.len()), "{text:?} is {names:?}");
            assert!(names.iter().all(|name| name.to_string().parse().as_ref() == Ok(name)), "{names:?}");
        }
        Err(problem) => check_refusal(&problem),
    }
}

/// Query parameters, a line each: the first line is the limit, the second the cursor, then a quantity and a date.
fn query(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let lines = ["limit", "next", "quantity", "start"].into_iter().zip(text.split('\n'));
    let request = with_query(lines.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).collect());
    check_paging(&request);
    match http::query::<Quantity>(&request, "quantity", Code::InvalidQuantity) {
        Ok(quantity) => assert!(quantity.is_none_or(|seats| (1..=Quantity::MAX).contains(&seats.get()))),
        Err(problem) => check_refusal(&problem),
    }
    match http::required_query::<Timestamp>(&request, "start", Code::InvalidEventDate) {
        Ok(start) => assert_eq!(start.to_string().parse(), Ok(start)),
        Err(problem) => assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidEventDate, Some("start"))),
    }
}

fn check_paging(request: &Request) {
    match http::paging(request) {
        Ok((limit, cursor)) => {
            assert!((1..=usize::from(Limit::MAX)).contains(&limit.get()));
            if let Some(cursor) = cursor {
                check_cursor(&cursor);
            }
        }
        Err(problem) => {
            check_refusal(&problem);
            assert!(matches!(problem.field.as_deref(), Some("limit" | "next")), "{problem:?}");
        }
    }
}

/// Headers that are more than passed on: keys and correlation ids.
fn header(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    for name in ["idempotency-key", "x-correlation-id", "if-none-match"] {
        let mut request = Request::new(Body::Empty);
        request.headers_mut().insert(HeaderName::from_static(name), value.clone());
        check_key(&request);
        check_trace(&request);
    }
    // Log-ins are counted by address, so one address has one spelling.
    let address = address::key(value.to_str().unwrap_or_default());
    let network = address.strip_suffix("/64").unwrap_or(&address);
    assert!(address == "unknown" || address::key(network) == address, "{value:?} is counted as {address}");
}

fn check_key(request: &Request) {
    let sent = request.headers().get("idempotency-key");
    match http::idempotency_key(request) {
        Ok(key) => {
            let key = key.to_string();
            assert_eq!(sent.map(HeaderValue::as_bytes), Some(key.as_bytes()), "the key is not the one that was sent");
            assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
        }
        Err(problem) => {
            check_refusal(&problem);
            let expected = if sent.is_some() { Code::ValidationError } else { Code::IdempotencyKeyRequired };
            assert_eq!((problem.code, problem.field.as_deref()), (expected, Some("Idempotency-Key")));
        }
    }
}

/// It goes into logs, events and headers as it is.
fn check_trace(request: &Request) {
    let trace = http::trace(request);
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    for id in std::iter::once(trace.correlation_id).chain(trace.client_correlation_id) {
        let id = id.to_string();
        assert!((1..=128).contains(&id.len()) && id.bytes().all(harmless), "{id:?}");
    }
}

fn cursor(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(cursor) = text.parse::<Cursor>() {
        check_cursor(&cursor);
    }
    // A list takes its own cursor and no other, under any names.
    let short = |(list, id): &(&str, &str)| list.len() + id.len() < 200 && !id.is_empty();
    if let Some((list, id)) = text.split_once('\n').filter(short) {
        let cursor: Cursor = Cursor::after(list, id).to_string().parse().expect("a cursor that was given out is read");
        assert_eq!(cursor.clone().position(list), Ok(id.to_owned()));
        assert!(cursor.position(&format!("{list}#")).is_err());
    }
}

/// The attributes of one index, and those of another.
const INDEX: [&str; 4] = ["gsi1pk", "gsi1sk", "pk", "sk"];
const OTHER_INDEX: [&str; 4] = ["gsi2pk", "gsi2sk", "pk", "sk"];

fn check_cursor(cursor: &Cursor) {
    assert_eq!(
        cursor.to_string().parse().as_ref(),
        Ok(cursor),
        "a cursor that was read is read otherwise when printed"
    );
    let lists = ["ALL", "STATUS#PENDING", "USER#usr_1", ""];
    let taken = lists.iter().filter(|list| cursor.clone().position(list).is_ok()).count();
    assert!(taken <= 1, "{cursor} is taken by {taken} lists");
    let mut keys: Vec<Item> = Vec::new();
    for index in [INDEX, OTHER_INDEX] {
        keys.extend(lists.iter().filter_map(|partition| {
            let key = cursor.clone().into_key(&index, partition).ok()?;
            assert!(index.iter().all(|name| key.contains_key(*name)) && key.len() == index.len(), "{key:?}");
            assert_eq!(key[index[0]].as_s().map(String::as_str), Ok(*partition), "a key of another partition");
            Some(key)
        }));
    }
    assert!(keys.len() <= 1, "{cursor} is taken by {} indexes", keys.len());
    assert!(keys.iter().all(|key| Cursor::from_key(key).as_ref() == Some(cursor)), "{cursor} leads elsewhere");
    assert!(taken + keys.len() <= 1, "{cursor} is taken by a list and an index");
}

/// A path that no route matches: what it takes, if anything.
fn route(input: &[u8]) {
    let Ok(path) = str::from_utf8(input) else { return };
    let methods = routes::methods_of(path);
    assert!(methods.is_sorted(), "{methods:?}");
    let refusal = refuse_route::handle(&with_path("proxy", path.trim_start_matches('/'))).err();
    let Problem { code, header, .. } = refusal.expect("what is no route is refused");
    let allow = header.filter(|(name, _)| *name == "allow").map(|(_, value)| value);
    assert_eq!(allow.is_some(), code == Code::MethodNotAllowed);
    assert!(matches!(code, Code::MethodNotAllowed | Code::RouteNotFound));
}

/// Only one media type is read, however it is spelled.
fn media_type(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let mut request = Request::new(Body::Text("{}".to_owned()));
    request.headers_mut().insert(CONTENT_TYPE, value.clone());
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match http::body::<Value>(&request, |_| None) {
        Ok(body) => assert!(essence.eq_ignore_ascii_case("application/json") && body == json!({}), "{value:?}"),
        Err(problem) => assert_eq!(problem.code, Code::UnsupportedMediaType),
    }
}

/// API Gateway's event, and what the API's document and the data model show.
pub fn seeds() -> Vec<Vec<u8>> {
    let whole = EVENT.clone();
    let mut with_parameters = whole.clone();
    with_parameters["pathParameters"] =
        json!({ "id": "tkt_01970000000070008000000000000001", "eventName": "Late%20Show" });
    with_parameters["queryStringParameters"] =
        json!({ "limit": "20", "quantity": "2", "start": "2030-06-01T20:00:00Z" });
    with_parameters["multiValueQueryStringParameters"] = json!({ "limit": ["20"], "quantity": ["2"] });
    let of_index: Item = INDEX
        .iter()
        .zip(["ALL", "2030", "INV#1", "META"])
        .map(|(name, value)| ((*name).to_owned(), aws_value(value)))
        .collect();
    let cursor = Cursor::from_key(&of_index).expect("a key of strings").to_string();
    let position = Cursor::after("ALL", "tkt_01970000000070008000000000000001").to_string();
    let page = format!("20\n{position}\n2\n2030-06-01T20:00:00Z");
    let texts: [(usize, &[&str]); 7] = [
        (1, &["tkt_01970000000070008000000000000001", "inv_01970000000070008000000000000001", "pay_1", "usr_"]),
        (2, &["Late Show", "Late%20Show", "%C3%A9", "100%", "%c0%80", "a%2Fb"]),
        (3, &["100", &page]),
        (4, &["order-1001", "1c35062b-f2fc-4796-a62a-c3d2fcdbeb80", "\"tag\", W/\"other\""]),
        (5, &[&cursor, &position, "e30", "ALL\ntkt_1"]),
        (6, &["/inventory/available", "/tickets/x/cancel", "/nowhere"]),
        (7, &["application/json", "application/json; charset=utf-8", "text/plain"]),
    ];
    let texts = texts.iter().flat_map(|(reader, texts)| texts.iter().map(|text| input_for(*reader, text)));
    let mut nowhere = whole.clone();
    nowhere["headers"]["X-Forwarded-Proto"] = json!("^^");
    let events = [whole, with_parameters, nowhere].map(|event| input_for(0, event.to_string()));
    events.into_iter().chain(texts).collect()
}

fn aws_value(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}
