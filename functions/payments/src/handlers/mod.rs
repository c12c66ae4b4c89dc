//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga.

pub mod create_payment;
pub mod delete_payment;
pub mod get_payment;
pub mod get_payment_by_ticket;
pub mod get_payment_by_transaction;
pub mod list_payments;
pub mod list_payments_by_status;
pub mod list_payments_by_user;
pub mod process_payment;
pub mod refund_payment;

pub mod await_payment;
pub mod expire_payment;
pub mod initiate_payment;
pub mod reverse_payment;

mod answer;

use crate::{
    cashier::CashierError,
    domain::{Method, Payment, Status},
    gateway::GatewayError,
};
use boxoffice_kernel::{Amount, Currency, Money, TicketId, Timestamp, UserId};
use boxoffice_runtime::{StepFailure, task::Booking};
use refund_payment::OptionalBody;
use serde::Deserialize;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_payment::handle,
    list_payments::handle,
    list_payments_by_user::handle,
    list_payments_by_status::handle,
    get_payment::handle,
    get_payment_by_ticket::handle,
    get_payment_by_transaction::handle,
    process_payment::handle,
    refund_payment::handle,
    delete_payment::handle,
), modifiers(&OptionalBody))]
pub struct ApiDoc;

/// What this context's steps need to know of a booking.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    ticket_id: TicketId,
    user_id: UserId,
    total_amount: Amount,
    currency: Currency,
    hold_expires_at: Timestamp,
}

impl Booking for Bill {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }
}

impl Bill {
    fn payment(&self, method: Method, status: Status, failure_reason: Option<String>) -> Payment {
        let money = Money { amount: self.total_amount, currency: self.currency };
        let waiting = Payment::of(self.ticket_id, self.user_id, money, self.hold_expires_at, Timestamp::now());
        Payment { method, status, failure_reason, ..waiting }
    }
}

impl From<CashierError> for StepFailure {
    fn from(error: CashierError) -> Self {
        match error {
            CashierError::Store(error) => error.into(),
            CashierError::Gateway(GatewayError::Unavailable(_) | GatewayError::NotReady(_)) => {
                Self::Transient(error.to_string())
            }
            CashierError::Gateway(GatewayError::Misconfigured(_))
            | CashierError::NotFound
            | CashierError::NotPayable(_)
            | CashierError::NotRefundable(_) => Self::Defect(error.to_string()),
        }
    }
}
