//! What a payment provider can do, whoever it is.
//!
//! Money moves in two steps, so that its movement is never in doubt for want of a name: an *intent* is opened (no money moves) and its id
//! recorded; then it is confirmed (money moves). Whoever later has to know what became of a payment asks about the intent, or cancels
//! it, and the provider decides between that and a confirmation still under way.

use crate::domain::{IntentId, MethodToken, Payment};
use std::future::Future;

/// What a confirmation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// The money is ours.
    Succeeded,
    /// No money moved, and none will.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
    /// The intent was cancelled before it could be confirmed.
    Cancelled,
}

/// What an attempt to cancel came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The intent can no longer be confirmed.
    Cancelled,
    /// Too late: it was confirmed, and the money is ours.
    AlreadySucceeded,
}

/// What opening an intent came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Intent(IntentId),
    /// The provider will not take this payment method.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
}

/// Why a provider did not do what was asked. A decline is not among these: it is an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No answer, or one that says to try again. Money may have moved; the same request, repeated, moves it no further.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// It answers, but not yet about this: it is still working on an earlier request, or wants fewer of them. To be repeated like
    /// an outage, and not to be taken for one.
    #[error("the payment provider is not ready: {0}")]
    NotReady(String),
    /// The request or our credentials are wrong: repeating does not help.
    #[error("the payment provider refuses our requests: {0}")]
    Misconfigured(String),
}

/// A payment provider. Every call may be repeated and acts once for each payment.
pub trait PaymentGateway: Send + Sync {
    /// Opens an intent to charge this payment to that method. Moves no money.
    fn open(&self, payment: &Payment, token: &MethodToken)
    -> impl Future<Output = Result<Opened, GatewayError>> + Send;

    /// Confirms the payment's intent: the moment money moves.
    fn confirm(
        &self,
        payment: &Payment,
        intent: &IntentId,
    ) -> impl Future<Output = Result<Charge, GatewayError>> + Send;

    /// Makes sure the intent will not be confirmed, or learns that it was.
    fn cancel(&self, intent: &IntentId) -> impl Future<Output = Result<Cancellation, GatewayError>> + Send;

    /// Gives the whole payment back.
    fn refund(&self, payment: &Payment, intent: &IntentId) -> impl Future<Output = Result<(), GatewayError>> + Send;
}
