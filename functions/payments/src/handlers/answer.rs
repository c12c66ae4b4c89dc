//! What these handlers answer in common: the payment as JSON, and this context's refusals as problems.

use crate::{
    cashier::CashierError,
    domain::{Method, NotPayable, Payment, Status},
    gateway::GatewayError,
};
use boxoffice_kernel::{Amount, Currency, PaymentId, TicketId, Timestamp, TransactionId, UserId};
use boxoffice_runtime::{Code, Problem};
use serde::Serialize;

/// A payment, as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentView {
    id: PaymentId,
    ticket_id: TicketId,
    user_id: UserId,
    amount: Amount,
    currency: Currency,
    payment_method: Method,
    status: Status,
    transaction_id: TransactionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_reason: Option<String>,
    payable_until: Timestamp,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Payment> for PaymentView {
    fn from(payment: Payment) -> Self {
        Self {
            id: payment.id,
            ticket_id: payment.ticket_id,
            user_id: payment.user_id,
            amount: payment.money.amount,
            currency: payment.money.currency,
            payment_method: payment.method,
            status: payment.status,
            transaction_id: payment.id.transaction(),
            failure_reason: payment.failure_reason,
            refund_reason: payment.refund_reason,
            payable_until: payment.payable_until,
            version: payment.version,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

pub(crate) fn not_found() -> Problem {
    let detail =
        "There is no such payment. The saga creates it a moment after its ticket: try again shortly after booking.";
    Problem::new(Code::PaymentNotFound, detail)
}

impl From<CashierError> for Problem {
    fn from(error: CashierError) -> Self {
        match error {
            CashierError::NotFound => not_found(),
            CashierError::NotPayable(error @ NotPayable::TooLate(_)) => {
                Self::new(Code::HoldExpired, format!("{error}."))
            }
            CashierError::NotPayable(error @ NotPayable::NotPending(_)) => {
                Self::new(Code::PaymentNotPending, format!("{error}."))
            }
            CashierError::NotRefundable(_) => Self::new(Code::PaymentNotRefundable, format!("{error}.")),
            CashierError::Gateway(GatewayError::Unavailable(cause) | GatewayError::NotReady(cause)) => {
                tracing::warn!(cause, "payment provider unavailable");
                let detail =
                    "The payment provider does not answer. Try the same call again: it resumes, and charges once.";
                Self::new(Code::ServiceUnavailable, detail)
            }
            CashierError::Gateway(GatewayError::Misconfigured(cause)) => {
                tracing::error!(cause, "payment provider misconfigured");
                Self::new(Code::InternalError, "The error is in our log under the instance given here.")
            }
            CashierError::Store(error) => error.into(),
        }
    }
}
