//! A ticket's seats, from hold to sale or release: AP-17 to AP-21.

use crate::fixture::{
    first_shard, hold, on_sale, on_sale_in_shards, planned, quantity, refused, resized, sell, store, write_hold,
    write_sale,
};
use boxoffice_inventory::{
    SeatGuard,
    domain::{NotForSale, Reservation, ReservationState, Revision},
    store::{Release, Renewal},
};
use boxoffice_kernel::{Amount, TicketId, Timestamp};
use boxoffice_testing::{for_each_dynamodb, trace};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_hold_moves_seats_from_available_to_held() {
    for_each_dynamodb(|database| async move {
        let id = on_sale(&store(&database), 5).await.id;
        let ticket = hold(&database, id, 2).await;
        assert_eq!(database.seats(id).await.counts(), (3, 2, 0));
        let reservation = store(&database).reservation(ticket).await.unwrap().unwrap();
        assert_eq!((reservation.state, reservation.quantity.get()), (ReservationState::Held, 2));
        assert_eq!(database.history(ticket.reservation()).await, ["InventoryReserved"]);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_holds_its_seats_once_however_often_it_tries() {
    for_each_dynamodb(|database| async move {
        let inventory = on_sale(&store(&database), 5).await;
        let reservation = planned(&inventory, 2, TicketId::generate());
        write_hold(&database, &inventory, &reservation).await.unwrap();
        for _ in 0..3 {
            let refusals = refused(write_hold(&database, &inventory, &reservation).await);
            assert!(refusals.has(&SeatGuard::Reservation), "{refusals:?}");
            let found: Reservation = boxoffice_aws::transaction::read(
                "reservation",
                refusals.found(&SeatGuard::Reservation).unwrap().clone(),
            )
            .unwrap();
            assert_eq!(found, reservation, "the refusal shows the reservation that is there");
        }
        assert_eq!(database.seats(inventory.id).await.counts(), (3, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_hold_beyond_what_is_available_is_refused_and_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let seen = on_sale(&store(&database), 5).await;
        hold(&database, seen.id, 4).await;
        // Planned on what was seen before the others came.
        let late = planned(&seen, 2, TicketId::generate());
        let refusals = refused(write_hold(&database, &seen, &late).await);
        assert!(refusals.has(&SeatGuard::Shard(0)) && !refusals.has(&SeatGuard::Reservation), "{refusals:?}");
        assert_eq!(database.seats(seen.id).await.counts(), (1, 4, 0));
        assert_eq!(store(&database).reservation(late.ticket_id).await.unwrap(), None);
        assert!(database.events_of(late.id).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn nobody_buys_at_a_price_that_changed_since_it_was_read() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let seen = on_sale(&store, 5).await;
        let dearer = Revision { price: Some(Amount::from_minor(9990).unwrap()), ..Revision::default() };
        store.update(seen.id, &dearer, &trace()).await.unwrap();

        let refusals = refused(write_hold(&database, &seen, &planned(&seen, 1, TicketId::generate())).await);
        assert!(refusals.has(&SeatGuard::Shard(0)), "{refusals:?}");
        assert_eq!(database.seats(seen.id).await.counts(), (5, 0, 0));
        hold(&database, seen.id, 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_last_seats_are_found_wherever_they_are() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[1, 2, 1, 3]).await.id;
        let ticket = hold(&database, id, 6).await;
        let reservation = store.reservation(ticket).await.unwrap().unwrap();
        assert!(reservation.allocations.len() >= 3, "{:?}", reservation.allocations);
        assert_eq!(database.seats(id).await.counts(), (1, 6, 0));
        hold(&database, id, 1).await;

        let sold_out = store.get(id).await.unwrap().unwrap().plan_hold(quantity(1), 0, Timestamp::now());
        assert_eq!(sold_out, Err(NotForSale::SoldOut { available: 0, wanted: 1 }));
        write_sale(&database, &reservation).await.unwrap();
        assert_eq!(database.seats(id).await.counts(), (0, 1, 6));
        store.release(ticket, "BookingCancelled", &trace()).await.unwrap();
        assert_eq!(database.seats(id).await.counts(), (6, 1, 0));
        let shards: Vec<u32> =
            store.get(id).await.unwrap().unwrap().shards.iter().map(|s| s.available + s.held).collect();
        assert_eq!(shards, [1, 2, 1, 3], "each shard has its own seats back");
    })
    .await;
}

#[tokio::test]
async fn a_large_event_lies_in_several_partitions_and_is_one() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[1; 10]).await.id;
        let all = store.get(id).await.unwrap().unwrap();
        assert_eq!(all.shards.iter().map(|shard| shard.number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());

        let plan =
            async |seats, seed| store.plan_hold(id, quantity(seats), seed, 0, Timestamp::now()).await.unwrap().unwrap();
        let mut planned = BTreeSet::new();
        for seed in 0..24 {
            let (glimpse, allocations) = plan(1, seed).await;
            assert!(glimpse.shards.len() <= 4, "one seat needs no look at every shard");
            planned.insert(allocations.unwrap()[0].shard);
        }
        assert_eq!(planned.len(), 10, "every shard has its turn");
        let (_, gathered) = plan(6, 0).await;
        assert_eq!(gathered.unwrap().len(), 6, "what one partition has too few of is gathered from all");
        let (_, refused) = plan(11, 0).await;
        assert_eq!(refused, Err(NotForSale::SoldOut { available: 10, wanted: 11 }));

        let ticket = hold(&database, id, 6).await;
        assert_eq!(database.seats(id).await.counts(), (4, 6, 0));
        let grown = store.update(id, &resized(1500), &trace()).await.unwrap();
        assert_eq!((grown.shards.len(), store.get(id).await.unwrap().unwrap()), (15, grown));
        assert_eq!(database.seats(id).await.counts(), (1494, 6, 0));
        store.release(ticket, "BookingCancelled", &trace()).await.unwrap();
        store.delete(id, &trace()).await.unwrap();
        assert_eq!(store.get(id).await.unwrap(), None);
        assert_eq!(database.count_seats(id).await.available, 0, "no shard is left behind");
    })
    .await;
}

#[tokio::test]
async fn a_gathered_hold_takes_nothing_when_one_of_its_shards_refuses() {
    for_each_dynamodb(|database| async move {
        let seen = on_sale_in_shards(&store(&database), &[2, 2]).await;
        hold(&database, seen.id, 1).await;
        let refusals = refused(write_hold(&database, &seen, &planned(&seen, 4, TicketId::generate())).await);
        assert!(refusals.any(|guard| matches!(guard, SeatGuard::Shard(_))), "{refusals:?}");
        assert_eq!(database.seats(seen.id).await.counts(), (3, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn held_seats_are_sold_once_however_often_it_is_tried() {
    for_each_dynamodb(|database| async move {
        let id = on_sale(&store(&database), 5).await.id;
        hold(&database, id, 2).await;
        let ticket = hold(&database, id, 2).await;
        let reservation = store(&database).reservation(ticket).await.unwrap().unwrap();
        write_sale(&database, &reservation).await.unwrap();
        for _ in 0..3 {
            let refusals = refused(write_sale(&database, &reservation).await);
            assert!(refusals.has(&SeatGuard::Reservation), "{refusals:?}");
        }
        assert_eq!(database.seats(id).await.counts(), (1, 2, 2));
        assert_eq!(database.history(reservation.id).await, ["InventoryReserved", "InventorySold"]);
    })
    .await;
}

#[tokio::test]
async fn seats_that_were_released_are_not_sold() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        hold(&database, id, 2).await;
        let ticket = hold(&database, id, 2).await;
        let held = store.reservation(ticket).await.unwrap().unwrap();
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        let refusals = refused(write_sale(&database, &held).await);
        assert!(refusals.has(&SeatGuard::Reservation), "{refusals:?}");
        assert_eq!(database.seats(id).await.counts(), (3, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_release_gives_the_seats_back_once_however_often_it_runs() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        hold(&database, id, 2).await;
        let ticket = hold(&database, id, 2).await;
        assert_eq!(store.release(ticket, "HoldExpired", &trace()).await.unwrap(), Release::Done);
        for _ in 0..3 {
            assert_eq!(store.release(ticket, "HoldExpired", &trace()).await.unwrap(), Release::Nothing);
        }
        assert_eq!(database.seats(id).await.counts(), (3, 2, 0));
        assert_eq!(database.history(ticket.reservation()).await, ["InventoryReserved", "InventoryReleased"]);
        assert_eq!(database.events_of(ticket.reservation()).await[1].data()["releaseReason"], "HoldExpired");
    })
    .await;
}

#[tokio::test]
async fn many_releases_at_once_give_the_seats_back_once() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale_in_shards(&store, &[3, 3]).await.id;
        hold(&database, id, 1).await;
        let ticket = hold(&database, id, 5).await;
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            running.spawn(async move { store.release(ticket, "HoldExpired", &trace()).await.unwrap() });
        }
        let done = running.join_all().await.into_iter().filter(|release| *release == Release::Done).count();
        assert_eq!(done, 1);
        assert_eq!(database.seats(id).await.counts(), (5, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_sale_and_a_release_at_once_end_in_one_or_the_other() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 20).await.id;
        for _ in 0..5 {
            let ticket = hold(&database, id, 2).await;
            let held = store.reservation(ticket).await.unwrap().unwrap();
            let trace = trace();
            let (sale, release) =
                tokio::join!(write_sale(&database, &held), store.release(ticket, "BookingCancelled", &trace));
            // Released last either way: a sale that came first is taken back, one that came second is refused.
            assert_eq!(release.unwrap(), Release::Done);
            let versions = if sale.is_ok() { 3 } else { 2 };
            assert_eq!(database.events_of(ticket.reservation()).await.len(), versions);
            assert_eq!(database.seats(id).await.counts(), (20, 0, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn releasing_what_was_never_held_is_nothing_and_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let ticket = TicketId::generate();
        assert_eq!(store.release(ticket, "PaymentDeclined", &trace()).await.unwrap(), Release::Nothing);
        assert_eq!(database.seats(id).await.counts(), (5, 0, 0));
        assert!(database.events_of(ticket.reservation()).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_release_after_the_sale_returns_the_sold_seats() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let (gone, kept) = (sell(&database, id, 2).await, sell(&database, id, 1).await);
        assert_eq!(store.release(gone, "BookingCancelled", &trace()).await.unwrap(), Release::Done);
        assert_eq!(store.release(gone, "BookingCancelled", &trace()).await.unwrap(), Release::Nothing);
        assert_eq!(database.seats(id).await.counts(), (4, 0, 1));
        assert_eq!(store.reservation(kept).await.unwrap().unwrap().state, ReservationState::Sold);
    })
    .await;
}

#[tokio::test]
async fn a_released_hold_is_renewed_while_the_seats_are_free_even_under_new_terms() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let ticket = hold(&database, id, 3).await;
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        store.update(id, &resized(4), &trace()).await.unwrap();

        for _ in 0..2 {
            assert_eq!(store.renew(ticket, &trace()).await.unwrap(), Renewal::Held);
            assert_eq!(database.seats(id).await.counts(), (1, 3, 0));
        }
        let history = database.history(ticket.reservation()).await;
        assert_eq!(history, ["InventoryReserved", "InventoryReleased", "InventoryReserved"]);
        let renewed = store.reservation(ticket).await.unwrap().unwrap();
        write_sale(&database, &renewed).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_hold_whose_seats_went_to_others_is_gone() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let ticket = hold(&database, id, 3).await;
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        hold(&database, id, 3).await;
        assert_eq!(store.renew(ticket, &trace()).await.unwrap(), Renewal::Gone);
        assert_eq!(store.renew(TicketId::generate(), &trace()).await.unwrap(), Renewal::Gone);
        assert_eq!(database.seats(id).await.counts(), (2, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn seats_given_back_for_good_are_not_renewed_whether_or_not_they_were_back_already() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let (held, expired) = (hold(&database, id, 2).await, hold(&database, id, 1).await);
        store.release(expired, "HoldExpired", &trace()).await.unwrap();
        assert_eq!(store.close(held, "BookingCancelled", &trace()).await.unwrap(), Release::Done);
        assert_eq!(store.close(expired, "BookingCancelled", &trace()).await.unwrap(), Release::Nothing);
        for ticket in [held, expired] {
            assert_eq!(store.close(ticket, "BookingCancelled", &trace()).await.unwrap(), Release::Nothing);
            assert_eq!(store.renew(ticket, &trace()).await.unwrap(), Renewal::Gone);
            // A note that they are back for good states nothing.
            assert_eq!(database.history(ticket.reservation()).await, ["InventoryReserved", "InventoryReleased"]);
        }
        assert_eq!(database.seats(id).await.counts(), (5, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_hold_of_an_event_no_longer_on_sale_is_gone() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let id = on_sale(&store, 5).await.id;
        let ticket = hold(&database, id, 3).await;
        store.release(ticket, "HoldExpired", &trace()).await.unwrap();
        store.delete(id, &trace()).await.unwrap();
        assert_eq!(store.renew(ticket, &trace()).await.unwrap(), Renewal::Gone);
    })
    .await;
}

#[tokio::test]
async fn a_hold_on_a_shard_that_is_not_there_is_refused() {
    for_each_dynamodb(|database| async move {
        let inventory = on_sale(&store(&database), 5).await;
        let mut reservation = planned(&inventory, 1, TicketId::generate());
        reservation.allocations = first_shard(1);
        reservation.allocations[0].shard = 7;
        let refusals = refused(write_hold(&database, &inventory, &reservation).await);
        assert!(refusals.has(&SeatGuard::Shard(7)), "{refusals:?}");
        assert_eq!(database.seats(inventory.id).await.counts(), (5, 0, 0));
    })
    .await;
}
