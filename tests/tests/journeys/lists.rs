//! Lists of tickets, payments, users and notifications: newest first, a page at a time, and only what belongs there.
//!
//! A stack that has seen many tests has long lists: each test looks for its own things, and sees that no page repeats or skips one.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, Person, Show, Verdict, ensure,
    http::Request,
    model::{Notification, Page, Payment, Ticket, User},
    story::{Body, fresh},
    wait::{Look, SOON, until},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The ids of a whole list, which shows nothing twice and the newest first: ids begin with the time.
async fn listed(by: &Person, list: Request) -> Outcome<Vec<String>> {
    let items: Vec<Value> = by.whole_list(list.query("limit", "100")).await?;
    let ids: Vec<String> = items.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect();
    ensure!(ids.is_sorted_by(|newer, older| newer > older), "not each once, the newest first: {ids:?}");
    Ok(ids)
}

/// Those of the list that are among these, in the list's order.
fn only<'a>(listed: &'a [String], mine: &[&str]) -> Vec<&'a str> {
    listed.iter().map(String::as_str).filter(|id| mine.contains(id)).collect()
}

/// Follows a list of at least five from page to page, two at a time.
async fn paged<T: DeserializeOwned>(list: impl Fn() -> Request, id: impl Fn(&T) -> String) -> Outcome<Vec<String>> {
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..3 {
        let request = list().query("limit", "2");
        let request = match &cursor {
            Some(cursor) => request.query("next", cursor),
            None => request,
        };
        let page: Page<T> = request.send().await?.answer(200)?;
        ensure!(page.items.len() <= 2, "a page of {} where 2 were asked for", page.items.len());
        ids.extend(page.items.iter().map(&id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(ids)
}

async fn five_bookings(show: &Show, buyer: &Person) -> Outcome<Vec<Booking>> {
    let mut bookings = Vec::new();
    for _ in 0..5 {
        bookings.push(show.order_of(buyer, 1).booked().await?);
    }
    Ok(bookings)
}

#[tokio::test]
async fn a_buyer_s_tickets_are_listed_newest_first_page_by_page() -> Verdict {
    let house = BoxOffice::open().await?;
    let buyer = &house.buyer;
    let bookings = five_bookings(&house.show(10).await?, buyer).await?;
    let newest_first: Vec<&str> = bookings.iter().rev().map(Booking::id).collect();

    let list = || buyer.get(&format!("/tickets/user/{}", buyer.id()));
    assert_eq!(listed(buyer, list()).await?, newest_first);
    assert_eq!(paged(list, |ticket: &Ticket| ticket.id.clone()).await?, newest_first);
    assert_eq!(listed(&house.admin, house.admin.get(&format!("/tickets/user/{}", buyer.id()))).await?, newest_first);
    Ok(())
}

#[tokio::test]
async fn a_ticket_is_in_the_lists_of_its_event_its_status_and_all() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.show(10).await?);
    let paid = show.order(1).paid_with(Card::Good).booked().await?;
    let declined = show.order(1).paid_with(Card::Declined).booked().await?;
    let elsewhere = other.order(1).booked().await?;
    paid.until_confirmed().await?;
    declined.declined_for_good().await?;
    let mine = [paid.id(), declined.id(), elsewhere.id()];
    let admin = &house.admin;

    let all = listed(admin, admin.get("/tickets")).await?;
    assert_eq!(only(&all, &mine), [elsewhere.id(), declined.id(), paid.id()]);
    for (status, expected) in [("CONFIRMED", &paid), ("CANCELLED", &declined), ("PENDING", &elsewhere)] {
        let found = listed(admin, admin.get(&format!("/tickets/status/{status}"))).await?;
        assert_eq!(only(&found, &mine), [expected.id()], "{status}");
    }
    let by_event = |name: &str| house.manager.segments(reqwest::Method::GET, ["tickets", "event", name]);
    assert_eq!(listed(&house.manager, by_event(show.name())).await?, [declined.id(), paid.id()]);
    assert_eq!(listed(&house.manager, by_event(other.name())).await?, [elsewhere.id()]);
    assert_eq!(listed(&house.manager, by_event(&fresh("Unheard of"))).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn tickets_of_an_event_with_an_awkward_name_are_listed_by_it() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show_with(&Body::show(10).with("eventName", format!("50% Café & {}", fresh("Näme")))).await?;
    let booking = show.order(1).booked().await?;

    let list = house.manager.segments(reqwest::Method::GET, ["tickets", "event", show.name()]);
    assert_eq!(listed(&house.manager, list).await?, [booking.id()]);
    Ok(())
}

#[tokio::test]
async fn a_payment_is_in_the_lists_of_its_buyer_its_status_and_all() -> Verdict {
    let house = BoxOffice::open().await?;
    let (buyer, admin, show) = (&house.buyer, &house.admin, house.show(10).await?);
    let bookings = five_bookings(&show, buyer).await?;
    let paid = &bookings[0];
    paid.pay(Card::Good).await?.with_status(200)?;
    paid.until_confirmed().await?;
    let mine: Vec<&str> = bookings.iter().map(Booking::payment_id).collect();
    let all: BTreeSet<&str> = mine.iter().copied().collect();

    let own = || buyer.get(&format!("/payments/user/{}", buyer.id()));
    let by_buyer = listed(buyer, own()).await?;
    assert_eq!(by_buyer.iter().map(String::as_str).collect::<BTreeSet<_>>(), all);
    assert_eq!(paged(own, |payment: &Payment| payment.id.clone()).await?, by_buyer);
    let found = listed(admin, admin.get("/payments")).await?;
    assert_eq!(only(&found, &mine), by_buyer);
    let found = listed(admin, admin.get("/payments/status/SUCCESS")).await?;
    assert_eq!(only(&found, &mine), [paid.payment_id()]);
    let found = listed(admin, admin.get("/payments/status/PENDING")).await?;
    assert!(!only(&found, &mine).contains(&paid.payment_id()));
    Ok(())
}

#[tokio::test]
async fn a_user_is_in_the_list_of_all_and_of_their_role() -> Verdict {
    let house = BoxOffice::open().await?;
    let admin = &house.admin;
    let (older, newer) = (house.somebody().await?, house.somebody().await?);
    let mine = [older.id(), newer.id()];
    let in_role = async |role: &str| listed(admin, admin.get(&format!("/users/role/{role}"))).await;

    let all = listed(admin, admin.get("/users")).await?;
    assert_eq!(only(&all, &mine), [newer.id(), older.id()]);
    assert_eq!(only(&in_role("USER").await?, &mine), [newer.id(), older.id()]);
    let newer = newer.clone().made("MANAGER", admin).await?;
    assert_eq!(only(&in_role("USER").await?, &mine), [older.id()]);
    assert_eq!(only(&in_role("MANAGER").await?, &mine), [newer.id()]);
    admin.delete(&format!("/users/{}", newer.id())).send().await?.with_status(204)?;
    assert_eq!(only(&in_role("MANAGER").await?, &mine), Vec::<&str>::new());
    assert_eq!(only(&listed(admin, admin.get("/users")).await?, &mine), [older.id()]);
    let page = paged(|| admin.get("/users"), |user: &User| user.id.clone()).await?;
    assert_eq!(page.iter().collect::<BTreeSet<_>>().len(), page.len());
    Ok(())
}

#[tokio::test]
async fn a_notification_is_in_the_lists_of_its_user_its_status_its_type_and_all() -> Verdict {
    let house = BoxOffice::open().await?;
    let (buyer, admin) = (&house.buyer, &house.admin);
    house.verified(buyer).await?;
    house.until_notified(buyer, 1).await?;
    for number in 1..=4 {
        let message = json!({ "userId": buyer.id(), "message": format!("Message {number}") });
        admin.post("/notifications").json(&message).send().await?.with_status(201)?;
    }
    let message = json!({ "userId": buyer.id(), "message": "Message 5", "type": "EMAIL" });
    let last: Notification = admin.post("/notifications").json(&message).send().await?.answer(201)?;
    let own = || buyer.get(&format!("/notifications/user/{}", buyer.id()));
    // The welcome is the sixth.
    let mine = until("six messages are sent", SOON, async || {
        let mine = listed(buyer, own()).await?;
        let sent = listed(admin, admin.get("/notifications/status/SENT")).await?;
        let done = mine.len() == 6 && mine.iter().all(|id| sent.contains(id));
        Ok(Look::done_if(done, mine))
    })
    .await?;

    assert!(mine.contains(&last.id));
    assert_eq!(paged(own, |notification: &Notification| notification.id.clone()).await?, mine);
    let mine: Vec<&str> = mine.iter().map(String::as_str).collect();
    for (path, expected) in [
        ("/notifications", mine.len()),
        ("/notifications/type/EMAIL", mine.len()),
        ("/notifications/type/SMS", 0),
        ("/notifications/status/PENDING", 0),
        ("/notifications/status/FAILED", 0),
    ] {
        let found = listed(admin, admin.get(path)).await?;
        assert_eq!(only(&found, &mine).len(), expected, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_is_of_something_that_exists_and_of_a_page_that_was_given_out() -> Verdict {
    let house = BoxOffice::open().await?;
    let admin = &house.admin;
    for path in [
        "/tickets/status/SOLD",
        "/tickets/status/pending",
        "/payments/status/PAID",
        "/users/role/ROOT",
        "/notifications/status/READ",
        "/notifications/type/FAX",
    ] {
        admin.get(path).send().await?.refusal(400, "VALIDATION_ERROR")?;
    }
    five_bookings(&house.show(10).await?, &house.buyer).await?;
    let page: Page<Ticket> = admin.get("/tickets").query("limit", "2").send().await?.answer(200)?;
    let cursor_of_another_list = page.next.unwrap();
    for path in [
        "/users",
        "/users/role/USER",
        "/tickets/status/PENDING",
        "/payments",
        "/payments/status/PENDING",
        "/notifications",
        "/notifications/status/SENT",
        "/notifications/type/EMAIL",
    ] {
        for limit in ["0", "101", "ten"] {
            let problem = admin.get(path).query("limit", limit).send().await?.refusal(400, "VALIDATION_ERROR")?;
            assert_eq!(problem.field.as_deref(), Some("limit"), "{path}");
        }
        for cursor in ["x", "e30", &cursor_of_another_list] {
            let reply = admin.get(path).query("next", cursor).send().await?;
            reply.refusal(400, "INVALID_CURSOR").map_err(|failure| failure.during(format_args!("{path} {cursor}")))?;
        }
    }
    Ok(())
}
