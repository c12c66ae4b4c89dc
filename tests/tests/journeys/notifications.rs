//! Messages to users: their channel, and how often they come: once.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Failure, NotificationStatus, Outcome, Person, Verdict, ensure,
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

/// The events of a booking and of its buyer that somebody might be told of.
async fn told_events(house: &BoxOffice, booking: &Booking) -> Outcome<Vec<StoredEvent>> {
    const TOLD: [&str; 7] = [
        "UserEmailVerified",
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

/// The mails to this address that tell something: those with a token are no notifications.
async fn messages_to(house: &BoxOffice, address: &str) -> Outcome<Vec<Mail>> {
    let mut mails = house.mailbox.mails_to(address).await?;
    mails.retain(|mail| !mail.subject.starts_with("Verify"));
    Ok(mails)
}

/// The parts by which two mails are the same mail.
fn counted(mails: &[Mail]) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for mail in mails {
        *counted.entry((mail.subject.clone(), mail.body_text.clone())).or_default() += 1;
    }
    counted
}

#[tokio::test]
async fn a_new_user_is_welcomed_by_mail_once_they_have_shown_that_they_read_it() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = Person::register_as(&house.api, &Body::user().with("firstName", "Ada <Lovelace>")).await?;

    house.verified(&me).await?;
    let messages = house.until_notified(&me, 1).await?;
    let mails = messages_to(&house, me.email()).await?;

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
    house.verified(me).await?;
    let booking = show.order(2).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    let messages = house.until_notified(me, 4).await?;
    assert_eq!(templates(&messages), ["PAYMENT_REFUNDED", "TICKET_CANCELLED", "TICKET_CONFIRMED", "WELCOME"]);
    let events = told_events(&house, &booking).await?;
    for message in &messages {
        sent_and_told_so(&house, message).await?;
        let led_to_it =
            events.iter().filter(|stored| Some(&stored.event.metadata.event_id) == message.event_id.as_ref());
        assert_eq!(led_to_it.count(), 1, "{message:?}");
    }
    let before = messages_to(&house, me.email()).await?;
    assert_eq!(before.len(), 4, "{before:?}");

    // Every event once more; and, so that it is known when that is through and that a second mail would be seen, one that only says the same.
    for stored in &events {
        house.bus.repeat(stored).await?;
    }
    let confirmed = events.iter().find(|stored| stored.event.metadata.event_type == "TicketConfirmed").unwrap();
    let another = house.bus.say_anew(confirmed).await?;
    let after = house.until_notified(me, 5).await?;
    for stored in &events {
        house.bus.repeat(stored).await?;
    }
    let once_more = house.bus.say_anew(confirmed).await?;
    let messages = house.until_notified(me, 6).await?;

    assert_eq!((after.len(), messages.len()), (5, 6));
    for event_id in [another, once_more] {
        assert!(
            messages.iter().any(|message| message.event_id.as_ref() == Some(&event_id)),
            "the control was not told"
        );
    }
    let mails = counted(&messages_to(&house, me.email()).await?);
    for (mail, times) in &mails {
        let control = mail.0.contains("onfirmed") || mail.1.contains("onfirmed");
        assert!(*times == 1 || (control && *times == 3), "{times} times {mail:?}");
    }
    assert_eq!(mails.values().sum::<usize>(), 6, "{mails:?}");
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
    assert!(of_the_booking.count() >= 2, "{mails:?}");
    let amount = booking.ticket.total_amount.to_string();
    let with_amount = mails.iter().filter(|mail| mail.body_text.contains(&amount) && mail.body_text.contains("EUR"));
    assert!(with_amount.count() >= 2, "confirmed and refunded: {mails:?}");
}

