//! Keeps the read models from what was written to the event store.
//!
//! | | |
//! |---|---|
//! | trigger | the event store's stream |
//! | reads | the epochs (AP-120), bookings (AP-121) |
//! | writes | bookings and sales (AP-122), the ledger (AP-560), events on sale (AP-123), closed lists (AP-124), progress (AP-125); the dead-letter queue, for what is no event |
//! | safe to repeat | a booking that knows what an event tells does not change, and an entry of the ledger is put once; a failed batch comes again whole |

use crate::{Projector, store_from_env};
use aws_lambda_events::event::dynamodb::Event;
use boxoffice_aws::{DeadLetters, client};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    StepFailure,
    config::{self, ConfigError},
};

/// Where events become read models.
#[derive(Debug, Clone)]
pub struct Projection {
    projector: Projector,
    dead_letters: DeadLetters,
}

impl Projection {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dead_letters = DeadLetters::new(&client::sdk_config(), config::required("DEAD_LETTER_QUEUE_URL")?);
        Ok(Self { projector: Projector::new(store_from_env()?), dead_letters })
    }

    /// Takes a batch of the stream in.
    ///
    /// # Errors
    /// When some of it may not have been taken in: it is to be delivered again.
    pub async fn handle(&self, batch: Event) -> Result<(), StepFailure> {
        let projected = self.projector.project(batch).await.inspect_err(|error| {
            tracing::warn!(function = "project-events", %error, "batch not projected; it comes again");
        })?;
        for (reason, item) in &projected.malformed {
            let buried = self.dead_letters.bury(reason, item).await;
            buried.map_err(|error| StepFailure::Transient(error.to_string()))?;
        }
        let lag_millis = projected.oldest.map(|oldest| Timestamp::now().unix_millis() - oldest.unix_millis());
        let malformed = projected.malformed.len();
        let correlation_ids = projected.correlation_ids.into_iter().collect::<Vec<_>>().join(" ");
        tracing::info!(
            function = "project-events",
            events = projected.events,
            malformed,
            lag_millis,
            correlation_ids,
            "projected"
        );
        Ok(())
    }
}
