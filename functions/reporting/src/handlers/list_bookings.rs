//! Lists a user's bookings, each with its event and its payment.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/{id}/bookings?limit=&next=` |
//! | reads | a page of bookings, and the events they are for (AP-128) |

use crate::{ViewStore, domain, store::Booked};
use boxoffice_aws::Page;
use boxoffice_inventory::{EventName, domain::Location};
use boxoffice_kernel::{
    Amount, Currency, InventoryId, PaymentId, Quantity, TicketId, Timestamp, TransactionId, UserId,
};
use boxoffice_payments::domain::{Method, Status as PaymentStatus};
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use boxoffice_tickets::domain::{CancellationReason, Status as TicketStatus};
use lambda_http::Request;
use serde::Serialize;
use utoipa::ToSchema;

/// A booking: a ticket, the event it is for and the payment it is paid with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Booking)]
pub(crate) struct BookingView {
    ticket: BookedTicket,
    event: BookedEvent,
    /// Absent until there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<BookedPayment>,
}

/// The ticket of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BookedTicket {
    id: TicketId,
    quantity: Quantity,
    price_per_ticket: Amount,
    total_amount: Amount,
    currency: Currency,
    status: TicketStatus,
    hold_expires_at: Timestamp,
    booking_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_requested_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<CancellationReason>,
}

/// The event of a booking, as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BookedEvent {
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    /// Absent for a moment where the event has only just gone on sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
}

/// The payment of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BookedPayment {
    id: PaymentId,
    status: PaymentStatus,
    amount: Amount,
    currency: Currency,
    payment_method: Method,
    transaction_id: TransactionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_reason: Option<String>,
}

impl BookedPayment {
    fn of(id: PaymentId, payment: domain::Payment) -> Self {
        Self {
            id,
            status: payment.status,
            amount: payment.amount,
            currency: payment.currency,
            payment_method: payment.method,
            transaction_id: id.transaction(),
            failure_reason: payment.failure_reason,
            refund_reason: payment.refund_reason,
        }
    }
}

impl BookingView {
    /// The booking, which is one to be shown.
    fn of(Booked { booking, event }: Booked) -> Option<Self> {
        let status = booking.status();
        let domain::BookingRecord { ticket_id, ticket, payment, timeline, .. } = booking;
        let ticket = ticket?;
        let event = event.map_or(
            BookedEvent {
                inventory_id: ticket.inventory_id,
                event_name: ticket.event_name,
                event_date: ticket.event_date,
                location: None,
            },
            |event| BookedEvent {
                inventory_id: event.inventory_id,
                event_name: event.event_name,
                event_date: event.event_date,
                location: Some(event.location),
            },
        );
        let payment = payment.filter(|_| timeline.payment_deleted.is_none());
        Some(Self {
            ticket: BookedTicket {
                id: ticket_id,
                quantity: ticket.quantity,
                price_per_ticket: ticket.price,
                total_amount: ticket.total,
                currency: ticket.currency,
                status,
                hold_expires_at: ticket.hold_expires_at,
                booking_date: timeline.booked?,
                cancellation_requested_at: timeline.cancellation_requested,
                cancellation_reason: ticket.cancellation_reason,
            },
            event,
            payment: payment.map(|payment| BookedPayment::of(ticket_id.payment(), payment)),
        })
    }
}

/// List a user's bookings, newest first, each with its event and its payment.
///
/// A moment behind the tickets and payments themselves. One that is deleted is not listed any more.
///
/// # Errors
/// When it is another user's list, or `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/users/{id}/bookings",
    operation_id = "list-bookings",
    tag = "users",
    params(
        ("id" = UserId, Path, description = "The user."),
        Paging,
    ),
    responses((
        status = 200,
        description = "A page of bookings.",
        body = Page<BookingView>,
        example = json!({
            "items": [{
                "ticket": {
                    "id": "tkt_01a2089d219e737bb4e23d79e9d77e1a",
                    "quantity": 2,
                    "pricePerTicket": 49.9,
                    "totalAmount": 99.8,
                    "currency": "EUR",
                    "status": "CONFIRMED",
                    "holdExpiresAt": "2026-11-23T13:44:05.215Z",
                    "bookingDate": "2026-11-23T13:34:05.215Z"
                },
                "event": {
                    "inventoryId": "inv_01a2089d208473baad08d1920fe1d8c7",
                    "eventName": "Late Show at the Ferris Wheel",
                    "eventDate": "2027-06-01T20:00:00.000Z",
                    "location": "Prater, Vienna"
                },
                "payment": {
                    "id": "pay_01a2089d219e737bb4e23d79e9d77e1a",
                    "status": "SUCCESS",
                    "amount": 99.8,
                    "currency": "EUR",
                    "paymentMethod": "CREDIT_CARD",
                    "transactionId": "txn_01a2089d219e737bb4e23d79e9d77e1a"
                }
            }]
        })
    ))
)]
pub async fn handle(store: &ViewStore, request: Request) -> Result<Answer, Problem> {
    let user: UserId = http::path(&request, "id", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(user)?;
    let (limit, cursor) = http::paging(&request)?;
    let Page { items, next } = store.bookings(user, limit, cursor).await?;
    Answer::ok(&Page { items: items.into_iter().filter_map(BookingView::of).collect(), next })
}
