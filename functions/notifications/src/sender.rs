//! What sends a message, whoever it is.

use crate::{content::Composed, domain::Address};
use std::future::Future;

/// Why a message was not handed over. Neither says to whom it went: both end up in logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// This message to this address will not be taken, however often it is tried.
    #[error("{0}")]
    Refused(String),
    /// It may be taken later.
    #[error("{0}")]
    Unavailable(String),
}

/// Hands messages over to what delivers them.
pub trait MessageSender: Send + Sync {
    /// Hands over this message to that address. Every call that succeeds sends one: who must not send twice must know whether they have.
    fn send(&self, to: Address<'_>, message: &Composed) -> impl Future<Output = Result<(), SendError>> + Send;
}
