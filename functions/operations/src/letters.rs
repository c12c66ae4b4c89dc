//! The subject of a message in a queue of cases. No I/O.
//!
//! | From | Body | Is about |
//! |---|---|---|
//! | a rule of the bus | the event, as the bus would have delivered it | that event |
//! | Lambda, of a function that the bus invoked and that failed | `requestPayload`: the event, as the bus delivered it | that event |
//! | the notification machine that was there before `send-notification` | `event`: its aggregate and version | that event |
//! | a reader of the event store's stream, of an item it cannot read; `send-notification`, of a message it cannot record | `reason`, `item` | the event the item is, where it names its key |
//! | the stream itself, of a batch given up | `DDBStreamBatchInfo` | what happened in that time: the batch's records are not in it, and by then not in the stream either |
//! | the booking saga | `ticketId`, `executionArn`, `failure` | that saga |
//!
//! An event is only ever known by its key: what is sent on is what the event store holds.

use boxoffice_kernel::{TicketId, Timestamp};
use serde_json::Value;
use std::fmt;

/// An event's place in the event store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// Its aggregate.
    pub aggregate_id: String,
    /// Its number within it.
    pub version: u64,
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_id, self.version)
    }
}

impl EventKey {
    /// The key that prints so.
    pub fn parse(text: &str) -> Option<Self> {
        let (aggregate_id, version) = text.rsplit_once('/')?;
        Some(Self { aggregate_id: aggregate_id.to_owned(), version: version.parse().ok()? })
    }
}

/// The subject of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// An event.
    Event(EventKey),
    /// All that happened between two instants.
    Batch {
        /// From this one on.
        from: Timestamp,
        /// Before this one.
        to: Timestamp,
    },
    /// A booking's saga.
    Saga(TicketId),
    /// Nothing that can be sent on, for this reason.
    Unreadable(String),
}

/// An event happens before it reaches the stream: by no more than its transaction may take with all its tries.
const BEFORE_SECONDS: u32 = 60;
/// The stream tells times in whole seconds.
const AFTER_SECONDS: u32 = 2;

/// Reads a message.
pub fn read(body: &str) -> Letter {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return Letter::Unreadable("it is no JSON".into()) };
    let event = [body.pointer("/detail/metadata"), body.pointer("/requestPayload/detail/metadata"), body.get("event")];
    let event = event.into_iter().flatten().find_map(key);
    if let Some(key) = event {
        return Letter::Event(key);
    }
    if let Some(batch) = body.get("DDBStreamBatchInfo") {
        let at = |name| batch.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
        return match (at("approximateArrivalOfFirstRecord"), at("approximateArrivalOfLastRecord")) {
            (Some(first), Some(last)) => {
                Letter::Batch { from: first.minus_seconds(BEFORE_SECONDS), to: last.plus_seconds(AFTER_SECONDS) }
            }
            _ => Letter::Unreadable("it is about a batch of the stream, and does not say from when".into()),
        };
    }
    if let Some(item) = body.get("item").and_then(Value::as_str) {
        let reason = body.get("reason").and_then(Value::as_str).unwrap_or("it has no reason");
        let parsed: Option<Value> = serde_json::from_str(item).ok();
        return parsed
            .as_ref()
            .and_then(key_of_item)
            .map_or_else(|| Letter::Unreadable(reason.to_owned()), Letter::Event);
    }
    let ticket = body.get("ticketId").and_then(Value::as_str).and_then(|text| text.parse().ok());
    ticket.map_or_else(|| Letter::Unreadable("it names neither an event nor a saga".into()), Letter::Saga)
}

/// The key in an event's metadata.
fn key(metadata: &Value) -> Option<EventKey> {
    let aggregate_id = metadata.get("aggregateId")?.as_str().filter(|id| !id.is_empty())?.to_owned();
    Some(EventKey { aggregate_id, version: metadata.get("aggregateVersion")?.as_u64()? })
}

