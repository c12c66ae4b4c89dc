//! How many seats of an event a buyer has, on one item for each buyer and event. **This is the file that keeps the purchase limits.**
//!
//! A booking adds to the pool in its own transaction, on condition that the buyer stays within the terms' limits: of a hundred orders that the same buyer sends at
//! once, DynamoDB applies as many as the limits allow. `tests/store/limits.rs` races them, and shows that they all go through when the condition is taken out.
//!
//! A pool follows the ticket, not the reservation: seats count as held while the ticket is PENDING, and as taken until it is CANCELLED. Every later move is a part of
//! the transaction that changes the ticket's status, which happens once whatever is retried. Those moves have no condition of their own: a pool that is wrong must
//! keep nobody from the tickets they paid for, nor money from going back. `reconcile` finds such a pool and counts it anew.

use crate::{
    domain::{Status, Ticket},
    store::{TicketStore, unlisted},
};
use aws_sdk_dynamodb::types::Update;
use boxoffice_aws::{
    Limit, StoreError,
    attribute::{number, signed, text},
    transaction::{self, Written, built, conditional, read},
};
use boxoffice_inventory::domain::PurchaseLimits;
use boxoffice_kernel::{InventoryId, Quantity, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The sort key of a pool.
pub(crate) const POOL: &str = "POOL";

/// A buyer's seats of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// Seats of tickets that are not paid yet.
    pub held: i64,
    /// Seats of tickets that are paid or not; `held` are some of them.
    pub taken: i64,
    /// When the newest hold ends that the pool has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// How often the pool has moved.
    #[serde(default)]
    pub moves: i64,
    /// When it last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// The limit that an order would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// The seats of one order.
    #[error("{wanted} seats are too many for one order: an order for this event has at most {limit}. Order fewer")]
    Order {
        /// Asked for.
        wanted: u32,
        /// The most.
        limit: u32,
    },
    /// The seats that one buyer holds unpaid.
    #[error(
        "you hold {held} unpaid seats of this event, and {limit} is the most. Pay for them, cancel them, or order again \
         when their hold ends{}",
        ending(*.until)
    )]
    Held {
        /// Held by this buyer.
        held: i64,
        /// The most.
        limit: u32,
        /// When the newest of these holds ends.
        until: Option<Timestamp>,
    },
    /// The seats that one buyer has.
    #[error("you have {taken} seats of this event, and one buyer may have {limit}. Order no more than the difference")]
    Buyer {
        /// Held or bought by this buyer.
        taken: i64,
        /// The most.
        limit: u32,
    },
}

fn ending(until: Option<Timestamp>) -> String {
    until.map(|until| format!(", at {until} at the latest")).unwrap_or_default()
}

impl LimitExceeded {
    /// The limit that no buyer's order of so many seats keeps.
    ///
    /// # Errors
    /// With the limit that is broken.
    pub fn check(quantity: Quantity, limits: &PurchaseLimits) -> Result<(), Self> {
        let wanted = quantity.get();
        let limit = limits.max_per_order.get();
        if wanted > limit {
            return Err(Self::Order { wanted, limit });
        }
        Self::of(Pool::default(), quantity, limits).map_or(Ok(()), Err)
    }

    /// The limit that an order of so many seats breaks, where the buyer's seats are these.
    pub fn of(pool: Pool, quantity: Quantity, limits: &PurchaseLimits) -> Option<Self> {
        let over = |have: i64, limit: Quantity| have + i64::from(quantity.get()) > i64::from(limit.get());
        if over(pool.taken, limits.max_per_buyer) {
            return Some(Self::Buyer { taken: pool.taken, limit: limits.max_per_buyer.get() });
        }
        let (limit, until) = (limits.max_held_per_buyer, pool.held_until);
        over(pool.held, limit).then(|| Self::Held { held: pool.held, limit: limit.get(), until })
    }
}

/// The seats that a ticket counts for in its buyer's pool: held, and taken. A ticket that was deleted is over, and counts for nothing.
fn share(ticket: &Ticket) -> (i64, i64) {
    let seats = i64::from(ticket.quantity.get());
    match ticket.status {
        _ if ticket.deleted_at.is_some() => (0, 0),
        Status::Pending => (seats, seats),
        Status::Confirmed | Status::Completed => (0, seats),
        Status::Cancelled => (0, 0),
    }
}

/// The condition without which a buyer takes more than the terms allow.
const WITHIN_LIMITS: &str = "attribute_not_exists(pk) OR (held <= :heldRoom AND taken <= :takenRoom)";

