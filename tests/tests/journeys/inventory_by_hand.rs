//! Seats reserved by hand: for a sponsor, or for a broken row.

use boxoffice_e2e::{BoxOffice, Seats, Verdict, model::Inventory, race::at_once, story::fresh};

#[tokio::test]
async fn reserved_seats_are_held_until_released() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let reserved: Inventory = house.manager.move_by_hand(show.id(), "reserve", "4").send().await?.answer(200)?;
    assert!(reserved.reservation_id.is_some_and(|id| id.starts_with("rsv_")));
    assert_eq!((reserved.available_seats, reserved.held_seats), (6, 4));
    let released: Inventory = house.manager.move_by_name(show.name(), "release", "3").send().await?.answer(200)?;
    assert_eq!((released.available_seats, released.held_seats), (9, 1));
    house.manager.move_by_name(show.name(), "reserve", "9").send().await?.with_status(200)?;

    assert_eq!(show.seats().await?, Seats { available: 0, held: 10, sold: 0 });
    show.order(1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    Ok(())
}

#[tokio::test]
async fn no_more_is_reserved_than_is_there() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    house.manager.move_by_hand(show.id(), "reserve", "11").send().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_buyer_s_seats_are_not_released_by_hand() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    house.manager.move_by_hand(show.id(), "reserve", "1").send().await?.with_status(200)?;
    show.order(5).booked().await?;

    house.manager.move_by_hand(show.id(), "release", "2").send().await?.refusal(409, "INVALID_INVENTORY")?;
    assert_eq!(show.seats().await?, Seats { available: 4, held: 6, sold: 0 });
    house.manager.move_by_hand(show.id(), "release", "1").send().await?.with_status(200)?;
    assert_eq!(show.seats().await?, Seats { available: 5, held: 5, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_hand_that_is_not_sure_and_asks_again_moves_seats_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (key, reserve) = (fresh("hand"), |quantity| house.manager.move_by_hand(show.id(), "reserve", quantity));

    let first: Inventory = reserve("4").header("Idempotency-Key", &key).send().await?.answer(200)?;
    let again: Inventory = reserve("4").header("Idempotency-Key", &key).send().await?.answer(200)?;
    assert_eq!(first.reservation_id, again.reservation_id);
    assert_eq!(show.seats().await?, Seats { available: 6, held: 4, sold: 0 });
    reserve("5").header("Idempotency-Key", &key).send().await?.refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
    let release = house.manager.move_by_hand(show.id(), "release", "3").header("Idempotency-Key", &fresh("hand"));
    release.clone().send().await?.with_status(200)?;
    release.send().await?.with_status(200)?;
    assert_eq!(show.seats().await?, Seats { available: 9, held: 1, sold: 0 });

    // Without a key, each call is a call of its own.
    reserve("1").send().await?.with_status(200)?;
    reserve("1").send().await?.with_status(200)?;
    assert_eq!(show.seats().await?, Seats { available: 7, held: 3, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_reservation_is_told() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let reserved: Inventory = house.manager.move_by_hand(show.id(), "reserve", "4").send().await?.answer(200)?;

    let events = house.tables.events_of(&reserved.reservation_id.unwrap()).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(types, ["InventoryReserved"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_that_reach_for_the_same_seats_do_not_lose_count() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let replies = at_once(20, |_| {
        let request = house.manager.move_by_hand(show.id(), "reserve", "1");
        async move { request.send().await }
    })
    .await?;

    let mut reserved = 0;
    for reply in &replies {
        if reply.got.status == 200 {
            reserved += 1;
        } else {
            reply.got.refusal(409, "INVENTORY_UNAVAILABLE")?;
        }
    }
    assert_eq!(reserved, 10);
    assert_eq!(show.seats().await?, Seats { available: 0, held: 10, sold: 0 });
    Ok(())
}
