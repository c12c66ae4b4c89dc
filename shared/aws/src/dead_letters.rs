//! Where what can never be handled is kept for an operator, with the reason.

use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, error::DisplayErrorContext};

/// A dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    queue_url: String,
}

/// The queue did not take it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the dead-letter queue is unavailable: {0}")]
pub struct NotBuried(String);

impl DeadLetters {
    /// The queue at this URL.
    pub fn new(sdk: &SdkConfig, queue_url: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), queue_url: queue_url.into() }
    }

    /// Keeps an item that cannot be handled, with the reason, and says so in the log. An event is kept as the event store has it.
    ///
    /// # Errors
    /// When the queue did not take it: then it must be delivered again, or it would be lost.
    pub async fn bury(&self, reason: &str, item: &str) -> Result<(), NotBuried> {
        let body = serde_json::json!({ "reason": reason, "item": item }).to_string();
        let sent = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        sent.map_err(|error| NotBuried(DisplayErrorContext(error).to_string()))?;
        tracing::error!(reason, "put aside in the dead-letter queue");
        Ok(())
    }
}
