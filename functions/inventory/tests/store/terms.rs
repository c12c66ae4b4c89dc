//! Events on sale: AP-10 to AP-16.

use crate::fixture::{hold, on_sale, on_sale_in_shards, resized, store, terms, tomorrow};
use boxoffice_aws::{Limit, ListError};
use boxoffice_inventory::{
    Inventory,
    domain::{Revision, Unchangeable},
    store::{CreateError, DeleteError, UpdateError},
};
use boxoffice_kernel::{Amount, InventoryId, Timestamp};
use boxoffice_testing::{Table, for_each_dynamodb, trace};

#[tokio::test]
async fn an_event_on_sale_is_read_as_it_was_created() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let inventory = Inventory::open(InventoryId::generate(), terms("Concert", 250), Timestamp::now());
        store.create(&inventory, &trace()).await.unwrap();

        assert_eq!(inventory.shards.len(), 3);
        assert_eq!(store.get(inventory.id).await.unwrap().as_ref(), Some(&inventory));
        assert_eq!(store.find(&inventory.terms.event_name).await.unwrap(), Some(inventory.id));
        assert_eq!(database.seats(inventory.id).await.counts(), (250, 0, 0));
        assert_eq!(database.history(inventory.id).await, ["InventoryCreated"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_nobody_put_on_sale_is_not_found() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        assert_eq!(store.get(InventoryId::generate()).await.unwrap(), None);
        assert_eq!(store.find(&"Nothing".parse().unwrap()).await.unwrap(), None);
        let update = store.update(InventoryId::generate(), &Revision::default(), &trace()).await;
        assert!(matches!(update, Err(UpdateError::NotFound)), "{update:?}");
        let delete = store.delete(InventoryId::generate(), &trace()).await;
        assert!(matches!(delete, Err(DeleteError::NotFound)), "{delete:?}");
    })
    .await;
}

