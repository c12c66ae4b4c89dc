//! The event bus, for the two that put stored events on it: the relay and an operator's replay.

use crate::outbox::{Undelivered, batches, waves};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::{Client, error::DisplayErrorContext, types::PutEventsRequestEntry};
use boxoffice_runtime::stream::StoredEvent;

/// The application's event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// The bus of this name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), name: name.into() }
    }

    /// Puts these events on the bus, an aggregate's in their order, and notes what does not get there. An event waits when an earlier one
    /// of its aggregate does.
    pub async fn publish(&self, events: Vec<StoredEvent>, undelivered: &mut Undelivered) {
        for wave in waves(events) {
            let (blocked, ready): (Vec<_>, Vec<_>) = wave.into_iter().partition(|event| undelivered.blocks(event));
            for event in blocked {
                undelivered.note(event);
            }
            for batch in batches(ready) {
                self.put(batch, undelivered).await;
            }
        }
    }

    async fn put(&self, batch: Vec<StoredEvent>, undelivered: &mut Undelivered) {
        let entries = batch.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(&event.source)
                .detail_type(&event.event_type)
                .detail(&event.detail)
                .build()
        });
        match self.client.put_events().set_entries(Some(entries.collect())).send().await {
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
                let error = DisplayErrorContext(error);
                tracing::warn!(%error, events = batch.len(), "bus unavailable");
                for event in batch {
                    undelivered.note(event);
                }
            }
        }
    }
}
