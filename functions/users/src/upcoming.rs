//! What the tickets context knows of a user: asked for, not read, since its table is its own.

use aws_sdk_lambda::{Client, primitives::Blob};
use boxoffice_aws::StoreError;
use boxoffice_kernel::UserId;
use boxoffice_runtime::config::{self, ConfigError};
use serde::Deserialize;

/// Whoever knows how many tickets a user has to events that are still to come.
pub trait UpcomingTickets {
    /// How many, paid or still to be paid.
    ///
    /// # Errors
    /// When there is no answer.
    fn count(&self, user: UserId) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The tickets context's function `find-upcoming-tickets`.
#[derive(Debug, Clone)]
pub struct TicketsFunction {
    lambda: Client,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Found {
    count: u64,
}

impl TicketsFunction {
    /// The function that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(lambda: Client) -> Result<Self, ConfigError> {
        Ok(Self { lambda, name: config::required("UPCOMING_TICKETS_FUNCTION")? })
    }
}

impl UpcomingTickets for TicketsFunction {
    async fn count(&self, user: UserId) -> Result<u64, StoreError> {
        let question = serde_json::json!({ "userId": user }).to_string();
        let call = self.lambda.invoke().function_name(&self.name).payload(Blob::new(question));
        let answer = call.send().await.map_err(StoreError::from_sdk)?;
        if let Some(error) = answer.function_error {
            return Err(StoreError::Unavailable(format!("{} failed: {error}", self.name)));
        }
        let found = answer.payload.map(Blob::into_inner).unwrap_or_default();
        serde_json::from_slice::<Found>(&found)
            .map(|found| found.count)
            .map_err(|error| StoreError::malformed("answer of find-upcoming-tickets", error))
    }
}
