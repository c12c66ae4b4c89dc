//! A domain event in, an effect once.
//!
//! An event's handler is a step of a small state machine that the bus starts, or a reader of the event store's stream; both retry a step that
//! fails. So a handler here says which failures are worth repeating, with the names that the machine matches ([`StepFailure`]).

use crate::StepFailure;
use boxoffice_kernel::{Actor, Correlation, EventId, EventMetadata, Timestamp, Trace};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// An event as the bus delivers it: the envelope is its `detail`.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivered {
    /// The event as its context wrote it.
    pub detail: Event,
}

/// An event whose data nobody has read yet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// Its metadata.
    pub metadata: EventMetadata,
    /// Its payload.
    pub data: Value,
}

impl Event {
    /// Its own id.
    pub fn id(&self) -> EventId {
        self.metadata.event_id
    }

    /// Its type, such as `TicketCreated`.
    pub fn kind(&self) -> &str {
        &self.metadata.event_type
    }

    /// Its number within its aggregate.
    pub fn version(&self) -> u64 {
        self.metadata.aggregate_version
    }

    /// When the change was made.
    pub fn occurred_at(&self) -> Timestamp {
        self.metadata.occurred_at
    }

    /// The request that began it all.
    pub fn correlation_id(&self) -> &Correlation {
        &self.metadata.trace.correlation_id
    }

    /// Where a change comes from that this event causes: the system makes it, though a user began it.
    pub fn cause(&self) -> Trace {
        Trace { causation_id: self.id().to_string(), ..self.metadata.trace.clone() }.by(Actor::System)
    }

    /// The data as `T`, which may read as little of it as it needs.
    ///
    /// # Errors
    /// [`StepFailure::Defect`] when it is not one: repeating will not help.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, StepFailure> {
        T::deserialize(&self.data).map_err(|error| {
            StepFailure::Defect(format!("{} {} is not what its schema says: {error}", self.kind(), self.id()))
        })
    }
}
