//! A ticket, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ CONFIRMED ──▶ COMPLETED
//!    │            │            │
//!    └──▶ CANCELLED ◀──────────┘
//! ```
//!
//! Only the saga confirms and cancels. A buyer who wants out leaves a request on the ticket; from then on it can be neither confirmed nor
//! completed. A completed ticket is cancelled only when its money is given back after all.
//!
//! A ticket that is over may be deleted: it is marked so, and from then on shown to nobody. What it cost, and what became of that, stays.

use boxoffice_inventory::{EventName, Inventory};
use boxoffice_kernel::{Amount, InventoryId, Money, Quantity, TicketId, Timestamp, UserId, money::InvalidAmount};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = TicketStatus)]
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

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Confirmed, Self::Cancelled, Self::Completed];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a string is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be PENDING, CONFIRMED, CANCELLED or COMPLETED")]
pub struct InvalidStatus;

impl FromStr for Status {
    type Err = InvalidStatus;
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(InvalidStatus)
    }
}

/// Why a ticket was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// An operator took the booking back.
    CancelledByOperator,
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
            ("CompensationRequested", _) => Self::CancelledByOperator,
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
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
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
    /// The event has not begun.
    #[error("the event only begins at {0}")]
    EventToCome(Timestamp),
    /// It is not over.
    #[error("the ticket is {0}; it can be deleted when it is CANCELLED or COMPLETED")]
    NotSettled(Status),
    /// It is deleted.
    #[error("the ticket was deleted at {0}")]
    Deleted(Timestamp),
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
            deleted_at: None,
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
    /// Unless it is pending and wanted. A completed ticket has been confirmed.
    pub fn confirm(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Pending, None) => Ok(Self { status: Status::Confirmed, ..self.changed(now) }),
            (status @ (Status::Confirmed | Status::Completed), _) => Err(Unchanged::Already(status)),
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

    /// The ticket, as it is, with a version of its own for what is stated of it anew.
    #[must_use]
    pub fn restated(&self, now: Timestamp) -> Self {
        self.changed(now)
    }

    /// The ticket, cancelled: also when the event has taken place, for who asks has taken its money and its seats back, and a ticket without them
    /// must not look paid.
    ///
    /// # Errors
    /// When it is already.
    pub fn cancel(&self, reason: CancellationReason, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Pending | Status::Confirmed | Status::Completed => {
                // A buyer's wish is the reason, whatever error the saga met on its way because of it.
                let wish = self.cancellation_requested_at.map(|_| CancellationReason::CancelledByBuyer);
                let reason = Some(wish.unwrap_or(reason));
                Ok(Self { status: Status::Cancelled, cancellation_reason: reason, ..self.changed(now) })
            }
            Status::Cancelled => Err(Unchanged::Already(Status::Cancelled)),
        }
    }

    /// The ticket, its event having taken place.
    ///
    /// # Errors
    /// Unless it is paid, wanted, and the event has begun.
    pub fn complete(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Completed, _) => Err(Unchanged::Already(Status::Completed)),
            (Status::Pending | Status::Cancelled, _) => Err(Unchanged::Never(self.status)),
            (Status::Confirmed, Some(at)) => Err(Unchanged::CancellationRequested(at)),
            (Status::Confirmed, None) if now < self.event_date => Err(Unchanged::EventToCome(self.event_date)),
            (Status::Confirmed, None) => Ok(Self { status: Status::Completed, ..self.changed(now) }),
        }
    }

    /// The ticket, deleted.
    ///
    /// # Errors
    /// When it is not over, or deleted already.
    pub fn delete(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.deleted_at, self.status) {
            (Some(at), _) => Err(Unchanged::Deleted(at)),
            (None, Status::Cancelled | Status::Completed) => Ok(Self { deleted_at: Some(now), ..self.changed(now) }),
            (None, status @ (Status::Pending | Status::Confirmed)) => Err(Unchanged::NotSettled(status)),
        }
    }

    /// Whether it admits, or may come to admit, somebody to an event that is still to come.
    pub fn is_upcoming(&self, now: Timestamp) -> bool {
        matches!(self.status, Status::Pending | Status::Confirmed) && now < self.event_date
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
    fn a_ticket_is_completed_when_it_is_paid_and_the_event_has_begun() {
        let began = now().plus_seconds(3600);
        let confirmed = ticket().confirm(now()).unwrap();
        assert_eq!(confirmed.complete(now()), Err(Unchanged::EventToCome(began)));
        let completed = confirmed.complete(began).unwrap();
        assert_eq!((completed.status, completed.version), (Status::Completed, 3));
        assert_eq!(completed.complete(began), Err(Unchanged::Already(Status::Completed)));
        assert_eq!(ticket().complete(began), Err(Unchanged::Never(Status::Pending)));
        let wish = confirmed.request_cancellation(now()).unwrap();
        assert_eq!(wish.complete(began), Err(Unchanged::CancellationRequested(now())));
    }

    #[test]
    fn a_completed_ticket_whose_money_is_given_back_is_cancelled() {
        let began = now().plus_seconds(3600);
        let completed = ticket().confirm(now()).unwrap().complete(began).unwrap();
        let cancelled = completed.cancel(CancellationReason::PaymentRefunded, began).unwrap();
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::PaymentRefunded));
    }

    #[test]
    fn only_a_ticket_that_is_over_is_deleted_and_only_once() {
        let (pending, began) = (ticket(), now().plus_seconds(3600));
        let confirmed = pending.confirm(now()).unwrap();
        assert_eq!(pending.delete(now()), Err(Unchanged::NotSettled(Status::Pending)));
        assert_eq!(confirmed.delete(now()), Err(Unchanged::NotSettled(Status::Confirmed)));
        let cancelled = pending.cancel(CancellationReason::HoldExpired, now()).unwrap();
        for over in [cancelled, confirmed.complete(began).unwrap()] {
            let deleted = over.delete(began).unwrap();
            assert_eq!((deleted.status, deleted.version), (over.status, over.version + 1));
            assert_eq!(deleted.delete(began), Err(Unchanged::Deleted(began)));
        }
    }

    #[test]
    fn a_ticket_is_upcoming_until_its_event_begins_or_it_is_cancelled() {
        let ticket = ticket();
        assert!(ticket.is_upcoming(now()));
        assert!(ticket.confirm(now()).unwrap().is_upcoming(now()));
        assert!(!ticket.is_upcoming(ticket.event_date));
        assert!(!ticket.cancel(CancellationReason::HoldExpired, now()).unwrap().is_upcoming(now()));
    }

    #[test]
    fn a_status_has_one_spelling() {
        for status in Status::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert_eq!("pending".parse::<Status>(), Err(InvalidStatus));
    }

    #[test]
    fn an_outage_of_the_provider_is_told_from_other_failures() {
        let of = CancellationReason::of_failure;
        assert_eq!(of("Transient", "Initiate Payment"), CancellationReason::PaymentUnavailable);
        assert_eq!(of("Transient", "Confirm Ticket"), CancellationReason::BookingFailed);
        assert_eq!(of("PaymentDeclined", "Initiate Payment"), CancellationReason::PaymentDeclined);
    }

    #[derive(Debug, Clone, Copy)]
    enum Try {
        Confirm,
        RequestCancellation,
        Cancel,
        Complete,
        Delete,
    }

    impl Try {
        fn on(self, ticket: &Ticket, at: Timestamp) -> Result<Ticket, Unchanged> {
            match self {
                Self::Confirm => ticket.confirm(at),
                Self::RequestCancellation => ticket.request_cancellation(at),
                Self::Cancel => ticket.cancel(CancellationReason::HoldExpired, at),
                Self::Complete => ticket.complete(at),
                Self::Delete => ticket.delete(at),
            }
        }
    }

    fn tries() -> impl Strategy<Value = Vec<(Try, u32)>> {
        use Try::{Cancel, Complete, Confirm, Delete, RequestCancellation};
        let one = prop::sample::select(vec![Confirm, RequestCancellation, Cancel, Complete, Delete]);
        // Seconds since the one before; the event begins after 3600.
        prop::collection::vec((one, 0..1500_u32), 0..16)
    }

    proptest! {
        #[test]
        fn whatever_is_tried_a_ticket_goes_only_where_its_status_leads(tries in tries()) {
            use Status::{Cancelled, Completed, Confirmed, Pending};
            let (mut ticket, mut now) = (ticket(), now());
            for (attempt, seconds) in tries {
                now = now.plus_seconds(seconds);
                let Ok(next) = attempt.on(&ticket, now) else { continue };
                prop_assert_eq!((next.version, next.updated_at), (ticket.version + 1, now));
                match (ticket.status, next.status) {
                    (from, to) if from == to => {}
                    (Pending, Confirmed) => prop_assert_eq!(ticket.cancellation_requested_at, None),
                    (Confirmed, Completed) => {
                        prop_assert!(now >= ticket.event_date, "completed before the event");
                        prop_assert_eq!(ticket.cancellation_requested_at, None);
                    }
                    (Pending | Confirmed | Completed, Cancelled) => prop_assert!(next.cancellation_reason.is_some()),
                    (from, to) => prop_assert!(false, "{from} became {to}"),
                }
                if next.deleted_at.is_some() {
                    prop_assert!(matches!(next.status, Cancelled | Completed), "a {} ticket is deleted", next.status);
                }
                // A deletion, like the buyer's wish, is never forgotten.
                prop_assert!(ticket.deleted_at.is_none() || next.deleted_at == ticket.deleted_at);
                let wished = ticket.cancellation_requested_at;
                prop_assert!(wished.is_none() || next.cancellation_requested_at == wished);
                ticket = next;
            }
        }

        #[test]
        fn a_cancelled_ticket_takes_no_other_status(tries in tries()) {
            let mut ticket = ticket().cancel(CancellationReason::HoldExpired, now()).unwrap();
            for (attempt, _) in tries {
                if let Ok(next) = attempt.on(&ticket, now()) {
                    prop_assert_eq!(next.status, Status::Cancelled);
                    ticket = next;
                }
            }
        }
    }

    #[test]
    fn a_status_reads_as_it_is_spelled() {
        for status in Status::ALL {
            assert_eq!(status.to_string(), status.name());
        }
    }

    #[test]
    fn a_ticket_says_why_the_saga_turned_wherever_it_was() {
        use CancellationReason as Reason;
        for (error, reason) in [
            ("HoldExpired", Reason::HoldExpired),
            ("PaymentDeclined", Reason::PaymentDeclined),
            ("BookingCancelled", Reason::CancelledByBuyer),
            ("CompensationRequested", Reason::CancelledByOperator),
            ("PaymentRefunded", Reason::PaymentRefunded),
            ("HoldLost", Reason::HoldLost),
            ("SeatsGone", Reason::HoldLost),
            ("PaymentVoided", Reason::BookingFailed),
        ] {
            for step in ["Await Payment", "Confirm Ticket"] {
                assert_eq!(Reason::of_failure(error, step), reason, "{error} at {step}");
            }
        }
    }
}
