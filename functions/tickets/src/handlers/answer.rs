//! What these handlers answer in common: the ticket as JSON, and this context's refusals as problems.

use crate::{
    domain::{CancellationReason, Status, Ticket, Unchanged},
    store::{BookError, ChangeError},
};
use boxoffice_inventory::{EventName, domain::NotForSale};
use boxoffice_kernel::{Amount, Currency, InventoryId, PaymentId, Quantity, TicketId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem};
use serde::Serialize;

/// A ticket, as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketView {
    id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    quantity: Quantity,
    price_per_ticket: Amount,
    total_amount: Amount,
    currency: Currency,
    status: Status,
    payment_id: PaymentId,
    hold_expires_at: Timestamp,
    booking_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_requested_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<CancellationReason>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Ticket> for TicketView {
    fn from(ticket: Ticket) -> Self {
        Self {
            id: ticket.id,
            user_id: ticket.user_id,
            inventory_id: ticket.inventory_id,
            event_name: ticket.event_name,
            event_date: ticket.event_date,
            quantity: ticket.quantity,
            price_per_ticket: ticket.price.amount,
            total_amount: ticket.total,
            currency: ticket.price.currency,
            status: ticket.status,
            payment_id: ticket.id.payment(),
            hold_expires_at: ticket.hold_expires_at,
            booking_date: ticket.created_at,
            cancellation_requested_at: ticket.cancellation_requested_at,
            cancellation_reason: ticket.cancellation_reason,
            version: ticket.version,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
        }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::TicketNotFound, "There is no ticket with this id.")
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Self {
        match error {
            BookError::NoSuchEvent => Self::new(Code::InventoryNotFound, "No event on sale has this id or name."),
            BookError::NotForSale(error @ NotForSale::SoldOut { .. }) => {
                Self::new(Code::InventoryUnavailable, format!("{error}.")).at("quantity")
            }
            BookError::NotForSale(error @ NotForSale::Begun(_)) => Self::new(Code::SalesClosed, format!("{error}.")),
            BookError::KeyReused => {
                let detail = "This Idempotency-Key was used for another booking. Send a fresh one with each booking.";
                Self::new(Code::IdempotencyKeyReused, detail).at("Idempotency-Key")
            }
            BookError::TotalTooLarge(_) => Self::new(Code::InvalidQuantity, format!("{error}.")).at("quantity"),
            BookError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => not_found(),
            ChangeError::Unchanged(error) => match error {
                Unchanged::Already(_) | Unchanged::CancellationRequested(_) => {
                    Self::new(Code::TicketAlreadyCancelled, format!("{error}."))
                }
                Unchanged::Never(_) | Unchanged::EventBegan(_) => Self::new(Code::SalesClosed, format!("{error}.")),
            },
            ChangeError::HoldLost => Self::new(Code::HoldExpired, format!("{error}.")),
            ChangeError::Store(error) => error.into(),
        }
    }
}
