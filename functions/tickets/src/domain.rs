//! A ticket, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ CONFIRMED ──▶ COMPLETED
//!    │            │
//!    └──▶ CANCELLED ◀──┘
//! ```
//!
//! Only the saga confirms and cancels. A buyer who wants out leaves a request on the ticket; from then on it cannot be confirmed.

use boxoffice_inventory::{EventName, Inventory};
use boxoffice_kernel::{Amount, InventoryId, Money, Quantity, TicketId, Timestamp, UserId, money::InvalidAmount};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Its seats are held; it is not paid.
    Pending,
    /// Paid; its seats are sold.
    Confirmed,
    /// It has no seats and no money.
    Cancelled,
    /// The event has taken place.
    Completed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
        })
    }
}

/// Why a ticket was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancellationReason {
    /// Nobody paid in time.
    HoldExpired,
    /// The payment provider said no.
    PaymentDeclined,
    /// The payment provider said nothing.
    PaymentUnavailable,
    /// The buyer wanted out.
    CancelledByBuyer,
    /// The money was given back.
    PaymentRefunded,
    /// The seats were gone before the payment came.
    HoldLost,
    /// Anything else; the saga has the details.
    BookingFailed,
}

impl CancellationReason {
    /// What a saga's turn means for its ticket: the name of the error, and the state it came from.
    pub fn of_failure(error: &str, step: &str) -> Self {
        match (error, step) {
            ("HoldExpired", _) => Self::HoldExpired,
            ("PaymentDeclined", _) => Self::PaymentDeclined,
            ("BookingCancelled", _) => Self::CancelledByBuyer,
            ("PaymentRefunded", _) => Self::PaymentRefunded,
            ("HoldLost" | "SeatsGone", _) => Self::HoldLost,
            ("PaymentVoided", _) => Self::BookingFailed,
            (_, "Initiate Payment" | "Await Payment" | "Expire Payment") => Self::PaymentUnavailable,
            _ => Self::BookingFailed,
        }
    }
}

/// A booking of seats by one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its id; that of its payment, reservation and saga follow from it.
    pub id: TicketId,
    /// Who booked.
    pub user_id: UserId,
    /// What.
    pub inventory_id: InventoryId,
    /// Its name when it was booked.
    pub event_name: EventName,
    /// Its date when it was booked.
    pub event_date: Timestamp,
    /// How many seats.
    pub quantity: Quantity,
    /// The price of one when it was booked.
    pub price: Money,
    /// The price of all.
    pub total: Amount,
    /// Where the ticket is.
    pub status: Status,
    /// Until when the seats are held for the payment.
    pub hold_expires_at: Timestamp,
    /// When the buyer asked to cancel.
    pub cancellation_requested_at: Option<Timestamp>,
    /// Why it is cancelled.
    pub cancellation_reason: Option<CancellationReason>,
    /// How often it has been written.
    pub version: u64,
    /// When it was booked.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// Why a ticket does not change as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// It is that already.
    #[error("the ticket is {0} already")]
    Already(Status),
    /// Its status does not lead there.
    #[error("a ticket that is {0} cannot become that")]
    Never(Status),
    /// The buyer wants out.
    #[error("the buyer asked to cancel at {0}")]
    CancellationRequested(Timestamp),
    /// The event has begun.
    #[error("the event began at {0}")]
    EventBegan(Timestamp),
}

