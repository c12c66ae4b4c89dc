//! Summaries: each follows its event's shards, the last write has the newest sums, and a list reads no shards. AP-540, AP-541.

use crate::fixture::{hold, on_sale, on_sale_in_shards, quantity, resized, sell, store};
use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{Limit, client, transaction::Written};
use boxoffice_inventory::{
    InventoryStore,
    domain::SeatCounts,
    handlers::summarise_inventory::Summariser,
    store::{Summarised, Sums},
};
use boxoffice_kernel::{InventoryId, TicketId};
use boxoffice_testing::{Database, Meter, Table, for_each_dynamodb, stream::keyed, trace};
use serde_json::json;
use tokio::task::JoinSet;

/// The event's seats as the list of all events shows them.
async fn listed(store: &InventoryStore, id: InventoryId) -> SeatCounts {
    let page = store.list(Limit::LARGEST, None).await.unwrap();
    page.items.iter().find(|inventory| inventory.id == id).unwrap().seats
}

/// The event's seats as its shards have them.
async fn counted(store: &InventoryStore, id: InventoryId) -> SeatCounts {
    store.get(id).await.unwrap().unwrap().seats()
}

fn seats(available: u32, held: u32, sold: u32) -> SeatCounts {
    SeatCounts { available, held, sold }
}

fn key(id: InventoryId) -> [(&'static str, AttributeValue); 2] {
    [("pk", AttributeValue::S(format!("SUM#{id}"))), ("sk", AttributeValue::S("SUMMARY".into()))]
}

/// Takes the summary away, as of an event that was put on sale before there were any.
async fn without_summary(database: &Database, id: InventoryId) {
    let [pk, sk] = key(id);
    let delete = database.client().delete_item().table_name(database.table(Table::Inventory));
    delete.key(pk.0, pk.1).key(sk.0, sk.1).send().await.unwrap();
}

async fn has_summary(store: &InventoryStore, id: InventoryId) -> bool {
    store.summaries(&[id]).await.unwrap().contains_key(&id)
}

/// Writes sums as the product must not: whatever the summary's version is by now.
async fn write_unconditionally(database: &Database, id: InventoryId, seats: SeatCounts) {
    let [pk, sk] = key(id);
    let number = |seats: u32| AttributeValue::N(seats.to_string());
    let update = database.client().update_item().table_name(database.table(Table::Inventory));
    update
        .key(pk.0, pk.1)
        .key(sk.0, sk.1)
        .update_expression("SET available = :available, held = :held, sold = :sold ADD version :one")
        .expression_attribute_values(":available", number(seats.available))
        .expression_attribute_values(":held", number(seats.held))
        .expression_attribute_values(":sold", number(seats.sold))
        .expression_attribute_values(":one", number(1))
        .send()
        .await
        .unwrap();
}

async fn sums(store: &InventoryStore, id: InventoryId) -> Sums {
    store.sums(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_new_event_is_listed_with_all_its_seats() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[4, 4, 3]).await.id;
        assert_eq!(store.summaries(&[id]).await.unwrap().get(&id), Some(&seats(11, 0, 0)));
        assert_eq!(listed(&store, id).await, seats(11, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_summary_follows_every_kind_of_move() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        // Two partitions.
        let id = on_sale_in_shards(&store, &[4, 4, 4, 4, 4]).await.id;
        let follows = async |expected: SeatCounts| {
            let before = listed(&store, id).await;
            assert_ne!(before, expected, "a list reads no shards");
            assert_eq!(store.summarise(id).await.unwrap(), Summarised::Written);
            assert_eq!(listed(&store, id).await, expected);
            assert_eq!(counted(&store, id).await, expected);
        };

        let held = hold(&database, id, 3).await;
        follows(seats(17, 3, 0)).await;
        sell(&database, id, 5).await;
        follows(seats(12, 3, 5)).await;
        store.release(held, "HoldExpired", &trace()).await.unwrap();
        follows(seats(15, 0, 5)).await;
        store.reserve_by_hand(id, quantity(6), &trace()).await.unwrap();
        follows(seats(9, 6, 5)).await;
        store.return_by_hand(id, quantity(2), &trace()).await.unwrap();
        follows(seats(11, 4, 5)).await;
        store.update(id, &resized(30), &trace()).await.unwrap();
        follows(seats(21, 4, 5)).await;
        store.update(id, &resized(9), &trace()).await.unwrap();
        follows(seats(0, 4, 5)).await;
    })
    .await;
}

#[tokio::test]
async fn the_summariser_that_read_older_shards_is_refused() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[2, 2]).await.id;
        hold(&database, id, 1).await;
        let slow = sums(&store, id).await;
        hold(&database, id, 1).await;
        assert_eq!(store.summarise(id).await.unwrap(), Summarised::Written);

        assert_eq!(store.write_sums(&slow).await.unwrap(), Written::Stale);
        assert_eq!(listed(&store, id).await, seats(2, 2, 0));
    })
    .await;
}

