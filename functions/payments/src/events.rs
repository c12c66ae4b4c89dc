//! The events of this context. The contracts are `events/Payment*.schema.json`.

use crate::{
    dispute::{self, Dispute},
    domain::{Method, Payment, ProviderDisputeId},
    refund::{self, Refund},
};
use boxoffice_kernel::{Amount, Currency, DomainEvent, PaymentId, RefundId, TicketId, TransactionId, UserId};
use serde::{Deserialize, Serialize};

/// The payment that an event is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    payment_id: PaymentId,
    ticket_id: TicketId,
    user_id: UserId,
    amount: Amount,
    currency: Currency,
    payment_method: Method,
    transaction_id: TransactionId,
}

impl From<&Payment> for Subject {
    fn from(payment: &Payment) -> Self {
        Self {
            payment_id: payment.id,
            ticket_id: payment.ticket_id,
            user_id: payment.user_id,
            amount: payment.money.amount,
            currency: payment.money.currency,
            payment_method: payment.method,
            transaction_id: payment.id.transaction(),
        }
    }
}

macro_rules! about_a_payment {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* }),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The payment.
            #[serde(flatten)]
            pub payment: Subject,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "payments";
            fn aggregate_id(&self) -> String {
                self.payment.payment_id.to_string()
            }
        }
    )+};
}

/// The initiator of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundedBy {
    /// A booking's undo; the saga goes on by itself.
    Saga,
    /// A refund call. When nothing is left of the payment, a saga must take the booking back.
    Request,
    /// Somebody at the payment provider, such as in its dashboard. The booking follows as after a refund call.
    External,
}

/// The dispute that an event is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisputeFacts {
    #[serde(rename = "disputeId")]
    id: ProviderDisputeId,
    #[serde(rename = "disputeAmount")]
    amount: Amount,
    #[serde(rename = "disputeReason")]
    reason: String,
}

impl From<&Dispute> for DisputeFacts {
    fn from(dispute: &Dispute) -> Self {
        let reason = dispute.reason.clone().unwrap_or_else(|| "unknown".into());
        Self { id: dispute.id.clone(), amount: dispute.amount, reason }
    }
}

/// The refund that an event is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundFacts {
    refund_id: RefundId,
    refund_amount: Amount,
    refunded_by: RefundedBy,
}

impl From<&Refund> for RefundFacts {
    fn from(refund: &Refund) -> Self {
        Self { refund_id: refund.id, refund_amount: refund.amount, refunded_by: refund.by }
    }
}

about_a_payment!(
    /// A ticket has a payment to make.
    PaymentInitiated {},
    /// The provider is asked to charge it.
    PaymentProcessing {},
    /// It was charged.
    PaymentCompleted {},
    /// An attempt was declined.
    PaymentFailed {
        /// In the provider's words.
        failure_reason: String,
        /// How many more declines leave the payment open; with none left it has failed.
        tries_left: u32
    },
    /// It will never be charged.
    PaymentExpired {
        /// The reason that it ended.
        failure_reason: String
    },
    /// The provider has taken a refund: the money has left our account, and has not arrived.
    PaymentRefundPending {
        /// The refund.
        #[serde(flatten)]
        refund: RefundFacts,
        /// The reason for the refund.
        refund_reason: String
    },
    /// Some of it was given back.
    PaymentPartlyRefunded {
        /// The refund that did it.
        #[serde(flatten)]
        refund: RefundFacts,
        /// The reason for the refund.
        refund_reason: String,
        /// Where the money came from.
        paid_from: refund::PaidFrom,
        /// How the buyer got the money when the provider could not bring it.
        #[serde(skip_serializing_if = "Option::is_none")]
        settled_otherwise: Option<String>
    },
    /// All of it was given back.
    PaymentRefunded {
        /// The refund that was the last.
        #[serde(flatten)]
        refund: RefundFacts,
        /// The reason for the refund.
        refund_reason: String,
        /// Where the money came from.
        paid_from: refund::PaidFrom,
        /// How the buyer got the money when the provider could not bring it.
        #[serde(skip_serializing_if = "Option::is_none")]
        settled_otherwise: Option<String>
    },
    /// A refund did not arrive: it failed, perhaps days later, or was called off.
    PaymentRefundFailed {
        /// The refund.
        #[serde(flatten)]
        refund: RefundFacts,
        /// FAILED or CANCELED.
        refund_state: refund::State,
        /// In the provider's words.
        failure_reason: String,
        /// Whether the money had left our account, and is in it again.
        came_back: bool
    },
    /// The buyer's bank has taken the money back, and asks why it was charged.
    PaymentDisputed {
        /// The dispute.
        #[serde(flatten)]
        dispute: DisputeFacts
    },
    /// A dispute is decided.
    PaymentDisputeClosed {
        /// The dispute.
        #[serde(flatten)]
        dispute: DisputeFacts,
        /// WON or LOST.
        outcome: dispute::State
    },
    /// It is off the lists; its record stays.
    PaymentDeleted {}
);
