//! Access patterns of `reconcile`: counters read as they are, reservations walked, counters corrected.

use super::{
    InventoryStore,
    items::{ON_SALE, RSV, inventory_key},
    read::BY_DATE,
};
use crate::{
    counters::{Counter, Counters, Discrepancy},
    domain::Reservation,
    events::{InventoryReconciled, RequestedBy},
};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use boxoffice_aws::{
    Cursor, Freshness, Item, ListError, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, signed, text},
    batch,
    transaction::{Written, built, read, write},
    walk,
};
use boxoffice_kernel::{Envelope, Fingerprint, InventoryId, Timestamp, Trace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many items of the table a page of a walk goes over: few enough that buyers' reads find room between two pages.
const RESERVATIONS_A_PAGE: i32 = 1000;

/// That a shard is as it was read.
const UNMOVED: &str = "inventoryVersion = :under AND available = :availableSeen AND held = :heldSeen AND sold = :soldSeen \
                       AND reserved = :reservedSeen AND moves = :moves";
/// The same of one whose seats have never moved, and which may not count it yet.
const UNMOVED_EVER: &str = "inventoryVersion = :under AND available = :availableSeen AND held = :heldSeen \
                            AND sold = :soldSeen AND reserved = :reservedSeen \
                            AND (attribute_not_exists(moves) OR moves = :moves)";

/// An event's counters as they were when they were proven.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProofItem {
    inventory_id: InventoryId,
    counters: Fingerprint,
}

const PROOF: &str = "PROOF";

/// In a partition of its own: what lies in an event's partitions is terms and shards.
fn proof_key(id: InventoryId) -> AttributeValue {
    text(format_args!("PROOF#{id}"))
}

impl InventoryStore {
    /// AP-26 get counters: the total and every shard's counters as they are, whatever they are, consistently.
    pub async fn counters(&self, id: InventoryId) -> Result<Option<Counters>, StoreError> {
        let Some((terms, mut shards)) = self.whole::<Counter>(id).await? else { return Ok(None) };
        shards.sort_by_key(|shard| shard.number);
        Ok(Some(Counters {
            inventory_id: id,
            event_name: terms.event_name,
            total: terms.total_seats.get().into(),
            version: terms.version,
            shards,
        }))
    }

    /// AP-27 walk over the reservations that take seats, of all events. A scan, for the scheduled `reconcile` alone.
    pub async fn walk_reservations(
        &self,
        freshness: Freshness,
        cursor: Option<Cursor>,
    ) -> Result<Page<Reservation>, ListError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(freshness.is_consistent())
            .limit(RESERVATIONS_A_PAGE)
            .filter_expression("sk = :sk AND #state IN (:held, :sold)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":sk", text(RSV))
            .expression_attribute_values(":held", text("HELD"))
            .expression_attribute_values(":sold", text("SOLD"));
        let Page { items, next } = walk::page(scan, cursor).await?;
        let items = items.into_iter().map(|item| read("reservation", item)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// AP-383 which events begin after `start` or have begun since, soonest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn beginning_after(
        &self,
        start: Timestamp,
        cursor: Option<Cursor>,
    ) -> Result<Page<InventoryId>, ListError> {
        let query = self
            .client
            .query()
            .index_name("gsi2")
            .key_condition_expression("gsi2pk = :all AND gsi2sk > :start")
            .expression_attribute_values(":all", text(ON_SALE))
            .expression_attribute_values(":start", text(start));
        self.ids(query, &BY_DATE, cursor).await
    }

    /// AP-384 get the proofs of these events' counters (at most 100, each once); those there are.
    ///
    /// # Errors
    /// When the store does.
    pub async fn proofs(&self, events: &[InventoryId]) -> Result<BTreeMap<InventoryId, Fingerprint>, StoreError> {
        let key = |id: &InventoryId| Item::from([("pk".into(), proof_key(*id)), ("sk".into(), text(PROOF))]);
        let keys = events.iter().map(key).collect();
        let found = batch::get(&self.client, &self.table, keys, Freshness::Eventual).await?;
        let proofs = found.into_iter().map(|item| {
            let ProofItem { inventory_id, counters } = read("proof", item)?;
            Ok((inventory_id, counters))
        });
        proofs.collect()
    }

    /// AP-385 prove counters: what the reservations were found to add up to. As long as the counters are these, nothing has moved since.
    ///
    /// # Errors
    /// When the store does.
    pub async fn prove(&self, counters: &Counters) -> Result<(), StoreError> {
        let inventory_id = counters.inventory_id;
        let item = ProofItem { inventory_id, counters: counters.fingerprint() };
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(write(&item, proof_key(inventory_id), PROOF)?)).send().await;
        put.map(|_| ()).map_err(StoreError::from_sdk)
    }

    /// AP-29 reconcile counters: makes them what the reservations add up to, if nothing has moved since both were read. It is a version of
    /// the terms, so that whoever planned on the counters as they were plans again. [`Written::Stale`] when something has moved.
    pub async fn reconcile(
        &self,
        found: &Discrepancy,
        requested_by: &RequestedBy,
        now: Timestamp,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let Counters { inventory_id, event_name, version, shards, .. } = &found.seen;
        let after = version + 1;
        let event = InventoryReconciled {
            inventory_id: *inventory_id,
            event_name: event_name.clone(),
            requested_by: requested_by.clone(),
            before: found.before(),
            after: found.after(),
            shards: found.corrections.iter().map(Into::into).collect(),
        };
        let terms = Update::builder()
            .table_name(&self.table)
            .key("pk", inventory_key(*inventory_id))
            .key("sk", text("TERMS"))
            .update_expression("SET version = :after, updatedAt = :now")
            .condition_expression("version = :before AND attribute_not_exists(deletedAt)")
            .expression_attribute_values(":before", number(*version))
            .expression_attribute_values(":after", number(after))
            .expression_attribute_values(":now", text(now))
            .build();
        let mut transaction = Transaction::new()
            .update((), built(terms)?)
            .put((), self.events.append(&Envelope::new(event, after, now, trace))?);
        for seen in shards {
            let correction = found.corrections.iter().find(|correction| correction.seen.number == seen.number);
            let update = self
                .shard_update(*inventory_id, seen.number)
                .expression_attribute_values(":under", number(seen.inventory_version))
                .expression_attribute_values(":after", number(after));
            let update = match correction {
                // Right as it is: it learns of the new version, and goes on selling meanwhile.
                None => update
                    .update_expression("SET inventoryVersion = :after")
                    .condition_expression("inventoryVersion = :under"),
                Some(correction) => update
                    .update_expression(
                        "SET inventoryVersion = :after, available = :available, held = :held, sold = :sold, \
                         moves = if_not_exists(moves, :none) + :one",
                    )
                    .condition_expression(if seen.moves == 0 { UNMOVED_EVER } else { UNMOVED })
                    .expression_attribute_values(":available", signed(correction.due.available))
                    .expression_attribute_values(":held", signed(correction.due.held))
                    .expression_attribute_values(":sold", signed(correction.due.sold))
                    .expression_attribute_values(":availableSeen", signed(seen.available))
                    .expression_attribute_values(":heldSeen", signed(seen.held))
                    .expression_attribute_values(":soldSeen", signed(seen.sold))
                    .expression_attribute_values(":reservedSeen", signed(seen.reserved))
                    .expression_attribute_values(":moves", number(seen.moves))
                    .expression_attribute_values(":none", number(0_u32))
                    .expression_attribute_values(":one", number(1_u32)),
            };
            transaction = transaction.update((), built(update.build())?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }
}
