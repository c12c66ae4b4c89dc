//! Streams of tables, read.
//!
//! Two functions read the event store's: one puts the events on the bus, the other keeps the read models. Both take the same records for events. A
//! reader of another table's stream asks for the [`key`] of what changed.

use aws_lambda_events::event::dynamodb::EventRecord;
use boxoffice_kernel::Timestamp;

/// An event as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the stream.
    pub sequence_number: String,
    /// Its aggregate.
    pub aggregate_id: String,
    /// Its type: the detail-type on the bus.
    pub event_type: String,
    /// Its context: the source on the bus.
    pub source: String,
    /// The event as it was written.
    pub detail: String,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// The aggregate.
    pub correlation_id: String,
}

impl StoredEvent {
    /// The event whose attributes these are, found at this place of the stream or of the store.
    ///
    /// # Errors
    /// With the name of an attribute that is missing or not what it should be.
    pub fn of(place: String, attribute: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let field = |name: &'static str| attribute(name).filter(|text| !text.is_empty()).ok_or(name);
        Ok(Self {
            sequence_number: place,
            aggregate_id: field("aggregateId")?,
            event_type: field("eventType")?,
            source: field("source")?,
            detail: field("detail")?,
            occurred_at: field("occurredAt")?.parse().map_err(|_| "occurredAt")?,
            correlation_id: field("correlationId")?,
        })
    }
}

/// A stream record, as its readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An event.
    Event(StoredEvent),
    /// Nothing to act on: an event is only ever added, so this is housekeeping.
    Ignored,
    /// An item that is no event: never to be acted on, and not to be lost.
    Malformed {
        /// Its place in the stream.
        sequence_number: String,
        /// The error.
        reason: String,
        /// The record.
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
    let attribute = |name: &str| match image.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.clone()),
        _ => None,
    };
    match StoredEvent::of(sequence_number.clone(), attribute) {
        Ok(stored) => Record::Event(stored),
        Err(name) => Record::Malformed {
            reason: format!("the attribute {name} is missing or not what it should be"),
            item: serde_json::to_string(&record).unwrap_or_else(|error| error.to_string()),
            sequence_number,
        },
    }
}

/// An attribute of the key of the item that a record is about, where it is a text.
pub fn key<'a>(record: &'a EventRecord, name: &str) -> Option<&'a str> {
    match record.change.keys.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inserted(image: &serde_json::Value) -> EventRecord {
        serde_json::from_value(boxoffice_testing::stream::inserted("42", image)).unwrap()
    }

    #[test]
    fn a_record_that_is_no_event_is_recognized_with_its_reason() {
        let text = |text: &str| json!({ "S": text });
        let whole = json!({
            "aggregateId": text("tkt_1"), "eventType": text("TicketCreated"), "source": text("boxoffice.tickets"),
            "detail": text("{}"), "occurredAt": text("2030-01-01T00:00:00.000Z"), "correlationId": text("c")
        });
        assert!(matches!(read(inserted(&whole)), Record::Event(event) if event.sequence_number == "42"));
        for name in ["aggregateId", "eventType", "source", "detail", "occurredAt", "correlationId"] {
            let mut broken = whole.clone();
            broken.as_object_mut().unwrap().remove(name);
            let Record::Malformed { reason, .. } = read(inserted(&broken)) else { panic!("{name} is not missed") };
            assert!(reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn an_overwrite_of_an_event_is_no_event() {
        let mut record = inserted(&json!({ "aggregateId": { "S": "usr_1" } }));
        record.event_name = "MODIFY".into();
        assert_eq!(read(record), Record::Ignored);
    }
}
