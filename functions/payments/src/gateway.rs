//! The operations of a payment provider, whichever it is.
//!
//! Money moves in two steps, so that its movement is never in doubt for want of a name: an *intent* is opened (no money moves) and its id
//! recorded; then it is confirmed (money moves). A later step that needs the payment's outcome asks about the intent, or cancels
//! it, and the provider decides between that and a confirmation still under way.
//!
//! Every answer here says how things are at the provider now. None is the echo of an earlier answer, which may have been overtaken.

use crate::{
    dispute,
    domain::{IntentId, MethodToken, NextAction, Payment, ProviderEventId, ProviderLineId},
    refund::{self, Refund},
    statement::Statement,
};
use boxoffice_kernel::{PaymentId, Timestamp};
use std::future::Future;

/// Where the charge of an intent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// The money is ours.
    Succeeded,
    /// No money moved. The intent is still open: it must be cancelled, or it could be paid with something else.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
    /// The intent was cancelled before it could be confirmed.
    Cancelled,
    /// The buyer has to do something first.
    NeedsAction(NextAction),
    /// Asked for, and not decided yet: the provider will know later.
    UnderWay,
    /// Nobody has confirmed the intent.
    Unconfirmed,
}

/// An intent as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The payment that it was opened for, by the name that we gave it; none when it is not ours.
    pub payment: Option<PaymentId>,
    /// Where its charge is.
    pub charge: Charge,
}

/// Why an intent is cancelled. The provider keeps it, and gives it back: a cancelled intent tells what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalledOff {
    /// The payment goes on with another attempt. To whoever asks about it later, it was declined.
    Attempt,
    /// The payment has come to its end.
    Payment,
}

/// The result of an attempt to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The intent can no longer be confirmed.
    Cancelled,
    /// Too late: it was confirmed, and the money is ours.
    AlreadySucceeded,
}

/// The result of opening an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Intent(IntentId),
    /// The provider will not take this payment method.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
    /// The provider knows no such payment method: the token is mistyped, or another account's.
    NoSuchMethod,
    /// The account has not activated the payment method: the buyer can choose another, and the operator can activate it.
    MethodUnavailable,
}

/// The result of asking for a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// It is made, and is where this says.
    Refund(refund::Seen),
    /// So much is not left: somebody else was faster.
    TooMuch,
    /// The provider will not make it now.
    Refused {
        /// The provider's word for why.
        reason: String,
    },
}

/// The money that has left the account again for an intent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Every refund, whoever made it.
    pub refunds: Vec<refund::Seen>,
    /// Every dispute that moved money.
    pub disputes: Vec<dispute::Seen>,
}

impl Moved {
    /// How much has left, in minor units.
    pub fn left(&self) -> i64 {
        let refunds =
            self.refunds.iter().filter(|it| matches!(it.state, refund::State::Pending | refund::State::Succeeded));
        let disputes = self.disputes.iter().filter(|it| it.state != dispute::State::Won);
        let minor: u64 = refunds.map(|it| it.amount.minor()).chain(disputes.map(|it| it.amount.minor())).sum();
        i64::try_from(minor).unwrap_or(i64::MAX)
    }
}

/// A page of the provider's record of money that left again, or came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The intents whose money moved, each once. Refunds of ours that went well are left out: we know of them.
    pub intents: Vec<IntentId>,
    /// The entry after which the next page begins.
    pub next: Option<ProviderEventId>,
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
    /// Somebody else is making the very same request at this moment. Its outcome is soon known, and asking again now would only meet it again.
    #[error("the payment provider is at work on the same request: {0}")]
    UnderWay(String),
    /// The request or our credentials are wrong: repeating does not help, and the buyer is not to blame.
    #[error("the payment provider refuses our requests: {0}")]
    Misconfigured(String),
}

/// A payment provider. Every call may be repeated and acts once for each attempt at a payment.
pub trait PaymentGateway: Send + Sync {
    /// Opens an intent to charge this attempt at the payment to that method. Moves no money.
    fn open(&self, payment: &Payment, token: &MethodToken)
    -> impl Future<Output = Result<Opened, GatewayError>> + Send;

    /// Confirms the attempt's intent: the moment money moves.
    fn confirm(
        &self,
        payment: &Payment,
        intent: &IntentId,
    ) -> impl Future<Output = Result<Charge, GatewayError>> + Send;

    /// Looks at an intent; nothing when there is none of this name in our account.
    fn look(&self, intent: &IntentId) -> impl Future<Output = Result<Option<Seen>, GatewayError>> + Send;

    /// Makes sure the intent will not be confirmed, or learns that it was.
    fn cancel(
        &self,
        intent: &IntentId,
        called_off: CalledOff,
    ) -> impl Future<Output = Result<Cancellation, GatewayError>> + Send;

    /// Looks at all the money that has left again for an intent.
    fn moved(&self, intent: &IntentId) -> impl Future<Output = Result<Moved, GatewayError>> + Send;

    /// Reads a page of the record of money that left again since then, or came back: the newest first, from after that entry.
    fn record(
        &self,
        since: Timestamp,
        after: Option<&ProviderEventId>,
    ) -> impl Future<Output = Result<Record, GatewayError>> + Send;

    /// Reads a page of the account's statement of a period, whose end is the first instant after it: the newest first, from after that line.
    fn statement(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<&ProviderLineId>,
    ) -> impl Future<Output = Result<Statement, GatewayError>> + Send;

    /// Makes this refund, once for each attempt at it.
    fn refund(
        &self,
        payment: &Payment,
        intent: &IntentId,
        refund: &Refund,
    ) -> impl Future<Output = Result<Returned, GatewayError>> + Send;
}
