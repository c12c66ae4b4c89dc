//! Where what was found is said, and who goes on when time is up.

use crate::{
    handlers::reconcile::Place,
    reconciler::{Found, Outcome, Run, Scope},
};
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use boxoffice_aws::StoreError;
use boxoffice_kernel::Timestamp;
use serde_json::json;

/// The queue of what is left to people.
#[derive(Debug, Clone)]
pub struct Findings {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Findings {
    /// The queue at this URL.
    pub fn new(client: aws_sdk_sqs::Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }

    /// Says what was found: in the log, and, unless it was repaired, to whoever reads the queue.
    ///
    /// # Errors
    /// When the queue does not take it: then the run must fail, or nobody would hear of it.
    pub async fn say(&self, found: &Found, run: &Run) -> Result<(), StoreError> {
        let finding = json!(found).to_string();
        let correlation_id = &run.trace.correlation_id;
        if found.outcome == Outcome::Repaired {
            tracing::warn!(finding, %correlation_id, "a violation was found and repaired");
            return Ok(());
        }
        tracing::error!(finding, %correlation_id, "a violation was found and is left");
        let message = json!({
            "finding": found,
            "whatToDo": found.violation.advice(),
            "foundAt": Timestamp::now(),
            "requestedBy": run.requested_by,
            "correlationId": correlation_id,
        });
        let message = self.client.send_message().queue_url(&self.queue_url).message_body(message.to_string());
        message.send().await.map(|_| ()).map_err(StoreError::from_sdk)
    }
}

/// This very function, to be run again from where it stopped.
#[derive(Debug, Clone)]
pub struct Successor {
    client: aws_sdk_lambda::Client,
    function: String,
}

impl Successor {
    /// The function of this name.
    pub fn new(client: aws_sdk_lambda::Client, function: impl Into<String>) -> Self {
        Self { client, function: function.into() }
    }

    /// Has it go on from here.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn go_on(&self, scope: Scope, next: &Place, run: &Run) -> Result<(), StoreError> {
        let request = json!({ "requestedBy": run.requested_by, "scope": scope, "next": next }).to_string();
        let invoke = self.client.invoke().function_name(&self.function).invocation_type(InvocationType::Event);
        invoke.payload(Blob::new(request)).send().await.map(|_| ()).map_err(StoreError::from_sdk)
    }
}
