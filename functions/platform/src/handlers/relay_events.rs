//! Puts what was written to the event store on the bus.
//!
//! | | |
//! |---|---|
//! | trigger | the event store's stream |
//! | writes | the bus; the dead-letter queue, for an item that is no event; metrics |
//! | safe to repeat | consumers handle an event once; the bus may carry it twice |

use crate::{
    bus::Bus,
    outbox::{Undelivered, read},
    tally::Tally,
};
use aws_lambda_events::event::{
    dynamodb::Event,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use boxoffice_aws::{DeadLetters, client};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Metrics,
    config::{self, ConfigError},
    metrics::Metric,
    stream::Record,
};
use std::time::Duration;

/// Where events go.
#[derive(Debug, Clone)]
pub struct Relay {
    bus: Bus,
    dead_letters: DeadLetters,
    metrics: Metrics,
}

impl Relay {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        let bus = Bus::new(&sdk, config::required("EVENT_BUS")?);
        let dead_letters = DeadLetters::new(&sdk, config::required("DEAD_LETTER_QUEUE_URL")?);
        Ok(Self::new(bus, dead_letters, Metrics::from_env()?))
    }

    /// From the stream to these.
    pub fn new(bus: Bus, dead_letters: DeadLetters, metrics: Metrics) -> Self {
        Self { bus, dead_letters, metrics }
    }

    /// Sends a batch of the stream on, and says which of it to deliver again.
    pub async fn relay(&self, batch: Event) -> DynamoDbEventResponse {
        let mut events = Vec::new();
        let mut undelivered = Undelivered::default();
        let mut tally = Tally::default();
        for record in batch.records {
            match read(record) {
                Record::Event(event) => {
                    tally.note(&event);
                    events.push(event);
                }
                Record::Ignored => {}
                Record::Malformed { sequence_number, reason, item } => {
                    tally.note_record(&sequence_number);
                    if let Err(error) = self.dead_letters.bury(&reason, &item).await {
                        tracing::error!(%error, reason, "an item of the event store is no event, and cannot be put aside");
                        undelivered.note_record(sequence_number);
                    }
                }
            }
        }
        let (count, oldest) = (events.len(), events.iter().map(|event| event.occurred_at).min());
        self.bus.publish(events, &mut undelivered).await;
        let failures = undelivered.sequence_numbers();
        let lag_millis = oldest.map(|oldest| Timestamp::now().unix_millis() - oldest.unix_millis());
        if let Some(lag) = lag_millis.and_then(|lag| u64::try_from(lag).ok()) {
            self.metrics.write(&[Metric::time("OutboxLag", Duration::from_millis(lag))]);
        }
        tally.write(&self.metrics, &failures);
        tracing::info!(function = "relay-events", events = count, undelivered = failures.len(), lag_millis, "relayed");
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failures
            .into_iter()
            .map(|sequence_number| {
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = Some(sequence_number);
                failure
            })
            .collect();
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_testing::{Listener, listener::Reply, stream};
    use serde_json::{Value, json};

    fn record(place: usize, aggregate: &str) -> Value {
        let text = |text: &str| json!({ "S": text });
        let image = json!({
            "aggregateId": text(aggregate), "eventType": text("UserCreated"), "source": text("boxoffice.users"),
            "detail": text(&json!({ "place": place }).to_string()), "occurredAt": text("2030-01-01T00:00:00.000Z"),
            "correlationId": text("order-7")
        });
        stream::inserted(&place.to_string(), &image)
    }

    /// A record that is no event: its type is missing.
    fn malformed(place: usize) -> Value {
        let mut record = record(place, "usr_1");
        record["dynamodb"]["NewImage"].as_object_mut().unwrap().remove("eventType");
        record
    }

    /// The places of the events that a call to the bus has.
    fn places(asked: &Value) -> Vec<u64> {
        let detail = |entry: &Value| serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap();
        asked["Entries"].as_array().unwrap().iter().map(|entry| detail(entry)["place"].as_u64().unwrap()).collect()
    }

    /// Takes everything but the third event.
    fn without_the_third(operation: &str, asked: &Value) -> Reply {
        let taken =
            |place| if place == 3 { json!({ "ErrorCode": "ThrottlingException" }) } else { json!({ "EventId": "1" }) };
        match operation {
            "PutEvents" => (200, json!({ "Entries": places(asked).into_iter().map(taken).collect::<Vec<_>>() })),
            _ => (200, json!({ "MessageId": "1" })),
        }
    }

    /// The records to deliver again.
    async fn relayed(outside: &Listener, records: &[Value]) -> Vec<String> {
        let sdk = outside.sdk_config();
        let dead_letters = DeadLetters::new(&sdk, "https://sqs.example/dead-letters");
        let relay = Relay::new(Bus::new(&sdk, "a-bus"), dead_letters, Metrics::new("test", "boxoffice-test"));
        let response = relay.relay(serde_json::from_value(json!({ "Records": records })).unwrap()).await;
        response.batch_item_failures.into_iter().filter_map(|failure| failure.item_identifier).collect()
    }

    fn put(outside: &Listener) -> Vec<Vec<u64>> {
        let heard = outside.heard().into_iter().filter(|(operation, _)| operation == "PutEvents");
        heard.map(|(_, asked)| places(&asked)).collect()
    }

    #[tokio::test]
    async fn a_refused_event_is_redelivered_and_not_overtaken_within_its_aggregate() {
        let outside = Listener::answering(without_the_third);
        let records = ["usr_1", "usr_2", "usr_1", "usr_2", "usr_1"].iter().zip(1..);
        let records: Vec<Value> = records.map(|(aggregate, place)| record(place, aggregate)).collect();
        assert_eq!(relayed(&outside, &records).await, ["3", "5"]);
        assert_eq!(put(&outside), [vec![1, 2], vec![3, 4]], "the fifth waits for the third");
    }

    #[tokio::test]
    async fn a_bus_that_does_not_answer_loses_nothing() {
        let outside = Listener::answering(|_, _| (400, json!({ "__type": "AccessDeniedException" })));
        assert_eq!(relayed(&outside, &[record(1, "usr_1"), record(2, "usr_2")]).await, ["1", "2"]);
        let silent = Listener::default();
        assert_eq!(relayed(&silent, &[record(1, "usr_1")]).await, ["1"], "an answer without results takes nothing");
    }

    #[tokio::test]
    async fn a_record_that_is_no_event_is_dead_lettered_with_its_reason_and_delays_nothing() {
        let outside = Listener::answering(without_the_third);
        assert_eq!(relayed(&outside, &[malformed(1), record(2, "usr_1")]).await, [""; 0]);
        assert_eq!(put(&outside), [[2]]);
        let (_, buried) = outside.heard().into_iter().find(|(operation, _)| operation == "SendMessage").unwrap();
        let letter: Value = serde_json::from_str(buried["MessageBody"].as_str().unwrap()).unwrap();
        assert!(letter["reason"].as_str().unwrap().contains("eventType"), "{letter}");
        assert!(letter["item"].as_str().unwrap().contains("usr_1"), "{letter}");
    }

    #[tokio::test]
    async fn a_letter_that_fits_no_queue_is_delivered_again() {
        let outside = Listener::answering(|operation, asked| match operation {
            "SendMessage" => (400, json!({ "__type": "AWS.SimpleQueueService.NonExistentQueue" })),
            _ => without_the_third(operation, asked),
        });
        assert_eq!(relayed(&outside, &[malformed(1), record(2, "usr_1")]).await, ["1"]);
        assert_eq!(put(&outside), [[2]]);
    }
}