impl TicketStore {
    fn pool_update(&self, buyer: UserId, event: InventoryId) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(self.table())
            .key("pk", text(format_args!("BUYER#{buyer}#{event}")))
            .key("sk", text(POOL))
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":none", number(0_u32))
    }

    /// AP-370 take from a buyer's pool: the item that counts a new ticket's seats, for the transaction that creates it.
    ///
    /// # Errors
    /// Never, unless there is a bug.
    pub fn take(&self, ticket: &Ticket, limits: &PurchaseLimits) -> Result<Update, StoreError> {
        let seats = i64::from(ticket.quantity.get());
        let room = |limit: Quantity| signed(i64::from(limit.get()) - seats);
        let update = self
            .pool_update(ticket.user_id, ticket.inventory_id)
            .update_expression(
                "SET held = if_not_exists(held, :none) + :seats, taken = if_not_exists(taken, :none) + :seats, \
                 moves = if_not_exists(moves, :none) + :one, heldUntil = :until, updatedAt = :now",
            )
            .condition_expression(WITHIN_LIMITS)
            .expression_attribute_values(":seats", signed(seats))
            .expression_attribute_values(":until", text(ticket.hold_expires_at))
            .expression_attribute_values(":now", text(ticket.updated_at))
            .expression_attribute_values(":heldRoom", room(limits.max_held_per_buyer))
            .expression_attribute_values(":takenRoom", room(limits.max_per_buyer));
        built(update.build())
    }

    /// AP-371 move in a buyer's pool: the item that follows a ticket's change of status, for the transaction that writes it; none where the pool stays as it is.
    ///
    /// # Errors
    /// Never, unless there is a bug.
    pub fn follow(&self, before: &Ticket, after: &Ticket) -> Result<Option<Update>, StoreError> {
        let (was, is) = (share(before), share(after));
        if was == is {
            return Ok(None);
        }
        let update = self
            .pool_update(after.user_id, after.inventory_id)
            .update_expression(
                "SET held = if_not_exists(held, :none) + :held, taken = if_not_exists(taken, :none) + :taken, \
                 moves = if_not_exists(moves, :none) + :one, updatedAt = :now",
            )
            .expression_attribute_values(":now", text(after.updated_at))
            .expression_attribute_values(":held", signed(is.0 - was.0))
            .expression_attribute_values(":taken", signed(is.1 - was.1));
        built(update.build()).map(Some)
    }

    /// AP-372 get a buyer's pool, as it is now.
    ///
    /// # Errors
    /// When the store does.
    pub async fn pool(&self, buyer: UserId, event: InventoryId) -> Result<Pool, StoreError> {
        let key = text(format_args!("BUYER#{buyer}#{event}"));
        let found = transaction::get(self.client(), self.table(), key, POOL).await?;
        found.map_or_else(|| Ok(Pool::default()), |item| read("pool", item))
    }

    /// AP-375 count a buyer's tickets to an event: the pool as they add up to. It walks every page of AP-56, which a booking of a moment ago may not be on yet.
    ///
    /// # Errors
    /// When the store does.
    pub async fn recount(&self, buyer: UserId, event: InventoryId) -> Result<Pool, StoreError> {
        let (mut due, mut cursor) = (Pool::default(), None);
        loop {
            let page = self.list_by_user(buyer, Limit::LARGEST, cursor).await.map_err(unlisted)?;
            for (held, taken) in page.items.iter().filter(|ticket| ticket.inventory_id == event).map(share) {
                (due.held, due.taken) = (due.held + held, due.taken + taken);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(due),
            }
        }
    }

    /// AP-376 correct a buyer's pool, unless it has moved since it was read. [`Written::Stale`] when it has.
    ///
    /// # Errors
    /// When the store does.
    pub async fn correct_pool(
        &self,
        buyer: UserId,
        event: InventoryId,
        seen: &Pool,
        due: &Pool,
    ) -> Result<Written, StoreError> {
        let update = self
            .client()
            .update_item()
            .table_name(self.table())
            .key("pk", text(format_args!("BUYER#{buyer}#{event}")))
            .key("sk", text(POOL))
            .update_expression("SET held = :held, taken = :taken, updatedAt = :now ADD moves :one")
            .expression_attribute_values(":now", text(Timestamp::now()))
            .condition_expression("attribute_not_exists(moves) OR moves = :moves")
            .expression_attribute_values(":held", signed(due.held))
            .expression_attribute_values(":taken", signed(due.taken))
            .expression_attribute_values(":moves", signed(seen.moves))
            .expression_attribute_values(":one", number(1_u32));
        conditional(update.send().await)
    }
}
