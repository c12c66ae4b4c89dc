//! Putting events on sale, changing and withdrawing them.

use boxoffice_e2e::{
    BoxOffice, Card, Seats, Verdict,
    model::{Cents, Inventory},
    story::{Body, fresh, fresh_id, in_days},
};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn a_new_event_is_found_by_id_and_by_name() -> Verdict {
    let house = BoxOffice::open().await?;
    let body = Body::show(120).with("currency", "CHF").with("price", 80);

    let reply = house.manager.post_inventory(&body.json()).send().await?;
    let inventory: Inventory = reply.answer(201)?;

    let location = reply.header("location").unwrap_or_default();
    assert!(location.ends_with(&format!("/inventory/{}", inventory.id)), "Location: {location}");
    assert_eq!((inventory.total_seats, inventory.available_seats), (120, 120));
    assert_eq!((inventory.held_seats, inventory.sold_seats, inventory.version), (0, 0, 1));
    assert_eq!((inventory.price, inventory.currency.as_str()), (Cents(8000), "CHF"));
    assert_eq!(house.api.inventory(&inventory.id).await?, inventory);
    let by_name: Inventory = house.api.get_by_name(&inventory.event_name).send().await?.answer(200)?;
    assert_eq!(by_name, inventory);
    Ok(())
}

#[tokio::test]
async fn an_event_shows_exactly_what_is_promised() -> Verdict {
    let house = BoxOffice::open().await?;
    let reply = house.manager.post_inventory(&Body::show(1).json()).send().await?;
    let fields: serde_json::Map<String, serde_json::Value> = reply.answer(201)?;
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let promised = BTreeSet::from([
        "id",
        "eventName",
        "eventDate",
        "totalSeats",
        "availableSeats",
        "heldSeats",
        "soldSeats",
        "price",
        "currency",
        "location",
        "onSale",
        "maxPerOrder",
        "maxHeldPerBuyer",
        "maxPerBuyer",
        "version",
        "createdAt",
        "updatedAt",
    ]);
    assert_eq!(fields, promised);
    Ok(())
}

#[tokio::test]
async fn prices_are_in_dollars_unless_said_otherwise() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show_with(&Body::show(1).without("currency")).await?;
    assert_eq!(show.inventory.currency, "USD");
    Ok(())
}

#[tokio::test]
async fn a_name_is_used_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let same_name = Body::show(20).with("eventName", show.name());
    let problem =
        house.manager.post_inventory(&same_name.json()).send().await?.refusal(409, "INVENTORY_ALREADY_EXISTS")?;
    assert_eq!(problem.field.as_deref(), Some("eventName"));

    assert_eq!(show.now().await?, show.inventory);
    Ok(())
}

#[tokio::test]
async fn absent_fields_of_a_change_keep_their_values() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    let changed: Inventory =
        house.manager.put_inventory(show.id(), &json!({ "location": "Open air" })).send().await?.answer(200)?;

    let expected = Inventory {
        location: "Open air".into(),
        version: 2,
        updated_at: changed.updated_at.clone(),
        ..show.inventory.clone()
    };
    assert_eq!(changed, expected);
    assert_eq!(show.now().await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_renamed_event_leaves_its_old_name_free() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.show(10).await?);
    let new_name = fresh("Renamed");

    let rename = |name: &str| house.manager.put_inventory(show.id(), &json!({ "eventName": name }));
    rename(other.name()).send().await?.refusal(409, "INVENTORY_ALREADY_EXISTS")?;
    rename(&new_name).send().await?.with_status(200)?;

    house.api.get_by_name(show.name()).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    let found: Inventory = house.api.get_by_name(&new_name).send().await?.answer(200)?;
    assert_eq!(found.id, show.id());
    house.show_with(&Body::show(5).with("eventName", show.name())).await?;
    Ok(())
}

#[tokio::test]
async fn there_cannot_be_fewer_seats_than_are_held_or_sold() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    show.order(3).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    show.order(2).booked().await?;

    let resize = |seats: u32| house.manager.put_inventory(show.id(), &json!({ "totalSeats": seats }));
    let problem = resize(4).send().await?.refusal(409, "INVALID_INVENTORY")?;
    assert_eq!(problem.field.as_deref(), Some("totalSeats"));
    assert_eq!(show.seats().await?, Seats { available: 5, held: 2, sold: 3 });

    resize(5).send().await?.with_status(200)?;
    assert_eq!(show.seats().await?, Seats { available: 0, held: 2, sold: 3 });
    show.order(1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    Ok(())
}

