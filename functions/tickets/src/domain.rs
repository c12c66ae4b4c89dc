//! A ticket, and which status may follow which. No I/O.
//!
//! ```text
//! PENDING ──▶ CONFIRMED ──▶ COMPLETED
//!    │            │            │
//!    └──▶ CANCELLED ◀──────────┘
//! ```
//!
//! Only the saga confirms and cancels. A buyer who wants out leaves a request on the ticket; from then on it can be neither confirmed nor
//! completed. So does `reconcile` on a ticket whose hold is over and that no saga is at work on: from then on it is not confirmed. A completed ticket is cancelled only when its money is given back after all.
//!
//! A ticket that is over may be deleted: it is marked so, and from then on shown to nobody. Its cost and its refund stay on record.

use boxoffice_inventory::{
    EventName, Inventory,
    domain::{Location, Terms, VersionedTerms},
};
use boxoffice_kernel::{
    Amount, InventoryId, Money, Quantity, Refusal, TicketId, Timestamp, UserId, money::InvalidAmount,
};
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
    /// The buyer asked for it.
    CancelledByBuyer,
    /// An ADMIN or an operator cancelled it, and not the buyer.
    CancelledByOperator,
    /// The organiser cancelled the event.
    EventCancelled,
    /// The money was given back.
    PaymentRefunded,
    /// The seats were gone before the payment came.
    HoldLost,
    /// Anything else; the saga has the details.
    BookingFailed,
}

impl CancellationReason {
    /// The meaning of a compensation's cause for the ticket: the error's name, and the state it came from.
    pub fn of_failure(error: &str, step: &str) -> Self {
        let unanswered = match step {
            "Initiate Payment" | "Await Payment" | "Expire Payment" => Self::PaymentUnavailable,
            _ => Self::BookingFailed,
        };
        match (error.parse::<Refusal>(), error) {
            (Ok(Refusal::HoldExpired), _) => Self::HoldExpired,
            (Ok(Refusal::PaymentDeclined), _) => Self::PaymentDeclined,
            (Ok(Refusal::HoldLost | Refusal::SeatsGone), _) => Self::HoldLost,
            (Ok(Refusal::PaymentVoided | Refusal::TicketNotPending), _) => Self::BookingFailed,
            (Ok(Refusal::DeadlineExceeded), _) => unanswered,
            // Called off while nothing had failed (`claim-saga`).
            (Err(_), "BookingCancelled") => Self::CancelledByBuyer,
            (Err(_), "EventCancelled") => Self::EventCancelled,
            (Err(_), "CompensationRequested") => Self::CancelledByOperator,
            (Err(_), "PaymentRefunded") => Self::PaymentRefunded,
            (Err(_), _) => unanswered,
        }
    }
}

/// The event as the buyer was told: when they booked, and with every change since. This copy is for display and may be a moment old. Decisions that
/// depend on the event's date read the event itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCopy {
    /// Its name.
    pub name: EventName,
    /// When it begins.
    pub date: Timestamp,
    /// Where it takes place.
    pub location: Location,
    /// The version of the terms this is from.
    pub version: u64,
}

impl EventCopy {
    fn of(terms: &Terms, version: u64) -> Self {
        Self { name: terms.event_name.clone(), date: terms.event_date, location: terms.location.clone(), version }
    }

    /// Whether these terms are newer and differ in something the buyer was told.
    fn differs_from(&self, VersionedTerms { terms, version }: &VersionedTerms) -> bool {
        let Self { name, date, location, version: known } = self;
        version > known && (name, *date, location) != (&terms.event_name, terms.event_date, &terms.location)
    }
}

