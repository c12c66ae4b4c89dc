//! Many at once, and the controls that prove these tests would notice: the same race with a condition taken out of its write must break a rule.

use crate::fixture::{hold, on_sale_in_shards, planned, quantity, resized, store, write_hold};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use boxoffice_aws::{
    Uncommitted,
    attribute::{number, text},
    transaction::write,
};
use boxoffice_inventory::{
    Inventory,
    domain::{NotForSale, Reservation, Unchangeable},
    store::{UpdateError, shard_partition, shard_seed},
};
use boxoffice_kernel::{InventoryId, TicketId, Timestamp};
use boxoffice_testing::{Database, Seats, Table, for_each_dynamodb, trace};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

const BUYERS: u32 = 40;
const SHARDS: [u32; 4] = [4, 4, 4, 3];
const SEATS: i64 = 15;
const RUNS: usize = 3;

/// How a buyer takes the seats they planned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// As the product does.
    UnderConditions,
    /// As it must not: the shard's update without its condition.
    Unconditionally,
}

/// Takes planned seats as the product does, but for the condition on the shard.
async fn write_unconditionally(database: &Database, inventory: &Inventory, reservation: &Reservation) {
    let table = database.table(Table::Inventory);
    let pk = text(format_args!("RSV#{}", reservation.id));
    let marker = Put::builder()
        .table_name(table)
        .set_item(Some(write(reservation, pk, "RSV").unwrap()))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    let updates = reservation.allocations.iter().map(|allocation| {
        Update::builder()
            .table_name(table)
            .key("pk", shard_partition(inventory.id, allocation.shard))
            .key("sk", text(format_args!("SHARD#{:03}", allocation.shard)))
            .update_expression("SET available = available - :seats, held = held + :seats")
            .expression_attribute_values(":seats", number(allocation.seats))
            .build()
            .unwrap()
    });
    let items = updates.map(|update| TransactWriteItem::builder().update(update).build());
    let items = items.chain([TransactWriteItem::builder().put(marker).build()]).collect();
    database.client().transact_write_items().set_transact_items(Some(items)).send().await.unwrap();
}

/// Reads, plans and writes until the seats are taken or there are too few; everyone has read before anyone writes. Whether they were taken.
async fn buy(database: Database, id: InventoryId, seats: u32, writing: Writing, all_have_read: Arc<Barrier>) -> bool {
    let (store, ticket) = (store(&database), TicketId::generate());
    let mut first = true;
    loop {
        let inventory = store.get(id).await.unwrap().unwrap();
        if std::mem::take(&mut first) {
            all_have_read.wait().await;
        }
        let plan = inventory.plan_hold(quantity(seats), shard_seed(ticket), Timestamp::now());
        let allocations = match plan {
            Ok(allocations) => allocations,
            Err(NotForSale::SoldOut { .. }) => return false,
            Err(other) => panic!("{other}"),
        };
        let reservation = Reservation::hold(ticket, &inventory, quantity(seats), allocations);
        if writing == Writing::Unconditionally {
            write_unconditionally(&database, &inventory, &reservation).await;
            return true;
        }
        match write_hold(&database, &inventory, &reservation).await {
            Ok(()) => return true,
            Err(Uncommitted::Refused(_)) => {}
            Err(Uncommitted::Store(error)) => panic!("{error}"),
        }
    }
}

/// All the buyers at once, each wanting the seats that `wants` says; how many seats they believe to have, and what the table says.
async fn race(database: &Database, writing: Writing, wants: fn(u32) -> u32) -> (i64, Seats) {
    let id = on_sale_in_shards(&store(database), &SHARDS).await.id;
    let all_have_read = Arc::new(Barrier::new(BUYERS as usize));
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let seats = wants(buyer);
        let buying = buy(database.clone(), id, seats, writing, Arc::clone(&all_have_read));
        buyers.spawn(async move { if buying.await { i64::from(seats) } else { 0 } });
    }
    let taken = buyers.join_all().await.into_iter().sum();
    (taken, database.count_seats(id).await)
}

