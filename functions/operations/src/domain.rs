//! The acts that a saga allows, selections of events, and the queues. No I/O.

use boxoffice_kernel::{Timestamp, schema::string_schema};
use boxoffice_runtime::stream::StoredEvent;
use boxoffice_saga::domain::{Saga, Status};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

/// Why nothing is done about a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not stuck.
    #[error("the saga is {0}; only one that is NEEDS_ATTENTION is redriven")]
    NotStuck(Status),
    /// Everything is taken back.
    #[error("the saga is COMPENSATED: everything is already undone")]
    Compensated,
}

/// Whether the compensation of a saga may be retried.
///
/// # Errors
/// Unless it is stuck.
pub fn may_redrive(saga: &Saga) -> Result<(), Refusal> {
    match saga.status() {
        Status::NeedsAttention if saga.is_confirmed_for_good() => Err(Refusal::NotStuck(Status::Completed)),
        Status::NeedsAttention => Ok(()),
        other => Err(Refusal::NotStuck(other)),
    }
}

/// Whether a booking may be taken back by force.
///
/// # Errors
/// When it is.
pub fn may_compensate(saga: &Saga) -> Result<(), Refusal> {
    if saga.status() == Status::Compensated { Err(Refusal::Compensated) } else { Ok(()) }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $invalid:ident, $message:literal, $valid:expr, { $($schema:tt)* }) => {
        /// Why a string is not one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($message)]
        pub struct $invalid;

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = $invalid;
            fn from_str(text: &str) -> Result<Self, $invalid> {
                let valid: fn(&str) -> bool = $valid;
                valid(text).then(|| Self(text.to_owned())).ok_or($invalid)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        string_schema!($name, { $($schema)* });
    };
}

checked_text!(
    /// The id of any aggregate: `tkt_…`, `pay_…`.
    AggregateId,
    InvalidAggregateId,
    "must be a prefix of 3 or 4 letters, an underscore, and 32 lowercase hexadecimal digits",
    |text| {
        text.split_once('_').is_some_and(|(prefix, digits)| {
            (3..=4).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
                && digits.len() == 32
                && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    },
    { pattern: "^[a-z]{3,4}_[0-9a-f]{32}$", example: "tkt_01970000000070008000000000000001" }
);

checked_text!(
    /// The type of an event: `TicketCreated`.
    EventType,
    InvalidEventType,
    "must be 1 to 64 letters, the first of them a capital",
    |text| {
        (1..=64).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|byte| byte.is_ascii_alphabetic())
    },
    { pattern: "^[A-Z][A-Za-z]{0,63}$", example: "TicketCreated" }
);

/// The events that are meant: those that match all that is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Only events of this aggregate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate_id: Option<AggregateId>,
    /// Only events of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Not before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Why a selector selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// It would mean every event there is.
    #[error("set at least one of aggregateId, eventType, from or to; an unbounded replay is refused")]
    Everything,
    /// It ends before it begins.
    #[error("to must be after from")]
    Backwards,
}

impl Selector {
    /// The same, should it mean some events and not all.
    pub fn checked(self) -> Result<Self, InvalidSelector> {
        let everything = self.aggregate_id.is_none() && self.event_type.is_none();
        match (self.from, self.to) {
            (None, None) if everything => Err(InvalidSelector::Everything),
            (Some(from), Some(to)) if to <= from => Err(InvalidSelector::Backwards),
            _ => Ok(self),
        }
    }

    /// Events between two instants.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { aggregate_id: None, event_type: None, from: Some(from), to: Some(to) }
    }

    /// Whether this event is meant.
    pub fn matches(&self, event: &StoredEvent) -> bool {
        self.aggregate_id.as_ref().is_none_or(|id| id.as_str() == event.aggregate_id)
            && self.event_type.as_ref().is_none_or(|name| name.as_str() == event.event_type)
            && self.from.is_none_or(|from| event.occurred_at >= from)
            && self.to.is_none_or(|to| event.occurred_at < to)
    }
}

