//! What this context states on the bus. The contracts are `events/Ticket*.schema.json`.

use crate::domain::{CancellationReason, Ticket};
use boxoffice_inventory::EventName;
use boxoffice_kernel::{
    Amount, Currency, DomainEvent, InventoryId, PaymentId, Quantity, ReservationId, TicketId, Timestamp, UserId,
};
use serde::Serialize;

/// The booking an event is about, in full: the saga works from this alone.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
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

impl From<&Ticket> for Booking {
    fn from(ticket: &Ticket) -> Self {
        Self {
            ticket_id: ticket.id,
            user_id: ticket.user_id,
            inventory_id: ticket.inventory_id,
            reservation_id: ticket.id.reservation(),
            payment_id: ticket.id.payment(),
            event_name: ticket.event_name.clone(),
            event_date: ticket.event_date,
            quantity: ticket.quantity,
            price_per_ticket: ticket.price.amount,
            total_amount: ticket.total,
            currency: ticket.price.currency,
            hold_expires_at: ticket.hold_expires_at,
        }
    }
}

macro_rules! about_a_booking {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* }),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Which booking.
            #[serde(flatten)]
            pub booking: Booking,
            $($(#[$field_doc])* pub $field: $type,)*
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
    /// The buyer wants out. Starts the saga that takes the booking back.
    TicketCancellationRequested {},
    /// Its hold is over, and no saga is at work on it. Starts the saga that takes the booking back.
    TicketExpiryRequested {},
    /// Paid; the seats are sold.
    TicketConfirmed {},
    /// Taken back.
    TicketCancelled {
        /// Why.
        cancellation_reason: CancellationReason
    },
    /// The event has taken place.
    TicketCompleted {},
    /// The ticket is shown to nobody any more.
    TicketDeleted {}
);
