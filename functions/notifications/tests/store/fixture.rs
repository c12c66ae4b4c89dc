//! The fixture of these tests.

use boxoffice_aws::{HourlyBudget, StoreError, attribute::text};
use boxoffice_kernel::{Channel, Contact, EventId, NotificationId, TicketId, Timestamp, UserId};
use boxoffice_notifications::{
    NotificationStore,
    codes::{Codes, TicketCode, TicketCodes},
    content::Composed,
    domain::{Address, Notification},
    handlers::send_notification::{Budgets, Office},
    patience::Tried,
    queue::{Batch, Queue},
    record::{self, Recorded},
    sender::{MessageSender, SendError},
};
use boxoffice_runtime::{Metrics, StepFailure, event::Delivered};
use boxoffice_testing::{Database, Table};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

/// Remembers what was sent, and to which channel. Fails as it is told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct PostOffice {
    sent: Arc<Mutex<Vec<(Channel, Composed)>>>,
    addresses: Arc<Mutex<Vec<String>>>,
    failing: Arc<Mutex<Option<SendError>>>,
}

impl PostOffice {
    pub(crate) fn sent(&self) -> Vec<(Channel, Composed)> {
        self.sent.lock().unwrap().clone()
    }

    /// Where each went.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.addresses.lock().unwrap().clone()
    }

    pub(crate) fn fail_with(&self, error: Option<SendError>) {
        *self.failing.lock().unwrap() = error;
    }
}

impl MessageSender for PostOffice {
    async fn send(&self, to: Address<'_>, message: &Composed) -> Result<(), SendError> {
        // Sending takes a while; a delivery in the meantime must not send again.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let failing = self.failing.lock().unwrap().clone();
        // A send without an answer may have been accepted: here it always is.
        if let Some(error) = failing.clone().filter(|error| !matches!(error, SendError::Unanswered(_))) {
            return Err(error);
        }
        let (channel, address) = match to {
            Address::Email(email) => (Channel::Email, email.to_string()),
            Address::Phone(phone) => (Channel::Sms, phone.to_string()),
            Address::Device(device) => (Channel::Push, device.to_string()),
        };
        self.addresses.lock().unwrap().push(address);
        self.sent.lock().unwrap().push((channel, message.clone()));
        failing.map_or(Ok(()), Err)
    }
}

/// Stands in for the admissions context: draws a code a seat, of as many seats as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Drawer {
    /// Nothing while it does not answer.
    seats: Arc<Mutex<Option<u32>>>,
    drawn: Arc<AtomicU32>,
}

impl Drawer {
    pub(crate) fn answer(&self, seats: Option<u32>) {
        *self.seats.lock().unwrap() = seats;
    }

    /// How often it drew.
    pub(crate) fn drawn(&self) -> u32 {
        self.drawn.load(Ordering::Relaxed)
    }
}

impl TicketCodes for Drawer {
    async fn codes(&self, ticket: TicketId) -> Result<Codes, StoreError> {
        let seats = *self.seats.lock().unwrap();
        let admissions = seats.ok_or_else(|| StoreError::Unavailable("draw-ticket-codes failed".into()))?;
        self.drawn.fetch_add(1, Ordering::Relaxed);
        let code = |place| {
            let admission_id = ticket.admission(place).unwrap();
            TicketCode { admission_id, serial: 100 + place, png: format!("a picture of {admission_id}").into_bytes() }
        };
        Ok(Codes { admissions, codes: (1..=admissions).map(code).collect() })
    }
}

/// The store, the office and its queues, over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    pub(crate) store: NotificationStore,
    pub(crate) post: PostOffice,
    pub(crate) codes: Drawer,
    pub(crate) office: Office<PostOffice, Drawer>,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) queue_url: String,
    pub(crate) dead_letters_url: String,
    database: Database,
    invocations: Arc<AtomicU32>,
}

/// How often a message of the queue was received, and for how long it has been there.
pub(crate) const FIRST: Tried = Tried { times: 1, seconds: 0 };

pub(crate) fn contact() -> Contact {
    Contact {
        first_name: "Ada".parse().unwrap(),
        channel: Channel::Email,
        email: "ada@example.org".parse().unwrap(),
        email_verified: true,
        phone: None,
        phone_verified: false,
        push_endpoint: None,
    }
}

pub(crate) fn user_data(user: UserId, channel: &str) -> Value {
    json!({
        "userId": user, "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace",
        "role": "USER", "notificationChannel": channel, "phone": "+14155550123", "emailVerified": true,
        "phoneVerified": true
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
                "causationId": "a-request", "actor": "anonymous"
            },
            "data": data
        }
    })
}

