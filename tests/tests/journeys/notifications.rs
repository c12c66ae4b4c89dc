//! What users are told, by which way, and how often: once.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, NotificationStatus, Outcome, Person, Verdict, ensure,
    mailbox::{DEVICE_THAT_IS_GONE, Mail},
    model::Notification,
    story::{Body, fresh, fresh_id, random},
    tables::StoredEvent,
    wait::{Look, SOON, until},
};
use serde_json::json;
use std::collections::BTreeMap;

fn templates(messages: &[Notification]) -> Vec<&str> {
    let mut templates: Vec<_> = messages.iter().map(|message| message.template.as_str()).collect();
    templates.sort_unstable();
    templates
}

/// The events of a booking and of its buyer that somebody is told of.
async fn told_events(house: &BoxOffice, booking: &Booking) -> Outcome<Vec<StoredEvent>> {
    const TOLD: [&str; 7] = [
        "UserCreated",
        "TicketCreated",
        "TicketConfirmed",
        "TicketCancelled",
        "PaymentCompleted",
        "PaymentFailed",
        "PaymentRefunded",
    ];
    let mut events = house.tables.events_of(booking.buyer.id()).await?;
    events.extend(booking.history().await?.all());
    events.retain(|stored| TOLD.contains(&stored.event.metadata.event_type.as_str()));
    Ok(events)
}

/// Each message's own events keep to their contracts and end with its being sent.
async fn sent_and_told_so(house: &BoxOffice, message: &Notification) -> Outcome<()> {
    ensure!(
        message.status == NotificationStatus::Sent && message.sent_at.is_some() && message.failure_reason.is_none(),
        "{message:?} should be sent"
    );
    let events = house.tables.events_of(&message.id).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    ensure!(types == ["NotificationRequested", "NotificationSent"], "{} was told as {types:?}", message.id);
    Ok(())
}

/// What makes two mails the same mail.
fn counted(mails: &[Mail]) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for mail in mails {
        *counted.entry((mail.subject.clone(), mail.body_text.clone())).or_default() += 1;
    }
    counted
}

#[tokio::test]
async fn whoever_registers_is_welcomed_by_mail() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = Person::register_as(&house.api, &Body::user().with("firstName", "Ada <Lovelace>")).await?;

    let mails = house.mailbox.until_mailed(me.email(), 1).await?;
    let messages = house.until_notified(&me, 1).await?;

    let (mail, message) = (&mails[0], &messages[0]);
    assert_eq!((mails.len(), messages.len()), (1, 1));
    assert_eq!((message.template.as_str(), message.kind.as_str(), message.attempts), ("WELCOME", "EMAIL", 1));
    assert!((1..=1000).contains(&message.message.chars().count()), "{message:?}");
    assert!(!mail.subject.is_empty() && mail.body_text.contains(&message.message), "{mail:?}");
    // A name is text, on a page as well.
    let html = mail.body_html.as_deref().unwrap();
    assert!(mail.body_text.contains("Ada <Lovelace>") && !html.contains("<Lovelace>"), "{html}");
    sent_and_told_so(&house, message).await?;
    Ok(())
}

