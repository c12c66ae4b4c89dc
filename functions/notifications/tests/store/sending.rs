//! Sending: AP-104 to AP-107 and AP-260, and what several deliveries make of one event.

use crate::fixture::{FIRST, Notifications, batch, contact, event, ticket_data, user_data};
use aws_sdk_sqs::types::QueueAttributeName;
use boxoffice_kernel::{Channel, EventId, NotificationId, Timestamp, UserId};
use boxoffice_notifications::{
    content::{Content, FreeText},
    domain::{MOST_UNANSWERED, Notification, Status},
    events::RequestedBy,
    patience::{self, Tried},
    sender::SendError,
};
use boxoffice_testing::{for_each_dynamodb, trace};
use serde_json::json;
use tokio::task::JoinSet;

fn throttled() -> SendError {
    SendError::Unavailable("SES did not take the message: Throttling".into())
}

fn unanswered() -> SendError {
    SendError::Unanswered("SES did not answer".into())
}

#[tokio::test]
async fn a_user_who_has_verified_their_address_is_welcomed_by_the_channel_they_chose() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let verified = event("UserEmailVerified", 2, &user_data(UserId::generate(), "SMS"));
        assert!(notifications.deliver(&verified, FIRST).await);
        let sent = notifications.post.sent();
        assert_eq!((sent.len(), sent[0].0), (1, Channel::Sms));
        assert!(sent[0].1.text.starts_with("Hello Ada,"));
    })
    .await;
}

#[tokio::test]
async fn an_event_delivered_many_times_at_once_is_told_once() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let confirmed = event("TicketConfirmed", 2, &ticket_data(notifications.user().await));
        let mut running = JoinSet::new();
        for _ in 0..8 {
            let (notifications, confirmed) = (notifications.clone(), confirmed.clone());
            running.spawn(async move { notifications.deliver_until_done(&confirmed).await });
        }
        running.join_all().await;
        assert!(notifications.deliver(&confirmed, FIRST).await);

        assert_eq!(notifications.post.sent().len(), 1);
        let id = serde_json::from_value::<EventId>(confirmed["detail"]["metadata"]["eventId"].clone()).unwrap();
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
        let notifications = Notifications::new(&database).await;
        let confirmed = event("TicketConfirmed", 2, &ticket_data(notifications.user().await));
        for _ in 0..3 {
            let mut other = confirmed.clone();
            other["detail"]["metadata"]["eventId"] = json!(EventId::generate());
            assert!(notifications.deliver(&other, FIRST).await);
        }
        assert_eq!(notifications.post.sent().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_throttled_message_waits_in_the_queue_for_a_day_and_is_sent_when_it_is_taken() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(throttled()));
        for times in 1..=20 {
            let tried = Tried { times, seconds: i64::from(times) * 4000 };
            assert!(!notifications.deliver(&confirmed, tried).await, "it was given up after {} s", tried.seconds);
            assert_eq!(notifications.stored(id).await.status, Status::Pending);
        }
        notifications.post.fail_with(None);
        assert!(notifications.deliver(&confirmed, Tried { times: 21, seconds: patience::SECONDS - 60 }).await);

        let stored = notifications.stored(id).await;
        // One attempt by the recorder of the fixture.
        assert_eq!((stored.status, stored.attempts, stored.unanswered), (Status::Sent, 22, 0));
        assert_eq!(notifications.post.sent().len(), 1);
        assert_eq!(database.history(id).await, ["NotificationRequested", "NotificationSent"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_throttled_for_a_day_fails_and_says_so() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(throttled()));
        assert!(notifications.deliver(&confirmed, Tried { times: 140, seconds: patience::SECONDS }).await);

        let failed = notifications.stored(id).await;
        assert_eq!(failed.status, Status::Failed);
        let reason = failed.failure_reason.unwrap();
        assert_eq!(reason, "SES did not take the message: Throttling; tried 2 times");
        assert_eq!(database.history(id).await, ["NotificationRequested", "NotificationFailed"]);
        // A replay of its event sends nothing: whoever has it sent again is an operator.
        notifications.post.fail_with(None);
        assert!(notifications.deliver(&confirmed, FIRST).await);
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_refused_message_fails_at_once() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(SendError::Refused("SES refused the message: MessageRejected".into())));
        assert!(notifications.deliver(&confirmed, FIRST).await);
        let failed = notifications.stored(id).await;
        assert_eq!(failed.status, Status::Failed);
        assert_eq!(failed.failure_reason.unwrap(), "SES refused the message: MessageRejected");
    })
    .await;
}

#[tokio::test]
async fn a_message_without_an_answer_is_not_sent_again_before_its_lease_is_over_and_not_without_end() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let confirmed = event("TicketConfirmed", 2, &ticket_data(notifications.user().await));
        let id = serde_json::from_value::<EventId>(confirmed["detail"]["metadata"]["eventId"].clone()).unwrap();
        let id = id.notification();
        notifications.post.fail_with(Some(unanswered()));
        for sent in 1..=MOST_UNANSWERED as usize {
            assert!(!notifications.deliver(&confirmed, FIRST).await);
            // Again at once: nobody knows yet, so nobody sends.
            assert!(!notifications.deliver(&confirmed, FIRST).await);
            assert_eq!(notifications.post.sent().len(), sent);
            notifications.let_the_lease_run_out(id).await;
        }
        assert!(notifications.deliver(&confirmed, FIRST).await);
        let failed = notifications.stored(id).await;
        assert_eq!((failed.status, notifications.post.sent().len()), (Status::Failed, 3));
        assert!(failed.failure_reason.unwrap().contains("may have arrived"));
    })
    .await;
}

