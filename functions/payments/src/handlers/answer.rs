//! The responses that these handlers share: the payment as JSON, and this context's refusals as problems.

use crate::{
    PaymentStore,
    cashier::{CashierError, METHOD_UNAVAILABLE, NO_SUCH_METHOD},
    declines::NotCharged,
    dispute::{self, Dispute},
    domain::{Method, NextAction, NotPayable, Payment, Status},
    events::RefundedBy,
    gateway::GatewayError,
    refund::{self, NotACase, NotRefundable, Refund},
    store::DeleteError,
};
use boxoffice_aws::{Overspent, Page};
use boxoffice_kernel::{
    Actor, Amount, Currency, PaymentId, RefundId, Role, TicketId, Timestamp, TransactionId, UserId,
};
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
    /// The act that the buyer owes before it is charged, while it is PROCESSING: go where `redirectUrl` says, or complete it with the
    /// provider's script and the `clientSecret`. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_action: Option<NextAction>,
    /// That the last attempt was declined, while the payment may still be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_error: Option<&'static str>,
    /// How many more declines leave the payment open.
    #[schema(minimum = 0)]
    tries_left: u32,
    /// Why it failed or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failure_reason: Option<String>,
    /// Why it was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refund_reason: Option<String>,
    /// How much of it the buyer has back; absent while that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refunded_amount: Option<Amount>,
    /// Its refunds, the oldest first. Not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundView>,
    /// Its disputes, the oldest first. ADMIN only, and not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disputes: Vec<DisputeView>,
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
        let is_open = matches!(payment.status, Status::Pending | Status::Processing);
        let last_error = (is_open && payment.declined > 0).then_some(DECLINED);
        let failure_reason = match payment.status {
            Status::Failed => Some(DECLINED.to_owned()),
            Status::Expired => payment.failure_reason.clone(),
            _ => None,
        };
        Self {
            next_action: payment.next_action.clone(),
            last_error,
            tries_left: payment.tries_left(),
            id: payment.id,
            ticket_id: payment.ticket_id,
            user_id: payment.user_id,
            amount: payment.money.amount,
            currency: payment.money.currency,
            payment_method: payment.method,
            status: payment.status,
            transaction_id: payment.id.transaction(),
            failure_reason,
            refund_reason: payment.refund_reason.clone(),
            refunded_amount: Amount::from_minor(payment.given_back()).ok(),
            disputes: payment.disputes.into_iter().map(DisputeView::from).collect(),
            refunds: payment.refunds.into_iter().map(RefundView::from).collect(),
            payable_until: payment.payable_until,
            version: payment.version,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            deleted_at: payment.deleted_at,
        }
    }
}

/// One giving back of money.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentRefund)]
pub(crate) struct RefundView {
    id: RefundId,
    amount: Amount,
    state: refund::State,
    reason: String,
    /// SAGA: part of a booking's undo. REQUEST: a refund call. EXTERNAL: made at the payment provider.
    refunded_by: RefundedBy,
    /// The author of the request. ADMIN only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    actor: Option<Actor>,
    /// The payment provider's id for it. ADMIN only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider_id: Option<String>,
    /// Why it failed or was called off, in the provider's word. ADMIN only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failure_reason: Option<String>,
    /// How the buyer got the money when the provider could not bring it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    settled_otherwise: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            amount: refund.amount,
            state: refund.state,
            reason: refund.reason,
            refunded_by: refund.by,
            actor: Some(refund.actor),
            provider_id: refund.provider_id.map(|id| id.to_string()),
            failure_reason: refund.failure_reason,
            settled_otherwise: refund.settled_otherwise,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}

/// Money that the buyer's bank has taken back.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentDispute)]
pub(crate) struct DisputeView {
    /// The payment provider's id.
    id: String,
    amount: Amount,
    state: dispute::State,
    /// The buyer's reason, in the provider's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Dispute> for DisputeView {
    fn from(dispute: Dispute) -> Self {
        let Dispute { id, amount, state, reason, created_at, updated_at } = dispute;
        Self { id: id.to_string(), amount, state, reason, created_at, updated_at }
    }
}

impl PaymentView {
    /// The payment as its buyer sees it: without the names of those who worked on it.
    pub(crate) fn for_buyer(mut self) -> Self {
        self.disputes.clear();
        for refund in &mut self.refunds {
            (refund.actor, refund.provider_id, refund.failure_reason) = (None, None, None);
        }
        self
    }

    /// The payment as this caller sees it.
    pub(crate) fn for_caller(payment: Payment, caller: Caller) -> Self {
        let view = Self::from(payment);
        if caller.role == Role::Admin { view } else { view.for_buyer() }
    }
}

