//! Seats reserved and returned by hand: AP-22 to AP-24.

use crate::fixture::{hold, on_sale, on_sale_in_shards, quantity, store};
use boxoffice_inventory::{
    InventoryStore,
    domain::NotForSale,
    store::{Moved, Origin, RequestKey, SeatsError},
};
use boxoffice_kernel::{InventoryId, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};

fn key(text: &str) -> RequestKey {
    RequestKey { user_id: UserId::generate(), key: text.parse().unwrap() }
}

async fn reserve(
    store: &InventoryStore,
    id: InventoryId,
    seats: u32,
    key: Option<&RequestKey>,
) -> Result<Moved, SeatsError> {
    store.reserve_by_hand(id, quantity(seats), Origin { trace: &trace(), key }).await
}

async fn give_back(
    store: &InventoryStore,
    id: InventoryId,
    seats: u32,
    key: Option<&RequestKey>,
) -> Result<Moved, SeatsError> {
    store.return_by_hand(id, quantity(seats), Origin { trace: &trace(), key }).await
}

/// How many seats of the event are reserved by hand.
async fn reserved(database: &Database, id: InventoryId) -> i64 {
    database.seats(id).await.reserved
}

/// Takes the markers of used keys out of the table.
async fn forget_keys(database: &Database) {
    for item in database.items(Table::Inventory).await {
        if item["sk"].as_s().is_ok_and(|sk| sk == "KEY") {
            let delete = database.client().delete_item().table_name(database.table(Table::Inventory));
            delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn seats_reserved_by_hand_are_held_until_returned_by_hand() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[3, 3]).await.id;
        let moved = store.reserve_by_hand(id, quantity(5), &trace()).await.unwrap();
        assert_eq!((moved.inventory.available(), moved.inventory.held(), moved.replayed), (1, 5, false));
        let seats = database.seats(id).await;
        assert_eq!((seats.counts(), seats.reserved), ((1, 5, 0), 5));
        assert_eq!(database.history(moved.reservation_id).await, ["InventoryReserved"]);

        let inventory = store.return_by_hand(id, quantity(4), &trace()).await.unwrap().inventory;
        assert_eq!((inventory.available(), inventory.held()), (5, 1));
        assert_eq!(database.seats(id).await.reserved, 1);
    })
    .await;
}

#[tokio::test]
async fn more_than_is_available_is_not_reserved() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 3).await.id;
        hold(&database, id, 1).await;
        let refused = store.reserve_by_hand(id, quantity(3), &trace()).await;
        assert!(
            matches!(refused, Err(SeatsError::NotForSale(NotForSale::SoldOut { available: 2, wanted: 3 }))),
            "{refused:?}"
        );
        assert_eq!(database.seats(id).await.counts(), (2, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn seats_of_tickets_are_never_returned_by_hand() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 6).await.id;
        hold(&database, id, 3).await;
        store.reserve_by_hand(id, quantity(1), &trace()).await.unwrap();
        let refused = store.return_by_hand(id, quantity(2), &trace()).await;
        assert!(matches!(refused, Err(SeatsError::NotReserved(1))), "{refused:?}");
        store.return_by_hand(id, quantity(1), &trace()).await.unwrap();
        assert_eq!(database.seats(id).await.counts(), (3, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn returns_at_once_give_back_no_more_than_was_reserved() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[4, 4]).await.id;
        hold(&database, id, 2).await;
        store.reserve_by_hand(id, quantity(3), &trace()).await.unwrap();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let store = store.clone();
            running.spawn(async move { store.return_by_hand(id, quantity(1), &trace()).await.is_ok() });
        }
        let returned = running.join_all().await.into_iter().filter(|returned| *returned).count();
        assert_eq!(returned, 3);
        assert_eq!(database.seats(id).await.counts(), (6, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn seats_of_an_event_not_on_sale_are_not_moved() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = InventoryId::generate();
        let reserve = store.reserve_by_hand(id, quantity(1), &trace()).await;
        assert!(matches!(reserve, Err(SeatsError::NotFound)), "{reserve:?}");
        let restore = store.return_by_hand(id, quantity(1), &trace()).await;
        assert!(matches!(restore, Err(SeatsError::NotFound)), "{restore:?}");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_repeated_under_its_key_moves_seats_once() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[4, 4]).await.id;
        let (reserving, returning) = (key("reserve"), key("return"));
        let first = reserve(&store, id, 5, Some(&reserving)).await.unwrap();
        // There are not five more: a repeat that planned anew would be refused.
        for _ in 0..2 {
            let again = reserve(&store, id, 5, Some(&reserving)).await.unwrap();
            assert_eq!((again.replayed, again.reservation_id), (true, first.reservation_id));
            assert_eq!((again.inventory.available(), reserved(&database, id).await), (3, 5));
        }
        assert_eq!(database.history(first.reservation_id).await, ["InventoryReserved"]);

        for replayed in [false, true, true] {
            let moved = give_back(&store, id, 2, Some(&returning)).await.unwrap();
            assert_eq!((moved.replayed, reserved(&database, id).await), (replayed, 3));
        }
    })
    .await;
}