#[tokio::test]
async fn a_booking_paid_and_cancelled_tells_each_thing_once_though_every_event_comes_twice() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = &house.buyer;
    let name = fresh("Rock & <b>Roll</b>");
    let show = house.show_with(&Body::show(10).with("eventName", name.clone())).await?;
    let booking = show.order(2).booked().await?;
    booking.until_payable().await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    let messages = house.until_notified(me, 6).await?;
    let expected =
        ["PAYMENT_COMPLETED", "PAYMENT_REFUNDED", "TICKET_CANCELLED", "TICKET_CONFIRMED", "TICKET_HELD", "WELCOME"];
    assert_eq!(templates(&messages), expected);
    let events = told_events(&house, &booking).await?;
    for message in &messages {
        sent_and_told_so(&house, message).await?;
        let led_to_it =
            events.iter().filter(|stored| Some(&stored.event.metadata.event_id) == message.event_id.as_ref());
        assert_eq!(led_to_it.count(), 1, "{message:?}");
    }
    let before = house.mailbox.mails_to(me.email()).await?;
    assert_eq!(before.len(), 6, "{before:?}");

    // Every event once more; and, so that it is known when that is through and that a second mail would be seen, one that only says the same.
    for stored in &events {
        house.bus.repeat(stored).await?;
    }
    let confirmed = events.iter().find(|stored| stored.event.metadata.event_type == "TicketConfirmed").unwrap();
    let another = house.bus.say_anew(confirmed).await?;
    let after = house.until_notified(me, 7).await?;
    for stored in &events {
        house.bus.repeat(stored).await?;
    }
    let once_more = house.bus.say_anew(confirmed).await?;
    let messages = house.until_notified(me, 8).await?;

    assert_eq!((after.len(), messages.len()), (7, 8));
    for event_id in [another, once_more] {
        assert!(
            messages.iter().any(|message| message.event_id.as_ref() == Some(&event_id)),
            "the control was not told"
        );
    }
    let mails = counted(&house.mailbox.mails_to(me.email()).await?);
    for (mail, times) in &mails {
        let control = mail.0.contains("onfirmed") || mail.1.contains("onfirmed");
        assert!(*times == 1 || (control && *times == 3), "{times} times {mail:?}");
    }
    assert_eq!(mails.values().sum::<usize>(), 8, "{mails:?}");
    the_mails_say_what_they_should(&before, &name, &booking);
    Ok(())
}

fn the_mails_say_what_they_should(mails: &[Mail], event_name: &str, booking: &Booking) {
    for mail in mails {
        let html = mail.body_html.as_deref().unwrap_or_default();
        assert!(html.contains("<html") && !html.contains("<b>Roll"), "{html}");
        assert!(!mail.body_text.is_empty() && mail.source.contains('@'), "{mail:?}");
    }
    let of_the_booking =
        mails.iter().filter(|mail| mail.body_text.contains(event_name) || mail.subject.contains(event_name));
    assert!(of_the_booking.count() >= 3, "{mails:?}");
    let amount = booking.ticket.total_amount.to_string();
    let with_amount = mails.iter().filter(|mail| mail.body_text.contains(&amount) && mail.body_text.contains("EUR"));
    assert!(with_amount.count() >= 3, "held, paid and refunded: {mails:?}");
}

#[tokio::test]
async fn a_declined_card_and_the_end_of_the_booking_are_told() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Declined).booked().await?;
    booking.until_cancelled("PAYMENT_DECLINED").await?;

    let messages = house.until_notified(&house.buyer, 4).await?;
    assert_eq!(templates(&messages), ["PAYMENT_FAILED", "TICKET_CANCELLED", "TICKET_HELD", "WELCOME"]);
    for message in &messages {
        sent_and_told_so(&house, message).await?;
    }
    Ok(())
}

/// A telephone number of its own, of those kept for fiction.
fn a_number() -> String {
    format!("+1415555{:04}{:04}", random(10_000), random(10_000))
}