/// The batch that Lambda hands over of the queue.
pub(crate) fn batch(event: &Value, tried: Tried, receipt_handle: &str) -> Batch {
    let sent = Timestamp::now().unix_millis() - tried.seconds * 1000;
    let attributes = json!({ "ApproximateReceiveCount": tried.times.to_string(), "SentTimestamp": sent.to_string() });
    let record = json!({
        "messageId": "a-message", "receiptHandle": receipt_handle, "body": event.to_string(), "attributes": attributes
    });
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}

impl Notifications {
    pub(crate) async fn new(database: &Database) -> Self {
        let (sdk, name) = (database.sdk_config(), database.table(Table::Notifications));
        let store = NotificationStore::new(database.client(), name, database.event_store());
        let sqs = aws_sdk_sqs::Client::new(sdk);
        let queue = async |name: String| sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let (queue_url, dead_letters_url) = (queue(name.to_owned()).await, queue(format!("{name}-dead")).await);
        let post = PostOffice::default();
        let codes = Drawer { seats: Arc::new(Mutex::new(Some(2))), drawn: Arc::default() };
        let office = Office {
            store: store.clone(),
            sender: post.clone(),
            codes: codes.clone(),
            queue: Queue::new(sdk, &queue_url, &dead_letters_url),
            metrics: Metrics::new("test", "test"),
            budgets: Budgets { per_user_and_day: 1000, hourly: Self::hourly(database, 1_000_000) },
        };
        let (database, invocations) = (database.clone(), Arc::default());
        Self { store, post, codes, office, sqs, queue_url, dead_letters_url, database, invocations }
    }

    fn hourly(database: &Database, per_hour: u32) -> HourlyBudget {
        HourlyBudget::new(database.client(), database.table(Table::Notifications), "MESSAGES", per_hour)
    }

    /// The same with these budgets.
    pub(crate) fn within(mut self, per_user_and_day: u32, per_hour: u32) -> Self {
        self.office.budgets = Budgets { per_user_and_day, hourly: Self::hourly(&self.database, per_hour) };
        self
    }

    /// A user whose news has arrived.
    pub(crate) async fn user(&self) -> UserId {
        let user = UserId::generate();
        self.store.keep_contact(user, &contact(), 1).await.unwrap();
        user
    }

    /// The record of an event before anybody sends it: its invocation is gone, and its lease with it.
    pub(crate) async fn record(&self, event: &Value) -> Result<Option<NotificationId>, StepFailure> {
        let delivered: Delivered = serde_json::from_value(event.clone()).unwrap();
        let recorded = record::record(&self.store, &delivered.detail, "a-recorder").await?;
        if let Some(Recorded::New(notification)) = &recorded {
            self.store.put_back(notification.id, "a-recorder").await.unwrap();
        }
        Ok(recorded.map(|recorded| recorded.id()))
    }

    /// The notification that a new event of a new ticket led to, and what brings it to the queue again.
    pub(crate) async fn recorded(&self, user: UserId) -> (NotificationId, Value) {
        let confirmed = event("TicketConfirmed", 2, &ticket_data(user));
        (self.record(&confirmed).await.unwrap().unwrap(), confirmed)
    }

    /// An invocation for this event. Whether the message is done with.
    pub(crate) async fn deliver(&self, event: &Value, tried: Tried) -> bool {
        let who = format!("invocation-{}", self.invocations.fetch_add(1, Ordering::Relaxed));
        self.office.serve(batch(event, tried, "a-receipt"), &who).await.batch_item_failures.is_empty()
    }

    /// As the queue brings the event again and again until it is done with.
    pub(crate) async fn deliver_until_done(&self, event: &Value) {
        for _ in 0..200 {
            if self.deliver(event, FIRST).await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{event} is still in the queue");
    }

    /// Time passes until the lease of this notification is over.
    pub(crate) async fn let_the_lease_run_out(&self, id: NotificationId) {
        let over = Timestamp::now().minus_seconds(1);
        let update = self.database.client().update_item().table_name(self.database.table(Table::Notifications));
        let update = update.key("pk", text(format_args!("NTF#{id}"))).key("sk", text("NTF"));
        let update =
            update.update_expression("SET sendingUntil = :over").condition_expression("attribute_exists(sendingBy)");
        update.expression_attribute_values(":over", text(over)).send().await.unwrap();
    }

    pub(crate) async fn stored(&self, id: NotificationId) -> Notification {
        self.store.get(id).await.unwrap().unwrap()
    }

    /// The bodies of the dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let received = self.sqs.receive_message().queue_url(&self.dead_letters_url).max_number_of_messages(10);
        let messages = received.send().await.unwrap().messages.unwrap_or_default();
        messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
    }
}
