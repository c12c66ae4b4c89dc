//! Dead letters in real queues, sent on to a bus and a projector that say what they were given.

use crate::fixture::{acts, ada, bus, of_type, saga, store, variable};
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use boxoffice_aws::{
    Item, Limit,
    attribute::{number, text},
    journal::{Step, StepStatus},
};
use boxoffice_kernel::{ActId, TicketId, Timestamp};
use boxoffice_operations::{
    Redriver,
    domain::Queue,
    redriver::{Order, Redriven},
};
use boxoffice_testing::{Database, Listener, Table, for_each_dynamodb, listener::Reply, trace};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Instant};

/// The requests to the bus and to the projector.
const PUT: &str = "PutEvents";
const PROJECT: &str = "invocations";

/// A redriver over queues of its own.
struct Redriving {
    sqs: aws_sdk_sqs::Client,
    urls: Vec<(Queue, String)>,
    outside: Listener,
    redriver: Redriver,
}

impl Redriving {
    /// With a bus and a projector that take everything.
    async fn new(database: &Database) -> Self {
        Self::with(database, taken).await
    }

    async fn with(database: &Database, reply: fn(&str, &Value) -> Reply) -> Self {
        let outside = Listener::answering(reply);
        let sdk = outside.in_front_of(database.sdk_config(), &[PUT, PROJECT]);
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        let mut urls = Vec::new();
        for queue in Queue::ALL {
            let name = format!("{}-{}", database.table(Table::Events), queue.name());
            urls.push((queue, sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()));
        }
        let redriver = Redriver::from_source(&sdk, |name| {
            let url = urls.iter().find(|(queue, _)| queue.variable() == name).map(|(_, url)| url.clone());
            url.map_or_else(|| variable(database, name), Ok)
        });
        Self { redriver: redriver.unwrap(), sqs, urls, outside }
    }

    fn url(&self, queue: Queue) -> &str {
        self.urls.iter().find(|(known, _)| *known == queue).map(|(_, url)| url.as_str()).unwrap()
    }

    /// Puts a letter into a queue; its id there.
    async fn post(&self, queue: Queue, letter: &Value) -> String {
        let sent = self.sqs.send_message().queue_url(self.url(queue)).message_body(letter.to_string()).send().await;
        sent.unwrap().message_id.unwrap()
    }

    async fn redrive(&self, queue: Queue) -> Redriven {
        self.redriver.redrive(queue, &order(100)).await.unwrap()
    }

    /// How many letters are in a queue, looked at or not.
    async fn depth(&self, queue: Queue) -> u64 {
        let queues = self.redriver.queues().await.unwrap();
        queues.iter().find(|known| known.name == queue).unwrap().depth
    }

    /// The types of the events that the bus was given.
    fn on_the_bus(&self) -> Vec<String> {
        let heard = self.outside.heard().into_iter().filter(|(operation, _)| operation == PUT);
        heard.flat_map(|(_, asked)| detail_types(&asked)).collect()
    }

    /// The events that the projector was given, batch by batch: each its aggregate.
    fn projected(&self) -> Vec<Vec<String>> {
        let heard = self.outside.heard().into_iter().filter(|(operation, _)| operation == PROJECT);
        let aggregate = |record: &Value| record["dynamodb"]["Keys"]["aggregateId"]["S"].as_str().unwrap().to_owned();
        heard.map(|(_, event)| event["Records"].as_array().unwrap().iter().map(aggregate).collect()).collect()
    }
}

fn order(most: usize) -> Order {
    Order { requested_by: ada(), trace: trace(), most: most.to_string().parse::<Limit>().unwrap(), until: None }
}

