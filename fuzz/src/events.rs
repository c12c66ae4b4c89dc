//! Records of the event store's stream, and events on the bus.
//!
//! - A record is an event only when it was added whole; what is sent on is what was written, once, in order, and never more than the bus takes.
//! - Every consumer makes the same of an event that was written out and read again, and refuses one only as a defect, which is never retried.
//! - What an event's schema allows, every consumer of it understands, but for what a schema cannot say.
//! - A message made of an event fits its channel, and nothing in the event becomes markup or a header.

use crate::{
    addressed, input_for,
    material::{self, EVENT_TYPES, SAMPLES},
};
use aws_lambda_events::event::dynamodb;
use boxoffice_kernel::Text;
use boxoffice_notifications::{
    content::{Content, FreeText},
    record,
};
use boxoffice_platform::outbox::{self, BATCH, BATCH_BYTES};
use boxoffice_reporting::news;
use boxoffice_runtime::{
    StepFailure,
    event::{Delivered, Event},
    stream::{self, Record},
};
use boxoffice_saga::handlers::claim_saga::Start;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

static SCHEMAS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let schema = |kind: &'static String| {
        (kind.as_str(), material::validator(&material::of_events(&format!("{kind}.schema.json"))))
    };
    EVENT_TYPES.iter().map(schema).collect()
});

const READERS: [fn(&[u8]); 4] = [batch, event, changed, start];

/// See the module.
pub fn check(input: &[u8]) {
    if let Some((read, rest)) = addressed(&READERS, input) {
        read(rest);
    }
}

/// The batch that Lambda hands to a reader of the stream.
fn batch(input: &[u8]) {
    let Ok(batch) = serde_json::from_slice::<dynamodb::Event>(input) else { return };
    let mut events = Vec::new();
    for record in batch.records {
        let attribute = |name: &str| match record.change.new_image.get(name) {
            Some(serde_dynamo::AttributeValue::S(text)) => text.clone(),
            _ => String::new(),
        };
        match stream::read(record.clone()) {
            Record::Event(event) => {
                assert_eq!(record.event_name, "INSERT");
                let written = ["aggregateId", "eventType", "source", "detail", "correlationId"].map(attribute);
                let read =
                    [&event.aggregate_id, &event.event_type, &event.source, &event.detail, &event.correlation_id];
                assert_eq!(written.each_ref(), read);
                assert!(written.iter().all(|text| !text.is_empty()), "{written:?}");
            }
            Record::Ignored => assert_ne!(record.event_name, "INSERT"),
            Record::Malformed { reason, .. } => assert!(record.event_name == "INSERT" && !reason.is_empty()),
        }
        if let Record::Event(event) = outbox::read(record) {
            assert!(event.detail.len() <= BATCH_BYTES);
            if let Ok(detail) = serde_json::from_str(&event.detail) {
                consume(&detail);
            }
            events.push(event);
        }
    }
    let order = |events: &[stream::StoredEvent]| {
        let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in events {
            order.entry(event.aggregate_id.clone()).or_default().push(event.sequence_number.clone());
        }
        order
    };
    let before = order(&events);
    let calls: Vec<_> = outbox::waves(events).into_iter().flat_map(outbox::batches).collect();
    for call in &calls {
        assert!(call.len() <= BATCH && call.iter().map(|event| event.detail.len()).sum::<usize>() <= BATCH_BYTES);
        let aggregates: BTreeSet<_> = call.iter().map(|event| &event.aggregate_id).collect();
        assert_eq!(aggregates.len(), call.len(), "one call has two events of an aggregate");
    }
    assert_eq!(order(&calls.concat()), before, "an event overtook another, or was lost, or sent twice");
}

/// The event that the bus hands to a consumer.
fn event(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    if let Ok(delivered) = serde_json::from_value::<Delivered>(value.clone()) {
        assert_eq!(serde_json::from_value::<Event>(value["detail"].clone()).ok(), Some(delivered.detail));
        consume(&value["detail"]);
    }
    consume(&value);
}

/// A sample with one thing changed: which sample, a pointer into it, and a line further what to put there.
fn changed(input: &[u8]) {
    let Some((sample, rest)) = addressed(&SAMPLES, input) else { return };
    let Ok(text) = str::from_utf8(rest) else { return };
    let Some((pointer, replacement)) = text.split_once('\n') else { return };
    let mut event = sample.clone();
    let (Some(place), Ok(replacement)) = (event.pointer_mut(pointer), serde_json::from_str(replacement)) else {
        return;
    };
    *place = replacement;
    consume(&event);
}

