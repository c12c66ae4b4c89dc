//! The events of this context. The contracts are `events/Ticket*.schema.json`.

use crate::domain::{CancellationReason, EventCopy, Ticket};
use boxoffice_inventory::{EventName, domain::Location};
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, InventoryId, PaymentId, Quantity, ReservationId, TicketId, Timestamp, UserId,
};
use serde::Serialize;

/// The booking an event is about, in full: the saga works from this alone.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketFacts {
    ticket_id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    reservation_id: ReservationId,
    payment_id: PaymentId,
    event_name: EventName,
    event_date: Timestamp,
    quantity: Quantity,
    price_per_ticket: Amount,
    total_amount: Amount,
    currency: Currency,
    hold_expires_at: Timestamp,
}

impl From<&Ticket> for TicketFacts {
    fn from(ticket: &Ticket) -> Self {
        Self {
            ticket_id: ticket.id,
            user_id: ticket.user_id,
            inventory_id: ticket.inventory_id,
            reservation_id: ticket.id.reservation(),
            payment_id: ticket.id.payment(),
            event_name: ticket.event.name.clone(),
            event_date: ticket.event.date,
            quantity: ticket.quantity,
            price_per_ticket: ticket.price.amount,
            total_amount: ticket.total,
            currency: ticket.price.currency,
            hold_expires_at: ticket.hold_expires_at,
        }
    }
}

/// An event's details as a buyer was told them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDetails {
    event_name: EventName,
    event_date: Timestamp,
    location: Location,
}

impl From<&EventCopy> for EventDetails {
    fn from(EventCopy { name, date, location, .. }: &EventCopy) -> Self {
        Self { event_name: name.clone(), event_date: *date, location: location.clone() }
    }
}

macro_rules! about_a_booking {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The booking.
            #[serde(flatten)]
            pub booking: TicketFacts,
            $($(#[$attribute])* pub $field: $type,)*
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "tickets";
            fn aggregate_id(&self) -> String {
                self.booking.ticket_id.to_string()
            }
        }
    )+};
}

about_a_booking!(
    /// Seats are held for a buyer. Starts the saga.
    TicketCreated {},
    /// The booking is to be cancelled. Starts the saga that takes it back.
    TicketCancellationRequested {
        /// The author of the request: the buyer or an ADMIN.
        #[serde(skip_serializing_if = "Option::is_none")]
        requested_by: Option<UserId>,
        /// Whether it is to be cancelled because its event was.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        event_cancelled: bool
    },
    /// Its hold is over, and no saga is at work on it. Starts the saga that takes the booking back.
    TicketExpiryRequested {},
    /// Paid; the seats are sold.
    TicketConfirmed {
        /// Where the event takes place.
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<Location>
    },
    /// Taken back.
    TicketCancelled {
        /// Where the event takes place.
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<Location>,
        /// The reason for the cancellation.
        cancellation_reason: CancellationReason
    },
    /// Its event has another name, date or place than the buyer was told.
    TicketEventChanged {
        /// Where it takes place now.
        location: Location,
        /// The facts that the buyer was told before.
        previous: EventDetails
    },
    /// Its owner wants its mail once more.
    TicketMailRequested {
        /// Where the event takes place.
        location: Location
    },
    /// The event has taken place.
    TicketCompleted {},
    /// The ticket is shown to nobody any more.
    TicketDeleted {}
);
