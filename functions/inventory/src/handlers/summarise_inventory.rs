//! Sums up the seats of events whose seats have moved, for lists to show.
//!
//! | | |
//! |---|---|
//! | trigger | the inventory table's stream, of its shards |
//! | reads | the summary and the shards of each event of the batch (AP-541, AP-10) |
//! | writes | the summary (AP-541) |
//! | safe to repeat | the sums are of the shards as they are now, whatever the batch says |

use crate::{InventoryStore, store::event_of_shard};
use aws_lambda_events::event::{
    dynamodb::{Event, EventRecord},
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::stream;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// How many events are summed up at once: each is read over up to four connections.
const AT_ONCE: usize = 8;

/// Keeps the summaries.
#[derive(Debug, Clone)]
pub struct Summariser {
    /// Where the events are.
    pub store: InventoryStore,
}

impl Summariser {
    /// Sums up each event that a batch of the stream is about, once, and says from where the stream is to deliver again.
    pub async fn handle(&self, batch: Event) -> DynamoDbEventResponse {
        let records = batch.records.len();
        let events: Vec<_> = moved(batch.records).into_iter().collect();
        let mut failed = Vec::new();
        for some in events.chunks(AT_ONCE) {
            let outcomes = join_all(some.iter().map(|(id, _)| self.store.summarise(*id))).await;
            for ((id, place), outcome) in some.iter().zip(outcomes) {
                if let Err(error) = outcome {
                    tracing::warn!(inventory_id = %id, %error, "an event is not summed up; its batch comes again");
                    failed.push(place.clone());
                }
            }
        }
        tracing::info!(
            function = "summarise-inventory",
            records,
            events = events.len(),
            failed = failed.len(),
            "summarised"
        );
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .map(|place| {
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = Some(place);
                failure
            })
            .collect();
        response
    }
}

/// The events whose shards these records are about, each with the place of its first record. The stream's filter leaves out the other items of the table, among
/// them the summaries themselves; a platform without filters delivers them, and they are passed over here.
fn moved(records: Vec<EventRecord>) -> BTreeMap<InventoryId, String> {
    let mut events = BTreeMap::new();
    for record in records {
        let event = stream::key(&record, "pk").zip(stream::key(&record, "sk"));
        if let Some(id) = event.and_then(|(pk, sk)| event_of_shard(pk, sk)) {
            events.entry(id).or_insert_with(|| record.change.sequence_number.unwrap_or_default());
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_testing::stream::keyed;

    fn records(keys: &[(String, &str)]) -> Vec<EventRecord> {
        let record = |(place, (pk, sk)): (usize, &(String, &str))| keyed(&place.to_string(), pk, sk);
        keys.iter().enumerate().map(record).map(|record| serde_json::from_value(record).unwrap()).collect()
    }

    #[test]
    fn each_event_of_a_batch_is_summed_up_once_and_named_by_its_first_record() {
        let (one, other) = (InventoryId::generate(), InventoryId::generate());
        let moved = moved(records(&[
            (format!("INV#{one}"), "TERMS"),
            (format!("INV#{one}"), "SHARD#000"),
            (format!("SUM#{one}"), "SUMMARY"),
            (format!("INV#{other}#02"), "SHARD#009"),
            (format!("INV#{one}#01"), "SHARD#004"),
            ("RSV#rsv_1".to_owned(), "RSV"),
        ]));
        assert_eq!(moved, BTreeMap::from([(one, "1".to_owned()), (other, "3".to_owned())]));
    }

    #[test]
    fn a_summary_that_is_written_is_not_summed_up_again() {
        let id = InventoryId::generate();
        assert!(moved(records(&[(format!("SUM#{id}"), "SUMMARY"), (format!("PROOF#{id}"), "PROOF")])).is_empty());
    }
}
