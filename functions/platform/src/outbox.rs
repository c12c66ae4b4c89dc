//! In which order events go to the bus, and what becomes of those that do not get there. No I/O.
//!
//! A stream delivers the events of one aggregate in order. `PutEvents` takes ten at a time and may refuse any of them, so events are sent
//! in *waves*: the first event of every aggregate, then the second of every aggregate, and so on. Once an event is refused, the later
//! ones of its aggregate wait for the next delivery: nothing overtakes.

use aws_lambda_events::event::dynamodb::EventRecord;
use std::collections::{BTreeSet, HashMap};

/// The most events one call to the bus takes.
pub const BATCH: usize = 10;
/// The most bytes one call takes (256 KiB, <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>), less room for what each entry
/// adds.
pub const BATCH_BYTES: usize = 256 * 1024 - BATCH * 512;

/// An event from the store, ready for the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the stream.
    pub sequence_number: String,
    /// Its aggregate.
    pub aggregate_id: String,
    /// Its type: the detail-type on the bus.
    pub event_type: String,
    /// Its context: the source on the bus.
    pub source: String,
    /// What happened, as it was written.
    pub detail: String,
    /// When, in milliseconds since 1970; for the lag.
    pub occurred_at: Option<i64>,
    /// What it belongs to.
    pub correlation_id: String,
}

/// What a stream record is to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An event to send.
    Event(Outgoing),
    /// Nothing to send: the store's events are only ever added, so this is housekeeping.
    Ignored,
    /// An item that is no event: never to be sent, and not to be lost.
    Malformed {
        /// Its place in the stream.
        sequence_number: String,
        /// What is wrong with it.
        reason: String,
        /// What it was.
        item: String,
    },
}

/// Reads a record of the event store's stream.
pub fn read(record: EventRecord) -> Record {
    if record.event_name != "INSERT" {
        return Record::Ignored;
    }
    let sequence_number = record.change.sequence_number.clone().unwrap_or_default();
    let image = &record.change.new_image;
    let field = |name: &'static str| -> Result<String, &'static str> {
        match image.get(name) {
            Some(serde_dynamo::AttributeValue::S(text)) if !text.is_empty() => Ok(text.clone()),
            _ => Err(name),
        }
    };
    let outgoing = || -> Result<Outgoing, &'static str> {
        let occurred_at = field("occurredAt")?.parse::<boxoffice_kernel::Timestamp>().map_err(|_| "occurredAt")?;
        Ok(Outgoing {
            sequence_number: sequence_number.clone(),
            aggregate_id: field("aggregateId")?,
            event_type: field("eventType")?,
            source: field("source")?,
            detail: field("detail")
                .and_then(|detail| if detail.len() > BATCH_BYTES { Err("detail") } else { Ok(detail) })?,
            occurred_at: Some(occurred_at.unix_millis()),
            correlation_id: field("correlationId")?,
        })
    };
    match outgoing() {
        Ok(outgoing) => Record::Event(outgoing),
        Err(name) => Record::Malformed {
            reason: format!("the attribute {name} is missing or not what it should be"),
            item: serde_json::to_string(&record).unwrap_or_else(|error| error.to_string()),
            sequence_number,
        },
    }
}

/// The events in waves: within each no aggregate twice, and an aggregate's events in wave after wave in their order.
pub fn waves(events: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut waves: Vec<Vec<Outgoing>> = Vec::new();
    let mut sent: HashMap<String, usize> = HashMap::new();
    for event in events {
        let wave = sent.entry(event.aggregate_id.clone()).or_default();
        let number = *wave;
        *wave += 1;
        match waves.get_mut(number) {
            Some(members) => members.push(event),
            // An aggregate's events are counted one by one, so the wave after the last is the next.
            None => waves.push(vec![event]),
        }
    }
    waves
}

/// A wave in calls that the bus takes: at most [`BATCH`] events and [`BATCH_BYTES`] bytes each.
pub fn batches(wave: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for event in wave {
        let size = event.detail.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + size <= BATCH_BYTES => {
                bytes += size;
                batch.push(event);
            }
            _ => {
                bytes = size;
                batches.push(vec![event]);
            }
        }
    }
    batches
}

/// What did not get to the bus.
#[derive(Debug, Default)]
pub struct Undelivered {
    sequence_numbers: Vec<String>,
    aggregates: BTreeSet<String>,
}

