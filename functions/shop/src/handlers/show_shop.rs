//! Shows what is on sale to everybody: the list, an event, and the files that pages load.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /shop`, `GET /shop/events/{id}`, `GET /shop/assets/{file}`; for other paths below `/shop/` the page that says so |
//! | reads | as list-available-inventory (AP-280, AP-281, AP-540) and get-inventory (AP-10) |

use crate::{
    api::{Call, Event, List, read},
    assets::Asset,
    frame::{Audience, Frame},
    pages::{Card, EventPage, ListPage},
    texts::fill,
    visitor::encoded,
};
use boxoffice_inventory::{
    App,
    handlers::{get_inventory, list_available_inventory},
};
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{
    Code, Problem,
    http::{self, Answer},
};
use lambda_http::{
    Request, RequestExt as _,
    http::{Method, StatusCode},
};

/// How many events the list shows at a time.
const SHOWN: usize = 24;
/// How many events of the list are read at a time to find some words, and how often before the reader is asked to go on.
const SEARCHED: usize = 100;
const READS: usize = 5;

/// Answers with the page.
pub async fn handle(inventory: &App, request: Request) -> Answer {
    let frame = Frame::of(&request, Audience::Everybody);
    let shown = match http::route(&request).as_str() {
        "/shop" => list(inventory, &request, frame.clone()).await,
        "/shop/events/{id}" => event(inventory, &request, frame.clone()).await,
        "/shop/assets/{file}" => asset(&request),
        _ => Err(missing()),
    };
    shown.unwrap_or_else(|problem| frame.refuse(&request, &problem))
}

fn missing() -> Problem {
    Problem::new(Code::RouteNotFound, "There is no such page.")
}

fn asset(request: &Request) -> Result<Answer, Problem> {
    let parameters = request.path_parameters();
    parameters.first("file").and_then(Asset::served).ok_or_else(missing)
}

async fn list(inventory: &App, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let parameters = request.query_string_parameters();
    let query: String = parameters.first("q").unwrap_or_default().trim().chars().take(80).collect();
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut next = parameters.first("next").map(ToOwned::to_owned);
    let (limit, reads) = if words.is_empty() { (SHOWN, 1) } else { (SEARCHED, READS) };
    let mut found = Vec::new();
    for _ in 0..reads {
        let call = Call::new(request, Method::GET, "/inventory/available", None);
        let call = call.query("limit", Some(limit)).query("next", next.as_deref()).request()?;
        let page: List<Event> = read(&list_available_inventory::handle(inventory, call).await?)?;
        found.extend(page.items.into_iter().filter(|event| matches(event, &words)));
        next = page.next;
        if next.is_none() || found.len() >= SHOWN {
            break;
        }
    }
    let asked = if query.is_empty() { String::new() } else { format!("q={}", encoded(&query)) };
    let here = if asked.is_empty() { String::new() } else { format!("?{asked}") };
    let title = frame.t.list_title;
    let frame = frame.page(title, here);
    let more = next.map(|next| frame.to(&format!("?{asked}&next={}", encoded(&next)).replace("?&", "?")));
    let nothing =
        if query.is_empty() { frame.t.list_empty.to_owned() } else { fill(frame.t.search_none, "query", &query) };
    let cards = found.iter().map(|event| Card::of(&frame, event)).collect();
    Ok(frame.answer(StatusCode::OK, &ListPage { frame: &frame, query: &query, cards, nothing, more }))
}

/// Whether each of these words is in the event's name or place.
fn matches(event: &Event, words: &[String]) -> bool {
    let text = format!("{} {}", event.event_name, event.location).to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

async fn event(inventory: &App, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let id: InventoryId = http::path(request, "id", Code::InvalidId)?;
    let call = Call::new(request, Method::GET, "/inventory/{id}", None).path("id", id).request()?;
    let event: Event = read(&get_inventory::handle(inventory, call).await?)?;
    let frame = frame.page(event.event_name.clone(), format!("events/{id}"));
    Ok(shown(&frame, &event, StatusCode::OK, 1))
}

/// The page of an event, with so many tickets in its field.
pub(super) fn shown(frame: &Frame, event: &Event, status: StatusCode, quantity: u32) -> Answer {
    let t = frame.t;
    let closed = if !event.on_sale {
        Some((t.closed, t.closed_text))
    } else if event.available_seats == 0 {
        Some((t.sold_out, t.sold_out_text))
    } else {
        None
    };
    let page = EventPage {
        frame,
        card: Card::of(frame, event),
        id: event.id.to_string(),
        quantity: quantity.clamp(1, event.most().max(1)),
        most: event.most(),
        minor: event.price.minor(),
        currency: event.currency.code(),
        closed,
    };
    frame.answer(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_found_by_words_of_its_name_and_place_in_any_order() {
        let event: Event = serde_json::from_value(json!({
            "id": "inv_01970000000070008000000000000001", "eventName": "Späte Vorstellung", "eventDate": "2035-06-01T20:00:00Z",
            "location": "Prater, Wien", "price": 49.9, "currency": "EUR", "availableSeats": 3, "onSale": true
        }))
        .unwrap();
        let found = |query: &str| {
            let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
            matches(&event, &words)
        };
        for query in ["", "SPÄTE", "wien vorst", "prater"] {
            assert!(found(query), "{query}");
        }
        assert!(!found("prater berlin"));
    }
}
