//! Many buyers at one desk. Its negative control, the same race without the condition, is with the condition: in `inventory`.

use crate::fixture::{BoxOffice, fresh_key, order};
use boxoffice_inventory::domain::NotForSale;
use boxoffice_kernel::InventoryId;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_tickets::store::{BookError, Outcome};
use tokio::task::JoinSet;

/// Every buyer at once; how many got a ticket. Nobody may meet anything but a ticket or a clean refusal.
async fn sell(office: &BoxOffice, event: InventoryId, buyers: u32, confirm: bool) -> usize {
    let mut running = JoinSet::new();
    for _ in 0..buyers {
        let office = office.clone();
        running.spawn(async move {
            match office.book(&order(event, 1), &fresh_key()).await {
                Ok(Outcome::Created(ticket)) => {
                    if confirm {
                        office.sale.confirm(ticket.id, &trace()).await.unwrap();
                    }
                    true
                }
                Err(BookError::NotForSale(NotForSale::SoldOut { .. })) => false,
                other => panic!("{other:?}"),
            }
        });
    }
    running.join_all().await.into_iter().filter(|booked| *booked).count()
}

#[tokio::test]
async fn forty_buyers_of_fifteen_seats_get_fifteen_tickets() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        for run in 1..=3 {
            let event = office.on_sale_in_shards(&[4, 4, 4, 3]).await;
            assert_eq!(sell(&office, event.id, 40, false).await, 15, "run {run}");
            assert_eq!(database.seats(event.id).await.counts(), (0, 15, 0), "run {run}");
        }
        // Each ticket has an idempotency key and its buyer's pool beside it; those refused left nothing.
        assert_eq!(database.items(Table::Tickets).await.len(), 3 * 3 * 15);
    })
    .await;
}

#[tokio::test]
async fn buyers_who_pay_at_once_are_all_confirmed_and_no_seat_is_sold_twice() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_in_shards(&[5, 5]).await;
        assert_eq!(sell(&office, event.id, 25, true).await, 10);
        assert_eq!(database.seats(event.id).await.counts(), (0, 0, 10));
    })
    .await;
}