/// The key of an item that was put aside: an event's detail, or a record of the stream.
fn key_of_item(item: &Value) -> Option<EventKey> {
    let attributes = || item.pointer("/dynamodb/Keys").filter(|keys| keys.get("aggregateId").is_some());
    item.get("metadata").and_then(key).or_else(|| {
        let attributes = attributes().or_else(|| item.pointer("/dynamodb/NewImage"))?;
        let aggregate_id = attributes.pointer("/aggregateId/S")?.as_str()?.to_owned();
        Some(EventKey { aggregate_id, version: attributes.pointer("/aggregateVersion/N")?.as_str()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn about(version: u64) -> Letter {
        let aggregate_id = "tkt_01a2089d219e737bb4e23d79e9d77e1a".into();
        Letter::Event(EventKey { aggregate_id, version })
    }

    #[test]
    fn an_event_is_known_by_its_key_however_it_got_there() {
        let detail: Value = serde_json::from_str(include_str!("../../../events/TicketCreated.sample.json")).unwrap();
        let id = detail["metadata"]["aggregateId"].as_str().unwrap();
        let letter = Letter::Event(EventKey { aggregate_id: id.to_owned(), version: 1 });
        let metadata = &detail["metadata"];
        let keys = json!({ "aggregateId": { "S": id }, "aggregateVersion": { "N": "1" } });
        for body in [
            json!({ "version": "0", "source": "boxoffice.tickets", "detail-type": "TicketCreated", "detail": detail }),
            json!({ "version": "1.0", "requestPayload": { "source": "boxoffice.tickets", "detail": detail } }),
            json!({ "event": metadata, "notificationId": "", "executionArn": "arn", "failure": {} }),
            json!({ "reason": "not what its schema says", "item": detail.to_string() }),
            json!({ "reason": "an attribute is missing", "item": json!({ "dynamodb": { "Keys": keys } }).to_string() }),
            json!({ "reason": "the same", "item": json!({ "dynamodb": { "Keys": {}, "NewImage": keys } }).to_string() }),
        ] {
            assert_eq!(read(&body.to_string()), letter, "{body}");
        }
    }

    #[test]
    fn a_batch_of_the_stream_is_the_time_it_is_from() {
        let body = json!({
            "requestContext": { "condition": "RetryAttemptsExhausted" }, "version": "1.0", "timestamp": "2030-01-02T00:00:00.000Z",
            "DDBStreamBatchInfo": {
                "shardId": "shardId-1", "startSequenceNumber": "1", "endSequenceNumber": "9", "batchSize": 9, "streamArn": "arn",
                "approximateArrivalOfFirstRecord": "2030-01-01T12:00:00Z", "approximateArrivalOfLastRecord": "2030-01-01T12:00:05Z"
            }
        });
        let (from, to) = ("2030-01-01T11:59:00Z".parse().unwrap(), "2030-01-01T12:00:07Z".parse().unwrap());
        assert_eq!(read(&body.to_string()), Letter::Batch { from, to });
    }

    #[test]
    fn a_stuck_booking_is_its_saga() {
        let body = json!({ "ticketId": "tkt_01a2089d219e737bb4e23d79e9d77e1a", "executionArn": "arn", "failure": {} });
        assert_eq!(read(&body.to_string()), Letter::Saga("tkt_01a2089d219e737bb4e23d79e9d77e1a".parse().unwrap()));
    }

    #[test]
    fn a_message_that_names_nothing_stays_with_its_reason() {
        let too_large = json!({ "reason": "the event has 300000 bytes", "item": "X of tkt_1: the event store has it" });
        assert_eq!(read(&too_large.to_string()), Letter::Unreadable("the event has 300000 bytes".into()));
        for body in ["", "[]", "{}", "{\"detail\": {}}", "{\"ticketId\": \"pay_1\"}", "{\"DDBStreamBatchInfo\": {}}"] {
            assert!(matches!(read(body), Letter::Unreadable(_)), "{body}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        let Letter::Event(key) = about(7) else { panic!() };
        assert_eq!(EventKey::parse(&key.to_string()), Some(key));
        assert_eq!(EventKey::parse("tkt_1"), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in "\\PC{0,200}") {
            let _ = read(&body);
        }
    }
}
