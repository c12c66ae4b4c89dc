//! The tickets context's knowledge of a user: asked for, not read, since its table is its own.

use aws_sdk_lambda::{Client, primitives::Blob};
use boxoffice_aws::StoreError;
use boxoffice_kernel::UserId;
use boxoffice_runtime::config::{self, ConfigError};
use serde::Deserialize;

/// The source of the number of a user's tickets to upcoming events.
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
    pub fn from_env(lambda: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(lambda, config::required("UPCOMING_TICKETS_FUNCTION")?))
    }

    /// The function of this name.
    pub fn new(lambda: Client, name: impl Into<String>) -> Self {
        Self { lambda, name: name.into() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_testing::Listener;
    use serde_json::json;

    #[tokio::test]
    async fn a_user_has_as_many_tickets_as_the_function_says_and_no_answer_is_none() {
        let user = UserId::generate();
        for (reply, expected) in [
            ((200, json!({ "count": 2 })), Some(2)),
            ((200, json!({ "count": 0 })), Some(0)),
            ((200, json!({ "tickets": 2 })), None),
            ((200, json!(null)), None),
            ((400, json!({ "message": "no such function" })), None),
        ] {
            let lambda = Listener::answering(move |_, _| reply.clone());
            let function = TicketsFunction::new(Client::new(&lambda.sdk_config()), "find-upcoming-tickets");
            assert_eq!(function.count(user).await.ok(), expected);
            assert_eq!(lambda.heard(), [("invocations".to_owned(), json!({ "userId": user }))]);
        }
    }
}
