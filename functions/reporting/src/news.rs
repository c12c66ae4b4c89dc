//! What one event tells, by its contract (`events/*.schema.json`). No I/O.

use crate::domain::{Booking, OnSale, Payment, Ticket, Timeline};
use boxoffice_inventory::{EventName, domain::Location};
use boxoffice_kernel::{Amount, Currency, InventoryId, Quantity, TicketId, Timestamp, UserId};
use boxoffice_payments::domain::{Method, Status};
use boxoffice_runtime::{Event, StepFailure};
use boxoffice_tickets::domain::CancellationReason;
use serde::Deserialize;

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something of a booking.
    Booking(Box<Booking>),
    /// What an event on sale is now.
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

/// What this event tells; nothing when no read model is about it.
///
/// # Errors
/// [`StepFailure::Defect`] when it is not what its contract says.
pub fn read(event: &Event) -> Result<Option<News>, StepFailure> {
    let at = Some(event.occurred_at());
    let then = Timeline::default();
    let news = match event.kind() {
        "TicketCreated" => of_ticket(event, Timeline { booked: at, ..then })?,
        "TicketConfirmed" => of_ticket(event, Timeline { confirmed: at, ..then })?,
        "TicketCancellationRequested" => of_ticket(event, Timeline { cancellation_requested: at, ..then })?,
        "TicketCancelled" => of_ticket(event, Timeline { cancelled: at, ..then })?,
        "TicketCompleted" => News::Booking(Box::new(of_booking(event, Timeline { completed: at, ..then })?)),
        "TicketDeleted" => News::Booking(Box::new(of_booking(event, Timeline { deleted: at, ..then })?)),
        "PaymentInitiated" => of_payment(event, Status::Pending, then)?,
        "PaymentProcessing" => of_payment(event, Status::Processing, then)?,
        "PaymentCompleted" => of_payment(event, Status::Success, Timeline { paid: at, ..then })?,
        "PaymentFailed" => of_payment(event, Status::Failed, then)?,
        "PaymentExpired" => of_payment(event, Status::Expired, then)?,
        "PaymentRefunded" => of_payment(event, Status::Refunded, Timeline { refunded: at, ..then })?,
        "PaymentDeleted" => News::Booking(Box::new(of_booking(event, Timeline { payment_deleted: at, ..then })?)),
        "InventoryCreated" | "InventoryUpdated" => News::OnSale(on_sale(event)?),
        "UserDeleted" => News::UserGone(event.data::<UserData>()?.user_id),
        _ => return Ok(None),
    };
    Ok(Some(news))
}

fn of_booking(event: &Event, timeline: Timeline) -> Result<Booking, StepFailure> {
    let Whose { ticket_id, user_id } = event.data()?;
    Ok(Booking { timeline, ..Booking::unknown(ticket_id, user_id) })
}

fn of_ticket(event: &Event, timeline: Timeline) -> Result<News, StepFailure> {
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
    Ok(News::Booking(Box::new(Booking { ticket: Some(ticket), ..of_booking(event, timeline)? })))
}

fn of_payment(event: &Event, status: Status, timeline: Timeline) -> Result<News, StepFailure> {
    let data: PaymentData = event.data()?;
    let payment = Payment {
        status,
        amount: data.amount,
        currency: data.currency,
        method: data.payment_method,
        failure_reason: data.failure_reason,
        refund_reason: data.refund_reason,
        version: event.version(),
    };
    Ok(News::Booking(Box::new(Booking { payment: Some(payment), ..of_booking(event, timeline)? })))
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
    fn what_ends_a_booking_or_takes_it_off_the_list_is_noted() {
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
    fn what_no_read_model_is_about_tells_nothing() {
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
