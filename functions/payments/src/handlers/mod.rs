//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga.

pub mod get_payment;
pub mod get_payment_by_ticket;
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
use serde::Deserialize;

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
        let now = Timestamp::now();
        Payment {
            id: self.ticket_id.payment(),
            ticket_id: self.ticket_id,
            user_id: self.user_id,
            money: Money { amount: self.total_amount, currency: self.currency },
            method,
            status,
            intent: None,
            failure_reason,
            refund_reason: None,
            payable_until: self.hold_expires_at,
            version: 1,
            created_at: now,
            updated_at: now,
        }
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
