//! The envelope every domain event travels in, in the event store and on the bus alike.

use crate::{EventId, Operator, OperatorName, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
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

/// The id that ties together everything that one request caused. It is written to logs unescaped, so it is
/// restricted to characters that are harmless there.
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

/// The author of a change: the audit trail answers who did it, and not only that it was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// A user who was logged in, or who presented a token that was mailed to them.
    User(UserId),
    /// An operator at a terminal.
    Terminal(OperatorName),
    /// Box Office itself: a step of a saga, a schedule, the answer of the payment provider.
    #[default]
    System,
    /// A caller of a public route.
    Anonymous,
}

impl Actor {
    const TERMINAL: &'static str = "cli:";
    const SYSTEM: &'static str = "system";
    const ANONYMOUS: &'static str = "anonymous";
}

/// Why a string is no [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a user id, cli:<name>, system or anonymous")]
pub struct InvalidActor;

impl FromStr for Actor {
    type Err = InvalidActor;
    fn from_str(text: &str) -> Result<Self, InvalidActor> {
        match text {
            Self::SYSTEM => Ok(Self::System),
            Self::ANONYMOUS => Ok(Self::Anonymous),
            _ => match text.strip_prefix(Self::TERMINAL) {
                Some(name) => name.parse().map(Self::Terminal).map_err(|_| InvalidActor),
                None => text.parse().map(Self::User).map_err(|_| InvalidActor),
            },
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Terminal(name) => write!(f, "{}{name}", Self::TERMINAL),
            Self::System => f.write_str(Self::SYSTEM),
            Self::Anonymous => f.write_str(Self::ANONYMOUS),
        }
    }
}

impl From<&Operator> for Actor {
    fn from(operator: &Operator) -> Self {
        match operator {
            Operator::User(user) => Self::User(*user),
            Operator::Terminal(name) => Self::Terminal(name.clone()),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Where a change comes from: the request that began it all, the message that caused this very change, and its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The same from the HTTP call to the last event it led to. Always ours: a caller's id could be another request's.
    pub correlation_id: Correlation,
    /// The request or event that directly caused this change.
    pub causation_id: String,
    /// The author of this change. The state machine names none: a step is the system's.
    #[serde(default)]
    pub actor: Actor,
    /// The id that the caller of the first request gave it, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_correlation_id: Option<Correlation>,
}

impl Trace {
    /// The beginning of a work that no request asked for.
    pub fn begun(causation_id: impl Into<String>, actor: Actor) -> Self {
        let correlation_id = EventId::generate().into();
        Self { correlation_id, causation_id: causation_id.into(), actor, client_correlation_id: None }
    }

    /// The same, by another author.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }
}

/// The facts of an event that the platform needs without parsing its payload.
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
    /// The facts that the platform needs.
    pub metadata: EventMetadata,
    /// The payload.
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

    #[test]
    fn an_actor_has_one_spelling_and_is_read_back() {
        let user = UserId::generate();
        let actors = [
            (Actor::User(user), user.to_string()),
            (Actor::from(&Operator::Terminal("ada".parse().unwrap())), "cli:ada".to_owned()),
            (Actor::System, "system".to_owned()),
            (Actor::Anonymous, "anonymous".to_owned()),
        ];
        for (actor, text) in actors {
            assert_eq!(serde_json::to_value(&actor).unwrap(), text);
            assert_eq!(text.parse(), Ok(actor));
        }
        for bad in ["", "cli:", "cli:a b", "System", "tkt_01970000000070008000000000000001"] {
            assert_eq!(bad.parse::<Actor>(), Err(InvalidActor), "{bad:?}");
        }
    }

    #[test]
    fn trace_of_a_saga_step_without_an_actor_is_the_systems() {
        let trace: Trace =
            serde_json::from_str(r#"{"correlationId":"c","causationId":"e","clientCorrelationId":null}"#).unwrap();
        assert_eq!((trace.actor, trace.client_correlation_id), (Actor::System, None));
    }
}
