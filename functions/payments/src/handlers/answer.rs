//! What these handlers answer in common: the payment as JSON, and this context's refusals as problems.

use crate::{
    PaymentStore,
    cashier::CashierError,
    domain::{Method, NotPayable, Payment, Status},
    gateway::GatewayError,
    store::DeleteError,
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Amount, Currency, PaymentId, Role, TicketId, Timestamp, TransactionId, UserId};
use boxoffice_runtime::{Code, Problem, auth::Caller};
use serde::Serialize;

/// A payment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
pub(crate) struct PaymentView {
    id: PaymentId,
    ticket_id: TicketId,
    user_id: UserId,
    amount: Amount,
    currency: Currency,
    payment_method: Method,
    status: Status,
    transaction_id: TransactionId,
    /// Why it failed or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failure_reason: Option<String>,
    /// Why it was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refund_reason: Option<String>,
    /// Until when it may be paid: as long as the seats are held.
    payable_until: Timestamp,
    /// How often it has been changed.
    #[schema(minimum = 1)]
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When it was deleted; only an ADMIN sees such a payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deleted_at: Option<Timestamp>,
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
            deleted_at: payment.deleted_at,
        }
    }
}

/// A payment with this status, for the API's document.
pub(crate) fn example(status: Status) -> serde_json::Value {
    serde_json::json!({
        "id": "pay_01970000000070008000000000000001",
        "ticketId": "tkt_01970000000070008000000000000001",
        "userId": "usr_01970000000070008000000000000002",
        "amount": 99.8,
        "currency": "EUR",
        "paymentMethod": "CREDIT_CARD",
        "status": status,
        "transactionId": "txn_01970000000070008000000000000001",
        "payableUntil": "2030-06-01T20:10:00.000Z",
        "version": 3,
        "createdAt": "2030-06-01T20:00:01.000Z",
        "updatedAt": "2030-06-01T20:00:09.000Z"
    })
}

/// A page of them.
pub(crate) fn page(page: Page<Payment>) -> Page<PaymentView> {
    Page { items: page.items.into_iter().map(PaymentView::from).collect(), next: page.next }
}

/// The payment, should this caller see it: whose it is, and an ADMIN, who alone sees a deleted one.
///
/// # Errors
/// When there is none for them.
pub(crate) async fn shown(store: &PaymentStore, id: PaymentId, caller: Caller) -> Result<Payment, Problem> {
    let payment = store.get(id).await?.ok_or_else(not_found)?;
    caller.may_act_for(payment.user_id)?;
    if payment.deleted_at.is_some() && caller.role != Role::Admin {
        return Err(not_found());
    }
    Ok(payment)
}

/// What the buyer hears who has tried to pay: the payment, charged.
///
/// # Errors
/// When it was declined, or called off meanwhile.
pub(crate) fn charged(payment: Payment) -> Result<PaymentView, Problem> {
    match payment.status {
        Status::Success => Ok(payment.into()),
        Status::Failed => {
            let reason = payment.failure_reason.unwrap_or_default();
            let detail = format!(
                "The payment provider declined: {reason}. The seats are released; book again to try another way."
            );
            Err(Problem::new(Code::PaymentDeclined, detail))
        }
        other => Err(Problem::new(Code::PaymentNotPending, format!("{}.", NotPayable::NotPending(other)))),
    }
}

pub(crate) fn not_found() -> Problem {
    let detail =
        "There is no such payment. The saga creates it a moment after its ticket: try again shortly after booking.";
    Problem::new(Code::PaymentNotFound, detail)
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound => not_found(),
            DeleteError::NotSettled(error) => Self::new(Code::NotSettled, format!("{error}.")),
            DeleteError::Store(error) => error.into(),
        }
    }
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