/// The control of the test above: it is the marker, and nothing else, that makes a repeat move nothing.
#[tokio::test]
async fn without_a_key_or_without_its_marker_a_repeat_moves_seats_again() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 10).await.id;
        for expected in [2, 4] {
            reserve(&store, id, 2, None).await.unwrap();
            assert_eq!(reserved(&database, id).await, expected);
        }
        let key = key("reserve");
        for expected in [6, 8] {
            let moved = reserve(&store, id, 2, Some(&key)).await.unwrap();
            assert_eq!((moved.replayed, reserved(&database, id).await), (false, expected));
            forget_keys(&database).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_sent_many_times_at_once_moves_seats_once() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        // Exactly as many as are asked for, so that those who come late find none left.
        let id = on_sale_in_shards(&store, &[2, 2]).await.id;
        let key = key("reserve");
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (store, key) = (store.clone(), key.clone());
            running.spawn(async move { reserve(&store, id, 4, Some(&key)).await.unwrap() });
        }
        let moved = running.join_all().await;
        assert_eq!(moved.iter().filter(|moved| !moved.replayed).count(), 1);
        assert!(moved.iter().all(|each| each.reservation_id == moved[0].reservation_id));
        assert_eq!(database.seats(id).await.counts(), (0, 4, 0));
    })
    .await;
}

#[tokio::test]
async fn a_key_names_one_request_of_one_caller() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (id, other) = (on_sale(&store, 6).await.id, on_sale(&store, 6).await.id);
        let mine = key("same");
        reserve(&store, id, 2, Some(&mine)).await.unwrap();
        for reused in [
            reserve(&store, id, 3, Some(&mine)).await,
            // More than there are, so that the plan is refused before the key is.
            reserve(&store, id, 5, Some(&mine)).await,
            reserve(&store, other, 2, Some(&mine)).await,
            give_back(&store, id, 2, Some(&mine)).await,
        ] {
            assert!(matches!(reused, Err(SeatsError::KeyReused)), "{reused:?}");
        }
        assert_eq!((reserved(&database, id).await, reserved(&database, other).await), (2, 0));

        let strangers = key("same");
        assert!(!reserve(&store, id, 2, Some(&strangers)).await.unwrap().replayed);
        assert_eq!(reserved(&database, id).await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_unused() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 3).await.id;
        let ticket = hold(&database, id, 2).await;
        let key = key("reserve");
        let refused = reserve(&store, id, 2, Some(&key)).await;
        assert!(matches!(refused, Err(SeatsError::NotForSale(_))), "{refused:?}");
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        assert!(!reserve(&store, id, 2, Some(&key)).await.unwrap().replayed);
    })
    .await;
}
