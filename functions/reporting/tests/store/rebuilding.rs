//! All read models made again: AP-130 to AP-133.

use crate::fixture::{Desk, Story, expected, on_sale};
use boxoffice_kernel::{InventoryId, Timestamp};
use boxoffice_reporting::{
    projector::Rebuilt,
    store::{GRACE_SECONDS, SweepError},
};
use boxoffice_testing::{Table, for_each_dynamodb};
use serde_json::Value;

async fn rebuild(desk: &Desk) -> Rebuilt {
    let events = desk.database.table(Table::Events);
    desk.projector.rebuild(&desk.database.client(), events, |_| {}).await.unwrap()
}

/// When nobody is at work any more that was when this was called.
fn settled() -> Timestamp {
    Timestamp::now().plus_seconds(GRACE_SECONDS)
}

/// Bookings of every kind.
fn season(inventory: InventoryId) -> Vec<Value> {
    let bookings = (0..4).flat_map(|_| {
        let story = || Story::new(inventory);
        [story().booked(), story().sold(), story().taken_back(), story().lapsed()].concat()
    });
    on_sale(inventory).into_iter().chain(bookings).collect()
}

#[tokio::test]
async fn a_rebuild_equals_the_live_read_models() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        desk.append(&events).await;
        for some in events.chunks(7) {
            desk.project(some).await;
        }
        let live = desk.epoch(0).await;
        let rebuilt = rebuild(&desk).await;
        assert_eq!(rebuilt.malformed, [""; 0]);
        assert!(rebuilt.events.read >= events.len());
        assert_eq!(desk.epoch(1).await, live);
    })
    .await;
}

#[tokio::test]
async fn a_sweep_deletes_only_unused_previous_epochs() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        desk.append(&events).await;
        desk.project(&events).await;
        let live = desk.epoch(0).await;
        assert_eq!(desk.views.sweep(Timestamp::now()).await.unwrap(), 0, "the first of all is what is shown");

        let rebuilt = rebuild(&desk).await;
        let early = desk.views.sweep(Timestamp::now()).await;
        assert!(matches!(early, Err(SweepError::TooEarly(at)) if Some(at) == rebuilt.settled_at), "{early:?}");
        assert_eq!(desk.epoch(0).await, live);

        // The next is being built already, and is no more to be deleted than what is shown.
        desk.views.begin_building().await.unwrap();
        desk.project(&Story::new(inventory).sold()).await;
        let building = desk.epoch(2).await;
        assert_eq!(desk.views.sweep(settled()).await.unwrap(), live.len());
        assert!(desk.epoch(0).await.is_empty());
        assert!(desk.epoch(1).await.len() >= live.len());
        assert_eq!((building.is_empty(), desk.epoch(2).await), (false, building));
        assert_eq!(desk.views.sweep(settled()).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn read_models_that_were_lost_or_wrong_are_right_after_a_rebuild() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        desk.append(&events).await;
        desk.project(&events[..9]).await;
        desk.project(&Story::new(inventory).sold()).await;
        assert_ne!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
        rebuild(&desk).await;
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
    })
    .await;
}

#[tokio::test]
async fn no_event_that_arrives_during_a_rebuild_is_lost() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        let (before, during) = events.split_at(events.len() / 3);
        desk.append(before).await;
        desk.project(before).await;
        let arriving = {
            let (desk, during) = (desk.clone(), during.to_vec());
            tokio::spawn(async move {
                for event in during {
                    desk.append(std::slice::from_ref(&event)).await;
                    desk.project(&[event]).await;
                }
            })
        };
        for _ in 0..3 {
            rebuild(&desk).await;
        }
        arriving.await.unwrap();
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
        let epochs = desk.views.epochs().await.unwrap();
        assert_eq!((epochs.written().count(), epochs.building), (1, None));
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_that_was_broken_off_is_taken_up_again_and_shows_nothing_until_then() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        desk.append(&events).await;
        desk.project(&events).await;
        let begun = desk.views.begin_building().await.unwrap();
        assert_eq!(desk.views.begin_building().await.unwrap(), begun);
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
        // An event that arrives now goes to both.
        let late = Story::new(inventory).sold();
        desk.append(&late).await;
        desk.project(&late).await;
        // The booking, an hour of sales, and its charge in both journals.
        assert_eq!(desk.epoch(1).await.len(), 4);
        rebuild(&desk).await;
        let all = [events, late].concat();
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&all));
        assert_eq!(desk.views.epochs().await.unwrap().current, begun);
    })
    .await;
}

#[tokio::test]
async fn two_concurrent_rebuilds_both_finish() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = season(inventory);
        desk.append(&events).await;
        let (one, other) = (desk.clone(), desk.clone());
        let (one, other) =
            (tokio::spawn(async move { rebuild(&one).await }), tokio::spawn(async move { rebuild(&other).await }));
        one.await.unwrap();
        other.await.unwrap();
        assert_eq!(desk.views.sales(inventory).await.unwrap().unwrap().sales, expected(&events));
    })
    .await;
}
