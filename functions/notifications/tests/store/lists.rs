//! The lists: AP-109, and AP-108, which takes a notification off them.

use crate::fixture::{FIRST, Notifications};
use boxoffice_aws::{Cursor, Limit};
use boxoffice_kernel::{Channel, NotificationId};
use boxoffice_notifications::{
    domain::{NotToSend, Status},
    store::{ChangeError, NotificationList},
};
use boxoffice_testing::{for_each_dynamodb, trace};

async fn listed(notifications: &Notifications, which: NotificationList) -> Vec<NotificationId> {
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
        let notifications = Notifications::new(&database).await;
        let (ada, bob) = (notifications.user().await, notifications.user().await);
        let mut made = Vec::new();
        for user in [ada, bob, ada, ada, bob] {
            made.push(notifications.recorded(user).await);
        }
        assert!(notifications.deliver(&made[2].1, FIRST).await);
        let newest_first = |ids: &[usize]| ids.iter().map(|&index| made[index].0).collect::<Vec<_>>();
        for (which, expected) in [
            (NotificationList::All, newest_first(&[4, 3, 2, 1, 0])),
            (NotificationList::OfUser(ada), newest_first(&[3, 2, 0])),
            (NotificationList::WithStatus(Status::Pending), newest_first(&[4, 3, 1, 0])),
            (NotificationList::WithStatus(Status::Sent), newest_first(&[2])),
            (NotificationList::WithStatus(Status::Failed), vec![]),
            (NotificationList::ByChannel(Channel::Email), newest_first(&[4, 3, 2, 1, 0])),
            (NotificationList::ByChannel(Channel::Sms), vec![]),
        ] {
            assert_eq!(listed(&notifications, which).await, expected, "{which:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_notification_is_unlisted_and_unsent() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let user = notifications.user().await;
        let ((pending, its_event), (sent, other)) =
            (notifications.recorded(user).await, notifications.recorded(user).await);
        assert!(notifications.deliver(&other, FIRST).await);
        for id in [pending, sent] {
            notifications.store.delete(id, &trace()).await.unwrap();
            assert_eq!(notifications.store.get(id).await.unwrap(), None);
            let again = notifications.store.delete(id, &trace()).await;
            assert!(matches!(again, Err(ChangeError::Unchanged(NotToSend::Deleted))), "{again:?}");
        }
        for which in [
            NotificationList::All,
            NotificationList::OfUser(user),
            NotificationList::WithStatus(Status::Sent),
            NotificationList::ByChannel(Channel::Email),
        ] {
            assert_eq!(listed(&notifications, which).await, [], "{which:?}");
        }
        assert!(notifications.deliver(&its_event, FIRST).await);
        assert_eq!(notifications.post.sent().len(), 1);
        assert_eq!(database.history(pending).await, ["NotificationRequested", "NotificationDeleted"]);
        let history = ["NotificationRequested", "NotificationSent", "NotificationDeleted"];
        assert_eq!(database.history(sent).await, history);
    })
    .await;
}
