//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga.

pub mod create_payment;
pub mod delete_payment;
pub mod get_payment;
pub mod get_payment_by_ticket;
pub mod get_payment_by_transaction;
pub mod list_payment_cases;
pub mod list_payments;
pub mod list_payments_by_status;
pub mod list_payments_by_user;
pub mod process_payment;
pub mod receive_stripe_event;
pub mod refund_payment;
pub mod retry_refund;
pub mod settle_refund;

pub mod await_payment;
pub mod expire_payment;
pub mod initiate_payment;
pub mod reverse_payment;

mod answer;

use crate::{cashier::CashierError, gateway::GatewayError};
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::{StepFailure, task::OfTicket};
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
    receive_stripe_event::handle,
    refund_payment::handle,
    list_payment_cases::handle,
    retry_refund::handle,
    settle_refund::handle,
    delete_payment::handle,
), modifiers(&OptionalBody))]
pub struct ApiDoc;

/// The facts of a booking that this context's steps need.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    ticket_id: TicketId,
    hold_expires_at: Timestamp,
}

impl OfTicket for Bill {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }

    fn hold_expires_at(&self) -> Option<Timestamp> {
        Some(self.hold_expires_at)
    }
}

impl From<CashierError> for StepFailure {
    fn from(error: CashierError) -> Self {
        match error {
            CashierError::Store(error) => error.into(),
            CashierError::Gateway(
                GatewayError::Unavailable(_) | GatewayError::NotReady(_) | GatewayError::UnderWay(_),
            ) => Self::Transient(error.to_string()),
            // It comes back by itself, and the provider says when; until then the undo is not done.
            CashierError::RefundPending(_) => Self::Transient(error.to_string()),
            CashierError::Gateway(GatewayError::Misconfigured(_))
            | CashierError::RefundFailed(_)
            | CashierError::NotACase(_)
            | CashierError::AnotherRefund
            | CashierError::NotFound
            | CashierError::NotPayable(_)
            | CashierError::NotRefundable(_) => Self::Defect(error.to_string()),
        }
    }
}
