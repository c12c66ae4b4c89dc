//! Where users are reached: AP-100 to AP-102.

use crate::fixture::{Notifications, contact, event, ticket_data, user_data};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{Channel, Contact, UserId};
use boxoffice_notifications::store::Known;
use boxoffice_runtime::StepFailure;
use boxoffice_testing::{Table, for_each_dynamodb};
use serde_json::json;

#[tokio::test]
async fn an_older_event_that_comes_later_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        let newer = Contact { channel: Channel::Sms, ..contact() };
        let store = &notifications.store;
        assert_eq!(store.keep_contact(user, &newer, 3).await.unwrap(), Written::Yes);
        assert_eq!(store.keep_contact(user, &contact(), 2).await.unwrap(), Written::Stale);
        assert_eq!(store.keep_contact(user, &contact(), 3).await.unwrap(), Written::Stale);
        assert_eq!(store.contact(user).await.unwrap(), Some(Known::Contact(newer)));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_leaves_a_tombstone_that_late_events_do_not_revive() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        notifications.record(&event("UserCreated", 1, &user_data(user, "EMAIL"))).await.unwrap();
        let updated = event("UserUpdated", 2, &user_data(user, "SMS"));
        let deleted = event("UserDeleted", 3, &json!({ "userId": user }));
        assert_eq!(notifications.record(&deleted).await.unwrap(), None);
        assert_eq!(notifications.record(&updated).await.unwrap(), None);
        assert_eq!(notifications.store.contact(user).await.unwrap(), Some(Known::Deleted));
        let left = format!("{:?}", database.items(Table::Notifications).await);
        for personal in ["ada@example.org", "+14155550123", "Lovelace", "\"Ada\""] {
            assert!(!left.contains(personal), "{personal} is still there");
        }
        // And nobody tells them anything any more.
        assert_eq!(notifications.record(&event("TicketConfirmed", 2, &ticket_data(user))).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn news_of_a_booking_waits_for_the_news_of_its_buyer() {
    for_each_dynamodb(|database| async move {
        let (notifications, user) = (Notifications::new(&database).await, UserId::generate());
        let confirmed = event("TicketConfirmed", 2, &ticket_data(user));
        let early = notifications.record(&confirmed).await.unwrap_err();
        assert_eq!(early.name(), StepFailure::TRANSIENT);
        assert!(database.items(Table::Notifications).await.is_empty());
        notifications.record(&event("UserCreated", 1, &user_data(user, "SMS"))).await.unwrap();
        let recorded = notifications.record(&confirmed).await.unwrap().unwrap();
        assert_eq!(notifications.stored(recorded).await.channel, Channel::Sms);
    })
    .await;
}
