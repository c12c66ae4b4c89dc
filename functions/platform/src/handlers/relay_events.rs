//! Puts what was written to the event store on the bus.
//!
//! | | |
//! |---|---|
//! | trigger | the event store's stream |
//! | writes | the bus; the dead-letter queue, for an item that is no event |
//! | safe to repeat | consumers handle an event once; the bus may carry it twice |

use crate::outbox::{Undelivered, batches, read, waves};
use aws_lambda_events::event::{
    dynamodb::Event,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use boxoffice_aws::{DeadLetters, client};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    config::{self, ConfigError},
    stream::{Record, StoredEvent},
};

/// Where events go.
#[derive(Debug, Clone)]
pub struct Relay {
    bus: aws_sdk_eventbridge::Client,
    bus_name: String,
    dead_letters: DeadLetters,
}

impl Relay {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        Ok(Self {
            bus: aws_sdk_eventbridge::Client::new(&sdk),
            bus_name: config::required("EVENT_BUS")?,
            dead_letters: DeadLetters::new(&sdk, config::required("DEAD_LETTER_QUEUE_URL")?),
        })
    }

    /// Sends a batch of the stream on, and says which of it to deliver again.
    pub async fn relay(&self, batch: Event) -> DynamoDbEventResponse {
        let mut events = Vec::new();
        let mut undelivered = Undelivered::default();
        for record in batch.records {
            match read(record) {
                Record::Event(event) => events.push(event),
                Record::Ignored => {}
                Record::Malformed { sequence_number, reason, item } => {
                    if let Err(error) = self.dead_letters.bury(&reason, &item).await {
                        tracing::error!(%error, reason, "an item of the event store is no event, and cannot be put aside");
                        undelivered.note_record(sequence_number);
                    }
                }
            }
        }
        let (count, oldest) = (events.len(), events.iter().map(|event| event.occurred_at).min());
        for wave in waves(events) {
            let (blocked, ready): (Vec<_>, Vec<_>) = wave.into_iter().partition(|event| undelivered.blocks(event));
            for event in blocked {
                undelivered.note(event);
            }
            for batch in batches(ready) {
                self.put(batch, &mut undelivered).await;
            }
        }
        let failures = undelivered.sequence_numbers();
        let lag_millis = oldest.map(|oldest| Timestamp::now().unix_millis() - oldest.unix_millis());
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

    async fn put(&self, batch: Vec<StoredEvent>, undelivered: &mut Undelivered) {
        let entries = batch.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.bus_name)
                .source(&event.source)
                .detail_type(&event.event_type)
                .detail(&event.detail)
                .build()
        });
        match self.bus.put_events().set_entries(Some(entries.collect())).send().await {
            Ok(answer) => {
                let mut results = answer.entries.unwrap_or_default().into_iter();
                for event in batch {
                    match results.next() {
                        Some(result) if result.error_code.is_none() => {}
                        refusal => {
                            let error = refusal.and_then(|refusal| refusal.error_code);
                            tracing::warn!(
                                error,
                                event_type = event.event_type,
                                correlation_id = event.correlation_id,
                                "event refused"
                            );
                            undelivered.note(event);
                        }
                    }
                }
            }
            Err(error) => {
                let error = aws_sdk_eventbridge::error::DisplayErrorContext(error);
                tracing::warn!(%error, events = batch.len(), "bus unavailable");
                for event in batch {
                    undelivered.note(event);
                }
            }
        }
    }
}
