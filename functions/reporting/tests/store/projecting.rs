//! Events in, read models kept: AP-121 to AP-125.

use crate::fixture::{Desk, Story, batch, expected, on_sale};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_kernel::InventoryId;
use boxoffice_testing::{Table, for_each_dynamodb};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test]
async fn the_sales_follow_the_bookings() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&on_sale(inventory)).await;
        assert_eq!(desk.shown(inventory).await, (0, 0, 0, 0, 0));
        let story = Story::new(inventory);
        for (events, shown) in [
            (story.booked(), (2, 0, 0, 0, 0)),
            (story.sold(), (0, 2, 0, 9980, 0)),
            (story.taken_back(), (0, 0, 2, 9980, 9980)),
        ] {
            desk.project(&events).await;
            assert_eq!(desk.shown(inventory).await, shown);
        }
        desk.project(&Story::new(inventory).lapsed()).await;
        assert_eq!(desk.shown(inventory).await, (0, 0, 4, 9980, 9980));
    })
    .await;
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let mut events: Vec<Value> = on_sale(inventory).into();
        events.extend(Story::new(inventory).taken_back());
        desk.project(&events).await;
        let kept = desk.epoch(0).await;
        desk.project(&events).await;
        assert_eq!(desk.epoch(0).await, kept);
        events.reverse();
        for event in &events {
            desk.project(std::slice::from_ref(event)).await;
        }
        assert_eq!(desk.epoch(0).await, kept);
    })
    .await;
}

/// The control of the test above: what a booking remembers is all that keeps a repeated event from counting twice.
#[tokio::test]
async fn a_booking_that_has_forgotten_counts_twice() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let story = Story::new(inventory);
        desk.project(&on_sale(inventory)).await;
        desk.project(&story.sold()).await;
        let (pk, sk) = (format!("E0#BOOKINGS#{}", story.user), story.ticket.to_string());
        let forget = database.client().delete_item().table_name(database.table(Table::Views));
        forget.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk)).send().await.unwrap();
        desk.project(&story.sold()).await;
        assert_eq!(desk.shown(inventory).await, (0, 4, 0, 19960, 0));
    })
    .await;
}

#[tokio::test]
async fn events_of_one_booking_that_come_at_once_and_twice_are_counted_once() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let story = Story::new(inventory);
        desk.project(&on_sale(inventory)).await;
        let events = story.taken_back();
        let mut running = JoinSet::new();
        for event in [events.clone(), events.clone()].concat() {
            let desk = desk.clone();
            running.spawn(async move { desk.project(&[event]).await });
        }
        running.join_all().await;
        assert_eq!(desk.shown(inventory).await, (0, 0, 2, 9980, 9980));
    })
    .await;
}

#[tokio::test]
async fn bookings_of_one_event_that_come_at_once_are_all_counted() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&on_sale(inventory)).await;
        let (mut running, mut events) = (JoinSet::new(), Vec::new());
        for number in 0..12 {
            let story = Story::new(inventory);
            let told = if number % 3 == 0 { story.taken_back() } else { story.sold() };
            events.extend(told.clone());
            let desk = desk.clone();
            running.spawn(async move { desk.project(&told).await });
        }
        running.join_all().await;
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
        assert_eq!(desk.shown(inventory).await, (0, 16, 8, 12 * 9980, 4 * 9980));
    })
    .await;
}

#[tokio::test]
async fn an_event_on_sale_is_shown_as_it_is_now_even_when_its_events_come_late() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        assert_eq!(desk.views.sales(inventory).await.unwrap(), None);
        let [created, updated] = on_sale(inventory);
        desk.project(&[updated]).await;
        desk.project(&[created]).await;
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().event.version, 2);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_no_event_is_dead_lettered_and_the_rest_is_projected() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&on_sale(inventory)).await;
        let (story, mut broken) = (Story::new(inventory), Story::new(inventory).event("TicketCreated", 1));
        broken["data"]["quantity"] = json!(0);
        let events = [vec![broken], story.booked()].concat();
        let projected = desk.projector.project(batch(&events)).await.unwrap();
        let [(reason, item)] = projected.malformed.as_slice() else { panic!("{projected:?}") };
        assert!(reason.contains("TicketCreated"), "{reason}");
        assert!(item.contains("TicketCreated"), "{item}");
        assert_eq!(desk.shown(inventory).await, (2, 0, 0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn the_newest_event_known_is_told_with_how_long_it_took() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        assert_eq!(desk.views.progress().await.unwrap(), None);
        let events = Story::new(inventory).sold();
        desk.project(&events[1..]).await;
        let progress = desk.views.progress().await.unwrap().unwrap();
        assert_eq!(progress.occurred_at, "2026-11-23T13:34:07.002Z".parse().unwrap());
        assert_eq!(progress.lag_millis(), progress.projected_at.unix_millis() - progress.occurred_at.unix_millis());
        desk.project(&events[..1]).await;
        assert_eq!(desk.views.progress().await.unwrap(), Some(progress));
    })
    .await;
}