/// All that a buyer hears of why a card was declined. The provider's own word would tell somebody who tries out cards which of them live;
/// events and the provider's dashboard have it.
const DECLINED: &str = "declined";

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
        "triesLeft": 5,
        "payableUntil": "2030-06-01T20:10:00.000Z",
        "version": 3,
        "createdAt": "2030-06-01T20:00:01.000Z",
        "updatedAt": "2030-06-01T20:00:09.000Z"
    })
}

/// A page of them.
pub(crate) fn page(page: Page<Payment>) -> Page<PaymentView> {
    let in_a_list = |payment: Payment| PaymentView {
        next_action: None,
        refunds: Vec::new(),
        disputes: Vec::new(),
        ..payment.into()
    };
    page.map(in_a_list)
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

/// The answer to a buyer who has tried to pay: the payment, charged, or waiting for them or the provider to go on.
///
/// # Errors
/// When it was declined, or called off meanwhile.
pub(crate) fn charged(payment: Payment) -> Result<PaymentView, Problem> {
    match payment.status {
        Status::Success | Status::Processing => Ok(PaymentView::from(payment).for_buyer()),
        Status::Pending if payment.failure_reason.as_deref() == Some(NO_SUCH_METHOD) => {
            let detail = "The payment provider knows no such token.";
            Err(Problem::new(Code::ValidationError, detail).at("paymentMethodToken"))
        }
        Status::Pending if payment.failure_reason.as_deref() == Some(METHOD_UNAVAILABLE) => {
            let detail = "This payment method is not accepted here. Pay with another method, such as CREDIT_CARD.";
            Err(Problem::new(Code::PaymentMethodUnavailable, detail).at("paymentMethod"))
        }
        Status::Pending => {
            let (until, left) = (payment.payable_until, payment.tries_left());
            let detail = format!(
                "The payment was declined. The seats are still held until {until}: try another card. \
                 The number of declines after which the booking ends is {left}."
            );
            Err(Problem::new(Code::PaymentDeclined, detail))
        }
        Status::Failed => {
            let detail = "The payment was declined too often. The seats are released; book again to try another way.";
            Err(Problem::new(Code::PaymentDeclined, detail))
        }
        other => Err(Problem::new(Code::PaymentNotPending, format!("{}.", NotPayable::NotPending(other)))),
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::PaymentNotFound, "There is no such payment.")
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

impl From<NotCharged> for Problem {
    fn from(error: NotCharged) -> Self {
        match error {
            NotCharged::Cashier(error) => error.into(),
            NotCharged::Overspent(Overspent::Store(error)) => error.into(),
            NotCharged::Overspent(Overspent::Wait { seconds }) => {
                let detail = format!(
                    "Too many cards were declined. Try again in {seconds} s; the seats stay held for as long as they were."
                );
                Self::new(Code::TooManyDeclines, detail).with_header("retry-after", seconds.to_string())
            }
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
            CashierError::NotPayable(error @ NotPayable::SettlesTooLate(_)) => {
                let detail = format!("{error}. Pay with another method, such as CREDIT_CARD.");
                Self::new(Code::PaymentMethodUnavailable, detail).at("paymentMethod")
            }
            CashierError::NotPayable(error @ NotPayable::NotPending(_)) => {
                Self::new(Code::PaymentNotPending, format!("{error}."))
            }
            CashierError::NotRefundable(NotRefundable::TooMuch(_)) => {
                Self::new(Code::PaymentNotRefundable, format!("{error}.")).at("amount")
            }
            CashierError::NotRefundable(_) | CashierError::RefundFailed(_) => {
                Self::new(Code::PaymentNotRefundable, format!("{error}."))
            }
            CashierError::NotACase(NotACase::NotFound) => Self::new(Code::RefundNotFound, format!("{error}.")),
            CashierError::NotACase(NotACase::NotFailed) => Self::new(Code::RefundNotFailed, format!("{error}.")),
            CashierError::AnotherRefund => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used for a refund of another amount. Use a fresh one for another refund.",
            ),
            CashierError::Gateway(
                GatewayError::Unavailable(cause) | GatewayError::NotReady(cause) | GatewayError::UnderWay(cause),
            ) => {
                tracing::warn!(cause, "payment provider unavailable");
                let detail =
                    "The payment provider does not answer. Try the same call again: it resumes, and charges once.";
                Self::new(Code::ServiceUnavailable, detail)
            }
            CashierError::RefundPending(_) => {
                let detail = "The money is on its way back. The payment is REFUNDED when the provider says so.";
                Self::new(Code::ServiceUnavailable, detail)
            }
            CashierError::Gateway(GatewayError::Misconfigured(cause)) => {
                tracing::error!(cause, "payment provider misconfigured");
                Self::new(Code::InternalError, "Something went wrong on our side. Quote `instance` when you report it.")
            }
            CashierError::Store(error) => error.into(),
        }
    }
}
