//! The product's tables, read from outside.

use crate::{Failure, Outcome, ensure, model::DomainEvent, stack::Stack};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};

/// The tables of the running stack.
#[derive(Debug, Clone)]
pub struct Tables {
    client: Client,
    stack: Arc<Stack>,
}

/// An event as the event store keeps it.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// `boxoffice.<context>`
    pub source: String,
    /// The detail as it goes to the bus, byte for byte.
    pub detail: String,
    /// The same, read.
    pub event: DomainEvent,
}

impl Tables {
    pub(crate) fn new(client: Client, stack: Arc<Stack>) -> Self {
        Self { client, stack }
    }

    /// For a test that needs DynamoDB itself.
    pub fn dynamodb(&self) -> &Client {
        &self.client
    }

    /// Forgets what the payment provider's circuit breaker has seen, so that a test's own faults are all it counts.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn forget_breaker(&self) -> Outcome<()> {
        self.remove("PaymentsTable", ("BREAKER", "BREAKER")).await
    }

    /// Forgets a booking's saga, as if it had never been taken on.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn forget_saga(&self, ticket_id: &str) -> Outcome<()> {
        let forgotten = self
            .client
            .delete_item()
            .table_name(self.stack.output("SagasTable")?)
            .key("pk", AttributeValue::S(format!("SAGA#{ticket_id}")))
            .key("sk", AttributeValue::S("SAGA".to_owned()))
            .send()
            .await;
        forgotten.map(|_| ()).map_err(|error| Failure::of(format_args!("the saga of {ticket_id}"), &error))
    }

    /// The acts of operators that say this: the data of their events.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn acts(&self, event_type: &str, says: &str) -> Outcome<Vec<Value>> {
        let events = self.items_where("EventsTable", "eventType", event_type).await?;
        let details =
            events.iter().filter_map(|event| event.get("detail")?.as_str()).filter(|detail| detail.contains(says));
        let event =
            |detail: &str| -> Option<Value> { serde_json::from_str::<Value>(detail).ok()?.get("data").cloned() };
        Ok(details.filter_map(event).collect())
    }

    /// The events of an aggregate, in order; none is missing between the first and the last, and each agrees with its own key.
    ///
    /// # Errors
    /// When they are not so.
    pub async fn events_of(&self, aggregate_id: &str) -> Outcome<Vec<StoredEvent>> {
        let what = || format!("the events of {aggregate_id}");
        let items = self
            .client
            .query()
            .table_name(self.stack.output("EventsTable")?)
            .consistent_read(true)
            .key_condition_expression("aggregateId = :id")
            .expression_attribute_values(":id", AttributeValue::S(aggregate_id.to_owned()))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| Failure::of(what(), &error))?;
        let mut events = Vec::new();
        for (item, number) in items.iter().zip(1..) {
            let item = json(item);
            let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let detail = text("detail");
            let event: DomainEvent = serde_json::from_str(&detail)
                .map_err(|error| Failure::new(format!("{}: {error}: {detail}", what())))?;
            let metadata = &event.metadata;
            ensure!(
                metadata.aggregate_id == aggregate_id && metadata.aggregate_version == number,
                "{}: number {number} says it is number {} of {}",
                what(),
                metadata.aggregate_version,
                metadata.aggregate_id
            );
            for (name, inside) in [
                ("eventType", &metadata.event_type),
                ("occurredAt", &metadata.occurred_at),
                ("correlationId", &metadata.correlation_id),
            ] {
                ensure!(
                    text(name) == *inside,
                    "{}: number {number} has {name} {:?} beside its detail and {inside:?} in it",
                    what(),
                    text(name)
                );
            }
            events.push(StoredEvent { source: text("source"), detail, event });
        }
        Ok(events)
    }

    /// The detail of every stored event of every aggregate. A scan: for tests, never for the product.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn details(&self) -> Outcome<Vec<String>> {
        let scan = self.client.scan().table_name(self.stack.output("EventsTable")?).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| Failure::of("reading every event", &error))?;
        let detail = |item: &HashMap<String, AttributeValue>| Some(item.get("detail")?.as_s().ok()?.clone());
        Ok(items.iter().filter_map(detail).collect())
    }

    /// Writes these attributes of an item, past the product: what a defect or a restored backup would leave. A path may lead into a map: `a.b`.
    ///
    /// # Errors
    /// When there is no such item, or the table cannot be written.
    pub async fn overwrite(&self, table: &str, key: (&str, &str), fields: &[(String, AttributeValue)]) -> Outcome<()> {
        let (pk, sk) = key;
        let mut update = self
            .client
            .update_item()
            .table_name(self.stack.output(table)?)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .condition_expression("attribute_exists(pk)");
        let mut sets = Vec::new();
        for (number, (path, value)) in fields.iter().enumerate() {
            let mut parts = Vec::new();
            for (depth, name) in path.split('.').enumerate() {
                let placeholder = format!("#f{number}d{depth}");
                update = update.expression_attribute_names(&placeholder, name);
                parts.push(placeholder);
            }
            update = update.expression_attribute_values(format!(":f{number}"), value.clone());
            sets.push(format!("{} = :f{number}", parts.join(".")));
        }
        let written = update.update_expression(format!("SET {}", sets.join(", "))).send().await;
        written.map(|_| ()).map_err(|error| Failure::of(format_args!("overwriting {pk} of {table}"), &error))
    }

    /// Writes what an undo that failed for good would have left: how one is made to fail is in `payment_outages`.
    ///
    /// # Errors
    /// When the ticket has no saga, or the table cannot be written.
    pub async fn record_as_stuck(&self, ticket_id: &str) -> Outcome<()> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let entry = HashMap::from([
            ("status".to_owned(), text("COMPLETED")),
            ("attempt".to_owned(), AttributeValue::N("1".to_owned())),
            ("startedAt".to_owned(), text("2026-01-01T00:00:00.000Z")),
            ("executedAt".to_owned(), text("2026-01-01T00:00:00.000Z")),
        ]);
        let step = ("step:record-stuck-booking".to_owned(), AttributeValue::M(entry));
        self.overwrite("SagasTable", (&format!("SAGA#{ticket_id}"), "SAGA"), &[step]).await
    }

    /// Removes an item, past the product.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn remove(&self, table: &str, (pk, sk): (&str, &str)) -> Outcome<()> {
        let delete = self.client.delete_item().table_name(self.stack.output(table)?);
        let delete = delete.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        let removed = delete.send().await;
        removed.map(|_| ()).map_err(|error| Failure::of(format_args!("removing {pk} of {table}"), &error))
    }

    /// An item of a table (by the name of its output), by its key.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn item(&self, table: &str, pk: &str, sk: &str) -> Outcome<Option<Map<String, Value>>> {
        let key = |part: &str| AttributeValue::S(part.to_owned());
        let get = self.client.get_item().table_name(self.stack.output(table)?).key("pk", key(pk)).key("sk", key(sk));
        let found = get.consistent_read(true).send().await;
        let found = found.map_err(|error| Failure::of(format_args!("reading {pk} of {table}"), &error))?;
        Ok(found.item.as_ref().map(json))
    }

    /// Every item of a table (by the name of its output) whose attribute has this value. A scan: for tests, never for the product.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn items_where(&self, table: &str, attribute: &str, value: &str) -> Outcome<Vec<Map<String, Value>>> {
        let items = self
            .client
            .scan()
            .table_name(self.stack.output(table)?)
            .consistent_read(true)
            .filter_expression("#attribute = :value")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| Failure::of(format_args!("reading {table}"), &error))?;
        Ok(items.iter().map(json).collect())
    }
}

/// An item as JSON, for reading.
fn json(item: &HashMap<String, AttributeValue>) -> Map<String, Value> {
    item.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn json_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or(Value::Null),
        AttributeValue::Bool(truth) => Value::Bool(*truth),
        AttributeValue::M(map) => Value::Object(json(map)),
        AttributeValue::L(list) => list.iter().map(json_value).collect(),
        AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::String).collect(),
        _ => Value::Null,
    }
}