#[tokio::test]
async fn who_wants_text_messages_gets_them() -> Verdict {
    let house = BoxOffice::open().await?;
    let phone = a_number();
    let me =
        Person::register_as(&house.api, &Body::user().with("notificationChannel", "SMS").with("phone", phone.clone()))
            .await?;

    let messages = house.until_notified(&me, 1).await?;

    assert_eq!((messages[0].kind.as_str(), messages[0].status), ("SMS", NotificationStatus::Sent));
    let texts = house.mailbox.texts_to(&phone).await?;
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains(&messages[0].message), "{texts:?}");
    assert_eq!(house.mailbox.mails_to(me.email()).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_message_for_a_device_that_is_gone_fails_with_its_reason() -> Verdict {
    let house = BoxOffice::open().await?;
    let with_device = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let lost = Person::register_as(&house.api, &with_device).await?;

    let messages = house.until_notified(&lost, 1).await?;
    let failed = &messages[0];
    assert_eq!(failed.kind, "PUSH");
    assert_eq!((failed.status, failed.sent_at.as_ref()), (NotificationStatus::Failed, None));
    assert!(failed.attempts >= 1 && failed.failure_reason.as_ref().is_some_and(|why| !why.is_empty()), "{failed:?}");
    let events = house.tables.events_of(&failed.id).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(types, ["NotificationRequested", "NotificationFailed"]);
    Ok(())
}

#[tokio::test]
async fn who_has_no_telephone_gets_mail_in_place_of_text_messages() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = Person::register_as(&house.api, &Body::user().with("notificationChannel", "SMS")).await?;
    let messages = house.until_notified(&me, 1).await?;
    assert_eq!((messages[0].kind.as_str(), messages[0].status), ("EMAIL", NotificationStatus::Sent));
    assert_eq!(house.mailbox.mails_to(me.email()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_changed_address_is_where_the_next_message_goes() -> Verdict {
    let house = BoxOffice::open().await?;
    let (me, new_address) = (house.somebody().await?, format!("{}@example.org", fresh("moved")));
    house.until_notified(&me, 1).await?;
    me.put_user(me.id(), &json!({ "email": new_address })).send().await?.with_status(200)?;

    // The news of the change travels by itself: asked for until it has arrived.
    until("a message goes to the new address", SOON, async || {
        let message = json!({ "userId": me.id(), "message": "Where are you?" });
        house.admin.post("/notifications").json(&message).send().await?.with_status(201)?;
        let mails = house.mailbox.mails_to(&new_address).await?;
        Ok(Look::done_if(!mails.is_empty(), mails))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_admin_s_message_is_sent_as_it_was_written() -> Verdict {
    let house = BoxOffice::open().await?;
    house.until_notified(&house.buyer, 1).await?;
    let text = format!("The doors open at 7 pm & not <earlier>. {}", fresh("Ref"));

    let body = json!({ "userId": house.buyer.id(), "message": text });
    let reply = house.admin.post("/notifications").json(&body).send().await?;
    let message: Notification = reply.answer(201)?;
    let location = reply.header("location").unwrap_or_default();
    assert!(location.ends_with(&format!("/notifications/{}", message.id)), "Location: {location}");
    assert_eq!((message.status, message.message.as_str()), (NotificationStatus::Pending, text.as_str()));
    house.until_notified(&house.buyer, 2).await?;

    let path = format!("/notifications/{}", message.id);
    let sent: Notification = house.buyer.get(&path).send().await?.answer(200)?;
    sent_and_told_so(&house, &sent).await?;
    let mails = house.mailbox.mails_to(house.buyer.email()).await?;
    assert_eq!(mails.iter().filter(|mail| mail.body_text.contains(&text)).count(), 1, "{mails:?}");
    assert!(!mails.iter().any(|mail| mail.body_html.as_deref().unwrap_or_default().contains("<earlier>")));
    Ok(())
}

#[tokio::test]
async fn a_bad_message_is_not_sent() -> Verdict {
    let house = BoxOffice::open().await?;
    house.until_notified(&house.buyer, 1).await?;
    let good = Body::of(json!({ "userId": house.buyer.id(), "message": "Hello." }));
    for (field, value) in [
        ("message", json!("")),
        ("message", json!("x".repeat(1001))),
        ("message", json!(null)),
        ("userId", json!("somebody")),
        ("type", json!("FAX")),
    ] {
        let body = good.clone().with(field, value).json();
        let problem = house.admin.post("/notifications").json(&body).send().await?.refusal(400, "VALIDATION_ERROR")?;
        assert_eq!(problem.field.as_deref(), Some(field), "{body}");
    }
    let unknown = good.with("userId", fresh_id("usr")).json();
    house.admin.post("/notifications").json(&unknown).send().await?.refusal(404, "USER_NOT_FOUND")?;
    assert_eq!(house.buyer.notifications_of(house.buyer.id()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_deleted_message_is_out_of_sight() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = &house.buyer;
    let message = house.until_notified(me, 1).await?.remove(0);
    let path = format!("/notifications/{}", message.id);

    me.delete(&path).send().await?.with_status(204)?;

    me.get(&path).send().await?.refusal(404, "NOTIFICATION_NOT_FOUND")?;
    me.delete(&path).send().await?.refusal(404, "NOTIFICATION_NOT_FOUND")?;
    assert_eq!(me.notifications_of(me.id()).await?, []);
    for list in ["/notifications", "/notifications/status/SENT", "/notifications/type/EMAIL"] {
        let listed: Vec<Notification> = house.admin.whole_list(house.admin.get(list).query("limit", "100")).await?;
        assert!(listed.iter().all(|other| other.id != message.id), "{list}");
    }
    Ok(())
}
