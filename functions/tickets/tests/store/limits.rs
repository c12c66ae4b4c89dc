//! How much of an event one buyer may take, and that a hundred orders at once take no more.

use crate::fixture::{BoxOffice, fresh_key, made, order_by, quantity};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{Budget, Overspent, StoreError, client, transaction::Written};
use boxoffice_inventory::domain::{PurchaseLimits, Revision};
use boxoffice_kernel::{InventoryId, Timestamp, UserId};
use boxoffice_testing::{Database, Listener, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::CancellationReason,
    pool::{LimitExceeded, Pool},
    store::{BookError, Outcome},
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::Barrier, task::JoinSet};

/// How many orders come at one moment. moto serves one request at a time, so that two hundred would keep every other test from it.
fn orders(database: &Database) -> usize {
    if database.name() == "moto" { 30 } else { 200 }
}

fn limits(per_order: u32, held: u32, taken: u32) -> PurchaseLimits {
    PurchaseLimits {
        max_per_order: quantity(per_order).try_into().unwrap(),
        max_held_per_buyer: quantity(held),
        max_per_buyer: quantity(taken),
    }
}

impl BoxOffice {
    async fn on_sale_within(&self, seats: u32, limits: PurchaseLimits) -> InventoryId {
        let event = self.on_sale(seats).await.id;
        let revision = Revision {
            max_per_order: Some(limits.max_per_order),
            max_held_per_buyer: Some(limits.max_held_per_buyer),
            max_per_buyer: Some(limits.max_per_buyer),
            ..Revision::default()
        };
        self.inventory.update(event, &revision, &trace()).await.unwrap();
        event
    }

    async fn exceeded(&self, buyer: UserId, event: InventoryId, seats: u32) -> LimitExceeded {
        match self.book(&order_by(buyer, event, seats), &fresh_key()).await {
            Err(BookError::LimitExceeded(exceeded)) => exceeded,
            other => panic!("{other:?}"),
        }
    }

    async fn counts(&self, buyer: UserId, event: InventoryId) -> (i64, i64) {
        let pool = self.tickets.pool(buyer, event).await.unwrap();
        let due = self.tickets.recount(buyer, event).await.unwrap();
        assert_eq!((pool.held, pool.taken), (due.held, due.taken), "the pool is not what the tickets add up to");
        (pool.held, pool.taken)
    }
}

