//! Errors between a function and its store.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use std::error::Error;

/// A store that did not do what was asked. A refused condition is not among these: it is an answer, with a type of its own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Throttled, timed out, unreachable or colliding: the same call may succeed later, and is safe to repeat.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A request AWS will never accept, or an item that is not what its writer promised: a bug, or a wrong deployment.
    #[error("the store cannot be used: {0}")]
    Broken(String),
}

impl StoreError {
    /// Sorts what an SDK call failed with into worth repeating and not.
    pub fn from_sdk<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        /// Error codes that mean the caller, the deployment or the permissions are wrong, not the moment.
        const FINAL: [&str; 7] = [
            "ValidationException",
            "ResourceNotFoundException",
            "ParameterNotFound",
            "AccessDeniedException",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "SerializationException",
        ];
        let is_final = match &error {
            SdkError::ConstructionFailure(_) => true,
            SdkError::ServiceError(service) => service.err().code().is_some_and(|code| FINAL.contains(&code)),
            _ => false,
        };
        let description = DisplayErrorContext(error).to_string();
        if is_final { Self::Broken(description) } else { Self::Unavailable(description) }
    }

    /// An item that does not read as what its key says it is.
    pub fn malformed(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Broken(format!("malformed {what}: {why}"))
    }
}
