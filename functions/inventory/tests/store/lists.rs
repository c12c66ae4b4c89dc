//! Lists of events: a page holds at most what was asked for, and no page is empty while another follows. AP-12, AP-13, AP-280.

use crate::fixture::{hold, store, terms};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{Cursor, Limit, Page};
use boxoffice_inventory::{
    App, Inventory, InventoryStore,
    domain::Revision,
    handlers::{list_available_inventory, list_inventory},
};
use boxoffice_kernel::{InventoryId, Timestamp};
use boxoffice_runtime::http::Answer;
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use lambda_http::{Body, Request, RequestExt as _};
use serde_json::Value;
use std::collections::HashMap;

fn days(number: u32) -> Timestamp {
    Timestamp::now().plus_seconds(number * 86_400)
}

/// An event of this many seats that begins then.
async fn on_sale(store: &InventoryStore, name: &str, seats: u32, begins: Timestamp) -> Inventory {
    let mut terms = terms(name, seats);
    terms.event_date = begins;
    let inventory = Inventory::open(InventoryId::generate(), terms, Timestamp::now());
    store.create(&inventory, &trace()).await.unwrap();
    inventory
}

/// The answer of a list that takes these parameters: names, and the cursor of the next page.
fn read(answer: Answer) -> (Vec<Value>, Option<String>) {
    let page: Value = serde_json::from_str(answer.body().unwrap()).unwrap();
    let next = page["next"].as_str().map(str::to_owned);
    (page["items"].as_array().unwrap().clone(), next)
}

fn asking(limit: &str, next: Option<&str>) -> Request {
    let parameters = [("limit", Some(limit)), ("next", next)];
    let parameters: HashMap<String, Vec<String>> =
        parameters.into_iter().filter_map(|(name, value)| Some((name.into(), vec![value?.into()]))).collect();
    Request::new(Body::Empty).with_query_string_parameters(parameters)
}

fn names(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["eventName"].as_str().unwrap().to_owned()).collect()
}

/// The names on each page of `GET /inventory/available`.
async fn available(app: &App, limit: &str) -> Vec<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let request = asking(limit, next.as_deref());
        let (items, following) = read(list_available_inventory::handle(app, request).await.unwrap());
        pages.push(names(&items));
        next = following;
        if next.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_page_of_what_is_available_holds_at_most_what_was_asked_for() {
    for_each_dynamodb(|database| async move {
        let app = App { store: store(&database) };
        for (number, name) in ["sold out", "a", "b", "c", "d"].into_iter().enumerate() {
            let event = on_sale(&app.store, name, 1, days(u32::try_from(number).unwrap() + 1)).await;
            if name == "sold out" {
                hold(&database, event.id, 1).await;
                app.store.summarise(event.id).await.unwrap();
            }
        }
        assert_eq!(available(&app, "2").await, [["a", "b"], ["c", "d"]]);
        assert_eq!(available(&app, "3").await, [vec!["a", "b", "c"], vec!["d"]]);
        assert_eq!(available(&app, "100").await, [["a", "b", "c", "d"]]);
    })
    .await;
}

#[tokio::test]
async fn no_page_of_what_is_available_is_empty_while_another_follows() {
    for_each_dynamodb(|database| async move {
        let app = App { store: store(&database) };
        // More than one call looked through before: five pages.
        for number in 1..=13 {
            let event = on_sale(&app.store, &format!("sold out {number}"), 1, days(number)).await;
            hold(&database, event.id, 1).await;
            app.store.summarise(event.id).await.unwrap();
        }
        on_sale(&app.store, "last seats", 1, days(20)).await;
        assert_eq!(available(&app, "1").await, [["last seats"]]);
        assert_eq!(available(&app, "2").await, [["last seats"]]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_has_begun_is_listed_but_neither_available_nor_on_sale() {
    for_each_dynamodb(|database| async move {
        let app = App { store: store(&database) };
        let begun = on_sale(&app.store, "begun", 2, Timestamp::now()).await;
        on_sale(&app.store, "to come", 2, days(1)).await;

        let (all, _) = read(list_inventory::handle(&app, asking("10", None)).await.unwrap());
        assert_eq!(names(&all), ["to come", "begun"]);
        assert_eq!((&all[0]["onSale"], &all[1]["onSale"]), (&Value::Bool(true), &Value::Bool(false)));
        assert_eq!(available(&app, "10").await, [["to come"]]);
        // The index lags behind for a moment, and still has the date it had.
        list_under(&database, begun.id, days(2)).await;
        assert_eq!(available(&app, "10").await, [["to come"]]);
    })
    .await;
}

#[tokio::test]
async fn a_page_is_full_though_the_index_lists_what_was_moved_or_deleted() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (from, to) = (days(1), days(5));
        for number in 0..6 {
            let id = on_sale(&store, &format!("gone {number}"), 1, days(2)).await.id;
            if number % 2 == 0 {
                store.delete(id, &trace()).await.unwrap();
            } else {
                let moved = Revision { event_date: Some(days(9)), ..Revision::default() };
                store.update(id, &moved, &trace()).await.unwrap();
            }
            list_under(&database, id, days(2)).await;
        }
        for name in ["a", "b", "c"] {
            on_sale(&store, name, 1, days(3)).await;
        }
        let page = async |cursor: Option<Cursor>| -> (Vec<String>, Option<Cursor>) {
            let limit: Limit = "2".parse().unwrap();
            let Page { items, next } = store.list_by_date(from, Some(to), limit, cursor).await.unwrap();
            (items.iter().map(|inventory| inventory.terms.event_name.to_string()).collect(), next)
        };
        let (first, next) = page(None).await;
        assert_eq!(first, ["a", "b"]);
        assert_eq!(page(next).await, (vec!["c".to_owned()], None));
    })
    .await;
}

/// Puts an event's entry of `gsi2` under a date, as the index has it for a moment after a change.
async fn list_under(database: &Database, id: InventoryId, date: Timestamp) {
    let text = |value: String| AttributeValue::S(value);
    database
        .client()
        .update_item()
        .table_name(database.table(Table::Inventory))
        .key("pk", text(format!("INV#{id}")))
        .key("sk", text("TERMS".into()))
        .update_expression("SET gsi2pk = :all, gsi2sk = :date")
        .expression_attribute_values(":all", text("ON_SALE".into()))
        .expression_attribute_values(":date", text(format!("{date}#{id}")))
        .send()
        .await
        .unwrap();
}
