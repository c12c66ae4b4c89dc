//! In which order events go to the bus, and what becomes of those that do not get there. No I/O.
//!
//! A stream delivers the events of one aggregate in order. `PutEvents` takes ten at a time and may refuse any of them, so events are sent
//! in *waves*: the first event of every aggregate, then the second of every aggregate, and so on. Once an event is refused, the later
//! ones of its aggregate wait for the next delivery: nothing overtakes.

use aws_lambda_events::event::dynamodb::EventRecord;
use boxoffice_runtime::stream::{self, Record, StoredEvent};
use std::collections::{BTreeSet, HashMap};

/// The most events one call to the bus takes.
pub const BATCH: usize = 10;
/// The most bytes one call takes (256 KiB, <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>), less room for what each entry
/// adds.
pub const BATCH_BYTES: usize = 256 * 1024 - BATCH * 512;

/// Reads a record of the event store's stream for the bus, which refuses what is too large for it.
pub fn read(record: EventRecord) -> Record {
    match stream::read(record) {
        Record::Event(event) if event.detail.len() > BATCH_BYTES => Record::Malformed {
            reason: format!("the event has {} bytes, more than the bus takes", event.detail.len()),
            item: format!("{} of {}: the event store has it", event.event_type, event.aggregate_id),
            sequence_number: event.sequence_number,
        },
        other => other,
    }
}

/// The events in waves: within each no aggregate twice, and an aggregate's events in wave after wave in their order.
pub fn waves(events: Vec<StoredEvent>) -> Vec<Vec<StoredEvent>> {
    let mut waves: Vec<Vec<StoredEvent>> = Vec::new();
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
pub fn batches(wave: Vec<StoredEvent>) -> Vec<Vec<StoredEvent>> {
    let mut batches: Vec<Vec<StoredEvent>> = Vec::new();
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

/// The events that the bus did not accept.
#[derive(Debug, Default)]
pub struct Undelivered {
    sequence_numbers: Vec<String>,
    aggregates: BTreeSet<String>,
}

impl Undelivered {
    /// Whether an earlier event of this one's aggregate did not get there: then this one must wait too.
    pub fn blocks(&self, event: &StoredEvent) -> bool {
        self.aggregates.contains(&event.aggregate_id)
    }

    /// Notes an event that is to be delivered again, and every later one of its aggregate with it.
    pub fn note(&mut self, event: StoredEvent) {
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

    fn event(number: usize, aggregate: u8, size: usize) -> StoredEvent {
        StoredEvent {
            sequence_number: number.to_string(),
            aggregate_id: format!("tkt_{aggregate}"),
            event_type: "TicketCreated".into(),
            source: "boxoffice.tickets".into(),
            detail: "x".repeat(size),
            occurred_at: "2030-01-01T00:00:00Z".parse().unwrap(),
            correlation_id: "c".into(),
        }
    }

    fn stream() -> impl Strategy<Value = Vec<StoredEvent>> {
        prop::collection::vec((0..6_u8, 1..40_000_usize), 0..60).prop_map(|events| {
            events.into_iter().enumerate().map(|(number, (aggregate, size))| event(number, aggregate, size)).collect()
        })
    }

    proptest! {
        #[test]
        fn every_event_goes_out_once_and_none_overtakes_its_aggregate(events in stream()) {
            let sent: Vec<StoredEvent> = waves(events.clone()).into_iter().flat_map(batches).flatten().collect();
            prop_assert_eq!(sent.len(), events.len());
            for aggregate in 0..6_u8 {
                let of = |events: &[StoredEvent]| -> Vec<String> {
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

    #[test]
    fn an_event_the_bus_would_refuse_for_its_size_is_told_apart() {
        let of_size = |size: usize| {
            let mut record: serde_json::Value =
                serde_json::from_str(include_str!("../../../events/fixtures/event-store-stream.json")).unwrap();
            let mut record = record["Records"][0].take();
            record["dynamodb"]["NewImage"]["detail"]["S"] = "x".repeat(size).into();
            read(serde_json::from_value(record).unwrap())
        };
        assert!(matches!(of_size(BATCH_BYTES), Record::Event(_)));
        assert!(matches!(of_size(BATCH_BYTES + 1), Record::Malformed { .. }));
    }
}