/// The control: without the version, the slow one wins, and the list stays wrong until the next move.
#[tokio::test]
async fn without_the_version_older_sums_would_stay() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[2, 2]).await.id;
        hold(&database, id, 1).await;
        let read_by_the_slow_one = counted(&store, id).await;
        hold(&database, id, 1).await;
        store.summarise(id).await.unwrap();

        write_unconditionally(&database, id, read_by_the_slow_one).await;
        assert_ne!(listed(&store, id).await, counted(&store, id).await);
        store.summarise(id).await.unwrap();
        assert_eq!(listed(&store, id).await, counted(&store, id).await);
    })
    .await;
}

/// A hold and its release leave the sums as they were. A summariser that read between the two is still about to write.
#[tokio::test]
async fn sums_that_did_not_change_are_written_so_that_older_ones_are_refused() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 4).await.id;
        let ticket = hold(&database, id, 1).await;
        let between = sums(&store, id).await;
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        assert_eq!(listed(&store, id).await, counted(&store, id).await);
        assert_eq!(store.summarise(id).await.unwrap(), Summarised::Written);

        assert_eq!(store.write_sums(&between).await.unwrap(), Written::Stale);
        assert_eq!(listed(&store, id).await, seats(4, 0, 0));
    })
    .await;
}

/// Each move is followed by a summariser, as the stream sees to, and all are at work at once.
#[tokio::test]
async fn however_many_summarisers_meet_the_last_sums_are_those_of_the_shards() {
    const MOVES: u32 = 24;
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[MOVES; 6]).await.id;
        let mut moves = JoinSet::new();
        for number in 0..MOVES {
            let (database, store) = (database.clone(), store.clone());
            moves.spawn(async move {
                let ticket = loop {
                    // Another buyer's hold refuses none of these: the shards have room for all.
                    let inventory = store.get(id).await.unwrap().unwrap();
                    let ticket = TicketId::generate();
                    let plan = crate::fixture::planned(&inventory, 1 + number % 3, ticket);
                    if crate::fixture::write_hold(&database, &inventory, &plan).await.is_ok() {
                        break ticket;
                    }
                };
                store.summarise(id).await.unwrap();
                if number % 2 == 0 {
                    store.release(ticket, "HoldExpired", &trace()).await.unwrap();
                    store.summarise(id).await.unwrap();
                }
            });
        }
        moves.join_all().await;
        assert_eq!(listed(&store, id).await, counted(&store, id).await);
    })
    .await;
}

#[tokio::test]
async fn an_event_without_a_summary_is_listed_by_its_shards_until_it_has_one() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (id, other) = (on_sale_in_shards(&store, &[4, 4]).await.id, on_sale(&store, 1).await.id);
        hold(&database, id, 3).await;
        without_summary(&database, id).await;
        assert_eq!(listed(&store, id).await, seats(5, 3, 0));
        assert_eq!(listed(&store, other).await, seats(1, 0, 0));

        // Two at once: one makes it, and the other follows or is overtaken.
        let (one, two) = tokio::join!(store.summarise(id), store.summarise(id));
        assert!([one.unwrap(), two.unwrap()].contains(&Summarised::Written));
        assert!(has_summary(&store, id).await);
        hold(&database, id, 1).await;
        assert_eq!(listed(&store, id).await, seats(5, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn an_event_off_sale_has_no_summary_and_gets_none() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[2, 2]).await.id;
        let slow = sums(&store, id).await;
        store.delete(id, &trace()).await.unwrap();
        assert!(!has_summary(&store, id).await);

        assert_eq!(store.summarise(id).await.unwrap(), Summarised::OffSale);
        assert_eq!(store.write_sums(&slow).await.unwrap(), Written::Stale);
        assert!(!has_summary(&store, id).await);
    })
    .await;
}

