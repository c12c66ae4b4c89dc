//! Counters that do not count what reservations hold.

use crate::fixture::{House, run};
use boxoffice_aws::{Freshness, transaction::Written};
use boxoffice_inventory::{
    counters::{Discrepancy, Holdings},
    domain::SeatCounts,
};
use boxoffice_kernel::{InventoryId, Quantity, Timestamp};
use boxoffice_reconciliation::reconciler::Scope;
use boxoffice_testing::{for_each_dynamodb, trace};
use tokio::task::JoinSet;

const NOTHING: [String; 0] = [];

/// The findings of one look at an event.
async fn discrepancy(house: &House, event: InventoryId) -> Option<Discrepancy> {
    let counters = house.inventory.counters(event).await.unwrap().unwrap();
    let mut holdings = Holdings::default();
    let mut cursor = None;
    loop {
        let page = house.inventory.walk_reservations(Freshness::Consistent, cursor).await.unwrap();
        page.items.iter().for_each(|reservation| holdings.add(reservation));
        cursor = page.next;
        if cursor.is_none() {
            return counters.discrepancy(&counters, &holdings);
        }
    }
}

#[tokio::test]
async fn seats_that_moved_in_every_way_add_up() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(250).await;
        house.booked(event, 3).await;
        house.confirmed(event, 2).await;
        let released = house.booked(event, 5).await;
        house.inventory.release(released.id, "HoldExpired", &trace()).await.unwrap();
        house.inventory.renew(released.id, &trace()).await.unwrap();
        house.inventory.reserve_by_hand(event, Quantity::new(4).unwrap(), &trace()).await.unwrap();
        house.inventory.return_by_hand(event, Quantity::new(1).unwrap(), &trace()).await.unwrap();

        let checked = house.reconciler().seats(&run(), Scope::Moved, Timestamp::now().plus_seconds(60)).await.unwrap();

        assert_eq!((checked.events, checked.found), (1, Vec::new()));
        assert_eq!(database.history(event).await, ["InventoryCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_summary_that_is_behind_its_seats_is_written_anew_and_no_finding() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (sold, quiet) = (house.on_sale(250).await, house.on_sale(10).await);
        house.booked(sold, 3).await;
        house.confirmed(sold, 2).await;
        let summaries = async || house.inventory.summaries(&[sold, quiet]).await.unwrap();
        let before = summaries().await;
        assert_eq!(before[&sold].available, 250, "no stream is read here");

        assert_eq!(house.seats().await, NOTHING);
        let after = summaries().await;
        assert_eq!(after[&sold], SeatCounts { available: 245, held: 3, sold: 2 });
        assert_eq!(after[&quiet], before[&quiet]);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_counter_is_put_right_once_whichever_it_is() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        for (counter, by) in [("held", 2), ("held", -1), ("sold", 3), ("sold", -2), ("available", -4), ("available", 1)]
        {
            let event = house.on_sale(10).await;
            house.booked(event, 2).await;
            house.confirmed(event, 2).await;
            house.inventory.reserve_by_hand(event, Quantity::new(1).unwrap(), &trace()).await.unwrap();
            house.corrupt(event, counter, by).await;
            assert!(!database.count_seats(event).await.broken_rules().is_empty(), "{counter} {by} breaks no rule");

            assert_eq!(house.seats().await, ["COUNTERS_WRONG repaired"], "{counter} {by}");
            assert_eq!(database.seats(event).await.counts(), (5, 3, 2), "{counter} {by}");
            assert_eq!(house.seats().await, NOTHING, "{counter} {by}");
            assert_eq!(database.history(event).await, ["InventoryCreated", "InventoryReconciled"]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_repair_states_what_it_changed_and_sales_go_on_under_it() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.booked(event, 2).await;
        house.corrupt(event, "held", 3).await;
        house.corrupt(event, "available", -3).await;
        house.seats().await;

        let repaired = database.events_of(event).await.pop().unwrap();
        let data = repaired.data();
        let wrong = serde_json::json!({ "available": 5, "held": 5, "sold": 0 });
        let right = serde_json::json!({ "available": 8, "held": 2, "sold": 0 });
        assert_eq!((&data["before"], &data["after"]), (&wrong, &right));
        assert_eq!(data["shards"], serde_json::json!([{ "shard": 0, "before": wrong, "after": right }]));
        assert_eq!(data["requestedBy"], "the store tests");
        house.booked(event, 8).await;
        assert_eq!(database.seats(event).await.counts(), (0, 10, 0));
    })
    .await;
}

#[tokio::test]
async fn a_counter_below_zero_is_put_right() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.booked(event, 2).await;
        house.corrupt(event, "held", -5).await;
        assert_eq!(house.seats().await, ["COUNTERS_WRONG repaired"]);
        assert_eq!(database.seats(event).await.counts(), (8, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn seats_sold_twice_are_left_to_people_every_time() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(2).await;
        house.booked(event, 2).await;
        // As a release that is counted twice would leave it: there seem to be seats, and they are sold.
        house.corrupt(event, "available", 1).await;
        house.corrupt(event, "held", -1).await;
        house.booked(event, 1).await;
        for _ in 0..2 {
            assert_eq!(house.seats().await, ["COUNTERS_WRONG left"]);
        }
        assert_eq!(database.history(event).await, ["InventoryCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_repair_that_a_booking_overtakes_is_refused_and_done_the_next_time() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.booked(event, 2).await;
        house.corrupt(event, "sold", 1).await;
        let seen = discrepancy(&house, event).await.unwrap();
        house.booked(event, 3).await;

        let run = run();
        let refused = house.inventory.reconcile(&seen, &run.requested_by, Timestamp::now(), &run.trace).await.unwrap();

        assert_eq!(refused, Written::Stale);
        assert_eq!(database.count_seats(event).await.counts(), (5, 5, 1));
        assert_eq!(house.seats().await, ["COUNTERS_WRONG repaired"]);
        assert_eq!(database.seats(event).await.counts(), (5, 5, 0));
    })
    .await;
}

#[tokio::test]
async fn a_repair_is_refused_even_where_the_seats_came_back_meanwhile() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.corrupt(event, "sold", 1).await;
        let seen = discrepancy(&house, event).await.unwrap();
        let gone = house.booked(event, 3).await;
        house.inventory.release(gone.id, "HoldExpired", &trace()).await.unwrap();

        let run = run();
        let refused = house.inventory.reconcile(&seen, &run.requested_by, Timestamp::now(), &run.trace).await.unwrap();

        assert_eq!(refused, Written::Stale, "the counters are as they were, but they have moved");
    })
    .await;
}