#[tokio::test]
async fn a_booking_paid_at_once_is_one_message() -> Verdict {
    let house = BoxOffice::open().await?;
    house.verified(&house.buyer).await?;
    let show = house.show_with(&Body::show(10).with("location", "Concert Hall, Vienna")).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    let messages = house.until_notified(&house.buyer, 2).await?;
    assert_eq!(templates(&messages), ["TICKET_CONFIRMED", "WELCOME"]);
    // A message of which there shall be none would have come before one that is asked for afterwards.
    let message = json!({ "userId": house.buyer.id(), "message": "That was all." });
    house.admin.post("/notifications").json(&message).send().await?.with_status(201)?;
    let messages = house.until_notified(&house.buyer, 3).await?;
    assert_eq!(templates(&messages), ["MESSAGE", "TICKET_CONFIRMED", "WELCOME"]);

    let confirmed = messages.iter().find(|message| message.template == "TICKET_CONFIRMED").unwrap();
    let transaction = booking.payment().await?.transaction_id;
    for said in [show.name(), "Concert Hall, Vienna", " UTC", "99.8", "EUR", booking.id(), transaction.as_str()] {
        assert!(confirmed.message.contains(said), "{said} is not in {}", confirmed.message);
    }
    Ok(())
}

/// The value of this property of a mail's calendar file.
fn in_the_calendar(mail: &Mail, property: &str) -> Outcome<String> {
    let file = mail.enclosed_as("text/calendar").next();
    let file = file.map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default();
    let value = file.lines().find_map(|line| line.strip_prefix(property)?.strip_prefix(':'));
    value
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{:?} has no {property} in its calendar: {file}", mail.subject)))
}

#[tokio::test]
async fn a_confirmation_shows_the_codes_of_its_admissions_and_its_calendar_entry_goes_with_the_booking() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = &house.buyer;
    house.verified(me).await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let confirmed = house.mailbox.until_mailed_about(me.email(), "is confirmed").await?;

    let pictures: Vec<_> = confirmed.enclosed_as("image/png").collect();
    let html = confirmed.body_html.as_deref().unwrap_or_default();
    assert_eq!(pictures.len(), 2, "{:?}", confirmed.enclosed);
    for (place, picture) in (1..).zip(&pictures) {
        let admission = format!("adm_{}{place:06}", booking.id().trim_start_matches("tkt_"));
        let id = picture.content_id.as_deref().unwrap_or_default();
        ensure!(id.starts_with(&admission) && html.contains(&format!("src=\"cid:{id}\"")), "{id} is not in {html}");
        // The picture is the one that the admission's page shows, byte by byte.
        let path = format!("/admissions/{admission}/code.png");
        let shown = me.get(&path).header("Accept", "image/png").send().await?;
        shown.with_status(200)?;
        assert!(shown.bytes == picture.content, "the mail has another code than {admission}");
    }
    assert!(pictures[0].content != pictures[1].content, "both seats have one code");
    assert!(confirmed.body_text.contains("Your 2 codes are in this mail."), "{}", confirmed.body_text);

    // Its owner has it sent again, and nobody else; three times an hour.
    let again = format!("/tickets/{}/mail", booking.id());
    house.somebody().await?.post(&again).send().await?.refusal(403, "FORBIDDEN")?;
    for _ in 0..3 {
        me.post(&again).send().await?.with_status(202)?;
    }
    let refused = me.post(&again).send().await?;
    refused.refusal(429, "TOO_MANY_ATTEMPTS")?;
    ensure!(refused.header("retry-after").is_some(), "{refused:?} does not say when to retry");
    // The welcome, the confirmation and its three repetitions.
    house.until_notified(me, 5).await?;
    let mut mails = house.mailbox.mails_to(me.email()).await?;
    mails.retain(|mail| mail.subject == confirmed.subject);
    assert_eq!(mails.len(), 4);
    let shown = |mail: &Mail| mail.enclosed_as("image/png").map(|it| it.content.clone()).collect::<Vec<_>>();
    assert!(mails.iter().all(|mail| shown(mail) == shown(&confirmed)), "a mail has other codes than the first");

    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    let cancelled = house.mailbox.until_mailed_about(me.email(), "is cancelled").await?;
    me.post(&again).send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    assert_eq!(cancelled.enclosed_as("image/png").count(), 0);
    let [before, after] = [&confirmed, &cancelled];
    let uid = format!("{}@boxoffice", booking.id());
    assert_eq!([in_the_calendar(before, "UID")?, in_the_calendar(after, "UID")?], [uid.clone(), uid]);
    let sequence = |mail| Ok::<u64, Failure>(in_the_calendar(mail, "SEQUENCE")?.parse().unwrap_or_default());
    assert!(sequence(before)? < sequence(after)?, "{before:?} {after:?}");
    assert_eq!(in_the_calendar(before, "STATUS")?, "CONFIRMED");
    assert_eq!(in_the_calendar(after, "STATUS")?, "CANCELLED");
    Ok(())
}

