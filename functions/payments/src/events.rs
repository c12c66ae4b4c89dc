//! What this context states on the bus. The contracts are `events/Payment*.schema.json`.

use crate::domain::{Method, Payment};
use boxoffice_kernel::{Amount, Currency, DomainEvent, PaymentId, TicketId, TransactionId, UserId};
use serde::Serialize;

/// Which payment an event is about.
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
            /// Which payment.
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

/// On whose word a payment was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundedBy {
    /// A booking's undo; the saga goes on by itself.
    Saga,
    /// A refund call; a saga must now take the booking back.
    Request,
}

about_a_payment!(
    /// A ticket has a payment to make.
    PaymentInitiated {},
    /// The provider is asked to charge it.
    PaymentProcessing {},
    /// It was charged.
    PaymentCompleted {},
    /// It was declined.
    PaymentFailed {
        /// In the provider's words.
        failure_reason: String
    },
    /// It will never be charged.
    PaymentExpired {
        /// What ended it.
        failure_reason: String
    },
    /// It was given back.
    PaymentRefunded {
        /// Why.
        refund_reason: String,
        /// On whose word.
        refunded_by: RefundedBy
    },
    /// It is off the lists; its record stays.
    PaymentDeleted {}
);
