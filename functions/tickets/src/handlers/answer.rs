//! The responses that these handlers share: the ticket as JSON, and this context's refusals as problems.

use crate::{
    domain::{CancellationReason, Status, Ticket, Unchanged},
    store::{BookError, ChangeError},
};
use boxoffice_aws::{Budget, Cursor, Overspent, Page};
use boxoffice_inventory::{EventName, domain::NotForSale};
use boxoffice_kernel::{Amount, Currency, InventoryId, PaymentId, Quantity, TicketId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem};
use serde::Serialize;
use serde_json::{Value, json};

/// A ticket, as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Ticket)]
pub(crate) struct TicketView {
    id: TicketId,
    /// The owner.
    user_id: UserId,
    /// The ticket it pays for.
    inventory_id: InventoryId,
    /// The event's name, as the buyer was last told: when they booked, and a moment after each change.
    event_name: EventName,
    /// The event's date, as the buyer was last told.
    event_date: Timestamp,
    quantity: Quantity,
    /// The price of one seat when it was booked.
    price_per_ticket: Amount,
    total_amount: Amount,
    currency: Currency,
    status: Status,
    /// The payment, made with `POST /payments/{id}/process`.
    payment_id: PaymentId,
    /// Until when the seats are held for the payment.
    hold_expires_at: Timestamp,
    booking_date: Timestamp,
    /// When the buyer asked to cancel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancellation_requested_at: Option<Timestamp>,
    /// Why it is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancellation_reason: Option<CancellationReason>,
    /// How often it has been written.
    #[schema(minimum = 1)]
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
            event_name: ticket.event.name,
            event_date: ticket.event.date,
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

/// A page of them.
pub(crate) fn page(page: Page<Ticket>) -> Page<TicketView> {
    page.map(TicketView::from)
}

/// A ticket, for examples in the API's document.
pub(crate) fn example(status: Status) -> Value {
    let mut ticket = json!({
        "id": "tkt_01970000000070008000000000000001",
        "userId": "usr_01970000000070008000000000000001",
        "inventoryId": "inv_01970000000070008000000000000001",
        "eventName": "Late Show at the Ferris Wheel",
        "eventDate": "2030-06-01T20:00:00.000Z",
        "quantity": 2,
        "pricePerTicket": 49.9,
        "totalAmount": 99.8,
        "currency": "EUR",
        "status": status,
        "paymentId": "pay_01970000000070008000000000000001",
        "holdExpiresAt": "2030-05-01T10:10:00.000Z",
        "bookingDate": "2030-05-01T10:00:00.000Z",
        "version": 1,
        "createdAt": "2030-05-01T10:00:00.000Z",
        "updatedAt": "2030-05-01T10:00:00.000Z"
    });
    let changes = match status {
        Status::Pending => json!({}),
        Status::Confirmed => json!({ "version": 2, "updatedAt": "2030-05-01T10:00:07.000Z" }),
        Status::Cancelled => json!({
            "cancellationRequestedAt": "2030-05-01T11:00:00.000Z",
            "cancellationReason": "CANCELLED_BY_BUYER",
            "version": 4,
            "updatedAt": "2030-05-01T11:00:02.000Z"
        }),
        Status::Completed => json!({ "version": 3, "updatedAt": "2030-06-02T09:00:00.000Z" }),
    };
    if let (Some(ticket), Value::Object(changes)) = (ticket.as_object_mut(), changes) {
        ticket.extend(changes);
    }
    ticket
}

/// A page of tickets, for examples in the API's document.
pub(crate) fn example_page(status: Status) -> Value {
    json!({ "items": [example(status)], "next": Cursor::after("ALL", "tkt_01970000000070008000000000000001") })
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::TicketNotFound, "There is no ticket with this id.")
}

/// Words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

/// Counts one of what may be done so often.
///
/// # Errors
/// When the budget is spent, in these words and for how long; when the store fails.
pub(super) async fn spend(budget: &Budget, name: &str, now: Timestamp, spent: &str) -> Result<(), Problem> {
    match budget.spend(name, now).await {
        Ok(_) => Ok(()),
        Err(Overspent::Wait { seconds }) => {
            let detail = format!("{spent} Retry in {seconds} s.");
            Err(Problem::new(Code::TooManyAttempts, detail).with_header("retry-after", seconds.to_string()))
        }
        Err(Overspent::Store(error)) => Err(error.into()),
    }
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Self {
        match error {
            BookError::NoSuchEvent => Self::new(Code::InventoryNotFound, "No event on sale has this id or name."),
            BookError::NotForSale(error @ NotForSale::SoldOut { .. }) => {
                Self::new(Code::InventoryUnavailable, format!("{error}.")).at("quantity")
            }
            BookError::NotForSale(error @ NotForSale::Begun(_)) => Self::new(Code::SalesClosed, format!("{error}.")),
            BookError::NotForSale(error @ NotForSale::Cancelled(_)) => {
                Self::new(Code::EventCancelled, format!("{error}."))
            }
            BookError::KeyReused => {
                let detail = "This Idempotency-Key was used for another booking. Send a fresh one with each booking.";
                Self::new(Code::IdempotencyKeyReused, detail).at("Idempotency-Key")
            }
            BookError::Deleted => Self::new(Code::TicketNotFound, format!("{error}.")),
            BookError::TotalTooLarge(_) => Self::new(Code::TotalTooLarge, format!("{error}.")).at("quantity"),
            BookError::PriceChanged { .. } => Self::new(Code::PriceChanged, format!("{error}.")).at("expectedTotal"),
            BookError::SettlesTooLate(_) => {
                let detail = format!("{error}. Choose another method, such as CREDIT_CARD.");
                Self::new(Code::PaymentMethodUnavailable, detail).at("paymentMethod")
            }
            BookError::LimitExceeded(error) => {
                Self::new(Code::PurchaseLimitExceeded, sentence(&error.to_string())).at("quantity")
            }
            BookError::NoSuchBuyer => Self::new(Code::UserNotFound, "There is no user with this id.").at("userId"),
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
                Unchanged::EventBegan(_) => Self::new(Code::SalesClosed, format!("{error}.")),
                Unchanged::Never(_)
                | Unchanged::EventToCome(_)
                | Unchanged::ExpiryRequested(_)
                | Unchanged::NotConfirmed(_) => Self::new(Code::IllegalTransition, format!("{error}.")),
                Unchanged::NotSettled(_) => Self::new(Code::NotSettled, format!("{error}.")),
                Unchanged::Deleted(_) => not_found(),
            },
            ChangeError::HoldLost => Self::new(Code::HoldExpired, format!("{error}.")),
            ChangeError::TakenBack => Self::new(Code::IllegalTransition, format!("{error}.")),
            ChangeError::Used => Self::new(Code::AdmissionUsed, format!("{error}.")),
            ChangeError::Store(error) => error.into(),
        }
    }
}
