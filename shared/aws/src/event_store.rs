//! The event store, which is also the outbox and the audit trail.
//!
//! | | |
//! |---|---|
//! | partition key | `aggregateId` |
//! | sort key | `aggregateVersion` (number, from 1, no gaps) |
//! | condition | that version does not exist: two writers of one aggregate cannot both be next |
//!
//! Beside the detail stands only what is read without it. Most events are close to 1 KiB, above which each write costs twice as much.
//!
//! An event is never written alone: [`EventStore::append`] gives the item to add to the transaction that makes the change. What
//! `relay-events` puts on the bus is the `detail` attribute, byte for byte as it was written here.

use crate::{StoreError, transaction::built};
use aws_sdk_dynamodb::types::{AttributeValue, Put};
use boxoffice_kernel::{DomainEvent, Envelope};

/// Where events are written.
#[derive(Debug, Clone)]
pub struct EventStore {
    table: String,
}

impl EventStore {
    /// The store in this table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into() }
    }

    /// AP-01 append event: the put to add to the transaction that makes the event true.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the event does not serialize.
    pub fn append<T: DomainEvent>(&self, event: &Envelope<T>) -> Result<Put, StoreError> {
        let metadata = &event.metadata;
        let detail = serde_json::to_string(event).map_err(|error| StoreError::malformed("event", error))?;
        let text = |value: &dyn std::fmt::Display| AttributeValue::S(value.to_string());
        built(
            Put::builder()
                .table_name(&self.table)
                .item("aggregateId", text(&metadata.aggregate_id))
                .item("aggregateVersion", AttributeValue::N(metadata.aggregate_version.to_string()))
                .item("eventType", text(&metadata.event_type))
                .item("source", text(&format_args!("boxoffice.{}", T::CONTEXT)))
                .item("occurredAt", text(&metadata.occurred_at))
                .item("correlationId", text(&metadata.trace.correlation_id))
                .item("detail", AttributeValue::S(detail))
                .condition_expression("attribute_not_exists(aggregateId)")
                .build(),
        )
    }
}