#[tokio::test]
async fn an_admins_cancellation_is_not_said_to_be_the_buyers() -> Verdict {
    let house = BoxOffice::open().await?;
    house.verified(&house.buyer).await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    house.admin.cancel(booking.id()).send().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_OPERATOR").await?;

    let messages = house.until_notified(&house.buyer, 4).await?;
    let cancelled = messages.iter().find(|message| message.template == "TICKET_CANCELLED").unwrap();
    assert!(cancelled.message.contains("We cancelled it."), "{cancelled:?}");
    assert!(!cancelled.message.contains("You asked"), "{cancelled:?}");
    Ok(())
}

#[tokio::test]
async fn a_declined_card_and_the_end_of_the_booking_are_one_message() -> Verdict {
    let house = BoxOffice::open().await?;
    house.verified(&house.buyer).await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Declined).booked().await?;
    booking.declined_for_good().await?;

    let messages = house.until_notified(&house.buyer, 2).await?;
    assert_eq!(templates(&messages), ["TICKET_CANCELLED", "WELCOME"]);
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
async fn a_user_who_chose_sms_gets_sms() -> Verdict {
    let house = BoxOffice::open().await?;
    let phone = a_number();
    let me =
        Person::register_as(&house.api, &Body::user().with("notificationChannel", "SMS").with("phone", phone.clone()))
            .await?;

    house.verified_by_phone(&me, &phone).await?;
    house.verified(&me).await?;
    // Whether the number's notice comes as well depends on which event is delivered first: a notice goes by mail, and only to a verified address.
    let welcome = until(format_args!("{} is welcomed", me.id()), SOON, async || {
        let mut messages = me.notifications_of(me.id()).await?;
        messages.retain(|message| message.template == "WELCOME" && message.status != NotificationStatus::Pending);
        Ok(Look::done_if(!messages.is_empty(), messages))
    })
    .await?
    .remove(0);

    assert_eq!((welcome.kind.as_str(), welcome.status), ("SMS", NotificationStatus::Sent));
    let texts = house.mailbox.texts_to(&phone).await?;
    assert_eq!(texts.len(), 2, "the code, and the message: {texts:?}");
    assert!(texts.iter().any(|text| text.contains(&welcome.message)), "{texts:?}");
    Ok(())
}

#[tokio::test]
async fn a_buyer_who_has_verified_nothing_hears_of_their_paid_order_and_of_nothing_else() -> Verdict {
    let house = BoxOffice::open().await?;
    let body = Body::user().with("notificationChannel", "SMS").with("phone", a_number());
    let me = Person::register_as(&house.api, &body).await?;
    let show = house.show(5).await?;
    let declined = show.order_of(&me, 1).paid_with(Card::Declined).booked().await?;
    declined.declined_for_good().await?;
    let booking = show.order_of(&me, 1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let message = json!({ "userId": me.id(), "message": "Not for an address that may be another's." });
    until("the registration has arrived, and a message is taken", SOON, async || {
        let reply = house.admin.post("/notifications").json(&message).send().await?;
        Ok(Look::done_if(reply.status == 201, reply))
    })
    .await?;

    let messages = house.until_notified(&me, 2).await?;
    assert_eq!(templates(&messages), ["MESSAGE", "TICKET_CONFIRMED"]);
    for message in &messages {
        let sent = message.template == "TICKET_CONFIRMED";
        assert_eq!(message.kind, "EMAIL", "no number is texted that nobody has verified");
        assert_eq!(message.status == NotificationStatus::Sent, sent, "{message:?}");
    }
    let mails = house.mailbox.mails_to(me.email()).await?;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].subject.contains("confirmed"), "{mails:?}");
    Ok(())
}