impl Undelivered {
    /// Whether an earlier event of this one's aggregate did not get there: then this one must wait too.
    pub fn blocks(&self, event: &Outgoing) -> bool {
        self.aggregates.contains(&event.aggregate_id)
    }

    /// Notes an event that is to be delivered again, and every later one of its aggregate with it.
    pub fn note(&mut self, event: Outgoing) {
        self.sequence_numbers.push(event.sequence_number);
        self.aggregates.insert(event.aggregate_id);
    }

    /// Notes a record that is no event, to be delivered again.
    pub fn note_record(&mut self, sequence_number: String) {
        self.sequence_numbers.push(sequence_number);
    }

    /// The places in the stream of all that is to be delivered again.
    pub fn sequence_numbers(self) -> Vec<String> {
        self.sequence_numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(number: usize, aggregate: u8, size: usize) -> Outgoing {
        Outgoing {
            sequence_number: number.to_string(),
            aggregate_id: format!("tkt_{aggregate}"),
            event_type: "TicketCreated".into(),
            source: "boxoffice.tickets".into(),
            detail: "x".repeat(size),
            occurred_at: None,
            correlation_id: "c".into(),
        }
    }

    fn stream() -> impl Strategy<Value = Vec<Outgoing>> {
        prop::collection::vec((0..6_u8, 1..40_000_usize), 0..60).prop_map(|events| {
            events.into_iter().enumerate().map(|(number, (aggregate, size))| event(number, aggregate, size)).collect()
        })
    }

    proptest! {
        #[test]
        fn every_event_goes_out_once_and_none_overtakes_its_aggregate(events in stream()) {
            let sent: Vec<Outgoing> = waves(events.clone()).into_iter().flat_map(batches).flatten().collect();
            prop_assert_eq!(sent.len(), events.len());
            for aggregate in 0..6_u8 {
                let of = |events: &[Outgoing]| -> Vec<String> {
                    let mine = events.iter().filter(|event| event.aggregate_id == format!("tkt_{aggregate}"));
                    mine.map(|event| event.sequence_number.clone()).collect()
                };
                prop_assert_eq!(of(&sent), of(&events));
            }
        }

        #[test]
        fn no_call_holds_two_events_of_an_aggregate_or_more_than_the_bus_takes(events in stream()) {
            for batch in waves(events).into_iter().flat_map(batches) {
                let aggregates: BTreeSet<_> = batch.iter().map(|event| &event.aggregate_id).collect();
                prop_assert_eq!(aggregates.len(), batch.len());
                prop_assert!(batch.len() <= BATCH);
                prop_assert!(batch.iter().map(|event| event.detail.len()).sum::<usize>() <= BATCH_BYTES);
            }
        }
    }

    #[test]
    fn after_a_refusal_the_later_events_of_the_aggregate_wait() {
        let mut undelivered = Undelivered::default();
        undelivered.note(event(1, 7, 1));
        assert!(undelivered.blocks(&event(2, 7, 1)));
        assert!(!undelivered.blocks(&event(3, 8, 1)));
    }

    fn record(json: serde_json::Value) -> EventRecord {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_no_event_is_told_apart_with_its_reason() {
        let change = |image: serde_json::Value| {
            record(serde_json::json!({
                "awsRegion": "us-east-1", "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1",
                "dynamodb": { "Keys": {}, "NewImage": image, "SequenceNumber": "42", "SizeBytes": 1, "StreamViewType": "NEW_IMAGE" }
            }))
        };
        let text = |text: &str| serde_json::json!({ "S": text });
        let whole = serde_json::json!({
            "aggregateId": text("tkt_1"), "eventType": text("TicketCreated"), "source": text("boxoffice.tickets"),
            "detail": text("{}"), "occurredAt": text("2030-01-01T00:00:00.000Z"), "correlationId": text("c")
        });
        assert!(matches!(read(change(whole.clone())), Record::Event(event) if event.sequence_number == "42"));
        for name in ["aggregateId", "eventType", "source", "detail", "occurredAt", "correlationId"] {
            let mut broken = whole.clone();
            broken.as_object_mut().unwrap().remove(name);
            let Record::Malformed { reason, .. } = read(change(broken)) else { panic!("{name} is not missed") };
            assert!(reason.contains(name), "{reason}");
        }
    }
}
