//! Codes and calendar files: they are made when a mail is sent, and kept nowhere.

use crate::fixture::{FIRST, Notifications, event, ticket_data, user_data};
use boxoffice_kernel::{Channel, UserId};
use boxoffice_notifications::domain::Status;
use boxoffice_testing::{Table, for_each_dynamodb};
use serde_json::json;

#[tokio::test]
async fn a_confirmation_encloses_a_code_for_each_seat_and_a_calendar_file_and_the_table_has_neither() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let confirmed = event("TicketConfirmed", 2, &ticket_data(notifications.user().await));
        assert!(notifications.deliver(&confirmed, FIRST).await);
        let (channel, mail) = notifications.post.sent().remove(0);
        assert_eq!((channel, mail.codes.len()), (Channel::Email, 2));
        for code in &mail.codes {
            assert!(mail.html.contains(&format!("cid:{}", code.content_id())), "{}", mail.html);
        }
        let calendar = mail.calendar.unwrap();
        let ticket = confirmed["detail"]["data"]["ticketId"].as_str().unwrap();
        for line in [format!("UID:{ticket}@boxoffice"), "SEQUENCE:2".into(), "STATUS:CONFIRMED".into()] {
            assert!(calendar.contains(&format!("\r\n{line}\r\n")), "{line} is not in {calendar}");
        }
        let items = format!("{:?}", database.items(Table::Notifications).await);
        assert!(items.contains(ticket) && !items.contains("a picture of") && !items.contains("cid:"), "{items}");
        for stored in database.events().await {
            assert!(!stored.detail.contains("a picture of"), "{}", stored.detail);
        }
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_waits_for_its_codes_and_counts_as_no_message_meanwhile() {
    for_each_dynamodb(|database| async move {
        // There is room for one message.
        let notifications = Notifications::new(&database).await.within(1_000, 1);
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        for seats in [None, Some(0)] {
            notifications.codes.answer(seats);
            // Often, and at once: an attempt that sent nothing leaves no lease behind.
            for _ in 0..5 {
                assert!(!notifications.deliver(&confirmed, FIRST).await, "it was sent with {seats:?} codes");
            }
            let waiting = notifications.stored(id).await;
            assert_eq!((waiting.status, waiting.unanswered), (Status::Pending, 0));
        }
        assert!(notifications.post.sent().is_empty());
        notifications.codes.answer(Some(2));
        assert!(notifications.deliver(&confirmed, FIRST).await);
        assert_eq!(notifications.stored(id).await.status, Status::Sent);
        assert_eq!(notifications.post.sent()[0].1.codes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn codes_are_drawn_for_mails_about_good_bookings_and_for_no_others() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let user = notifications.user().await;
        let mut data = ticket_data(user);
        (data["location"], data["cancellationReason"]) = (json!("Prater, Vienna"), json!("EVENT_CANCELLED"));
        data["previous"] = json!({
            "eventName": "Late Show", "eventDate": "2030-05-25T20:00:00.000Z", "location": "Prater, Vienna"
        });
        for (kind, version, drawn, sequence) in [("TicketEventChanged", 3, 1, 3), ("TicketCancelled", 5, 1, 5)] {
            assert!(notifications.deliver(&event(kind, version, &data), FIRST).await);
            assert_eq!(notifications.codes.drawn(), drawn, "after {kind}");
            let mail = notifications.post.sent().pop().unwrap().1;
            let calendar = mail.calendar.unwrap();
            assert!(calendar.contains(&format!("\r\nSEQUENCE:{sequence}\r\n")), "{calendar}");
            assert_eq!(calendar.contains("STATUS:CANCELLED"), kind == "TicketCancelled", "{calendar}");
        }
        assert!(notifications.deliver(&event("TicketMailRequested", 4, &data), FIRST).await);
        let mail = notifications.post.sent().pop().unwrap().1;
        assert!(mail.subject.ends_with("is confirmed") && mail.codes.len() == 2, "{}", mail.subject);
        assert!(mail.calendar.unwrap().contains("\r\nSEQUENCE:4\r\n"));
        let texted = UserId::generate();
        assert!(notifications.deliver(&event("UserEmailVerified", 2, &user_data(texted, "SMS")), FIRST).await);
        assert!(notifications.deliver(&event("TicketConfirmed", 2, &ticket_data(texted)), FIRST).await);
        let (channel, message) = notifications.post.sent().pop().unwrap();
        assert_eq!((channel, message.has_enclosures(), notifications.codes.drawn()), (Channel::Sms, false, 2));
    })
    .await;
}