#[tokio::test]
async fn a_list_reads_the_same_however_many_shards_its_events_have() {
    const EVENTS: usize = 20;
    for_each_dynamodb(|database| async move {
        let meter = Meter::default();
        let metered = client::dynamodb(&meter.on(database.sdk_config()));
        let metered = InventoryStore::new(metered, database.table(Table::Inventory), database.event_store());
        let store = store(&database);
        let limit: Limit = EVENTS.to_string().parse().unwrap();
        let mut large = None;
        for shards in [1, 64] {
            for _ in 0..EVENTS {
                large = Some(on_sale_in_shards(&store, &vec![1; shards]).await.id);
            }
            meter.reads();
            assert_eq!(metered.list(limit, None).await.unwrap().items.len(), EVENTS);
            // A page of the index; of each event the terms and the summary, in two batches.
            assert_eq!(meter.reads(), 1 + 2 * EVENTS, "{shards} shards");
        }
        // The control: the meter sees shards that are read, of one such event sixteen partitions.
        metered.get(large.unwrap()).await.unwrap().unwrap();
        assert_eq!(meter.reads(), 16);
    })
    .await;
}

fn batch(keys: &[(String, String)]) -> Event {
    let records = keys.iter().enumerate().map(|(place, (pk, sk))| keyed(&format!("{place:03}"), pk, sk));
    serde_json::from_value(json!({ "Records": records.collect::<Vec<_>>() })).unwrap()
}

#[tokio::test]
async fn a_batch_of_the_stream_has_each_of_its_events_summed_up() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (one, other) = (on_sale_in_shards(&store, &[2; 5]).await.id, on_sale(&store, 3).await.id);
        hold(&database, one, 2).await;
        hold(&database, other, 1).await;
        let untouched = on_sale(&store, 3).await.id;
        hold(&database, untouched, 1).await;

        let records = batch(&[
            (format!("INV#{one}"), "SHARD#000".into()),
            (format!("INV#{one}#01"), "SHARD#004".into()),
            (format!("INV#{untouched}"), "TERMS".into()),
            (format!("INV#{other}"), "SHARD#000".into()),
        ]);
        let response = Summariser { store: store.clone() }.handle(records).await;
        assert!(response.batch_item_failures.is_empty(), "{response:?}");
        assert_eq!(listed(&store, one).await, seats(8, 2, 0));
        assert_eq!(listed(&store, other).await, seats(2, 1, 0));
        assert_eq!(listed(&store, untouched).await, seats(3, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_not_summed_up_is_delivered_again_from_its_first_record() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (broken, right) = (on_sale(&store, 3).await.id, on_sale(&store, 3).await.id);
        hold(&database, right, 1).await;
        let [pk, sk] = key(broken);
        let update = database.client().update_item().table_name(database.table(Table::Inventory));
        let update = update.key(pk.0, pk.1).key(sk.0, sk.1).update_expression("SET version = :word");
        update.expression_attribute_values(":word", AttributeValue::S("many".into())).send().await.unwrap();

        let shard = |id: InventoryId| (format!("INV#{id}"), "SHARD#000".to_owned());
        let records = batch(&[shard(right), shard(broken), shard(right), shard(broken)]);
        let response = Summariser { store: store.clone() }.handle(records).await;
        let again: Vec<_> =
            response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_deref()).collect();
        assert_eq!(again, [Some("001")]);
        assert_eq!(store.summaries(&[right]).await.unwrap().get(&right), Some(&seats(2, 1, 0)));
    })
    .await;
}