#[tokio::test]
async fn a_message_for_a_device_that_is_gone_fails_with_its_reason() -> Verdict {
    let house = BoxOffice::open().await?;
    let with_device = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let lost = Person::register_as(&house.api, &with_device).await?;
    house.verified(&lost).await?;

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
async fn a_user_without_a_telephone_gets_mail_instead_of_sms() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = Person::register_as(&house.api, &Body::user().with("notificationChannel", "SMS")).await?;
    house.verified(&me).await?;
    let messages = house.until_notified(&me, 1).await?;
    assert_eq!((messages[0].kind.as_str(), messages[0].status), ("EMAIL", NotificationStatus::Sent));
    assert_eq!(messages_to(&house, me.email()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_changed_address_is_where_the_next_message_goes_once_it_is_verified() -> Verdict {
    let house = BoxOffice::open().await?;
    let (me, new_address) = (house.somebody().await?, format!("{}@example.org", fresh("moved")));
    house.verified(&me).await?;
    house.until_notified(&me, 1).await?;
    me.put_user(me.id(), &json!({ "email": new_address })).send().await?.with_status(200)?;
    house.verified_at(&me, &new_address).await?;

    // The news of the change travels by itself: asked for until it has arrived.
    until("a message goes to the new address", SOON, async || {
        let message = json!({ "userId": me.id(), "message": "Where are you?" });
        house.admin.post("/notifications").json(&message).send().await?.with_status(201)?;
        let mails = messages_to(&house, &new_address).await?;
        Ok(Look::done_if(!mails.is_empty(), mails))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_admin_s_message_is_sent_as_it_was_written() -> Verdict {
    let house = BoxOffice::open().await?;
    house.verified(&house.buyer).await?;
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
    house.verified(&house.buyer).await?;
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
    house.verified(me).await?;
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

#[tokio::test]
async fn a_failed_message_is_sent_again_once_on_an_admins_word() -> Verdict {
    let house = BoxOffice::open().await?;
    let with_device = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let lost = Person::register_as(&house.api, &with_device).await?;
    house.verified(&lost).await?;
    let failed = house.until_notified(&lost, 1).await?.remove(0);
    let path = format!("/operations/notifications/{}/resend", failed.id);
    let resend = || house.admin.post(&path).json(&json!({ "reason": "They have a new device" }));

    // A double click is one act.
    let (one, other) = (resend(), resend());
    let (one, other) = tokio::join!(one.send(), other.send());
    for reply in [one?, other?] {
        let again: Notification = reply.answer(202)?;
        assert_eq!(again.id, failed.id);
    }
    let events = until("it was tried again, and failed again", SOON, async || {
        let events = house.tables.events_of(&failed.id).await?;
        Ok(Look::done_if(events.len() == 4, events))
    })
    .await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(
        types,
        ["NotificationRequested", "NotificationFailed", "NotificationResendRequested", "NotificationFailed"]
    );
    let act: serde_json::Value = serde_json::from_str(&events[2].detail).unwrap();
    let act = &act["data"];
    assert_eq!((&act["requestedBy"], &act["reason"]), (&json!(house.admin.id()), &json!("They have a new device")));

    // From a terminal the same, with another name.
    let told = house
        .terminal
        .run(&["notifications", "resend", &failed.id, "--reason", "once more", "--as", "ada"])
        .await?
        .done()?;
    assert_eq!(told["requestedBy"], "cli:ada");
    let listed = house.terminal.run(&["notifications", "list", "--limit", "100"]).await?.done()?;
    assert!(listed["items"].is_array(), "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_message_that_was_sent_is_not_sent_again_on_anybodys_word() -> Verdict {
    let house = BoxOffice::open().await?;
    house.verified(&house.buyer).await?;
    let welcome = house.until_notified(&house.buyer, 1).await?.remove(0);
    let path = format!("/operations/notifications/{}/resend", welcome.id);
    let why = json!({ "reason": "Because" });
    house.admin.post(&path).json(&why).send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    let path = format!("/operations/notifications/{}/resend", fresh_id("ntf"));
    house.admin.post(&path).json(&why).send().await?.refusal(404, "NOTIFICATION_NOT_FOUND")?;
    assert_eq!(messages_to(&house, house.buyer.email()).await?.len(), 1);
    Ok(())
}
