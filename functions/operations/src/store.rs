//! The event store as an operator uses it: acts are recorded in it, and events read from it again.

use crate::{domain::Selector, letters::EventKey};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_aws::{
    EventStore, Item, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
};
use boxoffice_kernel::{DomainEvent, Envelope};
use boxoffice_runtime::stream::StoredEvent;

/// The event store.
#[derive(Debug, Clone)]
pub struct OperationsStore {
    client: Client,
    table: String,
    events: EventStore,
}

/// Some of what the event store holds.
#[derive(Debug, Default)]
pub struct Reading {
    /// How many items were read.
    pub read: usize,
    /// Those that are meant, an aggregate's in their order. Other items are left out.
    pub events: Vec<StoredEvent>,
    /// Where to go on, when there is more.
    pub after: Option<EventKey>,
}

impl OperationsStore {
    /// The store in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = table.into();
        Self { client, events: EventStore::new(&table), table }
    }

    /// AP-150 record an act.
    pub async fn record<T: DomainEvent>(&self, act: &Envelope<T>) -> Result<(), StoreError> {
        match Transaction::new().put((), self.events.append(act)?).commit(&self.client).await {
            // An act's id is its own: what is there is this very act, written by a try whose answer was lost.
            Ok(_) | Err(Uncommitted::Refused(_)) => Ok(()),
            Err(Uncommitted::Store(error)) => Err(error),
        }
    }

    /// AP-151 get event: nothing when there is none, and what is wrong with what is none.
    pub async fn event(&self, key: &EventKey) -> Result<Option<Result<StoredEvent, String>>, StoreError> {
        let found = self.client.get_item().table_name(&self.table).set_key(Some(item_key(key))).consistent_read(true);
        let item = found.send().await.map_err(StoreError::from_sdk)?.item;
        Ok(item.map(|item| {
            as_event(&item).map_err(|name| format!("the attribute {name} is missing or not what it should be"))
        }))
    }

    /// The next of what is meant: of one aggregate AP-152, else AP-153, reading up to `most` items.
    pub async fn read(&self, meant: &Selector, most: usize, after: Option<EventKey>) -> Result<Reading, StoreError> {
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let after = after.as_ref().map(item_key);
        let (items, last) = match &meant.aggregate_id {
            Some(aggregate) => self.of_aggregate(aggregate.as_str(), most, after).await?,
            None => self.scan(meant, most, after).await?,
        };
        let events = items.1.iter().filter_map(|item| as_event(item).ok()).filter(|event| meant.matches(event));
        Ok(Reading { read: items.0, events: events.collect(), after: last.as_ref().and_then(key_of) })
    }

    /// AP-152 read an aggregate's events.
    async fn of_aggregate(&self, aggregate: &str, most: i32, after: Option<Item>) -> Result<Found, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("aggregateId = :id")
            .expression_attribute_values(":id", text(aggregate))
            .limit(most)
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let items = answer.items.unwrap_or_default();
        Ok(((items.len(), items), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// AP-153 read events of a type or a time: a scan, page by page, by an operator (`docs/adr/0017-operations.md`).
    async fn scan(&self, meant: &Selector, most: i32, after: Option<Item>) -> Result<Found, StoreError> {
        let mut scan =
            self.client.scan().table_name(&self.table).consistent_read(true).limit(most).set_exclusive_start_key(after);
        let mut conditions = Vec::new();
        if let Some(name) = &meant.event_type {
            conditions.push("eventType = :type");
            scan = scan.expression_attribute_values(":type", text(name.as_str()));
        }
        if let Some(from) = meant.from {
            conditions.push("occurredAt >= :from");
            scan = scan.expression_attribute_values(":from", text(from));
        }
        if let Some(to) = meant.to {
            conditions.push("occurredAt < :to");
            scan = scan.expression_attribute_values(":to", text(to));
        }
        let answer = scan.filter_expression(conditions.join(" AND ")).send().await.map_err(StoreError::from_sdk)?;
        let read = usize::try_from(answer.scanned_count).unwrap_or_default();
        Ok(((read, answer.items.unwrap_or_default()), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}

/// How many items were looked at and those found, and where the store stopped.
type Found = ((usize, Vec<Item>), Option<Item>);

fn item_key(key: &EventKey) -> Item {
    Item::from([("aggregateId".into(), text(&key.aggregate_id)), ("aggregateVersion".into(), number(key.version))])
}

fn key_of(item: &Item) -> Option<EventKey> {
    let aggregate_id = item.get("aggregateId")?.as_s().ok()?.clone();
    Some(EventKey { aggregate_id, version: item.get("aggregateVersion")?.as_n().ok()?.parse().ok()? })
}

/// The event, with its key for its place.
fn as_event(item: &Item) -> Result<StoredEvent, &'static str> {
    let key = key_of(item).ok_or("aggregateVersion")?;
    let attribute = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
    StoredEvent::of(key.to_string(), attribute)
}
