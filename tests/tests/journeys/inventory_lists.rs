//! Lists, a page at a time.
//!
//! A stack that has seen many tests has many events: each test looks for its own, and sees that no page repeats or skips one.

use boxoffice_e2e::{
    BoxOffice, Card, Outcome, Show, Verdict, ensure,
    http::Request,
    model::{Inventory, Page},
    story::{Body, in_days, random},
    wait::{Look, SOON, until},
};
use std::collections::BTreeSet;

/// A day so far in the future that no other test has an event near it.
fn a_day_of_its_own() -> i64 {
    200_000 + i64::from(random(2_000_000))
}

async fn shows_on(house: &BoxOffice, days: &[i64]) -> Outcome<Vec<Show>> {
    let mut shows = Vec::new();
    for day in days {
        shows.push(house.show_with(&Body::show(10).with("eventDate", in_days(*day))).await?);
    }
    Ok(shows)
}

fn ids(items: &[Inventory]) -> Vec<&str> {
    items.iter().map(|item| item.id.as_str()).collect()
}

/// Where these are in a list in which nothing is twice.
fn positions(items: &[Inventory], shows: &[Show]) -> Outcome<Vec<usize>> {
    let listed = ids(items);
    ensure!(listed.iter().collect::<BTreeSet<_>>().len() == listed.len(), "the list shows an event twice");
    let position = |show: &Show| listed.iter().position(|id| *id == show.id());
    shows
        .iter()
        .map(|show| position(show).ok_or_else(|| boxoffice_e2e::Failure::new(format!("{} is not listed", show.id()))))
        .collect()
}

#[tokio::test]
async fn all_events_are_listed_newest_first() -> Verdict {
    let house = BoxOffice::open().await?;
    let shows = shows_on(&house, &[10, 30, 20]).await?;

    let all = house.api.whole_list(house.api.get("/inventory").query("limit", "100")).await?;

    let positions = positions(&all, &shows)?;
    assert!(positions.is_sorted_by(|older, newer| older > newer), "{positions:?}");
    assert!(all.is_sorted_by(|one, next| one.created_at >= next.created_at));
    Ok(())
}

#[tokio::test]
async fn pages_are_as_long_as_asked_and_follow_one_another() -> Verdict {
    let house = BoxOffice::open().await?;
    shows_on(&house, &[10, 10, 10, 10, 10]).await?;
    let page = async |request: Request| request.send().await?.answer::<Page<Inventory>>(200);
    let two = || house.api.get("/inventory").query("limit", "2");

    let first = page(two()).await?;
    let cursor = first.next.clone().unwrap();
    let second = page(two().query("next", &cursor)).await?;
    let again = page(two().query("next", &cursor)).await?;

    assert_eq!((first.items.len(), second.items.len()), (2, 2));
    let both: BTreeSet<&str> = ids(&first.items).into_iter().chain(ids(&second.items)).collect();
    assert_eq!(both.len(), 4, "two pages share an event");
    assert_eq!(ids(&second.items), ids(&again.items), "a cursor leads to the same place every time");
    let default: Page<Inventory> = page(house.api.get("/inventory")).await?;
    assert!(default.items.len() <= 20);
    Ok(())
}

#[tokio::test]
async fn only_events_with_seats_are_available_soonest_first() -> Verdict {
    let house = BoxOffice::open().await?;
    let day = a_day_of_its_own();
    let shows = shows_on(&house, &[day + 2, day, day + 1]).await?;
    let full = house.show(1).await?;
    full.order(1).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    let reserved = house.show(3).await?;
    house.manager.move_by_hand(reserved.id(), "reserve", "3").send().await?.with_status(200)?;

    // Lists show seats as they were a moment ago.
    let available = until("what is sold out is no longer available", SOON, async || {
        let available = house.api.whole_list(house.api.get("/inventory/available").query("limit", "100")).await?;
        let gone = [&full, &reserved].iter().all(|show| !ids(&available).contains(&show.id()));
        Ok(Look::done_if(gone, available))
    })
    .await?;

    let positions = positions(&available, &shows)?;
    assert!(positions[1] < positions[2] && positions[2] < positions[0], "{positions:?}");
    assert!(available.is_sorted_by(|one, next| one.event_date <= next.event_date));
    assert!(available.iter().all(|inventory| inventory.available_seats > 0));
    assert!(available.iter().all(|inventory| inventory.on_sale));
    let page: Page<Inventory> = house.api.get("/inventory/available").query("limit", "2").send().await?.answer(200)?;
    assert_eq!(page.items.len(), 2, "a page holds what was asked for, whatever was passed over");

    house.manager.move_by_hand(reserved.id(), "release", "1").send().await?.with_status(200)?;
    until("a seat that is returned is available again", SOON, async || {
        let available = house.api.whole_list(house.api.get("/inventory/available").query("limit", "100")).await?;
        Ok(Look::done_if(ids(&available).contains(&reserved.id()), available))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_list_counts_the_seats_that_an_event_has_a_moment_later() -> Verdict {
    let house = BoxOffice::open().await?;
    let day = a_day_of_its_own();
    let show = house.show_with(&Body::show(9).with("eventDate", in_days(day))).await?;
    show.order(2).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    house.manager.move_by_hand(show.id(), "reserve", "3").send().await?.with_status(200)?;
    let on_the_day =
        || house.api.get("/inventory/date-range").query("start", &in_days(day - 1)).query("end", &in_days(day + 1));

    until("the list has the counts of the event", SOON, async || {
        let listed: Vec<Inventory> = house.api.whole_list(on_the_day()).await?;
        let counts = listed.iter().map(|item| (item.available_seats, item.held_seats, item.sold_seats));
        Ok(Look::done_if(counts.eq([(4, 3, 2)]), listed))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn events_between_two_dates_are_listed_by_date() -> Verdict {
    let house = BoxOffice::open().await?;
    let day = a_day_of_its_own();
    let shows = shows_on(&house, &[day + 4, day + 2, day + 3, day + 8]).await?;
    let between = |start: i64, end: i64| {
        house.api.get("/inventory/date-range").query("start", &in_days(start)).query("end", &in_days(end))
    };

    let found = house.api.whole_list(between(day + 1, day + 5)).await?;
    assert_eq!(ids(&found), [shows[1].id(), shows[2].id(), shows[0].id()]);
    let found = house.api.whole_list(between(day + 1, day + 5).query("limit", "1")).await?;
    assert_eq!(ids(&found), [shows[1].id(), shows[2].id(), shows[0].id()], "page by page");
    let found = house.api.whole_list(between(day + 5, day + 7)).await?;
    assert_eq!(ids(&found), Vec::<&str>::new());
    Ok(())
}

#[tokio::test]
async fn a_withdrawn_event_is_in_no_list() -> Verdict {
    let house = BoxOffice::open().await?;
    let day = a_day_of_its_own();
    let shows = shows_on(&house, &[day]).await?;
    house.manager.delete_inventory(shows[0].id()).send().await?.with_status(204)?;

    let range =
        house.api.get("/inventory/date-range").query("start", &in_days(day - 1)).query("end", &in_days(day + 1));
    for list in [house.api.get("/inventory"), house.api.get("/inventory/available"), range] {
        let listed = house.api.whole_list(list.query("limit", "100")).await?;
        assert!(!ids(&listed).contains(&shows[0].id()));
    }
    Ok(())
}
