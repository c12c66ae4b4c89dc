//! Typed identifiers: a prefix that says what they name, and a `UUIDv7` that sorts by creation time.
//!
//! A `TicketId` cannot be passed where a `PaymentId` is meant, and no store needs a counter to make one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Why a string is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `{prefix}_` followed by 32 lowercase hexadecimal digits")]
pub struct InvalidId {
    prefix: &'static str,
}

/// `prefix_` and 32 lowercase hex digits: one spelling for each id, so that ids compare as strings.
fn parse(prefix: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        .ok_or(InvalidId { prefix })?;
    Uuid::try_parse(digits).map_err(|_| InvalidId { prefix })
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind begins with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, later in sort order than those made before it.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        $crate::schema::string_schema!($name, {
            pattern: concat!("^", $prefix, "_[0-9a-f]{32}$"),
            example: concat!($prefix, "_01970000000070008000000000000001")
        });
    };
}

typed_id!(
    /// An event on sale: its name, date, place, price and seats.
    InventoryId, "inv"
);
typed_id!(
    /// A booking of one or more seats by one user.
    TicketId, "tkt"
);
typed_id!(
    /// The one payment of a ticket.
    PaymentId, "pay"
);
typed_id!(
    /// The money movement of a payment, as the buyer's statement and the reference's API name it.
    TransactionId, "txn"
);
typed_id!(
    /// Seats taken out of `available`, whether for a ticket or by hand.
    ReservationId, "rsv"
);
typed_id!(
    /// A person or system that books.
    UserId, "usr"
);
typed_id!(
    /// The saga of a ticket.
    SagaId, "saga"
);
typed_id!(
    /// One domain event.
    EventId, "evt"
);
typed_id!(
    /// A message to a user.
    NotificationId, "ntf"
);
typed_id!(
    /// Something an operator did.
    ActId, "act"
);
typed_id!(
    /// One log-in, and every token it led to.
    SessionId, "ses"
);

impl TicketId {
    /// The ticket's reservation. A ticket has exactly one, so the id follows from the ticket's own: no
    /// pointer to store, and no second reservation to make by running twice.
    pub fn reservation(self) -> ReservationId {
        ReservationId(self.0)
    }

    /// The ticket's payment: one a ticket, for the same reason as [`TicketId::reservation`].
    pub fn payment(self) -> PaymentId {
        PaymentId(self.0)
    }

    /// The ticket's saga: one a ticket, for the same reason as [`TicketId::reservation`].
    pub fn saga(self) -> SagaId {
        SagaId(self.0)
    }
}

impl PaymentId {
    /// The ticket this payment pays for.
    pub fn ticket(self) -> TicketId {
        TicketId(self.0)
    }

    /// The transaction of this payment: unique because the payment is.
    pub fn transaction(self) -> TransactionId {
        TransactionId(self.0)
    }
}

impl TransactionId {
    /// The payment this is the transaction of.
    pub fn payment(self) -> PaymentId {
        PaymentId(self.0)
    }
}

impl EventId {
    /// The message a user gets because of this event: one an event, so that an event delivered twice finds it made.
    pub fn notification(self) -> NotificationId {
        NotificationId(self.0)
    }
}

impl ReservationId {
    /// The ticket these seats are held for, where a booking made the reservation.
    pub fn ticket(self) -> TicketId {
        TicketId(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids: Vec<String> = (0..100).map(|_| TicketId::generate().to_string()).collect();
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(ids, sorted);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let ticket = TicketId::generate().to_string();
        assert!(ticket.parse::<TicketId>().is_ok());
        assert!(ticket.parse::<PaymentId>().is_err());
    }

    #[test]
    fn one_id_has_one_spelling() {
        let ticket = TicketId::generate().to_string();
        let (prefix, digits) = ticket.split_at(4);
        for other in [
            format!("{prefix}{}", digits.to_uppercase()),
            format!(" {ticket}"),
            format!("{ticket}0"),
            digits.to_owned(),
            String::new(),
        ] {
            // An id whose digits happen to have no letter is its own uppercase.
            if other != ticket {
                assert!(other.parse::<TicketId>().is_err(), "{other} was accepted");
            }
        }
    }

    #[test]
    fn a_payment_leads_back_to_its_ticket() {
        let ticket = TicketId::generate();
        assert_eq!(ticket.payment().ticket(), ticket);
        assert_eq!(ticket.reservation().ticket(), ticket);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_accepts_only_what_it_prints(text in "\\PC{0,48}") {
            if let Ok(id) = text.parse::<TicketId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
