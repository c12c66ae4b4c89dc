//! The sender of messages, for any service.

use crate::{content::Composed, domain::Address};
use std::future::Future;

/// Why a message was not handed over, or may not have been. None says to whom it went: all end up in logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// This message to this address will not be taken, however often it is tried.
    #[error("{0}")]
    Refused(String),
    /// It was not taken, and may be taken later.
    #[error("{0}")]
    Unavailable(String),
    /// There is no answer: it may have been taken, or not.
    #[error("{0}")]
    Unanswered(String),
}

/// Hands messages over to what delivers them.
pub trait MessageSender: Send + Sync {
    /// Hands over this message to that address, in one try. Every call that succeeds sends one, and so may one that is [`SendError::Unanswered`].
    fn send(&self, to: Address<'_>, message: &Composed) -> impl Future<Output = Result<(), SendError>> + Send;
}
