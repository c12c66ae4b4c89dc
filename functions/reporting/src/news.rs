//! The facts that one event states, by its contract (`events/*.schema.json`). No I/O.

use crate::{
    domain::{BookingRecord, OnSale, Payment, Ticket, Timeline},
    ledger::Entry,
};
use boxoffice_inventory::{EventName, domain::Location};
use boxoffice_kernel::{Amount, Currency, InventoryId, Quantity, TicketId, Timestamp, UserId};
use boxoffice_payments::domain::{Method, Status};
use boxoffice_runtime::{Event, StepFailure};
use boxoffice_tickets::domain::CancellationReason;
use serde::Deserialize;

/// The facts of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something of a booking.
    Booking(Box<BookingRecord>),
    /// The current terms of an event on sale.
    OnSale(OnSale),
    /// A user is gone.
    UserGone(UserId),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whose {
    ticket_id: TicketId,
    user_id: UserId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketData {
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    quantity: Quantity,
    price_per_ticket: Amount,
    total_amount: Amount,
    currency: Currency,
    hold_expires_at: Timestamp,
    cancellation_reason: Option<CancellationReason>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentData {
    amount: Amount,
    currency: Currency,
    payment_method: Method,
    failure_reason: Option<String>,
    refund_reason: Option<String>,
    #[serde(default)]
    tries_left: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnSaleData {
    inventory_id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    location: Location,
    currency: Currency,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserData {
    user_id: UserId,
}

/// The facts of this event; nothing when no read model uses it.
///
/// # Errors
/// [`StepFailure::Defect`] when it is not what its contract says.
pub fn read(event: &Event) -> Result<Option<News>, StepFailure> {
    let at = Some(event.occurred_at());
    let then = Timeline::default();
    let news = match event.kind() {
        "TicketCreated" => ticket_news(event, Timeline { booked: at, ..then })?,
        "TicketConfirmed" => ticket_news(event, Timeline { confirmed: at, ..then })?,
        "TicketCancellationRequested" => ticket_news(event, Timeline { cancellation_requested: at, ..then })?,
        "TicketCancelled" => ticket_news(event, Timeline { cancelled: at, ..then })?,
        "TicketEventChanged" => ticket_news(event, then)?,
        "TicketCompleted" => News::Booking(Box::new(booking_record(event, Timeline { completed: at, ..then })?)),
        "TicketDeleted" => News::Booking(Box::new(booking_record(event, Timeline { deleted: at, ..then })?)),
        "PaymentInitiated" => payment_news(event, Status::Pending, then)?,
        "PaymentProcessing" => payment_news(event, Status::Processing, then)?,
        "PaymentCompleted" => payment_news(event, Status::Success, Timeline { paid: at, ..then })?,
        // Declined, it waits for another try while there is one.
        "PaymentFailed" => match event.data::<PaymentData>()?.tries_left {
            0 => payment_news(event, Status::Failed, then)?,
            _ => payment_news(event, Status::Pending, then)?,
        },
        "PaymentExpired" => payment_news(event, Status::Expired, then)?,
        "PaymentRefunded" => payment_news(event, Status::Refunded, Timeline { refunded: at, ..then })?,
        // Some of it is back, or what was back came in again: it is charged.
        "PaymentPartlyRefunded" | "PaymentRefundFailed" => payment_news(event, Status::Success, then)?,
        // They move money, and leave the payment's status as it is.
        "PaymentRefundPending" | "PaymentDisputed" | "PaymentDisputeClosed" => {
            News::Booking(Box::new(booking_record(event, then)?))
        }
        "PaymentDeleted" => News::Booking(Box::new(booking_record(event, Timeline { payment_deleted: at, ..then })?)),
        "InventoryCreated" | "InventoryUpdated" => News::OnSale(on_sale(event)?),
        "UserDeleted" => News::UserGone(event.data::<UserData>()?.user_id),
        _ => return Ok(None),
    };
    Ok(Some(news))
}

fn booking_record(event: &Event, timeline: Timeline) -> Result<BookingRecord, StepFailure> {
    let Whose { ticket_id, user_id } = event.data()?;
    let entries = Entry::of(event)?.into_iter().collect();
    Ok(BookingRecord { timeline, entries, ..BookingRecord::unknown(ticket_id, user_id) })
}

fn ticket_news(event: &Event, timeline: Timeline) -> Result<News, StepFailure> {
    let data: TicketData = event.data()?;
    let ticket = Ticket {
        inventory_id: data.inventory_id,
        event_name: data.event_name,
        event_date: data.event_date,
        quantity: data.quantity,
        price: data.price_per_ticket,
        total: data.total_amount,
        currency: data.currency,
        hold_expires_at: data.hold_expires_at,
        cancellation_reason: data.cancellation_reason,
        version: event.version(),
    };
    Ok(News::Booking(Box::new(BookingRecord { ticket: Some(ticket), ..booking_record(event, timeline)? })))
}

fn payment_news(event: &Event, status: Status, timeline: Timeline) -> Result<News, StepFailure> {
    let data: PaymentData = event.data()?;
    // Why a card was declined is for no buyer to read: it would tell somebody who tries out cards which of them live.
    let failure_reason = match event.kind() {
        "PaymentFailed" => Some("declined".to_owned()),
        // Why a refund failed is an operator's business.
        "PaymentRefundFailed" => None,
        _ => data.failure_reason,
    };
    let payment = Payment {
        status,
        amount: data.amount,
        currency: data.currency,
        method: data.payment_method,
        failure_reason,
        refund_reason: data.refund_reason.filter(|_| status == Status::Refunded),
        version: event.version(),
    };
    Ok(News::Booking(Box::new(BookingRecord { payment: Some(payment), ..booking_record(event, timeline)? })))
}

fn on_sale(event: &Event) -> Result<OnSale, StepFailure> {
    let data: OnSaleData = event.data()?;
    Ok(OnSale {
        inventory_id: data.inventory_id,
        event_name: data.event_name,
        event_date: data.event_date,
        location: data.location,
        currency: data.currency,
        version: event.version(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str) -> Event {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_event_on_sale_is_known_by_its_events() {
        let created = read(&sample(include_str!("../../../events/InventoryCreated.sample.json"))).unwrap();
        let updated = read(&sample(include_str!("../../../events/InventoryUpdated.sample.json"))).unwrap();
        let (Some(News::OnSale(created)), Some(News::OnSale(updated))) = (created, updated) else { panic!() };
        assert_eq!((created.version, updated.version), (1, 2));
        assert_eq!(created.location.to_string(), "Prater, Vienna");
    }

    #[test]
    fn an_entry_that_ends_a_booking_or_delists_it_is_noted() {
        let timeline = |text: &str| match read(&sample(text)).unwrap() {
            Some(News::Booking(booking)) => booking.timeline,
            other => panic!("{other:?} from {text}"),
        };
        assert!(timeline(include_str!("../../../events/TicketCompleted.sample.json")).completed.is_some());
        assert!(timeline(include_str!("../../../events/TicketDeleted.sample.json")).deleted.is_some());
        assert!(timeline(include_str!("../../../events/PaymentDeleted.sample.json")).payment_deleted.is_some());
        let gone = read(&sample(include_str!("../../../events/UserDeleted.sample.json"))).unwrap();
        assert!(matches!(gone, Some(News::UserGone(_))), "{gone:?}");
    }

    #[test]
    fn an_event_that_no_read_model_uses_states_nothing() {
        let event = sample(include_str!("../../../events/InventorySold.sample.json"));
        assert_eq!(read(&event).unwrap(), None);
    }

    #[test]
    fn an_event_that_breaks_its_contract_is_a_defect() {
        let mut event = sample(include_str!("../../../events/TicketCreated.sample.json"));
        event.data["quantity"] = 0.into();
        assert!(matches!(read(&event), Err(StepFailure::Defect(_))));
    }

    #[test]
    fn a_payment_without_a_ticket_yet_is_a_booking_without_sales() {
        let event = sample(include_str!("../../../events/PaymentExpired.sample.json"));
        let Some(News::Booking(booking)) = read(&event).unwrap() else { panic!() };
        assert_eq!(booking.payment.as_ref().map(|payment| payment.status), Some(Status::Expired));
        assert!(booking.sales().0.is_empty());
    }
}