#[tokio::test]
async fn an_event_can_grow_beyond_one_shard_and_shrink_again() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(50).await?;
    for seats in [1_000, 30, 260] {
        let resized = house.manager.put_inventory(show.id(), &json!({ "totalSeats": seats })).send().await?;
        assert_eq!(resized.answer::<Inventory>(200)?.available_seats, seats);
        assert_eq!(show.seats().await?, Seats { available: seats, held: 0, sold: 0 });
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_what_someone_else_changed_is_refused() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let change = |location: &str| {
        house.manager.put_inventory(show.id(), &json!({ "location": location, "version": show.inventory.version }))
    };

    change("Mine").send().await?.with_status(200)?;
    change("Theirs").send().await?.refusal(409, "VERSION_CONFLICT")?;

    assert_eq!(show.now().await?.location, "Mine");
    Ok(())
}

#[tokio::test]
async fn a_new_price_is_for_new_tickets_only() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let before = show.order(1).booked().await?;

    house.manager.put_inventory(show.id(), &json!({ "price": 99.99 })).send().await?.with_status(200)?;
    let after = show.order(1).booked().await?;

    assert_eq!(before.now().await?.total_amount, Cents(4990));
    assert_eq!(after.ticket.total_amount, Cents(9999));
    assert_eq!(before.payment().await?.amount, Cents(4990));
    Ok(())
}

#[tokio::test]
async fn a_withdrawn_event_is_gone_and_its_name_free() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;

    house.manager.delete_inventory(show.id()).send().await?.with_status(204)?;

    let path = format!("/inventory/{}", show.id());
    house.api.get(&path).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.api.get_by_name(show.name()).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.manager.delete_inventory(show.id()).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    let change = house.manager.put_inventory(show.id(), &json!({ "location": "Nowhere" }));
    change.send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    show.order(1).sent().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.manager.move_by_hand(show.id(), "reserve", "1").send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.show_with(&Body::show(10).with("eventName", show.name())).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_with_held_or_sold_seats_is_not_withdrawn() -> Verdict {
    let house = BoxOffice::open().await?;
    let (held, sold) = (house.show(10).await?, house.show(10).await?);
    held.order(1).booked().await?;
    sold.order(1).paid_with(Card::Good).booked().await?.until_confirmed().await?;

    for show in [&held, &sold] {
        house.manager.delete_inventory(show.id()).send().await?.refusal(409, "INVENTORY_IN_USE")?;
        assert_eq!(show.seats().await?.total(), 10);
    }
    Ok(())
}

#[tokio::test]
async fn every_change_of_an_event_is_told_once_and_in_order() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    house.manager.put_inventory(show.id(), &json!({ "eventDate": in_days(60) })).send().await?.with_status(200)?;
    house.manager.put_inventory(show.id(), &json!({ "totalSeats": 1 })).send().await?.with_status(200)?;
    house
        .manager
        .put_inventory(show.id(), &json!({ "totalSeats": 0 }))
        .send()
        .await?
        .refusal(400, "INVALID_QUANTITY")?;
    house.manager.delete_inventory(show.id()).send().await?.with_status(204)?;

    let events = house.tables.events_of(show.id()).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(types, ["InventoryCreated", "InventoryUpdated", "InventoryUpdated", "InventoryDeleted"]);
    Ok(())
}

#[tokio::test]
async fn an_event_that_never_was_is_not_found() -> Verdict {
    let house = BoxOffice::open().await?;
    let id = fresh_id("inv");
    house.api.get(&format!("/inventory/{id}")).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.api.get_by_name(&fresh("Nothing")).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    let change = house.manager.put_inventory(&id, &json!({ "location": "Nowhere" }));
    change.send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    house.manager.delete_inventory(&id).send().await?.refusal(404, "INVENTORY_NOT_FOUND")?;
    Ok(())
}