#[tokio::test]
async fn a_name_is_on_sale_once_and_its_refusal_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let first = Inventory::open(InventoryId::generate(), terms("Concert", 10), Timestamp::now());
        store.create(&first, &trace()).await.unwrap();
        let before = database.items(Table::Inventory).await.len();

        let second = Inventory::open(InventoryId::generate(), terms("Concert", 10), Timestamp::now());
        let refused = store.create(&second, &trace()).await;
        assert!(matches!(refused, Err(CreateError::NameTaken)), "{refused:?}");
        assert_eq!(store.find(&first.terms.event_name).await.unwrap(), Some(first.id));
        assert_eq!(database.items(Table::Inventory).await.len(), before);
        assert!(database.events_of(second.id).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_name_spelled_another_way_is_the_same_name() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let first = Inventory::open(InventoryId::generate(), terms("Beyonc\u{e9} Final", 10), Timestamp::now());
        store.create(&first, &trace()).await.unwrap();
        for spelling in [
            "Beyonce\u{301} Final",
            "BEYONC\u{c9} \u{fb01}nal",
            "Beyonc\u{e9}\u{3000}Final",
            "Beyonc\u{e9} Fi\u{200b}nal",
        ] {
            let second = Inventory::open(InventoryId::generate(), terms(spelling, 10), Timestamp::now());
            let refused = store.create(&second, &trace()).await;
            assert!(matches!(refused, Err(CreateError::NameTaken)), "{spelling}: {refused:?}");
            assert_eq!(store.find(&spelling.parse().unwrap()).await.unwrap(), Some(first.id), "{spelling}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_can_be_spelled_another_way_and_keeps_its_name() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let ours = Inventory::open(InventoryId::generate(), terms("Concert", 10), Timestamp::now());
        store.create(&ours, &trace()).await.unwrap();
        let spelled = Revision { event_name: Some("CONCERT".parse().unwrap()), ..Revision::default() };
        store.update(ours.id, &spelled, &trace()).await.unwrap();
        assert_eq!(store.get(ours.id).await.unwrap().unwrap().terms.event_name.as_str(), "CONCERT");
        let second = Inventory::open(InventoryId::generate(), terms("concert", 10), Timestamp::now());
        assert!(matches!(store.create(&second, &trace()).await, Err(CreateError::NameTaken)));
        store.delete(ours.id, &trace()).await.unwrap();
        store.create(&second, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn one_of_two_events_with_the_same_name_goes_on_sale() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let create = async || {
            let inventory = Inventory::open(InventoryId::generate(), terms("Concert", 10), Timestamp::now());
            store.create(&inventory, &trace()).await
        };
        let (a, b) = tokio::join!(create(), create());
        assert!(
            matches!((&a, &b), (Ok(()), Err(CreateError::NameTaken)) | (Err(CreateError::NameTaken), Ok(()))),
            "{a:?} {b:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_list_pages_through_every_event_once_newest_first() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let mut created = Vec::new();
        for _ in 0..5 {
            created.push(on_sale(&store, 3).await.id);
        }
        created.reverse();

        let limit: Limit = "2".parse().unwrap();
        let (mut listed, mut sizes, mut cursor) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.list(limit, cursor).await.unwrap();
            sizes.push(page.items.len());
            listed.extend(page.items.iter().map(|inventory| inventory.id));
            // As it travels: through a URL.
            cursor = page.next.map(|next| next.to_string().parse().unwrap());
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, created);
        assert_eq!(sizes, [2, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        for _ in 0..2 {
            on_sale(&store, 3).await;
        }
        let one: Limit = "1".parse().unwrap();
        let next = store.list(one, None).await.unwrap().next;
        let elsewhere = store.list_by_date(Timestamp::now(), None, one, next).await;
        assert!(matches!(elsewhere, Err(ListError::Cursor(_))), "{elsewhere:?}");
    })
    .await;
}

#[tokio::test]
async fn the_list_by_date_is_in_order_and_includes_both_ends() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let mut by_date = Vec::new();
        for (name, days) in [("third", 3), ("first", 1), ("second", 2), ("fourth", 4)] {
            let mut terms = terms(name, 3);
            terms.event_date = Timestamp::now().plus_seconds(days * 86_400);
            let inventory = Inventory::open(InventoryId::generate(), terms, Timestamp::now());
            store.create(&inventory, &trace()).await.unwrap();
            by_date.push(inventory);
        }
        by_date.sort_by_key(|inventory| inventory.terms.event_date);
        let date = |number: usize| by_date[number].terms.event_date;
        let names = async |start, end| -> Vec<String> {
            let page = store.list_by_date(start, end, Limit::default(), None).await.unwrap();
            assert!(page.next.is_none());
            page.items.iter().map(|inventory| inventory.terms.event_name.to_string()).collect()
        };

        assert_eq!(names(Timestamp::now(), None).await, ["first", "second", "third", "fourth"]);
        assert_eq!(names(date(1), Some(date(2))).await, ["second", "third"]);
        assert_eq!(names(date(3).plus_seconds(1), None).await, Vec::<String>::new());

        let one: Limit = "1".parse().unwrap();
        let page = store.list_by_date(date(1), None, one, None).await.unwrap();
        let page = store.list_by_date(date(1), None, one, page.next).await.unwrap();
        assert_eq!(page.items[0].id, by_date[2].id);

        // By the next page the event that ended this one may have begun.
        let page = store.list_by_date(date(0), None, one, None).await.unwrap();
        let page = store.list_by_date(date(1), None, one, page.next).await.unwrap();
        assert_eq!(page.items[0].id, by_date[1].id);
        // Nothing after it is read in a range that ended before.
        let page = store.list_by_date(date(2), None, one, None).await.unwrap();
        let earlier = store.list_by_date(date(0), Some(date(1)), one, page.next).await;
        assert!(matches!(earlier, Err(ListError::Cursor(_))), "{earlier:?}");
    })
    .await;
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_counts_the_version() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let inventory = on_sale(&store, 10).await;
        let revision = Revision { price: Some(Amount::from_minor(100).unwrap()), ..resized(250) };
        let revised = store.update(inventory.id, &revision, &trace()).await.unwrap();

        assert_eq!(store.get(inventory.id).await.unwrap().as_ref(), Some(&revised));
        assert_eq!((revised.version, revised.terms.price.amount.minor()), (2, 100));
        assert_eq!(revised.terms.location, inventory.terms.location);
        assert_eq!(revised.shards.len(), 3);
        assert_eq!(database.seats(inventory.id).await.counts(), (250, 0, 0));
        assert_eq!(database.history(inventory.id).await, ["InventoryCreated", "InventoryUpdated"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_can_be_sold_under_a_new_name_and_its_old_one_is_free() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (ours, theirs) = (on_sale(&store, 5).await, on_sale(&store, 5).await);
        let renamed = |name: &str| Revision { event_name: Some(name.parse().unwrap()), ..Revision::default() };

        let taken = store.update(ours.id, &renamed(theirs.terms.event_name.as_str()), &trace()).await;
        assert!(matches!(taken, Err(UpdateError::NameTaken)), "{taken:?}");
        assert_eq!(store.get(ours.id).await.unwrap().unwrap().terms, ours.terms);

        store.update(ours.id, &renamed("Encore"), &trace()).await.unwrap();
        assert_eq!(store.find(&"Encore".parse().unwrap()).await.unwrap(), Some(ours.id));
        assert_eq!(store.find(&ours.terms.event_name).await.unwrap(), None);
        let heir = Inventory::open(InventoryId::generate(), ours.terms.clone(), Timestamp::now());
        store.create(&heir, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_update_by_someone_who_saw_an_older_version_is_refused() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let first = Revision { version: Some(1), ..resized(6) };
        store.update(id, &first, &trace()).await.unwrap();
        let second = store.update(id, &Revision { version: Some(1), ..resized(7) }, &trace()).await;
        assert!(matches!(second, Err(UpdateError::Unchangeable(Unchangeable::Stale { current: 2 }))), "{second:?}");
        assert_eq!(database.seats(id).await.total, 6);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_comes_again_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let once = store.update(id, &resized(6), &trace()).await.unwrap();
        let again = store.update(id, &resized(6), &trace()).await.unwrap();
        assert_eq!((again.version, again.updated_at), (2, once.updated_at));
    })
    .await;
}

#[tokio::test]
async fn updates_at_once_each_take_effect_in_some_order() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[2, 2]).await.id;
        let place = Revision { location: Some("Arena".parse().unwrap()), ..Revision::default() };
        let date = Revision { event_date: Some(tomorrow().plus_seconds(60)), ..Revision::default() };
        let (resized, trace) = (resized(9), trace());
        let (a, b, c) = tokio::join!(
            store.update(id, &resized, &trace),
            store.update(id, &place, &trace),
            store.update(id, &date, &trace)
        );
        for outcome in [a, b, c] {
            outcome.unwrap();
        }
        let inventory = store.get(id).await.unwrap().unwrap();
        assert_eq!((inventory.version, inventory.terms.location.as_str()), (4, "Arena"));
        assert_eq!(Some(inventory.terms.event_date), date.event_date);
        assert_eq!(database.seats(id).await.counts(), (9, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn there_cannot_be_fewer_seats_than_are_taken() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[4, 4]).await.id;
        hold(&database, id, 3).await;
        crate::fixture::sell(&database, id, 2).await;

        let refused = store.update(id, &resized(4), &trace()).await;
        assert!(
            matches!(refused, Err(UpdateError::Unchangeable(Unchangeable::SeatsTaken { taken: 5, wanted: 4 }))),
            "{refused:?}"
        );
        assert_eq!(database.seats(id).await.counts(), (3, 3, 2));
        store.update(id, &resized(5), &trace()).await.unwrap();
        assert_eq!(database.seats(id).await.counts(), (0, 3, 2));
    })
    .await;
}