/// Gives an event to everything that consumes it.
fn consume(value: &Value) {
    let Ok(event) = serde_json::from_value::<Event>(value.clone()) else { return };
    let again = json!({ "metadata": event.metadata, "data": event.data });
    let again: Event = serde_json::from_value(again).expect("an event that was read is read again");
    assert_eq!(again, event);

    let news = news::read(&event);
    assert_eq!(news::read(&again), news);
    let content = record::content(&event);
    let known = !matches!(&content, Err(StepFailure::Defect(why)) if why.starts_with("no message is known"));
    let concerns_contact = matches!(event.kind(), "UserCreated" | "UserUpdated");
    let contact = concerns_contact.then(|| record::contact(&event));

    let is_valid = SCHEMAS.get(event.kind()).is_some_and(|schema| schema.is_valid(value));
    let refusals = [news.err(), content.as_ref().err().filter(|_| known).cloned(), contact.and_then(Result::err)];
    for refusal in refusals.into_iter().flatten() {
        let StepFailure::Defect(why) = &refusal else { panic!("{refusal:?} would be retried") };
        assert!(!is_valid || beyond_schemas(why), "its schema allows {value}, and a consumer does not: {why}");
    }
    if let Ok(Some(content)) = content {
        check_message(&content, value);
    }
}

/// Whether this is a rule that a JSON Schema cannot say of a string or a number.
fn beyond_schemas(why: &str) -> bool {
    ["RFC 3339", "at most two decimals", "characters long", "mail address", "expected u64", "expected u16", "integer `"]
        .iter()
        .any(|rule| why.contains(rule))
}

fn check_message(content: &Content, event: &Value) {
    let first_name: Text<50> = "<b>Ada".parse().expect("a name");
    let composed = content.compose(&first_name).unwrap_or_else(|error| panic!("{error}: {event}"));
    assert!(!composed.subject.is_empty() && !composed.subject.chars().any(char::is_control), "{:?}", composed.subject);
    assert!(composed.message.as_str().chars().count() <= FreeText::MAX);
    assert!(!composed.html.contains("<b>Ada"), "{}", composed.html);
    // The mail has the same tags under any name of the event.
    let mut plain = event.clone();
    if let Some(name) = plain.pointer_mut("/data/eventName") {
        *name = "A Show".into();
        let plain: Event = serde_json::from_value(plain).expect("an event of another name is an event");
        let plain = record::content(&plain).expect("it has a message").expect("it has a message");
        let plain = plain.compose(&first_name).expect("it has a message");
        let tags = |html: &str| ['<', '>', '"'].map(|character| html.matches(character).count());
        assert_eq!(tags(&composed.html), tags(&plain.html), "{event} has markup in {}", composed.html);
    }
    let push: Value = serde_json::from_str(&composed.push_payload()).expect("a push message is JSON");
    for service in ["APNS", "APNS_SANDBOX", "GCM"] {
        let payload = push[service].as_str().expect("each service gets text");
        assert!(payload.len() <= 4096 && serde_json::from_str::<Value>(payload).is_ok(), "{payload}");
    }
}

/// The input that starts a saga.
fn start(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    let Ok(start) = serde_json::from_value::<Start>(value.clone()) else { return };
    match start.ticket() {
        Ok(ticket) => assert_eq!(value.pointer("/data/ticketId"), Some(&json!(ticket))),
        Err(failure) => assert!(matches!(failure, StepFailure::Defect(_)), "{failure:?} would be retried"),
    }
}

/// Samples of all events, as they lie in the stream, on the bus, and at the start of a saga.
pub fn seeds() -> Vec<Vec<u8>> {
    let batch = input_for(0, material::of_events("fixtures/event-store-stream.json").to_string());
    let samples = SAMPLES.iter().flat_map(|sample| {
        let delivered =
            json!({ "source": "boxoffice", "detail-type": sample["metadata"]["eventType"], "detail": sample });
        let start = json!({
            "eventType": sample["metadata"]["eventType"], "correlationId": sample["metadata"]["correlationId"],
            "data": sample["data"], "executionArn": "arn:aws:states:us-east-1:123456789012:execution:booking-saga:1"
        });
        [input_for(1, delivered.to_string()), input_for(3, start.to_string())]
    });
    let changes = SAMPLES.iter().enumerate().flat_map(|(number, sample)| {
        let fields = sample["data"].as_object().expect("an event has data").iter();
        fields.map(move |(name, value)| input_for(2, input_for(number, format!("/data/{name}\n{value}"))))
    });
    std::iter::once(batch).chain(samples).chain(changes).collect()
}
