//! Putting events on sale, changing their terms, taking them off sale.

use super::{
    InventoryStore,
    items::{
        SUMMARY, SummaryItem, TermsItem, inventory_key, name_key, new_shard, shard_key, shard_partition, summary_key,
    },
};
use crate::{
    domain::{EventName, Inventory, Revision, ShardChange, Unchangeable},
    events::{InventoryCreated, InventoryDeleted, InventoryUpdated},
};
use aws_sdk_dynamodb::types::{Delete, Put, Update};
use boxoffice_aws::{
    Item, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{Attempt, built, until_current},
};
use boxoffice_kernel::{Envelope, InventoryId, Timestamp, Trace};

/// Why a new event does not go on sale.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// One of that name is.
    #[error("another event on sale has this name")]
    NameTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why terms were not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NotFound,
    /// Another one has the new name.
    #[error("another event on sale has this name")]
    NameTaken,
    /// A rule says no.
    #[error(transparent)]
    Unchangeable(#[from] Unchangeable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an event stays on sale.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// It was not.
    #[error("no such event on sale")]
    NotFound,
    /// Its seats are held or sold.
    #[error("seats are held or sold")]
    InUse,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, PartialEq)]
enum UpdateGuard {
    Name,
    Terms,
    Shard,
    Event,
}

impl InventoryStore {
    /// AP-14 put on sale.
    ///
    /// # Errors
    /// When the name is taken, or the store fails.
    pub async fn create(&self, inventory: &Inventory, trace: &Trace) -> Result<(), CreateError> {
        #[derive(Debug, PartialEq)]
        enum Guard {
            Name,
            New,
        }
        let event = Envelope::new(InventoryCreated(inventory.into()), 1, inventory.created_at, trace);
        let mut transaction = Transaction::new()
            .put(Guard::Name, self.take_name(inventory)?)
            .put(Guard::New, self.put_new(TermsItem::from(inventory).into_item()?)?)
            .put(Guard::New, self.put_new(SummaryItem::new(inventory.id, inventory.seats(), 1).to_item()?)?)
            .put(Guard::New, self.events.append(&event)?);
        for shard in &inventory.shards {
            transaction =
                transaction.put(Guard::New, self.put_new(new_shard(inventory, shard.number, shard.available)?)?);
        }
        transaction.commit(&self.client).await.map(|_| ()).map_err(|error| match error {
            Uncommitted::Refused(refusals) if refusals.has(&Guard::Name) => CreateError::NameTaken,
            Uncommitted::Refused(_) => StoreError::Unavailable("a fresh id was taken".into()).into(),
            Uncommitted::Store(error) => error.into(),
        })
    }

