//! Bookings as their events tell them: the contracts' own samples, each time with ids of their own.

use aws_lambda_events::event::dynamodb;
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::Item;
use boxoffice_kernel::{EventId, InventoryId, TicketId, UserId};
use boxoffice_reporting::{
    Projector, ViewStore,
    domain::{BookingRecord, Counts, Sales},
    news::{self, News},
};
use boxoffice_testing::{Database, Table, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The ids in the samples.
const TICKET: &str = "01a2089d219e737bb4e23d79e9d77e1a";
const INVENTORY: &str = "inv_01a2089d208473baad08d1920fe1d8c7";
const USER: &str = "usr_78a95048345a4c2fb5e0eabe538e0489";

/// A booking, and whose and of what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story {
    pub(crate) ticket: TicketId,
    pub(crate) user: UserId,
    pub(crate) inventory: InventoryId,
}

impl Story {
    pub(crate) fn new(inventory: InventoryId) -> Self {
        Self::by(UserId::generate(), inventory)
    }

    pub(crate) fn by(user: UserId, inventory: InventoryId) -> Self {
        Self { ticket: TicketId::generate(), user, inventory }
    }

    /// An event of it, with this number.
    pub(crate) fn event(&self, kind: &str, version: u64) -> Value {
        let path = format!("{}/../../events/{kind}.sample.json", env!("CARGO_MANIFEST_DIR"));
        let sample = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let digits = self.ticket.to_string().replace("tkt_", "");
        let sample = sample.replace(TICKET, &digits).replace(INVENTORY, &self.inventory.to_string());
        let mut event: Value = serde_json::from_str(&sample.replace(USER, &self.user.to_string())).unwrap();
        event["metadata"]["eventId"] = json!(EventId::generate());
        event["metadata"]["aggregateVersion"] = json!(version);
        event
    }

    /// Booked, and no more.
    pub(crate) fn booked(&self) -> Vec<Value> {
        vec![self.event("TicketCreated", 1)]
    }

    /// Booked, paid and confirmed.
    pub(crate) fn sold(&self) -> Vec<Value> {
        let paid = [("PaymentInitiated", 1), ("PaymentProcessing", 2), ("PaymentCompleted", 3), ("TicketConfirmed", 2)];
        [self.booked(), paid.map(|(kind, version)| self.event(kind, version)).into()].concat()
    }

    /// All of that, and taken back.
    pub(crate) fn taken_back(&self) -> Vec<Value> {
        let back = [("TicketCancellationRequested", 3), ("PaymentRefunded", 4), ("TicketCancelled", 4)];
        [self.sold(), back.map(|(kind, version)| self.event(kind, version)).into()].concat()
    }

    /// Booked, never paid, taken back.
    pub(crate) fn lapsed(&self) -> Vec<Value> {
        [self.booked(), vec![self.event("TicketCancelled", 2)]].concat()
    }
}

/// The event on sale at its start, and after a change.
pub(crate) fn on_sale(inventory: InventoryId) -> [Value; 2] {
    let story = Story::new(inventory);
    [story.event("InventoryCreated", 1), story.event("InventoryUpdated", 2)]
}

fn text(event: &Value, name: &str) -> String {
    event["metadata"][name].as_str().unwrap().to_owned()
}

/// The event as it lies in the event store.
fn stored(event: &Value) -> Item {
    let string = |text: String| AttributeValue::S(text);
    Item::from([
        ("aggregateId".into(), string(text(event, "aggregateId"))),
        ("aggregateVersion".into(), AttributeValue::N(event["metadata"]["aggregateVersion"].to_string())),
        ("eventId".into(), string(text(event, "eventId"))),
        ("eventType".into(), string(text(event, "eventType"))),
        ("source".into(), string("boxoffice.tests".into())),
        ("occurredAt".into(), string(text(event, "occurredAt"))),
        ("correlationId".into(), string(text(event, "correlationId"))),
        ("detail".into(), string(event.to_string())),
    ])
}

/// The events as Lambda hands them over.
pub(crate) fn batch(events: &[Value]) -> dynamodb::Event {
    let record = |event: &Value| {
        let image = |name: &str| json!({ "S": text(event, name) });
        let image = json!({
            "aggregateId": image("aggregateId"), "eventType": image("eventType"), "source": { "S": "boxoffice.tests" },
            "occurredAt": image("occurredAt"), "correlationId": image("correlationId"),
            "detail": { "S": event.to_string() }
        });
        stream::inserted("1", &image)
    };
    let records: Vec<Value> = events.iter().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

/// The read models of one test, and what they are kept from.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) views: ViewStore,
    pub(crate) projector: Projector,
}

impl Desk {
    pub(crate) fn new(database: &Database) -> Self {
        let views = ViewStore::new(database.client(), database.table(Table::Views));
        Self { database: database.clone(), projector: Projector::new(views.clone()), views }
    }

    /// Delivers these as one batch.
    pub(crate) async fn project(&self, events: &[Value]) {
        let projected = self.projector.project(batch(events)).await.unwrap();
        assert_eq!((projected.events, projected.malformed.len()), (events.len(), 0), "{projected:?}");
    }

    /// Writes these to the event store.
    pub(crate) async fn append(&self, events: &[Value]) {
        for event in events {
            let put = self.database.client().put_item().table_name(self.database.table(Table::Events));
            put.set_item(Some(stored(event))).send().await.unwrap();
        }
    }

    /// The sum of an event's sales.
    pub(crate) async fn sum(&self, inventory: InventoryId) -> Counts {
        self.views.sales(inventory).await.unwrap().unwrap().sales.sum(|_| true)
    }

    /// `(held, sold, cancelled, revenue, refunds)`, as they are shown.
    pub(crate) async fn shown(&self, inventory: InventoryId) -> (i64, i64, i64, i64, i64) {
        let sum = self.sum(inventory).await;
        (sum.held_now(), sum.sold_now(), sum.cancelled, sum.revenue, sum.refunds)
    }

    /// Every item of an epoch, without what tells the epoch and how often it was written.
    pub(crate) async fn epoch(&self, number: u64) -> BTreeMap<(String, String), Item> {
        let prefix = format!("E{number}#");
        let items = self.database.items(Table::Views).await.into_iter().filter_map(|mut item| {
            let mut key = |name| item.remove(name).and_then(|value| value.as_s().ok().cloned()).unwrap();
            let (pk, sk) = (key("pk"), key("sk"));
            item.remove("revision");
            Some(((pk.strip_prefix(&prefix)?.to_owned(), sk), item))
        });
        items.collect()
    }
}

/// The expected sales, computed from the events alone.
pub(crate) fn expected(events: &[Value]) -> Sales {
    let mut bookings: BTreeMap<TicketId, BookingRecord> = BTreeMap::new();
    for event in events {
        let event = serde_json::from_value(event.clone()).unwrap();
        if let Some(News::Booking(news)) = news::read(&event).unwrap() {
            let known = bookings.remove(&news.ticket_id);
            let known = known.unwrap_or_else(|| BookingRecord::unknown(news.ticket_id, news.user_id));
            bookings.insert(news.ticket_id, known.merge(*news));
        }
    }
    let mut sales = Sales::default();
    for booking in bookings.values() {
        sales += booking.sales();
    }
    sales
}