fn detail_types(asked: &Value) -> Vec<String> {
    let entries = asked["Entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["DetailType"].as_str().unwrap().to_owned()).collect()
}

/// Every event is taken.
fn taken(operation: &str, asked: &Value) -> Reply {
    if operation == PUT { bus(asked, |_| true) } else { (200, json!({})) }
}

/// No event is.
fn refused(operation: &str, asked: &Value) -> Reply {
    if operation == PUT { bus(asked, |_| false) } else { (400, json!({ "Type": "User", "message": "not now" })) }
}

/// A letter as the bus leaves it: the event as it would have been delivered.
fn letter(aggregate: impl ToString, version: u64) -> Value {
    json!({ "detail": { "metadata": { "aggregateId": aggregate.to_string(), "aggregateVersion": version } } })
}

/// A letter as the stream leaves it: from when its first and last records are.
fn batch(first: Timestamp, last: Timestamp) -> Value {
    json!({ "DDBStreamBatchInfo": { "approximateArrivalOfFirstRecord": first, "approximateArrivalOfLastRecord": last } })
}

/// The one act that says what was redriven.
async fn said(database: &Database) -> Value {
    let mut acts = of_type(database, "DeadLettersRedriven").await;
    assert_eq!(acts.len(), 1, "{acts:?}");
    acts.remove(0).data()
}

#[tokio::test]
async fn an_event_goes_on_from_the_event_store_once_however_often_it_lies_there() {
    for_each_dynamodb(|database| async move {
        let (redriving, act) = (Redriving::new(&database).await, acts(&store(&database), 1).await.remove(0));
        for _ in 0..2 {
            redriving.post(Queue::RelayDeadLetters, &letter(act, 1)).await;
        }
        assert_eq!(redriving.depth(Queue::RelayDeadLetters).await, 2);

        let done = redriving.redrive(Queue::RelayDeadLetters).await;
        assert_eq!((done.moved, done.failed, done.left), (2, vec![], 0));
        assert_eq!(redriving.on_the_bus(), ["ReconciliationRequested"]);
        assert_eq!(redriving.depth(Queue::RelayDeadLetters).await, 0, "what went on is gone");
        let said = said(&database).await;
        assert_eq!(
            (&said["queue"], &said["moved"], &said["failed"], &said["requestedBy"]),
            (&json!("relay-dead-letters"), &json!(2), &json!(0), &json!("cli:ada"))
        );

        let nothing = redriving.redrive(Queue::RelayDeadLetters).await;
        assert_eq!((nothing.moved, nothing.failed), (0, vec![]));
        assert_eq!(database.events().await.len(), 2, "to have found nothing is no act");
    })
    .await;
}

#[tokio::test]
async fn a_message_that_cannot_be_redriven_stays_and_says_why() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::new(&database).await;
        let queue = Queue::SagaStartDeadLetters;
        let (nowhere, act) = (ActId::generate(), acts(&store(&database), 1).await.remove(0));
        let unknown = redriving.post(queue, &letter(nowhere, 1)).await;
        let unreadable = redriving.post(queue, &json!({ "nothing": "known" })).await;
        redriving.post(queue, &letter(act, 1)).await;

        let mut done = redriving.redrive(queue).await;
        done.failed.sort_by_key(|stayed| stayed.message_id != unknown);
        assert_eq!((done.moved, done.failed.len()), (1, 2));
        assert_eq!(done.failed[0].message_id, unknown);
        assert_eq!(done.failed[0].reason, format!("the event store has no event {nowhere}/1"));
        assert_eq!(done.failed[1].message_id, unreadable);
        assert_eq!(done.failed[1].reason, "it names neither an event nor a saga");
        assert_eq!(redriving.depth(queue).await, 2);
        let said = said(&database).await;
        assert_eq!((&said["moved"], &said["failed"]), (&json!(1), &json!(2)));
    })
    .await;
}

