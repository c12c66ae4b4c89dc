//! The lists: AP-109, and AP-108, which takes a notification off them.

use crate::fixture::Notifications;
use boxoffice_aws::{Cursor, Limit};
use boxoffice_kernel::{Channel, NotificationId};
use boxoffice_notifications::{
    domain::{NotToSend, Status},
    store::{ChangeError, Which},
};
use boxoffice_testing::{for_each_dynamodb, trace};

async fn listed(notifications: &Notifications, which: Which) -> Vec<NotificationId> {
    let mut ids = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = notifications.store.list(which, "2".parse::<Limit>().unwrap(), cursor).await.unwrap();
        assert!(page.items.len() <= 2);
        ids.extend(page.items.iter().map(|notification| notification.id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn a_notification_is_on_the_lists_it_belongs_to_and_moves_with_its_status() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let (ada, bob) = (notifications.user().await, notifications.user().await);
        let mut made = Vec::new();
        for user in [ada, bob, ada, ada, bob] {
            made.push(notifications.recorded(user).await);
        }
        notifications.send(made[2], "an-execution").await.unwrap();
        let newest_first = |ids: &[usize]| ids.iter().map(|&index| made[index]).collect::<Vec<_>>();
        for (which, expected) in [
            (Which::All, newest_first(&[4, 3, 2, 1, 0])),
            (Which::Of(ada), newest_first(&[3, 2, 0])),
            (Which::Being(Status::Pending), newest_first(&[4, 3, 1, 0])),
            (Which::Being(Status::Sent), newest_first(&[2])),
            (Which::Being(Status::Failed), vec![]),
            (Which::By(Channel::Email), newest_first(&[4, 3, 2, 1, 0])),
            (Which::By(Channel::Sms), vec![]),
        ] {
            assert_eq!(listed(&notifications, which).await, expected, "{which:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_is_on_no_list_and_is_not_sent() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database);
        let user = notifications.user().await;
        let (pending, sent) = (notifications.recorded(user).await, notifications.recorded(user).await);
        notifications.send(sent, "an-execution").await.unwrap();
        for id in [pending, sent] {
            notifications.store.delete(id, &trace()).await.unwrap();
            assert_eq!(notifications.store.get(id).await.unwrap(), None);
            let again = notifications.store.delete(id, &trace()).await;
            assert!(matches!(again, Err(ChangeError::Unchanged(NotToSend::Deleted))), "{again:?}");
        }
        for which in [Which::All, Which::Of(user), Which::Being(Status::Sent), Which::By(Channel::Email)] {
            assert_eq!(listed(&notifications, which).await, [], "{which:?}");
        }
        notifications.send(pending, "an-execution").await.unwrap();
        assert_eq!(notifications.post.sent().len(), 1);
        assert_eq!(database.history(pending).await, ["NotificationRequested", "NotificationDeleted"]);
        let history = ["NotificationRequested", "NotificationSent", "NotificationDeleted"];
        assert_eq!(database.history(sent).await, history);
    })
    .await;
}