#[tokio::test]
async fn while_buyers_come_and_go_nothing_is_found_and_nothing_changed() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(300).await;
        let mut buyers = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            buyers.spawn(async move {
                for _ in 0..6 {
                    let ticket = house.booked(event, 1 + number).await;
                    if number % 2 == 0 {
                        house.inventory.release(ticket.id, "HoldExpired", &trace()).await.unwrap();
                    } else {
                        house.sale.confirm(ticket.id, &trace()).await.unwrap();
                    }
                }
            });
        }
        let mut looks = 0;
        while !buyers.is_empty() {
            assert_eq!(house.seats().await, NOTHING);
            looks += 1;
            while let Some(bought) = buyers.try_join_next() {
                bought.unwrap();
            }
        }
        assert!(looks > 1, "the buyers were done before anybody looked");
        database.seats(event).await;
        assert_eq!(database.history(event).await, ["InventoryCreated"]);
    })
    .await;
}

#[tokio::test]
async fn seats_that_cannot_be_read_in_time_are_said_to_be_unread() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.corrupt(event, "held", 1).await;
        let seats = house.reconciler().seats(&run(), Scope::All, Timestamp::now().minus_seconds(1)).await.unwrap();
        assert_eq!((seats.events, seats.found.len()), (0, 1));
        assert_eq!(serde_json::json!(seats.found[0])["kind"], "SEATS_UNREAD");
    })
    .await;
}

#[tokio::test]
async fn an_event_off_sale_is_not_looked_at() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.inventory.delete(event, &trace()).await.unwrap();
        let seats = house.reconciler().seats(&run(), Scope::Moved, Timestamp::now().plus_seconds(60)).await.unwrap();
        assert_eq!((seats.events, seats.found), (0, Vec::new()));
    })
    .await;
}