/// A queue where something waits for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Queue {
    /// From the event store to the bus.
    RelayDeadLetters,
    /// From the event store to the read models.
    ProjectionDeadLetters,
    /// From the bus to the booking saga.
    SagaStartDeadLetters,
    /// From the bus to a message to a user.
    NotificationDeadLetters,
    /// Sagas that need attention.
    StuckBookings,
}

/// Why a string is no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be relay-dead-letters, projection-dead-letters, saga-start-dead-letters, notification-dead-letters or stuck-bookings"
)]
pub struct UnknownQueue;

impl Queue {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::RelayDeadLetters,
        Self::ProjectionDeadLetters,
        Self::SagaStartDeadLetters,
        Self::NotificationDeadLetters,
        Self::StuckBookings,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelayDeadLetters => "relay-dead-letters",
            Self::ProjectionDeadLetters => "projection-dead-letters",
            Self::SagaStartDeadLetters => "saga-start-dead-letters",
            Self::NotificationDeadLetters => "notification-dead-letters",
            Self::StuckBookings => "stuck-bookings",
        }
    }

    /// The variable that holds its URL.
    pub fn variable(self) -> &'static str {
        match self {
            Self::RelayDeadLetters => "RELAY_DEAD_LETTER_QUEUE_URL",
            Self::ProjectionDeadLetters => "PROJECTION_DEAD_LETTER_QUEUE_URL",
            Self::SagaStartDeadLetters => "SAGA_START_DEAD_LETTER_QUEUE_URL",
            Self::NotificationDeadLetters => "NOTIFICATION_DEAD_LETTER_QUEUE_URL",
            Self::StuckBookings => "STUCK_BOOKINGS_QUEUE_URL",
        }
    }

    /// The content of its messages.
    pub fn holds(self) -> &'static str {
        match self {
            Self::RelayDeadLetters => "Events that did not get from the event store to the bus",
            Self::ProjectionDeadLetters => "Events that did not get from the event store to the read models",
            Self::SagaStartDeadLetters => "Events that did not get from the bus to the booking saga",
            Self::NotificationDeadLetters => "Events of which a user could not be told",
            Self::StuckBookings => "Bookings that could not be undone",
        }
    }

    /// The effect of redriving a message.
    pub fn redriving(self) -> &'static str {
        match self {
            Self::RelayDeadLetters => "Reads each event again from the event store and puts it on the bus",
            Self::ProjectionDeadLetters => "Reads each event again from the event store and hands it to project-events",
            Self::SagaStartDeadLetters => {
                "Puts each event on the bus again, which starts the saga that it should have started"
            }
            Self::NotificationDeadLetters => "Puts each event on the bus again, which begins its message anew",
            Self::StuckBookings => {
                "Requests a redrive of each saga; of a booking whose saga never began, puts TicketCreated on the bus again"
            }
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Queue {
    type Err = UnknownQueue;
    fn from_str(text: &str) -> Result<Self, UnknownQueue> {
        Self::ALL.into_iter().find(|queue| queue.name() == text).ok_or(UnknownQueue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_aws::journal::{Entry, Step, StepStatus};
    use boxoffice_kernel::{TicketId, UserId};
    use proptest::prelude::*;

    fn saga(steps: &[(Step, StepStatus)]) -> Saga {
        let now = Timestamp::now();
        let entry = |status| Entry {
            status,
            attempt: 1,
            started_at: now,
            executed_at: now,
            reason: None,
            error_code: None,
            error_message: None,
        };
        Saga {
            ticket_id: TicketId::generate(),
            user_id: UserId::generate(),
            started_at: now,
            called_off_at: None,
            called_off_because: None,
            redriven_at: None,
            steps: steps.iter().map(|(step, status)| (*step, entry(*status))).collect(),
        }
    }

    #[test]
    fn only_a_stuck_saga_is_redriven_and_all_but_a_compensated_one_are_taken_back() {
        use Step::{CancelTicket, ClaimSaga, ConfirmTicket, RecordStuckBooking};
        let running = saga(&[(ClaimSaga, StepStatus::Completed)]);
        let confirmed = saga(&[(ConfirmTicket, StepStatus::Completed)]);
        let stuck = saga(&[(RecordStuckBooking, StepStatus::Completed)]);
        let over = saga(&[(RecordStuckBooking, StepStatus::Completed), (CancelTicket, StepStatus::Compensated)]);

        assert_eq!(may_redrive(&stuck), Ok(()));
        for other in [&running, &confirmed, &over] {
            assert_eq!(may_redrive(other), Err(Refusal::NotStuck(other.status())));
        }
        for any in [&running, &confirmed, &stuck] {
            assert_eq!(may_compensate(any), Ok(()));
        }
        assert_eq!(may_compensate(&over), Err(Refusal::Compensated));
    }

    #[test]
    fn a_selector_names_something_and_ends_after_it_begins() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let none = Selector { aggregate_id: None, event_type: None, from: None, to: None };
        let [early, late] = ["2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"].map(at);
        assert_eq!(none.clone().checked(), Err(InvalidSelector::Everything));
        assert!(Selector { to: late, ..none.clone() }.checked().is_ok());
        assert!(Selector { from: early, to: late, ..none.clone() }.checked().is_ok());
        assert_eq!(Selector { from: late, to: early, ..none.clone() }.checked(), Err(InvalidSelector::Backwards));
        assert_eq!(Selector { from: late, to: late, ..none.clone() }.checked(), Err(InvalidSelector::Backwards));
        assert!(Selector { event_type: "TicketCreated".parse().ok(), ..none }.checked().is_ok());
    }

    #[test]
    fn an_event_is_meant_when_it_is_all_of_what_is_given() {
        let event = StoredEvent {
            sequence_number: "1".into(),
            aggregate_id: "tkt_01970000000070008000000000000001".into(),
            event_type: "TicketCreated".into(),
            source: "boxoffice.tickets".into(),
            detail: "{}".into(),
            occurred_at: "2030-01-01T12:00:00Z".parse().unwrap(),
            correlation_id: "c".into(),
        };
        let of = |id: &str, name: &str, from: &str, to: &str| {
            let selector = Selector {
                aggregate_id: id.parse().ok(),
                event_type: name.parse().ok(),
                from: from.parse().ok(),
                to: to.parse().ok(),
            };
            selector.matches(&event)
        };
        assert!(of(&event.aggregate_id, "TicketCreated", "2030-01-01T12:00:00Z", "2030-01-01T12:00:01Z"));
        assert!(!of(&event.aggregate_id, "TicketDeleted", "", ""));
        assert!(!of("tkt_01970000000070008000000000000002", "", "", ""));
        assert!(!of("", "", "2030-01-01T12:00:00.001Z", ""));
        assert!(!of("", "", "", "2030-01-01T12:00:00Z"), "the end is not in it");
    }

    #[test]
    fn queues_are_known_by_one_name() {
        for queue in Queue::ALL {
            assert_eq!(queue.name().parse(), Ok(queue));
            assert_eq!(serde_json::to_value(queue).unwrap(), queue.name());
        }
        assert_eq!("RELAY-DEAD-LETTERS".parse::<Queue>(), Err(UnknownQueue));
    }

    proptest! {
        #[test]
        fn ids_and_types_print_as_they_parse(text in "\\PC{0,70}") {
            if let Ok(id) = text.parse::<AggregateId>() {
                prop_assert_eq!(id.as_str(), &text);
            }
            if let Ok(name) = text.parse::<EventType>() {
                prop_assert_eq!(name.as_str(), &text);
            }
        }
    }
}
