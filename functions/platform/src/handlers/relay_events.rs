//! Puts what was written to the event store on the bus.
//!
//! | | |
//! |---|---|
//! | trigger | the event store's stream |
//! | writes | the bus; the dead-letter queue, for an item that is no event; metrics |
//! | safe to repeat | consumers handle an event once; the bus may carry it twice |

use crate::{
    bus::Bus,
    outbox::{Undelivered, read},
    tally::Tally,
};
use aws_lambda_events::event::{
    dynamodb::Event,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use boxoffice_aws::{DeadLetters, client};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Metrics,
    config::{self, ConfigError},
    metrics::Metric,
    stream::Record,
};
use std::time::Duration;

/// Where events go.
#[derive(Debug, Clone)]
pub struct Relay {
    bus: Bus,
    dead_letters: DeadLetters,
    metrics: Metrics,
}

impl Relay {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        Ok(Self {
            bus: Bus::new(&sdk, config::required("EVENT_BUS")?),
            dead_letters: DeadLetters::new(&sdk, config::required("DEAD_LETTER_QUEUE_URL")?),
            metrics: Metrics::from_env()?,
        })
    }

    /// Sends a batch of the stream on, and says which of it to deliver again.
    pub async fn relay(&self, batch: Event) -> DynamoDbEventResponse {
        let mut events = Vec::new();
        let mut undelivered = Undelivered::default();
        let mut tally = Tally::default();
        for record in batch.records {
            match read(record) {
                Record::Event(event) => {
                    tally.note(&event);
                    events.push(event);
                }
                Record::Ignored => {}
                Record::Malformed { sequence_number, reason, item } => {
                    tally.note_record(&sequence_number);
                    if let Err(error) = self.dead_letters.bury(&reason, &item).await {
                        tracing::error!(%error, reason, "an item of the event store is no event, and cannot be put aside");
                        undelivered.note_record(sequence_number);
                    }
                }
            }
        }
        let (count, oldest) = (events.len(), events.iter().map(|event| event.occurred_at).min());
        self.bus.publish(events, &mut undelivered).await;
        let failures = undelivered.sequence_numbers();
        let lag_millis = oldest.map(|oldest| Timestamp::now().unix_millis() - oldest.unix_millis());
        if let Some(lag) = lag_millis.and_then(|lag| u64::try_from(lag).ok()) {
            self.metrics.write(&[Metric::time("OutboxLag", Duration::from_millis(lag))]);
        }
        tally.write(&self.metrics, &failures);
        tracing::info!(function = "relay-events", events = count, undelivered = failures.len(), lag_millis, "relayed");
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failures
            .into_iter()
            .map(|sequence_number| {
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = Some(sequence_number);
                failure
            })
            .collect();
        response
    }
}
