//! A failed message is an operator's case: AP-261, and what comes of a second click and of replays.

use crate::fixture::{FIRST, Notifications, event};
use boxoffice_kernel::{NotificationId, Operator, Reason};
use boxoffice_notifications::{
    domain::{NotToSend, Notification, Status},
    handlers::resend_notification::resend,
    sender::SendError,
    store::ChangeError,
};
use boxoffice_testing::{for_each_dynamodb, trace};
use serde_json::{Value, json};

fn ada() -> Operator {
    Operator::Terminal("ada".parse().unwrap())
}

impl Notifications {
    async fn resend(&self, id: NotificationId) -> Result<Notification, ChangeError> {
        let reason: Reason = "the sender is verified now".parse().unwrap();
        resend(&self.store, id, &ada(), &reason, &trace()).await
    }

    /// A notification that the service refused, and its event.
    async fn refused(&self) -> (NotificationId, Value) {
        let (id, confirmed) = self.recorded(self.user().await).await;
        self.post.fail_with(Some(SendError::Refused("SES refused the message: MessageRejected".into())));
        assert!(self.deliver(&confirmed, FIRST).await);
        self.post.fail_with(None);
        (id, confirmed)
    }
}

#[tokio::test]
async fn a_failed_message_is_sent_again_once_however_often_an_operator_asks() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.refused().await;
        let (one, other) = tokio::join!(notifications.resend(id), notifications.resend(id));
        for again in [one.unwrap(), other.unwrap()] {
            assert_eq!((again.status, again.resends, again.failure_reason), (Status::Pending, 1, None));
        }
        let history = ["NotificationRequested", "NotificationFailed", "NotificationResendRequested"];
        assert_eq!(database.history(id).await, history);
        let requested = database.events().await.into_iter().find(|it| it.detail.contains("cli:ada")).unwrap();
        let detail: Value = serde_json::from_str(&requested.detail).unwrap();
        assert_eq!(detail["data"]["reason"], "the sender is verified now");

        let again = json!({ "detail-type": "NotificationResendRequested", "detail": detail });
        for _ in 0..2 {
            assert!(notifications.deliver(&again, FIRST).await);
            assert!(notifications.deliver(&confirmed, FIRST).await);
        }
        assert_eq!(notifications.post.sent().len(), 1);
        // Its codes are made anew for each try, since nothing keeps them.
        assert_eq!((notifications.codes.drawn(), notifications.post.sent()[0].1.codes.len()), (2, 2));
        let sent = notifications.stored(id).await;
        assert_eq!((sent.status, sent.resends), (Status::Sent, 1));
        // A click that comes late finds it done, and sends nothing.
        assert_eq!(notifications.resend(id).await.unwrap().status, Status::Sent);
        assert_eq!(database.history(id).await.last().unwrap(), "NotificationSent");
    })
    .await;
}

#[tokio::test]
async fn a_message_that_has_not_failed_is_not_sent_again() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, confirmed) = notifications.recorded(notifications.user().await).await;
        for status in [Status::Pending, Status::Sent] {
            let refused = notifications.resend(id).await;
            assert!(
                matches!(refused, Err(ChangeError::Unchanged(NotToSend::NotFailed(found))) if found == status),
                "{refused:?}"
            );
            assert!(notifications.deliver(&confirmed, FIRST).await);
        }
        assert!(matches!(notifications.resend(NotificationId::generate()).await, Err(ChangeError::NotFound)));
        assert_eq!(notifications.post.sent().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_fails_again_may_be_sent_again_and_a_deleted_one_may_not() {
    for_each_dynamodb(|database| async move {
        let notifications = Notifications::new(&database).await;
        let (id, _) = notifications.refused().await;
        notifications.resend(id).await.unwrap();
        let again = event("NotificationResendRequested", 3, &json!({ "notificationId": id }));
        notifications.post.fail_with(Some(SendError::Refused("SES refused the message: MessageRejected".into())));
        assert!(notifications.deliver(&again, FIRST).await);
        assert_eq!(notifications.resend(id).await.unwrap().resends, 2);
        assert!(notifications.deliver(&again, FIRST).await);
        notifications.store.delete(id, &trace()).await.unwrap();
        assert!(matches!(notifications.resend(id).await, Err(ChangeError::Unchanged(NotToSend::Deleted))));
    })
    .await;
}
