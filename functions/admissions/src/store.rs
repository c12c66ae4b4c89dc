//! The admissions table: the admissions of tickets, their keys, their access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | the admissions of a ticket | `TKT#<ticketId>` | `BLOCK` |
//! | the serials of an event | `EVT#<inventoryId>` | `SERIALS` |
//!
//! `crate::doors` has the items of the doors.

use crate::{
    domain::{Block, BlockState, Standing},
    events::{AdmissionsIssued, AdmissionsRevoked},
};
use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    types::{AttributeValue, ConditionCheck, Put, ReturnValue, Update},
};
use boxoffice_admission::Serial;
use boxoffice_aws::{
    EventStore, Item, StoreError, Transaction, Uncommitted,
    attribute::{number, signed, text},
    transaction::{self, Attempt, Written, built, conditional, read, write},
};
use boxoffice_kernel::{DomainEvent, Envelope, InventoryId, Quantity, TicketId, Timestamp, Trace, UserId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct AdmissionStore {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) events: EventStore,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockItem {
    ticket_id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    first: u32,
    quantity: Quantity,
    state: BlockState,
    used: u32,
    version: u64,
    issued_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl From<BlockItem> for Block {
    fn from(item: BlockItem) -> Self {
        Self {
            ticket_id: item.ticket_id,
            user_id: item.user_id,
            inventory_id: item.inventory_id,
            first: item.first,
            quantity: item.quantity,
            state: item.state,
            used: item.used,
            version: item.version,
            issued_at: item.issued_at,
            revoked_at: item.revoked_at,
        }
    }
}

impl From<&Block> for BlockItem {
    fn from(block: &Block) -> Self {
        Self {
            ticket_id: block.ticket_id,
            user_id: block.user_id,
            inventory_id: block.inventory_id,
            first: block.first,
            quantity: block.quantity,
            state: block.state,
            used: block.used,
            version: block.version,
            issued_at: block.issued_at,
            revoked_at: block.revoked_at,
        }
    }
}

/// A ticket that was taken back before it had admissions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BarredItem {
    barred_at: Timestamp,
}

pub(crate) const BLOCK: &str = "BLOCK";
const SERIALS: &str = "SERIALS";

fn block_key(ticket: TicketId) -> AttributeValue {
    text(format_args!("TKT#{ticket}"))
}

fn event_key(event: InventoryId) -> AttributeValue {
    text(format_args!("EVT#{event}"))
}

fn serials_of(event: InventoryId) -> String {
    format!("SERIALS#{event}")
}

/// Sorts as the number does.
fn sorted(serial: u32) -> String {
    format!("{serial:010}")
}

impl AdmissionStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        Self { client, table: table.into(), events }
    }

    /// The store in the tables that the environment names.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("ADMISSIONS_TABLE")?, events))
    }

    /// AP-500 take serials: the first of so many new ones. Those of a confirmation that does not happen stay unused.
    ///
    /// # Errors
    /// When the event has none left, or the store fails.
    pub async fn take_serials(&self, event: InventoryId, quantity: Quantity) -> Result<u32, StoreError> {
        let most = u32::MAX - quantity.get();
        let taken = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", event_key(event))
            .key("sk", text(SERIALS))
            .update_expression("SET taken = if_not_exists(taken, :none) + :quantity")
            .condition_expression("attribute_not_exists(taken) OR taken <= :most")
            .expression_attribute_values(":none", number(0_u64))
            .expression_attribute_values(":quantity", number(quantity.get()))
            .expression_attribute_values(":most", number(most))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| match error.code() {
                Some("ConditionalCheckFailedException") => StoreError::Broken(format!("{event} has no serials left")),
                _ => StoreError::from_sdk(error),
            })?;
        let last = taken.attributes.and_then(|mut attributes| attributes.remove("taken"));
        let last = last.and_then(|last| last.as_n().ok()?.parse::<u32>().ok());
        let first = last.and_then(|last| last.checked_sub(quantity.get())?.checked_add(1));
        first.ok_or_else(|| StoreError::Broken("the counter of serials is no number".into()))
    }

    /// AP-501 issue admissions: the items to add to the transaction that confirms the ticket (AP-55).
    ///
    /// # Errors
    /// When an item does not serialize: a bug.
    pub fn issue(&self, block: &Block, trace: &Trace) -> Result<Transaction<()>, StoreError> {
        let mut item = write(&BlockItem::from(block), block_key(block.ticket_id), BLOCK)?;
        item.insert("gsi1pk".into(), text(serials_of(block.inventory_id)));
        item.insert("gsi1sk".into(), text(sorted(block.first)));
        let event = AdmissionsIssued { block: block.into() };
        Ok(Transaction::new()
            .put((), self.put_new(item)?)
            .put((), self.event(event, block.version, block.issued_at, trace)?))
    }

    /// AP-502 get the admissions of a ticket.
    pub async fn standing(&self, ticket: TicketId) -> Result<Option<Standing>, StoreError> {
        let item = transaction::get(&self.client, &self.table, block_key(ticket), BLOCK).await?;
        item.map(as_standing).transpose()
    }

    /// AP-502 where there are any.
    pub async fn block(&self, ticket: TicketId) -> Result<Option<Block>, StoreError> {
        Ok(match self.standing(ticket).await? {
            Some(Standing::Block(block)) => Some(block),
            Some(Standing::Barred) | None => None,
        })
    }

    /// AP-503 revoke admissions, used or not. A ticket that has none yet is barred from getting any: it is being taken back, and a confirmation that is
    /// under way must not issue what nobody would revoke.
    ///
    /// # Errors
    /// When the store does.
    pub async fn revoke(&self, ticket: TicketId, trace: &Trace) -> Result<(), StoreError> {
        transaction::until_current(|| async {
            let before = match self.standing(ticket).await? {
                None => return Ok::<_, StoreError>(Attempt::when(self.bar(ticket).await?, ())),
                Some(Standing::Barred) => return Ok(Attempt::Done(())),
                Some(Standing::Block(block)) if block.state == BlockState::Revoked => return Ok(Attempt::Done(())),
                Some(Standing::Block(block)) => block,
            };
            let revoked = self.revocation(&before, before.used, trace)?;
            let written = revoked.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, ()))
        })
        .await
    }

    async fn bar(&self, ticket: TicketId) -> Result<Written, StoreError> {
        let item = write(&BarredItem { barred_at: Timestamp::now() }, block_key(ticket), BLOCK)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        conditional(put.condition_expression("attribute_not_exists(pk)").send().await)
    }

    /// AP-504 revoke unused admissions: the items to add to the transaction that records a buyer's wish to cancel (AP-52). Against an entry at the same moment
    /// one of the two wins.
    ///
    /// # Errors
    /// When an item does not serialize: a bug.
    pub fn revoke_unused(&self, block: &Block, trace: &Trace) -> Result<Transaction<()>, StoreError> {
        self.revocation(block, 0, trace)
    }

    /// The revocation of admissions of which exactly so many are used.
    fn revocation(&self, before: &Block, used: u32, trace: &Trace) -> Result<Transaction<()>, StoreError> {
        let now = Timestamp::now();
        let after = before.revoke(now);
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", block_key(after.ticket_id))
            .key("sk", text(BLOCK))
            .update_expression("SET #state = :revoked, version = :version, revokedAt = :now")
            .condition_expression("#state = :issued AND used = :used")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":revoked", text(BlockState::Revoked.name()))
            .expression_attribute_values(":issued", text(BlockState::Issued.name()))
            .expression_attribute_values(":version", number(after.version))
            .expression_attribute_values(":used", number(used))
            .expression_attribute_values(":now", text(now));
        let event = AdmissionsRevoked { block: (&after).into(), used };
        Ok(Transaction::new().update((), built(update.build())?).put((), self.event(event, after.version, now, trace)?))
    }

    /// AP-505 find the ticket of a serial: of the last block that begins at or before it. The index follows within moments, the block is read as it is now.
    ///
    /// # Errors
    /// When the store does.
    pub async fn with_serial(&self, event: InventoryId, serial: Serial) -> Result<Option<Block>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("gsi1")
            .key_condition_expression("gsi1pk = :event AND gsi1sk <= :serial")
            .expression_attribute_values(":event", text(serials_of(event)))
            .expression_attribute_values(":serial", text(sorted(serial.0)))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let key = found.items.unwrap_or_default().into_iter().next().and_then(|mut entry| entry.remove("pk"));
        let Some(key) = key else { return Ok(None) };
        let item = transaction::get(&self.client, &self.table, key, BLOCK).await?;
        Ok(match item.map(as_standing).transpose()? {
            Some(Standing::Block(block)) => block.with_serial(serial).map(|_| block),
            Some(Standing::Barred) | None => None,
        })
    }

    /// The item, where none has its key.
    pub(crate) fn put_new(&self, item: Item) -> Result<Put, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        built(put.condition_expression("attribute_not_exists(pk)").build())
    }

    /// The check that the admissions of a ticket are good.
    pub(crate) fn is_issued(&self, ticket: TicketId) -> Result<ConditionCheck, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", block_key(ticket))
            .key("sk", text(BLOCK))
            .condition_expression("#state = :issued")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":issued", text(BlockState::Issued.name()));
        built(check.build())
    }

    /// The same with one more, or one fewer, that has entered somewhere.
    pub(crate) fn count_use(&self, ticket: TicketId, change: i64) -> Result<Update, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", block_key(ticket))
            .key("sk", text(BLOCK))
            .update_expression("ADD used :change")
            .condition_expression("#state = :issued")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":issued", text(BlockState::Issued.name()))
            .expression_attribute_values(":change", signed(change));
        built(update.build())
    }

    pub(crate) fn event<T: DomainEvent>(
        &self,
        event: T,
        version: u64,
        at: Timestamp,
        trace: &Trace,
    ) -> Result<Put, StoreError> {
        self.events.append(&Envelope::new(event, version, at, trace))
    }
}

/// The standing that an item of this table's blocks describes.
///
/// # Errors
/// When it describes none.
pub fn as_standing(item: Item) -> Result<Standing, StoreError> {
    if item.contains_key("barredAt") {
        return Ok(Standing::Barred);
    }
    Ok(Standing::Block(read::<BlockItem>("block of admissions", item)?.into()))
}