/// A booking of seats by one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its id; that of its payment, reservation and saga follow from it.
    pub id: TicketId,
    /// The user who booked.
    pub user_id: UserId,
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// The event, as the buyer was last told of it.
    pub event: EventCopy,
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
    /// When the buyer, or an ADMIN, asked to cancel.
    pub cancellation_requested_at: Option<Timestamp>,
    /// The author of the request; unknown of requests older than this field, which are taken for the buyer's.
    pub cancellation_requested_by: Option<UserId>,
    /// Whether it was asked because the event was cancelled.
    pub event_cancelled: bool,
    /// When it was asked that its hold, which was over, be ended.
    pub expiry_requested_at: Option<Timestamp>,
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
    #[error("the ticket is already {0}")]
    Already(Status),
    /// Its status does not lead there.
    #[error("a ticket that is {0} cannot take this status")]
    Never(Status),
    /// The buyer wants out.
    #[error("the buyer asked to cancel at {0}")]
    CancellationRequested(Timestamp),
    /// Its hold was over, and is to be ended.
    #[error("the hold was over, and its end was requested at {0}")]
    ExpiryRequested(Timestamp),
    /// The event has begun.
    #[error("the event began at {0}")]
    EventBegan(Timestamp),
    /// The event has not begun.
    #[error("the event begins at {0}")]
    EventToCome(Timestamp),
    /// It has no codes to send.
    #[error("the ticket is {0}; its mail is sent when it is CONFIRMED")]
    NotConfirmed(Status),
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
    /// When the total is not what the payment provider charges at once.
    pub fn book(
        id: TicketId,
        user_id: UserId,
        inventory: &Inventory,
        quantity: Quantity,
        hold_seconds: u32,
        now: Timestamp,
    ) -> Result<Self, InvalidAmount> {
        let terms = &inventory.terms;
        let total = Money { amount: terms.price.amount.times(quantity)?, ..terms.price }.chargeable()?;
        Ok(Self {
            id,
            user_id,
            inventory_id: inventory.id,
            event: EventCopy::of(terms, inventory.version),
            quantity,
            price: terms.price,
            total: total.amount,
            status: Status::Pending,
            hold_expires_at: now.plus_seconds(hold_seconds),
            cancellation_requested_at: None,
            cancellation_requested_by: None,
            event_cancelled: false,
            expiry_requested_at: None,
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
            (Status::Pending, None) => match self.expiry_requested_at {
                Some(at) => Err(Unchanged::ExpiryRequested(at)),
                None => Ok(Self { status: Status::Confirmed, ..self.changed(now) }),
            },
            (status @ (Status::Confirmed | Status::Completed), _) => Err(Unchanged::Already(status)),
            (_, Some(at)) => Err(Unchanged::CancellationRequested(at)),
            (status, None) => Err(Unchanged::Never(status)),
        }
    }

    /// The ticket, with this user's request to cancel it: the buyer's own, or an ADMIN's. Its event begins at `begins`.
    ///
    /// # Errors
    /// When it is too late for that, or it has been asked for before.
    pub fn request_cancellation(&self, by: UserId, begins: Timestamp, now: Timestamp) -> Result<Self, Unchanged> {
        let requested = self.called_off(by, now)?;
        if begins <= now { Err(Unchanged::EventBegan(begins)) } else { Ok(requested) }
    }

    fn called_off(&self, by: UserId, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Cancelled => Err(Unchanged::Already(Status::Cancelled)),
            Status::Completed => Err(Unchanged::Never(Status::Completed)),
            Status::Pending | Status::Confirmed => match self.cancellation_requested_at {
                Some(at) => Err(Unchanged::CancellationRequested(at)),
                None => Ok(Self {
                    cancellation_requested_at: Some(now),
                    cancellation_requested_by: Some(by),
                    ..self.changed(now)
                }),
            },
        }
    }

    /// The ticket, with the request to cancel it because this organiser cancelled its event. Unlike a buyer's it may come after the event was to begin.
    ///
    /// # Errors
    /// When it is over, or to be cancelled already: an earlier request stands.
    pub fn withdraw(&self, by: UserId, now: Timestamp) -> Result<Self, Unchanged> {
        self.called_off(by, now).map(|requested| Self { event_cancelled: true, ..requested })
    }

    /// The ticket, with the buyer's wish to cancel it stated again, for nobody heard of it.
    ///
    /// # Errors
    /// When there is no such wish, or it is fulfilled.
    pub fn restate_cancellation(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Pending | Status::Confirmed, Some(_)) => Ok(self.changed(now)),
            (status, _) => Err(Unchanged::Never(status)),
        }
    }

    /// The ticket, whose hold is over and to be ended: it is not confirmed any more. Asked for again it is stated again.
    ///
    /// # Errors
    /// Unless it is pending and its hold is over.
    pub fn request_expiry(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Pending if self.hold_expires_at <= now => {
                let at = self.expiry_requested_at.unwrap_or(now);
                Ok(Self { expiry_requested_at: Some(at), ..self.changed(now) })
            }
            status => Err(Unchanged::Never(status)),
        }
    }

    /// The ticket, cancelled: also when the event has taken place, for who asks has taken its money and its seats back, and a ticket without them
    /// must not look paid.
    ///
    /// # Errors
    /// When it is already.
    pub fn cancel(&self, reason: CancellationReason, now: Timestamp) -> Result<Self, Unchanged> {
        match self.status {
            Status::Pending | Status::Confirmed | Status::Completed => {
                // A request is the reason, whatever error the saga met on its way because of it.
                let reason = Some(self.requested_reason().unwrap_or(reason));
                Ok(Self { status: Status::Cancelled, cancellation_reason: reason, ..self.changed(now) })
            }
            Status::Cancelled => Err(Unchanged::Already(Status::Cancelled)),
        }
    }

    /// Why the ticket is cancelled, where somebody asked for it.
    fn requested_reason(&self) -> Option<CancellationReason> {
        self.cancellation_requested_at.map(|_| match self.cancellation_requested_by {
            _ if self.event_cancelled => CancellationReason::EventCancelled,
            Some(other) if other != self.user_id => CancellationReason::CancelledByOperator,
            _ => CancellationReason::CancelledByBuyer,
        })
    }

    /// The ticket, its event having taken place, which begins at `begins`.
    ///
    /// # Errors
    /// Unless it is paid, wanted, and the event has begun.
    pub fn complete(&self, begins: Timestamp, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Completed, _) => Err(Unchanged::Already(Status::Completed)),
            (Status::Pending | Status::Cancelled, _) => Err(Unchanged::Never(self.status)),
            (Status::Confirmed, Some(at)) => Err(Unchanged::CancellationRequested(at)),
            (Status::Confirmed, None) if now < begins => Err(Unchanged::EventToCome(begins)),
            (Status::Confirmed, None) => Ok(Self { status: Status::Completed, ..self.changed(now) }),
        }
    }

    /// The ticket, whose owner wants its mail once more.
    ///
    /// # Errors
    /// Unless it is confirmed, and wanted.
    pub fn request_mail(&self, now: Timestamp) -> Result<Self, Unchanged> {
        match (self.status, self.cancellation_requested_at) {
            (Status::Confirmed, None) => Ok(self.changed(now)),
            (Status::Confirmed, Some(at)) => Err(Unchanged::CancellationRequested(at)),
            (status, _) => Err(Unchanged::NotConfirmed(status)),
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

    /// Whether it admits, or may come to admit, somebody to its event.
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none() && matches!(self.status, Status::Pending | Status::Confirmed)
    }

    /// The ticket after its buyer is told the event's current details; `None` when there is nothing to tell: they were told before, they asked to
    /// cancel, or the ticket is not live.
    pub fn told_of(&self, event: &VersionedTerms, now: Timestamp) -> Option<Self> {
        let concerned = self.is_live() && self.cancellation_requested_at.is_none();
        let told = || Self { event: EventCopy::of(&event.terms, event.version), ..self.changed(now) };
        (concerned && self.event.differs_from(event)).then(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_inventory::domain::{PurchaseLimits, Terms};
    use boxoffice_kernel::Currency;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn inventory() -> Inventory {
        let terms = Terms {
            event_name: "Concert".parse().unwrap(),
            event_date: begins(),
            total_seats: Quantity::new(10).unwrap(),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::default(),
        };
        Inventory::open(InventoryId::generate(), terms, now())
    }

    fn begins() -> Timestamp {
        now().plus_seconds(3600)
    }

    fn ticket() -> Ticket {
        let quantity = Quantity::new(2).unwrap();
        Ticket::book(TicketId::generate(), UserId::generate(), &inventory(), quantity, 600, now()).unwrap()
    }

    /// As the buyer's own request leaves it.
    fn requested(ticket: &Ticket) -> Ticket {
        ticket.request_cancellation(ticket.user_id, begins(), now()).unwrap()
    }

    #[test]
    fn the_price_is_the_events() {
        let ticket = ticket();
        assert_eq!((ticket.price.amount.minor(), ticket.total.minor()), (4990, 9980));
        assert_eq!(ticket.hold_expires_at, now().plus_seconds(600));
    }

    #[test]
    fn a_ticket_the_buyer_wants_out_of_is_never_confirmed() {
        let wish = requested(&ticket());
        assert_eq!(wish.confirm(now()), Err(Unchanged::CancellationRequested(now())));
    }

    #[test]
    fn a_ticket_whose_expiry_is_requested_is_never_confirmed_and_a_confirmed_one_never_expires() {
        let over = ticket().hold_expires_at;
        assert_eq!(ticket().request_expiry(now()), Err(Unchanged::Never(Status::Pending)), "its hold is not over");
        let expiring = ticket().request_expiry(over).unwrap();
        assert_eq!(expiring.confirm(over), Err(Unchanged::ExpiryRequested(over)));
        let again = expiring.request_expiry(over.plus_seconds(60)).unwrap();
        assert_eq!((again.expiry_requested_at, again.version), (Some(over), expiring.version + 1));
        let confirmed = ticket().confirm(over).unwrap();
        assert_eq!(confirmed.request_expiry(over), Err(Unchanged::Never(Status::Confirmed)));
    }

    /// The table of `docs/ARCHITECTURE.md`: what may be asked of a ticket, whatever it is.
    #[test]
    fn every_request_is_granted_or_refused_as_the_table_says() {
        let over = ticket().hold_expires_at;
        let began = now().plus_seconds(3600);
        let confirmed = || ticket().confirm(now()).unwrap();
        let wished = |ticket: Ticket| ticket.request_cancellation(ticket.user_id, begins(), now()).unwrap();
        let expiring = ticket().request_expiry(over).unwrap();
        let cancelled = ticket().cancel(CancellationReason::HoldExpired, now()).unwrap();
        for (state, ticket, cancellation, again, expiry) in [
            ("pending", ticket(), true, false, true),
            ("pending, to be cancelled", wished(ticket()), false, true, true),
            ("pending, to expire", expiring, true, false, true),
            ("confirmed", confirmed(), true, false, false),
            ("confirmed, to be cancelled", wished(confirmed()), false, true, false),
            ("completed", confirmed().complete(begins(), began).unwrap(), false, false, false),
            ("cancelled", cancelled, false, false, false),
        ] {
            let granted = [
                ticket.request_cancellation(ticket.user_id, begins(), over).is_ok(),
                ticket.restate_cancellation(over).is_ok(),
                ticket.request_expiry(over).is_ok(),
            ];
            assert_eq!(granted, [cancellation, again, expiry], "{state}");
        }
    }

    #[test]
    fn a_cancellation_after_the_event_began_is_refused() {
        let began = now().plus_seconds(3600);
        assert_eq!(ticket().request_cancellation(ticket().user_id, began, began), Err(Unchanged::EventBegan(began)));
    }

    #[test]
    fn the_buyers_wish_is_the_reason_whatever_the_saga_met() {
        let wish = requested(&ticket());
        let cancelled = wish.cancel(CancellationReason::PaymentDeclined, now()).unwrap();
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::CancelledByBuyer));
    }

    #[test]
    fn an_admins_request_is_not_said_to_be_the_buyers() {
        let request = ticket().request_cancellation(UserId::generate(), begins(), now()).unwrap();
        let cancelled = request.cancel(CancellationReason::CancelledByBuyer, now()).unwrap();
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::CancelledByOperator));
        // One from before it was kept who asked.
        let old = Ticket { cancellation_requested_by: None, ..requested(&ticket()) };
        let cancelled = old.cancel(CancellationReason::BookingFailed, now()).unwrap();
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::CancelledByBuyer));
    }

    #[test]
    fn a_ticket_of_a_cancelled_event_is_not_said_to_be_the_buyers_wish() {
        let (organiser, began) = (UserId::generate(), begins().plus_seconds(60));
        for ticket in [ticket(), ticket().confirm(now()).unwrap()] {
            let request = ticket.withdraw(organiser, began).unwrap();
            assert!(request.confirm(began).is_err());
            let cancelled = request.cancel(CancellationReason::CancelledByBuyer, began).unwrap();
            assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::EventCancelled));
            assert_eq!(cancelled.withdraw(organiser, began), Err(Unchanged::Already(Status::Cancelled)));
        }
        // Asked for before: the buyer's wish stays theirs.
        let wished = requested(&ticket());
        assert_eq!(wished.withdraw(organiser, began), Err(Unchanged::CancellationRequested(now())));
    }

    #[test]
    fn a_ticket_is_completed_when_it_is_paid_and_the_event_has_begun() {
        let began = now().plus_seconds(3600);
        let confirmed = ticket().confirm(now()).unwrap();
        assert_eq!(confirmed.complete(begins(), now()), Err(Unchanged::EventToCome(began)));
        let completed = confirmed.complete(begins(), began).unwrap();
        assert_eq!((completed.status, completed.version), (Status::Completed, 3));
        assert_eq!(completed.complete(begins(), began), Err(Unchanged::Already(Status::Completed)));
        assert_eq!(ticket().complete(begins(), began), Err(Unchanged::Never(Status::Pending)));
        let wish = requested(&confirmed);
        assert_eq!(wish.complete(begins(), began), Err(Unchanged::CancellationRequested(now())));
    }

    #[test]
    fn a_completed_ticket_whose_money_is_given_back_is_cancelled() {
        let began = now().plus_seconds(3600);
        let completed = ticket().confirm(now()).unwrap().complete(begins(), began).unwrap();
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
        for over in [cancelled, confirmed.complete(begins(), began).unwrap()] {
            let deleted = over.delete(began).unwrap();
            assert_eq!((deleted.status, deleted.version), (over.status, over.version + 1));
            assert_eq!(deleted.delete(began), Err(Unchanged::Deleted(began)));
        }
    }

    #[test]
    fn a_ticket_is_live_while_it_admits_somebody_or_may_come_to() {
        let ticket = ticket();
        let confirmed = ticket.confirm(now()).unwrap();
        assert!(ticket.is_live() && confirmed.is_live());
        assert!(!ticket.cancel(CancellationReason::HoldExpired, now()).unwrap().is_live());
        assert!(!confirmed.complete(begins(), begins()).unwrap().is_live());
    }

    #[test]
    fn the_event_s_own_date_decides_and_not_the_ticket_s_copy() {
        let (ticket, earlier, later) = (ticket(), begins().plus_seconds(0), begins().plus_seconds(7200));
        assert_eq!(ticket.event.date, begins());
        // Moved later: to be cancelled until then, and completed no sooner.
        let confirmed = ticket.confirm(now()).unwrap();
        assert!(confirmed.request_cancellation(ticket.user_id, later, earlier).is_ok());
        assert_eq!(confirmed.complete(later, earlier), Err(Unchanged::EventToCome(later)));
        // Moved earlier: the other way round.
        let at = now().plus_seconds(60);
        assert_eq!(confirmed.request_cancellation(ticket.user_id, at, at), Err(Unchanged::EventBegan(at)));
        assert!(confirmed.complete(at, at).is_ok());
    }

    #[test]
    fn a_buyer_is_told_once_of_what_became_of_their_event() {
        let (ticket, Inventory { mut terms, .. }) = (ticket(), inventory());
        terms.price.amount = Amount::from_minor(1).unwrap();
        assert_eq!(ticket.told_of(&at_version(2, terms.clone()), now()), None);
        for change in [
            |terms: &mut Terms| terms.event_name = "Encore".parse().unwrap(),
            |terms: &mut Terms| terms.event_date = now().plus_seconds(10),
            |terms: &mut Terms| terms.location = "Arena".parse().unwrap(),
        ] {
            let mut terms = terms.clone();
            change(&mut terms);
            let told = ticket.told_of(&at_version(3, terms.clone()), now()).unwrap();
            assert_eq!((told.version, &told.event), (2, &EventCopy::of(&terms, 3)));
            assert_eq!((told.price, told.total), (ticket.price, ticket.total));
            assert_eq!(told.told_of(&at_version(3, terms), now()), None);
            // A walk that read the terms before this one did.
            assert_eq!(told.told_of(&at_version(2, inventory().terms), now()), None);
        }
    }

    fn at_version(version: u64, terms: Terms) -> VersionedTerms {
        VersionedTerms { terms, version }
    }

    #[test]
    fn nobody_is_told_of_an_event_that_they_will_not_see() {
        let (ticket, Inventory { mut terms, .. }) = (ticket(), inventory());
        terms.location = "Arena".parse().unwrap();
        let moved = at_version(2, terms);
        let confirmed = ticket.confirm(now()).unwrap();
        assert!(confirmed.told_of(&moved, now()).is_some());
        for out in [
            ticket.cancel(CancellationReason::HoldExpired, now()).unwrap(),
            confirmed.request_cancellation(ticket.user_id, begins(), now()).unwrap(),
            confirmed.complete(begins(), begins()).unwrap(),
        ] {
            assert_eq!(out.told_of(&moved, now()), None, "{out:?}");
        }
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
        assert_eq!(of("DeadlineExceeded", "Initiate Payment"), CancellationReason::PaymentUnavailable);
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
                Self::RequestCancellation => ticket.request_cancellation(ticket.user_id, begins(), at),
                Self::Cancel => ticket.cancel(CancellationReason::HoldExpired, at),
                Self::Complete => ticket.complete(begins(), at),
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
        fn a_ticket_goes_only_where_its_status_leads(tries in tries()) {
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
                        prop_assert!(now >= begins(), "completed before the event");
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
            ("EventCancelled", Reason::EventCancelled),
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
