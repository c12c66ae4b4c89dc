//! Sending: AP-104 to AP-107, and what two executions make of one event.

use crate::fixture::{Notifications, contact, event, ticket_data, user_data};
use boxoffice_kernel::{Channel, EventId, NotificationId, Timestamp, UserId};
use boxoffice_notifications::{
    content::Content,
    domain::{Notification, Status},
    events::RequestedBy,
    sender::SendError,
};
use boxoffice_runtime::StepFailure;
use boxoffice_testing::{for_each_dynamodb, trace};
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test]
async fn who_registers_is_welcomed_by_the_channel_they_chose() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let created = event("UserCreated", 1, &user_data(UserId::generate(), "SMS"));
        assert!(notifications.execute(&created, "an-execution").await);
        let sent = notifications.post.sent();
        assert_eq!((sent.len(), sent[0].0), (1, Channel::Sms));
        assert!(sent[0].1.text.starts_with("Hello Ada,"));
    })
    .await;
}

#[tokio::test]
async fn an_event_delivered_many_times_at_once_is_told_once() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        let held = event("TicketCreated", 1, &ticket_data(user));
        let mut running = JoinSet::new();
        for number in 0..8 {
            let (notifications, held) = (notifications.clone(), held.clone());
            running.spawn(async move { notifications.execute(&held, &format!("execution-{number}")).await });
        }
        assert!(running.join_all().await.into_iter().all(|well| well));
        assert!(notifications.execute(&held, "much-later").await);

        assert_eq!(notifications.post.sent().len(), 1);
        let id = serde_json::from_value::<EventId>(held["detail"]["metadata"]["eventId"].clone()).unwrap();
        let stored = notifications.stored(id.notification()).await;
        assert_eq!((stored.status, stored.attempts, stored.version), (Status::Sent, 1, 2));
        assert_eq!(database.history(stored.id).await, ["NotificationRequested", "NotificationSent"]);
    })
    .await;
}

/// The negative control: the same deliveries, each under an id of its own as if it did not follow from the event's.
#[tokio::test]
async fn without_an_id_that_follows_from_the_event_it_would_be_told_each_time() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        let held = event("TicketCreated", 1, &ticket_data(user));
        for number in 0..3 {
            let mut other = held.clone();
            other["detail"]["metadata"]["eventId"] = json!(EventId::generate());
            assert!(notifications.execute(&other, &format!("execution-{number}")).await);
        }
        assert_eq!(notifications.post.sent().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn while_one_execution_sends_another_waits_and_neither_gives_up_for_the_other() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let id = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(SendError::Unavailable("SES did not answer".into())));
        assert_eq!(notifications.send(id, "first").await.unwrap_err().name(), StepFailure::TRANSIENT);

        let waiting = notifications.send(id, "second").await.unwrap_err();
        assert_eq!(waiting.name(), StepFailure::TRANSIENT);
        notifications.give_up(id, "second", &waiting).await;
        assert_eq!(notifications.stored(id).await.status, Status::Pending);

        notifications.post.fail_with(None);
        assert_eq!(notifications.send(id, "first").await.unwrap().status, Status::Sent);
        assert_eq!(notifications.send(id, "second").await.unwrap().status, Status::Sent);
        assert_eq!((notifications.post.sent().len(), notifications.stored(id).await.attempts), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn what_fails_for_good_says_why_and_is_never_sent() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let id = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(SendError::Unavailable("SES did not answer".into())));
        let mut last = None;
        for _ in 0..4 {
            last = notifications.send(id, "an-execution").await.err();
        }
        notifications.give_up(id, "an-execution", &last.unwrap()).await;
        notifications.give_up(id, "an-execution", &StepFailure::Transient("again".into())).await;

        let failed = notifications.stored(id).await;
        assert_eq!((failed.status, failed.attempts), (Status::Failed, 4));
        assert_eq!(failed.failure_reason.unwrap(), "It could not be sent, though it was tried 4 times.");
        assert_eq!(database.history(id).await, ["NotificationRequested", "NotificationFailed"]);
        notifications.post.fail_with(None);
        assert_eq!(notifications.send(id, "much-later").await.unwrap().status, Status::Failed);
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_does_not_reach_its_user_is_refused_at_once() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        let text: boxoffice_notifications::content::FreeText = "The doors open at seven.".parse().unwrap();
        let (id, content) = (NotificationId::generate(), Content::Message(text.clone()));
        let correlation = trace().correlation_id;
        let asked = Notification::new(id, user, Channel::Push, content, text, correlation, Timestamp::now());
        notifications.store.record(&asked, RequestedBy::Request, &trace()).await.unwrap();
        let requested = event("NotificationRequested", 1, &json!({ "notificationId": id, "userId": user }));
        assert!(!notifications.execute(&requested, "an-execution").await);

        let failed = notifications.stored(id).await;
        assert_eq!((failed.status, failed.attempts), (Status::Failed, 1));
        assert_eq!(failed.failure_reason.as_deref(), Some("the user has no address for PUSH"));
    })
    .await;
}

#[tokio::test]
async fn who_is_deleted_before_their_message_is_sent_gets_none() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        let id = notifications.recorded(user).await;
        notifications.store.forget_contact(user, 2).await.unwrap();
        let refused = notifications.send(id, "an-execution").await.unwrap_err();
        assert_eq!((refused.name(), refused.to_string().as_str()), ("Undeliverable", "the user is gone"));
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}

#[tokio::test]
async fn no_event_has_an_address_in_it() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        for (kind, version) in [("TicketCreated", 1), ("TicketConfirmed", 2)] {
            assert!(notifications.execute(&event(kind, version, &ticket_data(user)), "an-execution").await);
        }
        for written in database.events().await {
            assert!(!written.detail.contains(contact().email.as_str()), "{}", written.detail);
        }
    })
    .await;
}
