//! The queue of messages to send, as Lambda hands it over.
//!
//! A message that is not out of it yet is reported as failed, and comes again when the queue shows it again: the function says when, by
//! `ChangeMessageVisibility`. Where that call fails, it is after the queue's own visibility timeout.

use crate::patience::Tried;
use aws_config::SdkConfig;
use aws_sdk_sqs::error::DisplayErrorContext;
use boxoffice_aws::{DeadLetters, dead_letters::NotBuried};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Event, StepFailure,
    config::{self, ConfigError},
    event::Delivered,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The batch that Lambda hands over (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// Its messages.
    #[serde(rename = "Records")]
    pub letters: Vec<Letter>,
}

/// A message of the queue: an event, as a rule of the bus put it there.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The queue's own id of it.
    pub message_id: String,
    /// Names this receipt of it.
    pub receipt_handle: String,
    /// The event, as JSON.
    pub body: String,
    attributes: Attributes,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: String,
    /// In milliseconds since 1970.
    sent_timestamp: String,
}

impl Letter {
    /// The event.
    ///
    /// # Errors
    /// [`StepFailure::Defect`] when it is none.
    pub fn event(&self) -> Result<Event, StepFailure> {
        serde_json::from_str::<Delivered>(&self.body)
            .map(|delivered| delivered.detail)
            .map_err(|error| StepFailure::Defect(format!("a message of the queue is no event: {error}")))
    }

    /// The tries so far.
    pub fn tried(&self, now: Timestamp) -> Tried {
        let sent: i64 = self.attributes.sent_timestamp.parse().unwrap_or_else(|_| now.unix_millis());
        Tried {
            times: self.attributes.approximate_receive_count.parse().unwrap_or(1),
            seconds: now.unix_millis().saturating_sub(sent) / 1000,
        }
    }

    /// The copy in the dead-letter queue: the event as the event store has it, or the message as it is.
    fn item(&self) -> String {
        let body: Option<Value> = serde_json::from_str(&self.body).ok();
        let detail = body.as_ref().and_then(|body| body.get("detail")).map(Value::to_string);
        detail.unwrap_or_else(|| self.body.clone())
    }
}

/// The messages that stay in the queue.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    /// The notification.
    pub batch_item_failures: Vec<Failure>,
}

/// A message that stays in the queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its id.
    pub item_identifier: String,
}

/// The queue, and where it leads for what cannot be sent.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
    dead_letters: DeadLetters,
}

impl Queue {
    /// These queues.
    pub fn new(sdk: &SdkConfig, url: impl Into<String>, dead_letters: impl Into<String>) -> Self {
        let dead_letters = DeadLetters::new(sdk, dead_letters);
        Self { client: aws_sdk_sqs::Client::new(sdk), url: url.into(), dead_letters }
    }

    /// Those that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let dead_letters = config::required("NOTIFICATION_DEAD_LETTER_QUEUE_URL")?;
        Ok(Self::new(sdk, config::required("NOTIFICATION_QUEUE_URL")?, dead_letters))
    }

    /// Keeps a message out of sight for so many seconds.
    pub async fn hide(&self, letter: &Letter, seconds: u32) {
        let change =
            self.client.change_message_visibility().queue_url(&self.url).receipt_handle(&letter.receipt_handle);
        let changed = change.visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX)).send().await;
        if let Err(error) = changed {
            let error = DisplayErrorContext(error).to_string();
            tracing::warn!(error, "a message of the queue shows again at its own time");
        }
    }

    /// Puts a message aside for an operator, with the reason.
    ///
    /// # Errors
    /// When the dead-letter queue did not take it: then it must stay.
    pub async fn bury(&self, letter: &Letter, reason: &str) -> Result<(), NotBuried> {
        self.dead_letters.bury(reason, &letter.item()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn letter(body: &str) -> Letter {
        let record = json!({
            "messageId": "m-1", "receiptHandle": "r-1", "body": body, "awsRegion": "eu-central-1",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1906574400000", "SenderId": "A" },
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:::q"
        });
        let mut batch: Batch = serde_json::from_value(json!({ "Records": [record] })).unwrap();
        batch.letters.remove(0)
    }

    #[test]
    fn a_message_says_how_often_and_for_how_long_it_was_tried() {
        let now = "2030-06-01T20:01:30.5Z".parse().unwrap();
        assert_eq!(letter("{}").tried(now), Tried { times: 3, seconds: 90 });
    }

    #[test]
    fn a_message_that_is_no_event_is_a_defect_and_is_kept_as_it_is() {
        let letter = letter("not JSON");
        assert!(matches!(letter.event(), Err(StepFailure::Defect(_))));
        assert_eq!(letter.item(), "not JSON");
    }

    #[test]
    fn a_dead_letter_holds_the_event_as_the_event_store_has_it() {
        let detail: Value = serde_json::from_str(include_str!("../../../events/TicketConfirmed.sample.json")).unwrap();
        let letter = letter(&json!({ "version": "0", "source": "boxoffice.tickets", "detail": detail }).to_string());
        assert_eq!(letter.event().unwrap().kind(), "TicketConfirmed");
        assert_eq!(serde_json::from_str::<Value>(&letter.item()).unwrap(), detail);
    }
}