impl Ticket {
    /// A new ticket at the event's price, its seats held for so long.
    ///
    /// # Errors
    /// When the total is beyond what money can be.
    pub fn book(
        id: TicketId,
        user_id: UserId,
        inventory: &Inventory,
        quantity: Quantity,
        hold_seconds: u32,
        now: Timestamp,
    ) -> Result<Self, InvalidAmount> {
        let terms = &inventory.terms;
        Ok(Self {
            id,
            user_id,
            inventory_id: inventory.id,
            event_name: terms.event_name.clone(),
            event_date: terms.event_date,
            quantity,
            price: terms.price,
            total: terms.price.amount.times(quantity)?,
            status: Status::Pending,
            hold_expires_at: now.plus_seconds(hold_seconds),
            cancellation_requested_at: None,
            cancellation_reason: None,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    fn changed(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// The ticket, paid.
    ///
    /// # Errors
    /// Unless it is pending and wanted.
    pub fn confirm(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Pending, None) => Ok(Self { status: Status::Confirmed, ..self.changed(now) }),
            (Status::Confirmed, _) => Err(Unchanged::Already(Status::Confirmed)),
            (_, Some(at)) => Err(Unchanged::CancellationRequested(at)),
            (status, None) => Err(Unchanged::Never(status)),
        }
    }

    /// The ticket, with the buyer's wish to cancel it.
    ///
    /// # Errors
    /// When it is too late for that, or it has been asked for before.
    pub fn request_cancellation(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Cancelled => Err(Unchanged::Already(Status::Cancelled)),
            Status::Completed => Err(Unchanged::Never(Status::Completed)),
            Status::Pending | Status::Confirmed => match self.cancellation_requested_at {
                Some(at) => Err(Unchanged::CancellationRequested(at)),
                None if self.event_date <= now => Err(Unchanged::EventBegan(self.event_date)),
                None => Ok(Self { cancellation_requested_at: Some(now), ..self.changed(now) }),
            },
        }
    }

    /// The ticket, cancelled.
    ///
    /// # Errors
    /// When it is already, or has taken place.
    pub fn cancel(&self, reason: CancellationReason, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Pending | Status::Confirmed => {
                // A buyer's wish is the reason, whatever error the saga met on its way because of it.
                let wish = self.cancellation_requested_at.map(|_| CancellationReason::CancelledByBuyer);
                let reason = Some(wish.unwrap_or(reason));
                Ok(Self { status: Status::Cancelled, cancellation_reason: reason, ..self.changed(now) })
            }
            Status::Cancelled => Err(Unchanged::Already(Status::Cancelled)),
            Status::Completed => Err(Unchanged::Never(Status::Completed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_inventory::domain::Terms;
    use boxoffice_kernel::Currency;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn inventory() -> Inventory {
        let terms = Terms {
            event_name: "Concert".parse().unwrap(),
            event_date: now().plus_seconds(3600),
            total_seats: Quantity::new(10).unwrap(),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
        };
        Inventory::open(InventoryId::generate(), terms, now())
    }

    fn ticket() -> Ticket {
        let quantity = Quantity::new(2).unwrap();
        Ticket::book(TicketId::generate(), UserId::generate(), &inventory(), quantity, 600, now()).unwrap()
    }

    #[test]
    fn the_price_is_the_events() {
        let ticket = ticket();
        assert_eq!((ticket.price.amount.minor(), ticket.total.minor()), (4990, 9980));
        assert_eq!(ticket.hold_expires_at, now().plus_seconds(600));
    }

    #[test]
    fn a_ticket_the_buyer_wants_out_of_is_never_confirmed() {
        let wish = ticket().request_cancellation(now()).unwrap();
        assert_eq!(wish.confirm(now()), Err(Unchanged::CancellationRequested(now())));
    }

    #[test]
    fn nobody_cancels_after_the_event_began() {
        let began = now().plus_seconds(3600);
        assert_eq!(ticket().request_cancellation(began), Err(Unchanged::EventBegan(began)));
    }

    #[test]
    fn the_buyers_wish_is_the_reason_whatever_the_saga_met() {
        let wish = ticket().request_cancellation(now()).unwrap();
        let cancelled = wish.cancel(CancellationReason::PaymentDeclined, now()).unwrap();
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::CancelledByBuyer));
    }

    #[test]
    fn an_outage_of_the_provider_is_told_from_other_failures() {
        let of = CancellationReason::of_failure;
        assert_eq!(of("Transient", "Initiate Payment"), CancellationReason::PaymentUnavailable);
        assert_eq!(of("Transient", "Confirm Ticket"), CancellationReason::BookingFailed);
        assert_eq!(of("PaymentDeclined", "Initiate Payment"), CancellationReason::PaymentDeclined);
    }

    proptest! {
        #[test]
        fn a_cancelled_ticket_takes_no_other_status(tries in prop::collection::vec(0..3_u8, 0..12)) {
            let mut ticket = ticket();
            let mut was_cancelled = false;
            for attempt in tries {
                let next = match attempt {
                    0 => ticket.confirm(now()),
                    1 => ticket.request_cancellation(now()),
                    _ => ticket.cancel(CancellationReason::HoldExpired, now()),
                };
                if let Ok(next) = next {
                    prop_assert!(!was_cancelled, "{} became {}", ticket.status, next.status);
                    prop_assert_eq!(next.version, ticket.version + 1);
                    was_cancelled = next.status == Status::Cancelled;
                    ticket = next;
                }
            }
        }
    }
}