#[tokio::test]
async fn an_event_taken_off_sale_is_gone_its_name_free_and_its_history_kept() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let inventory = on_sale_in_shards(&store, &[2, 2]).await;
        store.delete(inventory.id, &trace()).await.unwrap();

        assert_eq!(store.get(inventory.id).await.unwrap(), None);
        assert_eq!(store.find(&inventory.terms.event_name).await.unwrap(), None);
        assert!(store.list(Limit::default(), None).await.unwrap().items.is_empty());
        assert_eq!(database.history(inventory.id).await, ["InventoryCreated", "InventoryDeleted"]);
        let again = store.delete(inventory.id, &trace()).await;
        assert!(matches!(again, Err(DeleteError::NotFound)), "{again:?}");
        let heir = Inventory::open(InventoryId::generate(), inventory.terms, Timestamp::now());
        store.create(&heir, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_event_with_seats_held_or_sold_stays_on_sale() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let ticket = hold(&database, id, 1).await;
        let refused = store.delete(id, &trace()).await;
        assert!(matches!(refused, Err(DeleteError::InUse)), "{refused:?}");
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        store.delete(id, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn seats_are_not_held_on_an_event_that_went_off_sale_meanwhile() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let seen = on_sale(&store, 5).await;
        store.delete(seen.id, &trace()).await.unwrap();

        let reservation = crate::fixture::planned(&seen, 1, boxoffice_kernel::TicketId::generate());
        let refusals = crate::fixture::refused(crate::fixture::write_hold(&database, &seen, &reservation).await);
        assert!(refusals.any(|guard| matches!(guard, boxoffice_inventory::SeatGuard::Shard(0))), "{refusals:?}");
    })
    .await;
}
