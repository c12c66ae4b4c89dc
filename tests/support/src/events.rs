//! The events that a test wrote to the event store, checked by their contracts.

use crate::{Database, Table};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::Item;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Display};

/// An event as it lies in the store.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The aggregate.
    pub aggregate_id: String,
    /// Its number within that, from 1.
    pub version: u64,
    /// Its name on the bus.
    pub event_type: String,
    /// The event's bytes on the bus.
    pub detail: String,
}

impl Recorded {
    fn from_item(item: &Item) -> Self {
        let text = |name: &str| {
            let attribute = item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
            attribute.cloned().unwrap_or_else(|| panic!("an event without {name}: {item:?}"))
        };
        let version = item.get("aggregateVersion").and_then(|value| value.as_n().ok()?.parse().ok());
        Self {
            aggregate_id: text("aggregateId"),
            version: version.unwrap_or_else(|| panic!("an event without a version: {item:?}")),
            event_type: text("eventType"),
            detail: text("detail"),
        }
    }

    /// The facts that the context states.
    pub fn data(&self) -> Value {
        let detail: Value = serde_json::from_str(&self.detail).expect("an event's detail is JSON");
        detail.get("data").cloned().expect("an event has data")
    }
}

impl Database {
    /// Every event, ordered by aggregate and version.
    pub async fn events(&self) -> Vec<Recorded> {
        let mut events: Vec<_> = self.items(Table::Events).await.iter().map(Recorded::from_item).collect();
        events.sort_by(|a, b| (&a.aggregate_id, a.version).cmp(&(&b.aggregate_id, b.version)));
        events
    }

    /// The events of one aggregate, in order.
    pub async fn events_of(&self, aggregate: impl Display) -> Vec<Recorded> {
        let aggregate = aggregate.to_string();
        self.events().await.into_iter().filter(|event| event.aggregate_id == aggregate).collect()
    }

    /// The names of one aggregate's events, in order.
    pub async fn history(&self, aggregate: impl Display) -> Vec<String> {
        self.events_of(aggregate).await.into_iter().map(|event| event.event_type).collect()
    }

    /// Every aggregate's events are numbered from 1 without gaps, and each event keeps to `events/<Type>.schema.json`.
    pub async fn check_events(&self) {
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        let mut contracts = BTreeMap::new();
        for event in self.events().await {
            let expected = next.entry(event.aggregate_id.clone()).or_insert(1);
            assert_eq!(event.version, *expected, "{} is out of turn: {event:?}", event.event_type);
            *expected += 1;
            let detail: Value = serde_json::from_str(&event.detail).expect("an event's detail is JSON");
            let contract = contracts.entry(event.event_type.clone()).or_insert_with(|| contract(&event.event_type));
            let broken: Vec<String> =
                contract.iter_errors(&detail).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(broken.is_empty(), "{} breaks its contract: {broken:?}\n{}", event.event_type, event.detail);
        }
    }
}

fn contract(event_type: &str) -> jsonschema::Validator {
    let path = format!("{}/../../events/{event_type}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{path}: {error}"))
}
