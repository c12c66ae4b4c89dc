//! Cancelling an event, and how far the walk over its bookings is.

use super::{
    InventoryStore,
    items::{CANCELLATION, TermsItem, cancellation_key},
};
use crate::{
    cancellation::Cancellation,
    domain::Inventory,
    events::{CancellationStarted, InventoryCancelled},
};
use aws_sdk_dynamodb::types::Put;
use boxoffice_aws::{
    StoreError, Transaction, Uncommitted,
    attribute::number,
    transaction::{self, Attempt, Written, built, read, until_current, write},
};
use boxoffice_kernel::{Envelope, InventoryId, Reason, Timestamp, Trace, UserId};

/// Why an event was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InventoryStore {
    /// AP-470 cancel event: the mark on the terms, the new version on every shard, and the walk's first run, all or nothing. A hold that was planned before is
    /// refused by its shard's version, so a booking is either written before, and then walked over, or refused. An event that is cancelled already gets a new
    /// run of its walk, unless that ended without a case.
    ///
    /// # Errors
    /// When there is no such event, or the store fails.
    pub async fn cancel(
        &self,
        id: InventoryId,
        reason: &Reason,
        by: UserId,
        trace: &Trace,
    ) -> Result<Cancellation, CancelError> {
        until_current(|| async {
            let now = Timestamp::now();
            if let Some(seen) = self.cancellation(id).await? {
                let Some(resumed) = seen.resume(now) else { return Ok(Attempt::Done(seen)) };
                let written = self.save_cancellation(&seen, &resumed, trace).await?;
                return Ok(Attempt::when(written, resumed));
            }
            let inventory = self.get(id).await?.ok_or(CancelError::NotFound)?;
            let cancelled = inventory.cancel(now);
            let walk = Cancellation::request(&cancelled, reason.clone(), by, now);
            let written = self.write_cancellation(&inventory, &cancelled, &walk, trace).await;
            Ok(Attempt::when(written.or_else(Uncommitted::into_stale)?, walk))
        })
        .await
    }

    async fn write_cancellation(
        &self,
        old: &Inventory,
        new: &Inventory,
        walk: &Cancellation,
        trace: &Trace,
    ) -> Result<Written, Uncommitted<()>> {
        let event = Envelope::new(InventoryCancelled::of(new, walk), new.version, new.updated_at, trace);
        let terms = Put::builder()
            .table_name(&self.table)
            .set_item(Some(TermsItem::from(new).into_item()?))
            .condition_expression("version = :old AND attribute_not_exists(deletedAt)")
            .expression_attribute_values(":old", number(old.version))
            .build();
        let record = write(walk, cancellation_key(walk.inventory_id), CANCELLATION)?;
        let mut transaction = Transaction::new()
            .put((), built(terms)?)
            .put((), self.events.append(&event)?)
            .put((), self.put_new(record)?)
            .put((), self.events.append(&started(walk, trace))?);
        for shard in &old.shards {
            let update = self
                .shard_update(new.id, shard.number)
                .update_expression("SET inventoryVersion = :new")
                .condition_expression("inventoryVersion = :old")
                .expression_attribute_values(":old", number(old.version))
                .expression_attribute_values(":new", number(new.version))
                .build();
            transaction = transaction.update((), built(update)?);
        }
        transaction.commit(&self.client).await
    }

    /// AP-471 get cancellation: how far the walk is.
    pub async fn cancellation(&self, id: InventoryId) -> Result<Option<Cancellation>, StoreError> {
        let found = transaction::get(&self.client, &self.table, cancellation_key(id), CANCELLATION).await?;
        found.map(|item| read("cancellation", item)).transpose()
    }

    /// AP-472 save the walk's progress, if nobody has written it since; with a new run also the event that starts its execution.
    ///
    /// # Errors
    /// When the store does.
    pub async fn save_cancellation(
        &self,
        seen: &Cancellation,
        after: &Cancellation,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(write(after, cancellation_key(after.inventory_id), CANCELLATION)?))
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", number(seen.version))
            .build();
        let mut transaction = Transaction::new().put((), built(put)?);
        if after.run != seen.run {
            transaction = transaction.put((), self.events.append(&started(after, trace))?);
        }
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }
}

/// The event that starts this run: the one of that number in its aggregate.
fn started(walk: &Cancellation, trace: &Trace) -> Envelope<CancellationStarted> {
    Envelope::new(CancellationStarted::of(walk), u64::from(walk.run), walk.updated_at, trace)
}
