//! Replays stored events onto the bus: by aggregate, by type or by time. Consumers handle each event once, so a replay of one they already
//! handled changes nothing.

use crate::{
    OperationsStore,
    domain::Selector,
    events::{EventsReplayed, stated},
    letters::EventKey,
};
use aws_config::SdkConfig;
use boxoffice_aws::{Cursor, StoreError, client, page::InvalidCursor};
use boxoffice_kernel::{ActId, Operator, Trace};
use boxoffice_platform::{Bus, outbox::Undelivered};

/// Says events again.
#[derive(Debug, Clone)]
pub struct Replayer {
    store: OperationsStore,
    bus: Bus,
}

/// The result of a page.
#[derive(Debug)]
pub struct Replayed {
    /// How many items were read.
    pub read: usize,
    /// How many of them are meant.
    pub matched: usize,
    /// How many of those are on the bus again: none of a dry run.
    pub published: usize,
    /// Where to go on, when there is more.
    pub next: Option<Cursor>,
}

/// Why a page came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The cursor is not of this selector.
    #[error(transparent)]
    Cursor(#[from] InvalidCursor),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Replayer {
    /// From the store to the bus.
    pub fn new(store: OperationsStore, bus: Bus) -> Self {
        Self { store, bus }
    }

    /// Between the table and the bus that this source of variables names.
    ///
    /// # Errors
    /// Those of the source.
    pub fn from_source<E>(sdk: &SdkConfig, source: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let store = OperationsStore::new(client::dynamodb(sdk), source("EVENTS_TABLE")?);
        Ok(Self::new(store, Bus::new(sdk, source("EVENT_BUS")?)))
    }

    /// Counts what a page of what is meant holds, and changes nothing.
    ///
    /// # Errors
    /// When the cursor is not of this selector, or the store fails.
    pub async fn rehearse(&self, meant: &Selector, most: usize, next: Option<Cursor>) -> Result<Replayed, ReplayError> {
        let reading = self.store.read(meant, most, position(meant, next)?).await?;
        let next = reading.after.as_ref().map(|after| Cursor::after(&list(meant), &after.to_string()));
        Ok(Replayed { read: reading.read, matched: reading.events.len(), published: 0, next })
    }

    /// Puts a page of what is meant on the bus again, and records that.
    ///
    /// # Errors
    /// When the cursor is not of this selector, the store fails, or the bus does not take all of it: then the same page is to be tried again.
    pub async fn replay(
        &self,
        meant: &Selector,
        most: usize,
        next: Option<Cursor>,
        requested_by: Operator,
        trace: &Trace,
    ) -> Result<Replayed, ReplayError> {
        let reading = self.store.read(meant, most, position(meant, next)?).await?;
        let (matched, mut undelivered) = (reading.events.len(), Undelivered::default());
        self.bus.publish(reading.events, &mut undelivered).await;
        let left = undelivered.sequence_numbers().len();
        let published = matched.saturating_sub(left);
        if published > 0 {
            let act = EventsReplayed { act_id: ActId::generate(), requested_by, selector: meant.clone(), published };
            self.store.record(&stated(act, trace)).await?;
        }
        tracing::info!(read = reading.read, matched, published, correlation_id = %trace.correlation_id, "replayed");
        if left > 0 {
            return Err(StoreError::Unavailable(format!("the bus did not take {left} of {matched} events")).into());
        }
        let next = reading.after.as_ref().map(|after| Cursor::after(&list(meant), &after.to_string()));
        Ok(Replayed { read: reading.read, matched, published, next })
    }
}

/// The selector that a cursor is bound to.
fn list(meant: &Selector) -> String {
    format!("REPLAY#{}", serde_json::to_string(meant).unwrap_or_default())
}

fn position(meant: &Selector, cursor: Option<Cursor>) -> Result<Option<EventKey>, InvalidCursor> {
    let Some(cursor) = cursor else { return Ok(None) };
    let after = EventKey::parse(&cursor.position(&list(meant))?).ok_or(InvalidCursor)?;
    let of_it = meant.aggregate_id.as_ref().is_none_or(|id| id.as_str() == after.aggregate_id);
    of_it.then_some(Some(after)).ok_or(InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_what_it_was_given_for_and_nowhere_else() {
        let of = |name: &str| Selector { aggregate_id: None, event_type: name.parse().ok(), from: None, to: None };
        let (created, deleted) = (of("TicketCreated"), of("TicketDeleted"));
        let cursor = Cursor::after(&list(&created), "tkt_1/3");
        assert_eq!(position(&created, Some(cursor.clone())), Ok(EventKey::parse("tkt_1/3")));
        assert_eq!(position(&deleted, Some(cursor)), Err(InvalidCursor));
        assert_eq!(position(&created, None), Ok(None));
        let nowhere = Cursor::after(&list(&created), "tkt_1");
        assert_eq!(position(&created, Some(nowhere)), Err(InvalidCursor));
    }
}
