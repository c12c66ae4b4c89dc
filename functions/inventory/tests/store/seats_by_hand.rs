//! Seats reserved and returned by hand: AP-22 and AP-23.

use crate::fixture::{hold, on_sale, on_sale_in_shards, quantity, store};
use boxoffice_inventory::{domain::NotForSale, store::SeatsError};
use boxoffice_kernel::InventoryId;
use boxoffice_testing::{for_each_dynamodb, trace};

#[tokio::test]
async fn seats_reserved_by_hand_are_held_until_returned_by_hand() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[3, 3]).await.id;
        let (inventory, reservation) = store.reserve_by_hand(id, quantity(5), &trace()).await.unwrap();
        assert_eq!((inventory.available(), inventory.held()), (1, 5));
        let seats = database.seats(id).await;
        assert_eq!((seats.counts(), seats.reserved), ((1, 5, 0), 5));
        assert_eq!(database.history(reservation).await, ["InventoryReserved"]);

        let inventory = store.return_by_hand(id, quantity(4), &trace()).await.unwrap();
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