/// All orders of one buyer at one moment, each sent again while the store is too busy to say. How many made a ticket.
async fn race(database: &Database, office: &BoxOffice, buyer: UserId, event: InventoryId) -> usize {
    let (together, mut running) = (Arc::new(Barrier::new(orders(database))), JoinSet::new());
    for _ in 0..orders(database) {
        let (office, together) = (office.clone(), Arc::clone(&together));
        running.spawn(async move {
            let (order, key) = (order_by(buyer, event, 1), fresh_key());
            together.wait().await;
            loop {
                match office.book(&order, &key).await {
                    Ok(Outcome::Created(_) | Outcome::Replayed(_)) => return true,
                    Err(BookError::LimitExceeded(_)) => return false,
                    Err(BookError::Store(StoreError::Unavailable(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    running.join_all().await.into_iter().filter(|booked| *booked).count()
}

async fn forget_the_pool(database: &Database, buyer: UserId, event: InventoryId) {
    let delete = database.client().delete_item().table_name(database.table(Table::Tickets));
    let delete = delete.key("pk", AttributeValue::S(format!("BUYER#{buyer}#{event}")));
    delete.key("sk", AttributeValue::S("POOL".into())).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_orders_of_one_buyer_at_once_hold_as_many_seats_as_the_terms_allow() {
    for_each_dynamodb(|database| async move {
        let (office, buyer) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(400, limits(4, 6, 20)).await;
        assert_eq!(race(&database, &office, buyer, event).await, 6);
        assert_eq!(office.counts(buyer, event).await, (6, 6));
        assert_eq!(database.seats(event).await.counts(), (394, 6, 0));
    })
    .await;
}

/// With the pool taken away before each order the condition finds none, and is none.
#[tokio::test]
async fn control_without_the_pool_orders_pass_the_limit_and_it_is_noticed() {
    for_each_dynamodb(|database| async move {
        let (office, buyer) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(400, limits(4, 6, 20)).await;
        for _ in 0..8 {
            forget_the_pool(&database, buyer, event).await;
            made(office.book(&order_by(buyer, event, 1), &fresh_key()).await);
        }
        assert_eq!(office.tickets.recount(buyer, event).await.unwrap().held, 8);
    })
    .await;
}

#[tokio::test]
async fn each_limit_refuses_by_name_and_what_another_buyer_has_does_not_count() {
    for_each_dynamodb(|database| async move {
        let (office, ada) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(100, limits(3, 4, 6)).await;
        assert_eq!(office.exceeded(ada, event, 4).await, LimitExceeded::Order { wanted: 4, limit: 3 });
        let held = made(office.book(&order_by(ada, event, 3), &fresh_key()).await);
        let until = Some(held.hold_expires_at);
        assert_eq!(office.exceeded(ada, event, 2).await, LimitExceeded::Held { held: 3, limit: 4, until });
        made(office.book(&order_by(UserId::generate(), event, 3), &fresh_key()).await);

        // Paid seats are held no more, and are the buyer's still.
        office.sale.confirm(held.id, &trace()).await.unwrap();
        assert_eq!(office.counts(ada, event).await, (0, 3));
        made(office.book(&order_by(ada, event, 3), &fresh_key()).await);
        assert_eq!(office.exceeded(ada, event, 1).await, LimitExceeded::Buyer { taken: 6, limit: 6 });
    })
    .await;
}

#[tokio::test]
async fn a_pool_gives_back_once_whatever_is_repeated() {
    for_each_dynamodb(|database| async move {
        let (office, buyer) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(100, limits(3, 4, 6)).await;
        let (first, key) = (order_by(buyer, event, 2), fresh_key());
        let unpaid = made(office.book(&first, &key).await);
        assert!(matches!(office.book(&first, &key).await, Ok(Outcome::Replayed(_))));
        assert_eq!(office.counts(buyer, event).await, (2, 2));
        let paid = made(office.book(&order_by(buyer, event, 2), &fresh_key()).await);
        for _ in 0..2 {
            office.sale.confirm(paid.id, &trace()).await.unwrap();
            assert_eq!(office.counts(buyer, event).await, (2, 4));
        }
        for (ticket, left) in [(&unpaid, (0, 2)), (&paid, (0, 0))] {
            for _ in 0..2 {
                let _ = office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await;
                assert_eq!(office.counts(buyer, event).await, left);
            }
        }
        office.tickets.delete(paid.id, &trace()).await.unwrap();
        assert_eq!(office.counts(buyer, event).await, (0, 0));
        // Held no more, they can be had again.
        made(office.book(&order_by(buyer, event, 3), &fresh_key()).await);
    })
    .await;
}

#[tokio::test]
async fn new_limits_count_for_the_next_order() {
    for_each_dynamodb(|database| async move {
        let (office, buyer) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(100, limits(2, 2, 2)).await;
        made(office.book(&order_by(buyer, event, 2), &fresh_key()).await);
        assert_eq!(office.exceeded(buyer, event, 1).await, LimitExceeded::Buyer { taken: 2, limit: 2 });
        let wider =
            Revision { max_held_per_buyer: Some(quantity(4)), max_per_buyer: Some(quantity(4)), ..Revision::default() };
        office.inventory.update(event, &wider, &trace()).await.unwrap();
        made(office.book(&order_by(buyer, event, 2), &fresh_key()).await);
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_is_wrong_keeps_nobody_from_their_tickets_and_is_corrected_unless_it_moves() {
    for_each_dynamodb(|database| async move {
        let (office, buyer) = (BoxOffice::new(&database), UserId::generate());
        let event = office.on_sale_within(100, limits(3, 4, 6)).await;
        let ticket = made(office.book(&order_by(buyer, event, 2), &fresh_key()).await);
        let seen = office.tickets.pool(buyer, event).await.unwrap();
        let wrong = Pool { held: -7, taken: 99, ..seen };
        assert_eq!(office.tickets.correct_pool(buyer, event, &seen, &wrong).await.unwrap(), Written::Yes);
        office.sale.confirm(ticket.id, &trace()).await.unwrap();

        let due = office.tickets.recount(buyer, event).await.unwrap();
        assert_eq!(office.tickets.correct_pool(buyer, event, &seen, &due).await.unwrap(), Written::Stale);
        let seen = office.tickets.pool(buyer, event).await.unwrap();
        assert_eq!(office.tickets.correct_pool(buyer, event, &seen, &due).await.unwrap(), Written::Yes);
        assert_eq!(office.counts(buyer, event).await, (0, 2));
    })
    .await;
}

#[tokio::test]
async fn an_address_has_a_budget_of_orders_whoever_sends_them_and_another_afterwards() {
    for_each_dynamodb(|database| async move {
        let (most, seconds, now) = (5, 600, Timestamp::now());
        let budget = Budget::new(database.client(), database.table(Table::Tickets), most, seconds);
        let mut spending = JoinSet::new();
        for _ in 0..40 {
            let budget = budget.clone();
            spending.spawn(async move { budget.spend("orders#192.0.2.1", now).await });
        }
        let spent = spending.join_all().await;
        assert_eq!(spent.iter().filter(|spent| spent.is_ok()).count(), 5);
        let waits = |spent: &Result<u32, Overspent>| matches!(spent, Ok(_) | Err(Overspent::Wait { seconds: 600 }));
        assert!(spent.iter().all(waits), "{spent:?}");
        assert_eq!(budget.spend("orders#192.0.2.2", now).await.unwrap(), 1);
        budget.give_back("orders#192.0.2.1").await.unwrap();
        assert_eq!(budget.spend("orders#192.0.2.1", now).await.unwrap(), 5);
        assert_eq!(budget.spend("orders#192.0.2.1", now.plus_seconds(seconds + 1)).await.unwrap(), 1);
    })
    .await;
}

/// The order's write was refused by the period that ended, and its look finds the one that another order has begun since.
#[tokio::test]
async fn an_order_between_two_periods_counts_in_the_new_one() {
    let now = Timestamp::now();
    let until = now.plus_seconds(600).unix_seconds().to_string();
    let is_first = AtomicBool::new(true);
    let table = Listener::answering(move |operation, _| {
        let counter = |count: &str| json!({ "count": { "N": count }, "expiresAt": { "N": until } });
        match operation {
            "UpdateItem" if is_first.swap(false, Ordering::Relaxed) => {
                (400, json!({ "__type": "ConditionalCheckFailedException" }))
            }
            "UpdateItem" => (200, json!({ "Attributes": counter("2") })),
            "GetItem" => (200, json!({ "Item": counter("1") })),
            other => panic!("{other}"),
        }
    });
    let budget = Budget::new(client::dynamodb(&table.sdk_config()), "tickets", 5, 600);
    assert_eq!(budget.spend("orders#192.0.2.1", now).await.unwrap(), 2);
}

#[tokio::test]
async fn a_new_period_refuses_none_of_many_concurrent_orders() {
    for_each_dynamodb(|database| async move {
        let (most, seconds) = (40, 600);
        let budget = Budget::new(database.client(), database.table(Table::Tickets), most, seconds);
        let mut now = Timestamp::now();
        for period in 1..=5 {
            let mut spending = JoinSet::new();
            for _ in 0..most {
                let budget = budget.clone();
                spending.spawn(async move { budget.spend("orders#192.0.2.1", now).await });
            }
            let refused: Vec<_> = spending.join_all().await.into_iter().filter_map(Result::err).collect();
            assert!(refused.is_empty(), "period {period}: {refused:?}");
            now = now.plus_seconds(seconds + 1);
        }
    })
    .await;
}