#[tokio::test]
async fn however_many_buyers_come_at_once_every_seat_is_sold_and_none_twice() {
    for_each_dynamodb(|database| async move {
        for run in 1..=RUNS {
            let (taken, seats) = race(&database, Writing::UnderConditions, |_| 1).await;
            assert_eq!(taken, SEATS, "run {run}: {seats:?}");
            assert_eq!(seats.counts(), (0, SEATS, 0), "run {run}");
            assert_eq!(seats.broken_rules(), Vec::<&str>::new(), "run {run}: {seats:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn buyers_of_several_seats_leave_none_that_the_smallest_order_could_have_had() {
    for_each_dynamodb(|database| async move {
        // Twenty of them want one seat, so not one of the fifteen may be left.
        let (taken, seats) =
            race(&database, Writing::UnderConditions, |buyer| 1 + (buyer % 4) * u32::from(buyer >= 20)).await;
        assert_eq!((taken, seats.available), (SEATS, 0), "{seats:?}");
        assert_eq!(seats.broken_rules(), Vec::<&str>::new(), "{seats:?}");
    })
    .await;
}

#[tokio::test]
async fn control_without_its_condition_the_same_race_oversells_and_is_noticed() {
    for_each_dynamodb(|database| async move {
        let (taken, seats) = race(&database, Writing::Unconditionally, |_| 1).await;
        assert!(taken > SEATS, "every buyer had read before any wrote, yet only {taken} seats were taken");
        assert!(seats.broken_rules().contains(&"no counter is below zero"), "{seats:?}");
    })
    .await;
}

#[tokio::test]
async fn control_without_its_marker_a_second_release_credits_the_seats_again_and_is_noticed() {
    for_each_dynamodb(|database| async move {
        let id = on_sale_in_shards(&store(&database), &[6]).await.id;
        hold(&database, id, 2).await;
        let ticket = hold(&database, id, 2).await;
        // The release's update, with its condition on the counter, but without the reservation's version in the same transaction.
        let shard = text(format_args!("INV#{id}"));
        let release = async || {
            let credited = database
                .client()
                .update_item()
                .table_name(database.table(Table::Inventory))
                .key("pk", shard.clone())
                .key("sk", text("SHARD#000"))
                .update_expression("SET held = held - :seats, available = available + :seats")
                .condition_expression("held >= :seats")
                .expression_attribute_values(":seats", number(2_u32))
                .send()
                .await;
            credited.unwrap();
        };
        store(&database).release(ticket, "HoldExpired", &trace()).await.unwrap();
        assert_eq!(database.seats(id).await.counts(), (4, 2, 0));
        release().await;
        let seats = database.count_seats(id).await;
        assert_eq!(seats.counts(), (6, 0, 0), "the second release took the other ticket's seats");
        assert_eq!(seats.broken_rules(), ["held = seats of held tickets + reserved by hand"]);
    })
    .await;
}

#[tokio::test]
async fn seats_are_resized_while_others_hold_and_release_and_the_equation_holds_after_each_step() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[6, 6, 6]).await.id;
        let mut running = JoinSet::new();
        for buyer in 0..12_u32 {
            let (database, store) = (database.clone(), store.clone());
            running.spawn(async move {
                let ticket = TicketId::generate();
                // A plan may be out of date by the time it is written: then it is made anew, as the product does.
                loop {
                    let inventory = store.get(id).await.unwrap().unwrap();
                    if inventory.plan_hold(quantity(1), 0, Timestamp::now()).is_err() {
                        return;
                    }
                    match write_hold(&database, &inventory, &planned(&inventory, 1, ticket)).await {
                        Ok(()) => break,
                        Err(Uncommitted::Refused(_)) => {}
                        Err(Uncommitted::Store(error)) => panic!("{error}"),
                    }
                }
                if buyer % 3 == 0 {
                    store.release(ticket, "HoldExpired", &trace()).await.unwrap();
                }
            });
        }
        for wanted in [14, 10, 25, 3, 12] {
            match store.update(id, &resized(wanted), &trace()).await {
                Ok(_) | Err(UpdateError::Unchangeable(Unchangeable::SeatsTaken { .. })) => {}
                Err(error) => panic!("{error}"),
            }
            // Both implementations answer so small a scan at one moment; AWS promises that of no scan.
            database.seats(id).await;
        }
        running.join_all().await;
        database.seats(id).await;
    })
    .await;
}