    /// AP-15 change the terms or the number of seats.
    ///
    /// # Errors
    /// When a rule says no, the name is taken, or the store fails.
    pub async fn update(&self, id: InventoryId, revision: &Revision, trace: &Trace) -> Result<Inventory, UpdateError> {
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(UpdateError::NotFound)?;
            let now = Timestamp::now();
            let Some((revised, changes)) = inventory.revise(revision, now)? else {
                return Ok(Attempt::Done(inventory));
            };
            match self.write_revision(&inventory, &revised, &changes, trace).await {
                Ok(()) => Ok(Attempt::Done(revised)),
                Err(Uncommitted::Refused(refusals)) if refusals.has(&UpdateGuard::Name) => Err(UpdateError::NameTaken),
                // Seats moved, or someone else revised: decide again on what is there now.
                Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }

    async fn write_revision(
        &self,
        old: &Inventory,
        new: &Inventory,
        changes: &[ShardChange],
        trace: &Trace,
    ) -> Result<(), Uncommitted<UpdateGuard>> {
        let event = Envelope::new(InventoryUpdated::of(old, new), new.version, new.updated_at, trace);
        let terms = Put::builder()
            .table_name(&self.table)
            .set_item(Some(TermsItem::from(new).into_item()?))
            .condition_expression("version = :old AND attribute_not_exists(deletedAt)")
            .expression_attribute_values(":old", number(old.version))
            .build();
        let mut transaction = Transaction::new()
            .put(UpdateGuard::Terms, built(terms)?)
            .put(UpdateGuard::Event, self.events.append(&event)?);
        if old.terms.event_name.canonical() != new.terms.event_name.canonical() {
            transaction = transaction
                .put(UpdateGuard::Name, self.take_name(new)?)
                .delete(UpdateGuard::Terms, self.free_name(&old.terms.event_name)?);
        }
        for change in changes {
            transaction = match *change {
                ShardChange::Create { number, seats } => {
                    transaction.put(UpdateGuard::Shard, self.put_new(new_shard(new, number, seats)?)?)
                }
                ShardChange::Adjust { number: shard, added, removed } => transaction.update(
                    UpdateGuard::Shard,
                    built(
                        self.shard_update(new.id, shard)
                            .update_expression("SET available = available + :added - :removed, inventoryVersion = :new")
                            .condition_expression("inventoryVersion = :old AND available >= :removed")
                            .expression_attribute_values(":added", number(added))
                            .expression_attribute_values(":removed", number(removed))
                            .expression_attribute_values(":old", number(old.version))
                            .expression_attribute_values(":new", number(new.version))
                            .build(),
                    )?,
                ),
            };
        }
        transaction.commit(&self.client).await.map(|_| ())
    }

    /// AP-16 take off sale. Refused while seats are held or sold; the history stays.
    ///
    /// # Errors
    /// When there is nothing to take off, seats are in use, or the store fails.
    pub async fn delete(&self, id: InventoryId, trace: &Trace) -> Result<(), DeleteError> {
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(DeleteError::NotFound)?;
            if inventory.held() + inventory.sold() > 0 {
                return Err(DeleteError::InUse);
            }
            let now = Timestamp::now();
            let event = InventoryDeleted { inventory_id: id, event_name: inventory.terms.event_name.clone() };
            let event = Envelope::new(event, inventory.version + 1, now, trace);
            let terms = Update::builder()
                .table_name(&self.table)
                .key("pk", inventory_key(id))
                .key("sk", text("TERMS"))
                .update_expression(
                    "SET deletedAt = :now, updatedAt = :now, version = version + :one REMOVE gsi1pk, gsi1sk, gsi2pk, gsi2sk",
                )
                .condition_expression("version = :old AND attribute_not_exists(deletedAt)")
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":one", number(1_u32))
                .expression_attribute_values(":old", number(inventory.version))
                .build();
            let mut transaction = Transaction::new()
                .update((), built(terms)?)
                .delete((), self.free_name(&inventory.terms.event_name)?)
                .delete((), self.drop_summary(id)?)
                .put((), self.events.append(&event)?);
            for shard in &inventory.shards {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .key("pk", shard_partition(id, shard.number))
                    .key("sk", text(shard_key(shard.number)))
                    .condition_expression("held = :none AND sold = :none")
                    .expression_attribute_values(":none", number(0_u32))
                    .build();
                transaction = transaction.delete((), built(delete)?);
            }
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, DeleteError>(Attempt::when(written, ()))
        })
        .await
    }

    fn drop_summary(&self, id: InventoryId) -> Result<Delete, StoreError> {
        let key = Delete::builder().table_name(&self.table).key("pk", summary_key(id)).key("sk", text(SUMMARY));
        built(key.build())
    }

    fn take_name(&self, inventory: &Inventory) -> Result<Put, StoreError> {
        self.put_new(Item::from([
            ("pk".into(), name_key(&inventory.terms.event_name)),
            ("sk".into(), text("NAME")),
            ("inventoryId".into(), text(inventory.id)),
        ]))
    }

    fn free_name(&self, name: &EventName) -> Result<Delete, StoreError> {
        built(Delete::builder().table_name(&self.table).key("pk", name_key(name)).key("sk", text("NAME")).build())
    }
}