#[tokio::test]
async fn events_that_the_bus_or_the_projector_refuses_stay() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::with(&database, refused).await;
        let act = acts(&store(&database), 1).await.remove(0);
        for queue in [Queue::NotificationDeadLetters, Queue::ProjectionDeadLetters] {
            let message_id = redriving.post(queue, &letter(act, 1)).await;
            let done = redriving.redrive(queue).await;
            assert_eq!((done.moved, done.failed.len()), (0, 1), "{queue}");
            assert_eq!(done.failed[0].message_id, message_id);
            assert_eq!(done.failed[0].reason, "it could not be sent on just now");
            assert_eq!(redriving.depth(queue).await, 1, "{queue}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_projector_gets_events_as_the_stream_would_give_them_and_the_bus_none() {
    for_each_dynamodb(|database| async move {
        let (redriving, acts) = (Redriving::new(&database).await, acts(&store(&database), 2).await);
        for act in &acts {
            redriving.post(Queue::ProjectionDeadLetters, &letter(act, 1)).await;
        }
        let done = redriving.redrive(Queue::ProjectionDeadLetters).await;
        assert_eq!((done.moved, done.failed), (2, vec![]));
        let batches = redriving.projected();
        assert_eq!(batches.len(), 1, "{batches:?}");
        let projected: BTreeSet<_> = batches.concat().into_iter().collect();
        assert_eq!(projected, acts.iter().map(ToString::to_string).collect());
        assert_eq!(redriving.on_the_bus(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_the_stream_gave_up_is_all_that_happened_then() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::new(&database).await;
        let before = Timestamp::now();
        let count = acts(&store(&database), 3).await.len();
        redriving.post(Queue::RelayDeadLetters, &batch(before, Timestamp::now())).await;
        // Long before anything happened here.
        redriving.post(Queue::RelayDeadLetters, &batch(before.minus_seconds(900), before.minus_seconds(600))).await;
        let done = redriving.redrive(Queue::RelayDeadLetters).await;
        assert_eq!((done.moved, done.failed), (2, vec![]));
        assert_eq!(redriving.on_the_bus(), vec!["ReconciliationRequested"; count]);
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_not_gone_before_all_of_it_went_on() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::with(&database, refused).await;
        let before = Timestamp::now();
        acts(&store(&database), 1).await;
        redriving.post(Queue::RelayDeadLetters, &batch(before, Timestamp::now())).await;
        let done = redriving.redrive(Queue::RelayDeadLetters).await;
        assert_eq!((done.moved, done.failed.len()), (0, 1));
        assert_eq!(done.failed[0].reason, "some of what happened then could not be sent on just now");
    })
    .await;
}

/// An event as it lies in the store, of this aggregate.
fn item(aggregate: impl ToString, event_type: &str, detail: &str) -> Item {
    let attributes = [
        ("aggregateId", text(aggregate.to_string())),
        ("aggregateVersion", number(1_u64)),
        ("eventType", text(event_type)),
        ("source", text("boxoffice.test")),
        ("detail", text(detail)),
        ("occurredAt", text(Timestamp::now())),
        ("correlationId", text("c")),
    ];
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn put(database: &Database, items: impl IntoIterator<Item = Item>) {
    let request =
        |item| WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap()).build();
    let requests: Vec<_> = items.into_iter().map(request).collect();
    for batch in requests.chunks(25) {
        let write = database.client().batch_write_item().request_items(database.table(Table::Events), batch.to_vec());
        assert!(write.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty());
    }
}

#[tokio::test]
async fn a_stuck_booking_is_redriven_and_one_that_is_not_stuck_any_more_is_done_with() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::new(&database).await;
        let stuck = [(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)];
        let (stuck, running) = (saga(&database, &stuck).await, saga(&database, &[]).await);
        for ticket in [stuck, running] {
            redriving.post(Queue::StuckBookings, &json!({ "ticketId": ticket, "executionArn": "arn" })).await;
        }
        let done = redriving.redrive(Queue::StuckBookings).await;
        assert_eq!((done.moved, done.failed), (2, vec![]));
        let redrives = of_type(&database, "SagaRedriveRequested").await;
        assert_eq!(redrives.len(), 1, "{redrives:?}");
        assert_eq!(redrives[0].data()["ticketId"], stuck.to_string());
        assert_eq!(redriving.on_the_bus(), [""; 0], "the stream takes the wish to the bus");
    })
    .await;
}

#[tokio::test]
async fn a_booking_whose_saga_never_began_has_it_begun() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::new(&database).await;
        let (ticket, nobodys) = (TicketId::generate(), TicketId::generate());
        let created = include_str!("../../../../events/TicketCreated.sample.json");
        put(&database, [item(ticket, "TicketCreated", created)]).await;
        for ticket in [ticket, nobodys] {
            redriving.post(Queue::StuckBookings, &json!({ "ticketId": ticket })).await;
        }
        let done = redriving.redrive(Queue::StuckBookings).await;
        assert_eq!(redriving.on_the_bus(), ["TicketCreated"]);
        assert_eq!((done.moved, done.failed.len()), (1, 1));
        assert_eq!(done.failed[0].reason, format!("there is no saga, and no event {nobodys}/1"));
    })
    .await;
}

#[tokio::test]
async fn no_more_is_taken_than_asked_for_and_the_rest_is_told() {
    for_each_dynamodb(|database| async move {
        let (redriving, act) = (Redriving::new(&database).await, acts(&store(&database), 1).await.remove(0));
        for _ in 0..12 {
            redriving.post(Queue::RelayDeadLetters, &letter(act, 1)).await;
        }
        let done = redriving.redriver.redrive(Queue::RelayDeadLetters, &order(11)).await.unwrap();
        assert_eq!((done.moved, done.left), (11, 1));
        assert_eq!(redriving.depth(Queue::RelayDeadLetters).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_redrive_ends_in_time_and_leaves_what_it_had_no_time_for() {
    for_each_dynamodb(|database| async move {
        let redriving = Redriving::new(&database).await;
        // One more than are read at once.
        let (before, detail) =
            (Timestamp::now(), include_str!("../../../../events/ReconciliationRequested.sample.json"));
        put(&database, (0..1001).map(|_| item(ActId::generate(), "ReconciliationRequested", detail))).await;
        let letter = batch(before, Timestamp::now());
        redriving.post(Queue::RelayDeadLetters, &letter).await;
        let hurried = Order { until: Some(Instant::now()), ..order(1) };
        let done = redriving.redriver.redrive(Queue::RelayDeadLetters, &hurried).await.unwrap();
        assert_eq!((done.moved, done.failed.len()), (0, 1));
        assert!(done.failed[0].reason.contains("too long to read in one call"), "{:?}", done.failed);

        redriving.post(Queue::RelayDeadLetters, &letter).await;
        let done = redriving.redrive(Queue::RelayDeadLetters).await;
        assert_eq!((done.moved, done.failed), (1, vec![]), "who takes their time reads all of it");
    })
    .await;
}
