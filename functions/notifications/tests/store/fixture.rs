//! What every test here begins with.

use boxoffice_kernel::{Channel, Contact, EventId, NotificationId, TicketId, UserId};
use boxoffice_notifications::{
    NotificationStore,
    content::Composed,
    domain::{Address, Notification},
    handlers::{
        fail_notification::{self, GivenUp},
        record_notification::{self, Recorded},
        send_notification::{self, Dispatch, Dispatched},
    },
    sender::{MessageSender, SendError},
};
use boxoffice_runtime::{StepFailure, event::Delivered, task::Failure};
use boxoffice_testing::{Database, Table, trace};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Remembers what was sent, and to which channel. Fails as it is told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct PostOffice {
    sent: Arc<Mutex<Vec<(Channel, Composed)>>>,
    failing: Arc<Mutex<Option<SendError>>>,
}

impl PostOffice {
    pub(crate) fn sent(&self) -> Vec<(Channel, Composed)> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) fn fail_with(&self, error: Option<SendError>) {
        *self.failing.lock().unwrap() = error;
    }
}

impl MessageSender for PostOffice {
    async fn send(&self, to: Address<'_>, message: &Composed) -> Result<(), SendError> {
        // What is sent takes a while: whoever comes meanwhile must not send too.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if let Some(error) = self.failing.lock().unwrap().clone() {
            return Err(error);
        }
        let channel = match to {
            Address::Email(_) => Channel::Email,
            Address::Phone(_) => Channel::Sms,
            Address::Device(_) => Channel::Push,
        };
        self.sent.lock().unwrap().push((channel, message.clone()));
        Ok(())
    }
}

/// The store and the steps over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    pub(crate) store: NotificationStore,
    pub(crate) post: PostOffice,
}

pub(crate) fn contact() -> Contact {
    Contact {
        first_name: "Ada".parse().unwrap(),
        channel: Channel::Email,
        email: "ada@example.org".parse().unwrap(),
        phone: None,
        push_endpoint: None,
    }
}

pub(crate) fn user_data(user: UserId, channel: &str) -> Value {
    json!({
        "userId": user, "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace",
        "role": "USER", "notificationChannel": channel, "phone": "+14155550123"
    })
}

pub(crate) fn ticket_data(user: UserId) -> Value {
    let ticket = TicketId::generate();
    json!({
        "ticketId": ticket, "userId": user, "inventoryId": "inv_01970000000070008000000000000001",
        "reservationId": ticket.reservation(), "paymentId": ticket.payment(), "eventName": "Late Show",
        "eventDate": "2030-06-01T20:00:00.000Z", "quantity": 2, "pricePerTicket": 49.9, "totalAmount": 99.8,
        "currency": "EUR", "holdExpiresAt": "2030-05-01T08:05:00.000Z"
    })
}

/// An event as the bus delivers it.
pub(crate) fn event(kind: &str, version: u64, data: &Value) -> Value {
    json!({
        "detail-type": kind,
        "detail": {
            "metadata": {
                "eventId": EventId::generate(), "eventType": kind, "schemaVersion": 1, "aggregateId": "any",
                "aggregateVersion": version, "occurredAt": "2030-05-01T08:00:00.000Z", "correlationId": "a-request",
                "causationId": "a-request"
            },
            "data": data
        }
    })
}

pub(crate) fn delivered(event: &Value) -> Delivered {
    serde_json::from_value(event.clone()).unwrap()
}

impl Notifications {
    pub(crate) fn new(database: &Database) -> Self {
        let table = database.table(Table::Notifications);
        let store = NotificationStore::new(database.client(), table, database.event_store());
        Self { store, post: PostOffice::default() }
    }

    /// A user whose news has arrived.
    pub(crate) async fn user(&self) -> UserId {
        let user = UserId::generate();
        self.store.keep_contact(user, &contact(), 1).await.unwrap();
        user
    }

    pub(crate) async fn record(&self, event: &Value) -> Result<Recorded, StepFailure> {
        record_notification::run(&self.store, delivered(event)).await
    }

    /// The notification that a new event of a new ticket led to.
    pub(crate) async fn recorded(&self, user: UserId) -> NotificationId {
        let recorded = self.record(&event("TicketCreated", 1, &ticket_data(user))).await.unwrap();
        recorded.notification_id.unwrap()
    }

    pub(crate) async fn send(&self, id: NotificationId, execution: &str) -> Result<Dispatched, StepFailure> {
        let dispatch = Dispatch { notification_id: id, execution_arn: execution.to_owned(), trace: trace() };
        send_notification::run(&self.store, &self.post, dispatch).await
    }

    /// As the machine gives a notification up after this failure.
    pub(crate) async fn give_up(&self, id: NotificationId, execution: &str, failure: &StepFailure) {
        let cause = json!({ "errorType": failure.name(), "errorMessage": failure.to_string() }).to_string();
        let failure = Failure { step: "Send Notification".into(), error: failure.name().into(), cause };
        let given_up = GivenUp { notification_id: id, execution_arn: execution.to_owned(), trace: trace(), failure };
        fail_notification::run(&self.store, given_up).await.unwrap();
    }

    pub(crate) async fn stored(&self, id: NotificationId) -> Notification {
        self.store.get(id).await.unwrap().unwrap()
    }

    /// The whole machine, as Step Functions runs it, with the tries a transient failure gets. Whether it ended well.
    pub(crate) async fn execute(&self, event: &Value, execution: &str) -> bool {
        let Some(id) = self.record(event).await.unwrap().notification_id else { return true };
        let mut last = None;
        for _ in 0..40 {
            match self.send(id, execution).await {
                Ok(_) => return true,
                Err(failure) if failure.name() == StepFailure::TRANSIENT => last = Some(failure),
                Err(failure) => {
                    last = Some(failure);
                    break;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        self.give_up(id, execution, &last.unwrap()).await;
        false
    }
}
