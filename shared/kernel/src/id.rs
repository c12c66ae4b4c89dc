//! Typed identifiers: a prefix that says what they name, and a `UUIDv7` that sorts by creation time.
//!
//! A `TicketId` cannot be passed where a `PaymentId` is meant, and no store needs a counter to make one.

use crate::Fingerprint;
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
            /// The prefix of every id of this kind, without the underscore.
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
    /// The cancellation of an event on sale: the walk over its bookings.
    CancellationId, "can"
);
typed_id!(
    /// One log-in, and every token it led to.
    SessionId, "ses"
);

typed_id!(
    /// One giving back of money of a payment, whole or in part.
    RefundId, "rfd"
);
typed_id!(
    /// A check-in list: which admissions pass, where and when.
    CheckInListId, "lst"
);
typed_id!(
    /// A device that scans at a door.
    DeviceId, "dev"
);

/// One place of a ticket, which one person holds: the ticket's digits, and six more for its place among the ticket's admissions, from 1.
///
/// It follows from the ticket, so that issuing twice issues nothing twice, and leads back to it, so that no index has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdmissionId {
    ticket: TicketId,
    place: u32,
}

impl AdmissionId {
    /// The prefix of every id of this kind, without the underscore.
    pub const PREFIX: &'static str = "adm";
    /// How many admissions a ticket may have: six hexadecimal digits' worth.
    const MOST: u32 = 0xff_ffff;

    /// The ticket.
    pub fn ticket(self) -> TicketId {
        self.ticket
    }

    /// Its place among the ticket's admissions, from 1.
    pub fn place(self) -> u32 {
        self.place
    }
}

impl fmt::Display for AdmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}{:06x}", Self::PREFIX, self.ticket.0.simple(), self.place)
    }
}

/// Why a string is not an [`AdmissionId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `adm_` followed by 38 lowercase hexadecimal digits")]
pub struct InvalidAdmissionId;

impl FromStr for AdmissionId {
    type Err = InvalidAdmissionId;
    fn from_str(text: &str) -> Result<Self, InvalidAdmissionId> {
        let (ticket, place) = text.split_at_checked(text.len().saturating_sub(6)).ok_or(InvalidAdmissionId)?;
        let digits = place.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let place = u32::from_str_radix(place, 16).ok().filter(|_| digits).ok_or(InvalidAdmissionId)?;
        let ticket = parse(Self::PREFIX, ticket).map(TicketId).map_err(|_| InvalidAdmissionId)?;
        ticket.admission(place).ok_or(InvalidAdmissionId)
    }
}

impl Serialize for AdmissionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AdmissionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

crate::schema::string_schema!(AdmissionId, {
    pattern: "^adm_[0-9a-f]{38}$",
    example: "adm_01970000000070008000000000000001000001"
});

impl TicketId {
    /// The ticket's admission at this place, from 1; nothing where no ticket has so many.
    pub fn admission(self, place: u32) -> Option<AdmissionId> {
        (1..=AdmissionId::MOST).contains(&place).then_some(AdmissionId { ticket: self, place })
    }

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

    /// The payment's refund of this name: the same for the same name, so that a repeated request finds the refund that it asked for.
    pub fn refund(self, name: &str) -> RefundId {
        let digits = Fingerprint::of(&["refund", &self.to_string(), name]);
        // 32 hexadecimal digits, which are always a UUID.
        RefundId(Uuid::try_parse(digits.short()).unwrap_or(self.0))
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

impl InventoryId {
    /// The event's cancellation: an event has at most one, so asking twice begins one walk.
    pub fn cancellation(self) -> CancellationId {
        CancellationId(self.0)
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
    fn an_admission_leads_back_to_its_ticket_and_has_one_spelling() {
        let ticket = TicketId::generate();
        let admission = ticket.admission(10).unwrap();
        let text = admission.to_string();
        assert_eq!(text.len(), "adm_".len() + 38);
        assert_eq!(text.parse(), Ok(admission));
        assert_eq!((admission.ticket(), admission.place()), (ticket, 10));
        let (start, _) = text.split_at(text.len() - 6);
        for bad in ["00000A", "000000", "+0000a", "0a", ""] {
            assert!(format!("{start}{bad}").parse::<AdmissionId>().is_err(), "{bad}");
        }
        assert!("é".parse::<AdmissionId>().is_err());
        assert_eq!((ticket.admission(0), ticket.admission(1 << 24)), (None, None));
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