#[tokio::test]
async fn a_message_whose_sender_died_is_sent_by_the_next_when_the_lease_is_over() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        notifications.store.claim(id, "an-invocation-that-died").await.unwrap();
        assert!(!notifications.deliver(&confirmed, FIRST).await);
        notifications.let_the_lease_run_out(id).await;
        assert!(notifications.deliver(&confirmed, FIRST).await);
        let stored = notifications.stored(id).await;
        assert_eq!((stored.status, stored.unanswered), (Status::Sent, 1));
        assert_eq!(notifications.post.sent().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_put_off_is_out_of_sight_in_the_queue() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (_, confirmed) = notifications.recorded(notifications.user().await).await;
        notifications.post.fail_with(Some(throttled()));
        let (sqs, url) = (&notifications.sqs, &notifications.queue_url);
        sqs.send_message().queue_url(url).message_body(confirmed.to_string()).send().await.unwrap();
        // Shown again at once, unless the function says otherwise.
        let received = sqs.receive_message().queue_url(url).visibility_timeout(0).send().await.unwrap();
        let receipt = received.messages()[0].receipt_handle().unwrap();
        let failures =
            notifications.office.serve(batch(&confirmed, Tried { times: 12, seconds: 3000 }, receipt), "one").await;
        assert_eq!(failures.batch_item_failures.len(), 1);
        let hidden = sqs.get_queue_attributes().queue_url(url);
        let hidden = hidden.attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).send().await;
        let hidden = hidden.unwrap().attributes.unwrap();
        assert_eq!(hidden[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], "1", "{}", database.name());
        assert!(sqs.receive_message().queue_url(url).send().await.unwrap().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_be_recorded_ends_in_the_dead_letter_queue_with_its_reason() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let of_nobody = event("TicketConfirmed", 2, &ticket_data(UserId::generate()));
        assert!(!notifications.deliver(&of_nobody, Tried { times: 50, seconds: patience::SECONDS - 1 }).await);
        assert!(notifications.deliver(&of_nobody, Tried { times: 51, seconds: patience::SECONDS }).await);
        let unknown = event("HallBurntDown", 1, &json!({ "userId": UserId::generate() }));
        assert!(!notifications.deliver(&unknown, Tried { times: patience::TRIES_OF_A_DEFECT - 1, seconds: 300 }).await);
        assert!(notifications.deliver(&unknown, Tried { times: patience::TRIES_OF_A_DEFECT, seconds: 600 }).await);

        let mut letters = notifications.dead_letters().await;
        letters.extend(notifications.dead_letters().await);
        assert_eq!(letters.len(), 2, "{letters:?}");
        for (of, reason) in [(&of_nobody, "has arrived yet"), (&unknown, "no message is known for HallBurntDown")] {
            let letter = letters.iter().find(|letter| letter["reason"].as_str().unwrap().contains(reason)).unwrap();
            let item: serde_json::Value = serde_json::from_str(letter["item"].as_str().unwrap()).unwrap();
            assert_eq!(item["metadata"], of["detail"]["metadata"]);
        }
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_does_not_reach_its_user_is_refused_at_once() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let user = notifications.user().await;
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, content) = (NotificationId::generate(), Content::Message(text.clone()));
        let correlation = trace().correlation_id;
        let asked = Notification::new(id, user, Channel::Push, content, text, correlation, Timestamp::now());
        notifications.store.record(&asked, RequestedBy::Request, &trace()).await.unwrap();
        let requested = event("NotificationRequested", 1, &json!({ "notificationId": id, "userId": user }));
        assert!(notifications.deliver(&requested, FIRST).await);

        let failed = notifications.stored(id).await;
        assert_eq!((failed.status, failed.attempts), (Status::Failed, 1));
        assert_eq!(failed.failure_reason.as_deref(), Some("the user has no address for PUSH"));
    })
    .await;
}

#[tokio::test]
async fn a_user_who_is_erased_before_their_message_is_sent_gets_none() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let user = notifications.user().await;
        let (id, confirmed) = notifications.recorded(user).await;
        notifications.post.fail_with(Some(throttled()));
        assert!(!notifications.deliver(&confirmed, FIRST).await);
        assert!(notifications.deliver(&event("UserDeleted", 2, &json!({ "userId": user })), FIRST).await);
        notifications.post.fail_with(None);
        assert!(notifications.deliver(&confirmed, FIRST).await);
        let failed = notifications.stored(id).await;
        assert_eq!((failed.status, failed.failure_reason.as_deref()), (Status::Failed, Some("the user is gone")));
        assert!(notifications.post.sent().is_empty());
    })
    .await;
}

#[tokio::test]
async fn no_event_has_an_address_in_it() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let user = notifications.user().await;
        assert!(notifications.deliver(&event("TicketConfirmed", 2, &ticket_data(user)), FIRST).await);
        notifications.post.fail_with(Some(SendError::Refused("SES refused the message: MessageRejected".into())));
        assert!(notifications.deliver(&event("TicketConfirmed", 2, &ticket_data(user)), FIRST).await);
        let written = database.events().await;
        assert_eq!(written.len(), 4);
        for written in written {
            assert!(!written.detail.contains(contact().email.as_str()), "{}", written.detail);
        }
    })
    .await;
}
