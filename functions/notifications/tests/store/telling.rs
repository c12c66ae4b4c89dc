//! AP-402 and AP-407: messages have a budget; notices go where the owner was reached before.

use crate::fixture::{FIRST, Notifications, event, ticket_data, user_data};
use boxoffice_kernel::{Channel, EventId, NotificationId, Timestamp, UserId};
use boxoffice_notifications::{
    content::{Content, FreeText},
    domain::{Notification, Status},
    events::RequestedBy,
};
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use serde_json::{Value, json};

impl Notifications {
    /// The notification that this event led to.
    async fn of(&self, event: &Value) -> Notification {
        let id: EventId = serde_json::from_value(event["detail"]["metadata"]["eventId"].clone()).unwrap();
        self.stored(id.notification()).await
    }
}

#[tokio::test]
async fn message_over_a_budget_waits_and_is_sent_when_there_is_room() {
    for_each_dynamodb(|database| async move {
        for (of_day, of_hour) in [(1_000, 2), (2, 1_000_000)] {
            let notifications = Notifications::new(&database).await.within(of_day, of_hour);
            let user = notifications.user().await;
            let mut waiting = None;
            for number in 0..3 {
                let confirmed = event("TicketConfirmed", 2, &ticket_data(user));
                assert_eq!(notifications.deliver(&confirmed, FIRST).await, number < 2, "message {number}");
                waiting = Some(confirmed);
            }
            let waiting = waiting.unwrap();
            assert_eq!(notifications.of(&waiting).await.status, Status::Pending);
            // A try more is none of another message.
            assert!(!notifications.deliver(&waiting, FIRST).await);
            let more = notifications.clone().within(1_000, 1_000_000);
            assert!(more.deliver(&waiting, FIRST).await);
            assert_eq!(more.of(&waiting).await.status, Status::Sent);
            assert_eq!(notifications.post.sent().len(), 3);
        }
    })
    .await;
}

#[tokio::test]
async fn owner_hears_of_a_new_address_at_the_old_one_and_of_a_password_however_many_messages_came_before() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await.within(1, 1_000_000);
        let user = UserId::generate();
        let mut data = user_data(user, "SMS");
        assert!(notifications.deliver(&event("UserEmailVerified", 2, &data), FIRST).await);
        (data["email"], data["changed"], data["previousEmail"]) =
            (json!("eve@example.net"), json!(["email", "phone"]), json!("ada@example.org"));
        assert!(notifications.deliver(&event("UserEmailVerified", 3, &data), FIRST).await);
        assert_eq!(notifications.post.addresses(), ["+14155550123", "ada@example.org"]);
        let notice = &notifications.post.sent()[1].1;
        assert!(notice.text.contains("mail address and telephone number"), "{}", notice.text);

        assert!(notifications.deliver(&event("UserPasswordChanged", 4, &json!({ "userId": user })), FIRST).await);
        assert_eq!(notifications.post.addresses()[2..], ["eve@example.net"]);
        assert!(notifications.post.sent()[2].1.text.contains("password"));
    })
    .await;
}

#[tokio::test]
async fn a_deletion_is_mailed_before_the_address_is_forgotten() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        notifications.record(&event("UserCreated", 1, &user_data(user, "EMAIL"))).await.unwrap();
        let deleted = event("UserDeleted", 2, &json!({ "userId": user }));
        assert!(notifications.deliver(&deleted, FIRST).await);
        assert_eq!(notifications.post.addresses(), ["ada@example.org"]);
        assert!(notifications.deliver(&deleted, FIRST).await, "again");
        assert_eq!(notifications.post.sent().len(), 1);
        let left = format!("{:?}", database.items(Table::Notifications).await);
        assert!(!left.contains("ada@example.org") && !left.contains("Ada"), "{left}");
    })
    .await;
}

#[tokio::test]
async fn an_unverified_address_hears_of_paid_orders_alone_and_a_verified_one_of_everything() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        let mut data = user_data(user, "SMS");
        (data["emailVerified"], data["phoneVerified"]) = (json!(false), json!(false));
        let mut unpaid = ticket_data(user);
        unpaid["cancellationReason"] = json!("HOLD_EXPIRED");
        let password = json!({ "userId": user });
        let news = || {
            [
                event("TicketConfirmed", 2, &ticket_data(user)),
                event("TicketCancelled", 2, &unpaid),
                event("UserPasswordChanged", 2, &password),
            ]
        };
        assert!(notifications.deliver(&event("UserCreated", 1, &data), FIRST).await);
        for news in news() {
            assert!(notifications.deliver(&news, FIRST).await);
        }
        let deleted = event("UserDeleted", 9, &json!({ "userId": user }));
        assert_eq!(notifications.post.addresses(), ["ada@example.org"], "the order's confirmation, and by mail");
        assert!(notifications.post.sent()[0].1.subject.contains("confirmed"));

        // The control: the same news once both addresses are verified.
        let data = user_data(user, "SMS");
        assert!(notifications.deliver(&event("UserEmailVerified", 3, &data), FIRST).await);
        for news in news() {
            assert!(notifications.deliver(&news, FIRST).await);
        }
        assert!(notifications.deliver(&deleted, FIRST).await);
        let (sms, mail) = ("+14155550123", "ada@example.org");
        assert_eq!(notifications.post.addresses()[1..], [sms, sms, sms, mail, mail]);
    })
    .await;
}

#[tokio::test]
async fn a_message_to_an_unverified_address_fails_with_its_reason() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        let mut data = user_data(user, "EMAIL");
        data["emailVerified"] = json!(false);
        assert!(notifications.deliver(&event("UserCreated", 1, &data), FIRST).await);
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, content) = (NotificationId::generate(), Content::Message(text.clone()));
        let now = Timestamp::now();
        let message = Notification::new(id, user, Channel::Email, content, text, EventId::generate().into(), now);
        notifications.store.record(&message, RequestedBy::Request, &trace()).await.unwrap();
        let asked = event("NotificationRequested", 1, &json!({ "notificationId": id }));
        assert!(notifications.deliver(&asked, FIRST).await);
        let failed = notifications.stored(id).await;
        assert_eq!(failed.failure_reason.as_deref(), Some("the user has not verified their address for EMAIL"));
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}
