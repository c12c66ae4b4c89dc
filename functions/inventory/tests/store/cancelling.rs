//! Cancelling an event: AP-470 to AP-472.

use crate::fixture::{hold, on_sale_in_shards, planned, quantity, refused, store, write_hold};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::transaction::Written;
use boxoffice_inventory::{
    Inventory, InventoryStore, SeatGuard,
    cancellation::{Cancellation, State},
    domain::{NotForSale, Revision, Unchangeable},
    store::{CancelError, SeatsError, UpdateError},
};
use boxoffice_kernel::{InventoryId, Reason, TicketId, Timestamp, UserId};
use boxoffice_testing::{Table, for_each_dynamodb, trace};

fn reason() -> Reason {
    "The headliner is ill".parse().unwrap()
}

async fn cancel(store: &InventoryStore, event: InventoryId) -> Cancellation {
    store.cancel(event, &reason(), UserId::generate(), &trace()).await.unwrap()
}

/// A hold as a booking plans it now, to be written later.
async fn plan(store: &InventoryStore, event: InventoryId) -> (Inventory, boxoffice_inventory::domain::Reservation) {
    let seen = store.get(event).await.unwrap().unwrap();
    let reservation = planned(&seen, 1, TicketId::generate());
    (seen, reservation)
}

#[tokio::test]
async fn a_cancelled_event_sells_nothing_and_changes_no_more() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let event = on_sale_in_shards(&store, &[3, 3, 3, 3, 3]).await;
        hold(&database, event.id, 2).await;
        let walk = cancel(&store, event.id).await;
        assert_eq!((walk.state(), walk.run, walk.pass), (State::Cancelling, 1, 1));
        let after = store.get(event.id).await.unwrap().unwrap();
        assert_eq!(after.cancelled_at, Some(walk.requested_at));
        assert_eq!((after.version, after.booked(), &after.terms), (2, 2, &event.terms));
        let plan = after.plan_hold(quantity(1), 0, Timestamp::now());
        assert_eq!(plan, Err(NotForSale::Cancelled(walk.requested_at)));
        let by_hand = store.reserve_by_hand(event.id, quantity(1), &trace()).await.map(|_| ());
        assert!(matches!(by_hand, Err(SeatsError::NotForSale(NotForSale::Cancelled(_)))), "{by_hand:?}");
        let moved = Revision { location: "Arena".parse().ok(), ..Revision::default() };
        let update = store.update(event.id, &moved, &trace()).await;
        assert!(matches!(update, Err(UpdateError::Unchangeable(Unchangeable::Cancelled(_)))), "{update:?}");
        assert_eq!(database.history(event.id).await, ["InventoryCreated", "InventoryCancelled"]);
        assert_eq!(database.history(event.id.cancellation()).await, ["CancellationStarted"]);
        assert_eq!(database.seats(event.id).await.broken_rules(), Vec::<&str>::new());
    })
    .await;
}

#[tokio::test]
async fn a_hold_planned_before_the_cancellation_is_refused_by_its_shard() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let event = on_sale_in_shards(&store, &[3, 3]).await;
        let (seen, reservation) = plan(&store, event.id).await;
        cancel(&store, event.id).await;
        let refusals = refused(write_hold(&database, &seen, &reservation).await);
        assert!(refusals.any(|guard| matches!(guard, SeatGuard::Shard(_))), "{refusals:?}");
        assert_eq!(database.seats(event.id).await.counts(), (6, 0, 0));
    })
    .await;
}

/// The control: a mark that only says so, and leaves the shards as they are, does not stop a booking that has looked before.
#[tokio::test]
async fn a_mark_without_the_shards_would_let_a_planned_hold_through() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let event = on_sale_in_shards(&store, &[3, 3]).await;
        let (seen, reservation) = plan(&store, event.id).await;
        let text = |value: String| AttributeValue::S(value);
        let mark = database.client().update_item().table_name(database.table(Table::Inventory));
        let mark = mark.key("pk", text(format!("INV#{}", event.id))).key("sk", text("TERMS".into()));
        let mark = mark.update_expression("SET cancelledAt = :now");
        mark.expression_attribute_values(":now", text(Timestamp::now().to_string())).send().await.unwrap();
        let marked = store.get(event.id).await.unwrap().unwrap();
        assert!(!marked.is_on_sale(Timestamp::now()));
        write_hold(&database, &seen, &reservation).await.unwrap();
        assert_eq!(database.seats(event.id).await.counts(), (5, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn the_first_cancellation_stands_and_a_repeat_only_resumes_its_walk() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let event = on_sale_in_shards(&store, &[3]).await;
        let first = cancel(&store, event.id).await;
        let again = store.cancel(event.id, &"Another".parse().unwrap(), UserId::generate(), &trace()).await.unwrap();
        assert_eq!((again.run, &again.reason, again.requested_by), (2, &first.reason, first.requested_by));
        assert_eq!(store.get(event.id).await.unwrap().unwrap().version, 2);
        let over = again.after_page(&[], None, Timestamp::now()).after_pass(0, Timestamp::now());
        assert_eq!(store.save_cancellation(&again, &over, &trace()).await.unwrap(), Written::Yes);
        assert_eq!(store.save_cancellation(&again, &over, &trace()).await.unwrap(), Written::Stale);
        // It left no case: there is nothing to walk over again.
        assert_eq!(cancel(&store, event.id).await, over);
        let started = ["CancellationStarted", "CancellationStarted"];
        assert_eq!(database.history(event.id.cancellation()).await, started);
        assert_eq!(store.cancellation(event.id).await.unwrap(), Some(over));
    })
    .await;
}

#[tokio::test]
async fn two_who_cancel_at_once_cancel_once() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let event = on_sale_in_shards(&store, &[3, 3, 3]).await;
        let (one, other) = tokio::join!(cancel(&store, event.id), cancel(&store, event.id));
        assert_eq!(one.requested_by, other.requested_by);
        assert_eq!(database.history(event.id).await, ["InventoryCreated", "InventoryCancelled"]);
        assert_eq!(store.get(event.id).await.unwrap().unwrap().version, 2);
    })
    .await;
}

#[tokio::test]
async fn an_event_nobody_put_on_sale_is_not_cancelled() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let nowhere = InventoryId::generate();
        let refused = store.cancel(nowhere, &reason(), UserId::generate(), &trace()).await;
        assert!(matches!(refused, Err(CancelError::NotFound)), "{refused:?}");
        assert_eq!(store.cancellation(nowhere).await.unwrap(), None);
    })
    .await;
}
