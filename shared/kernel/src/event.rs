//! The envelope every domain event travels in, in the event store and on the bus alike.

use crate::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A fact that one bounded context states about one of its aggregates.
///
/// The type's name in `PascalCase`, past tense, is its name on the bus; `events/<TYPE>.schema.json` is its contract.
pub trait DomainEvent: Serialize {
    /// The detail-type on the bus, such as `TicketCreated`.
    const TYPE: &'static str;
    /// The bounded context that states it; the source on the bus is `boxoffice.<CONTEXT>`.
    const CONTEXT: &'static str;
    /// Raised when a change of the schema would break a consumer.
    const SCHEMA_VERSION: u16 = 1;

    /// The aggregate the fact is about. Its events are numbered from 1, without gaps.
    fn aggregate_id(&self) -> String;
}

/// Why a header is not a correlation id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 letters, digits, dots, underscores, colons or hyphens")]
pub struct InvalidCorrelation;

/// What ties together everything that happened because of one request. It is written to logs as it came, so it is
/// held to characters that can do no harm there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Correlation(String);

impl FromStr for Correlation {
    type Err = InvalidCorrelation;
    fn from_str(text: &str) -> Result<Self, InvalidCorrelation> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let valid = (1..=128).contains(&text.len()) && text.bytes().all(harmless);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidCorrelation)
    }
}

impl From<EventId> for Correlation {
    fn from(id: EventId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a change comes from: the request that began it all, and the message that caused this very change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The same from the HTTP call to the last event it led to.
    pub correlation_id: Correlation,
    /// The request or event that directly caused this change.
    pub causation_id: String,
}

/// What the platform needs to know of an event without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventMetadata {
    /// The event's own id; consumers remember it to handle the event once.
    pub event_id: EventId,
    /// [`DomainEvent::TYPE`].
    pub event_type: String,
    /// [`DomainEvent::SCHEMA_VERSION`].
    pub schema_version: u16,
    /// [`DomainEvent::aggregate_id`].
    pub aggregate_id: String,
    /// The event's number within its aggregate, from 1.
    pub aggregate_version: u64,
    /// When the change was made.
    pub occurred_at: Timestamp,
    /// Where it comes from.
    #[serde(flatten)]
    pub trace: Trace,
}

/// An event and its metadata: the `detail` on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// What the platform needs to know.
    pub metadata: EventMetadata,
    /// What the context states.
    pub data: T,
}

impl<T: DomainEvent> Envelope<T> {
    /// The event as the `version`th of its aggregate, stated now.
    pub fn new(data: T, version: u64, occurred_at: Timestamp, trace: &Trace) -> Self {
        Self {
            metadata: EventMetadata {
                event_id: EventId::generate(),
                event_type: T::TYPE.to_owned(),
                schema_version: T::SCHEMA_VERSION,
                aggregate_id: data.aggregate_id(),
                aggregate_version: version,
                occurred_at,
                trace: trace.clone(),
            },
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_cannot_carry_a_log_line() {
        assert!("Root=1-67891233-abcdef".parse::<Correlation>().is_err());
        assert!("1-67891233-abcdef".parse::<Correlation>().is_ok());
        for bad in ["", "a b", "a\nb", "\"", "é"] {
            assert!(bad.parse::<Correlation>().is_err(), "{bad:?} was accepted");
        }
    }
}
