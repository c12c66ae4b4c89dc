//! How tickets' seats move between the counters of a shard. **This is the file that prevents overselling.**
//!
//! Two buyers who both saw the last seat both send [`HOLD`]. DynamoDB applies one of the two; for the other `available >= :seats` is
//! false, nothing of its transaction is written, and it plans again on the counters as they are now. There is no lock, and nothing that
//! expires. `tests/store/race.rs` races buyers for the last seats, and shows that they oversell when the condition is taken out.
//!
//! Every move takes from one counter and adds to another in one update, so `total = available + held + sold` holds at every moment.

use super::{
    InventoryStore,
    items::{RSV, reservation_key, shard_key, shard_partition},
};
use crate::{
    domain::{Allocation, Inventory, Reservation, ReservationState},
    events::{InventoryReleased, InventoryReserved, InventorySold, Seats},
};
use aws_sdk_dynamodb::types::{AttributeValue, Put, Update, builders::UpdateBuilder};
use boxoffice_aws::{
    StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{Attempt, Written, built, conditional, until_current},
};
use boxoffice_kernel::{DomainEvent, Envelope, InventoryId, Quantity, TicketId, Timestamp, Trace};

/// A move of `:seats` between two counters of a shard: the update, and the condition without which it does not happen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    update: &'static str,
    condition: &'static str,
}

/// A buyer's seats, under the terms that the buyer saw.
const HOLD: Move = Move {
    update: "SET available = available - :seats, held = held + :seats, moves = if_not_exists(moves, :none) + :one",
    condition: "available >= :seats AND inventoryVersion = :terms",
};

/// A released hold's seats, taken again for a payment that came late: under whatever the terms are now.
const HOLD_AGAIN: Move = Move { condition: "available >= :seats", ..HOLD };

/// A confirmed ticket's seats.
const SELL: Move = Move {
    update: "SET held = held - :seats, sold = sold + :seats, moves = if_not_exists(moves, :none) + :one",
    condition: "held >= :seats",
};

/// The seats of a ticket that was not paid.
const RELEASE_HELD: Move = Move {
    update: "SET held = held - :seats, available = available + :seats, moves = if_not_exists(moves, :none) + :one",
    condition: "held >= :seats",
};

/// The seats of a confirmed ticket that was cancelled.
const RELEASE_SOLD: Move = Move {
    update: "SET sold = sold - :seats, available = available + :seats, moves = if_not_exists(moves, :none) + :one",
    condition: "sold >= :seats",
};

/// Seats that a MANAGER takes off sale; `reserved` counts them among the held ones.
pub(super) const RESERVE_BY_HAND: Move = Move {
    update: "SET available = available - :seats, held = held + :seats, reserved = reserved + :seats, \
             moves = if_not_exists(moves, :none) + :one",
    condition: "available >= :seats",
};

/// Seats that a MANAGER returns. Tickets' held seats are none of them.
pub(super) const RETURN_BY_HAND: Move = Move {
    update: "SET held = held - :seats, available = available + :seats, reserved = reserved - :seats, \
             moves = if_not_exists(moves, :none) + :one",
    condition: "held >= :seats AND reserved >= :seats",
};

/// The parts of a transaction that moves a ticket's seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatGuard {
    /// The shard has the seats in the counter they are taken from; for a hold, under the terms the buyer saw.
    Shard(u32),
    /// The reservation is as it was read; for a hold, there is none yet.
    Reservation,
    /// The reservation has no such event yet.
    Event,
}

/// The result of releasing a ticket's seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// They are available again, now.
    Done,
    /// They had been released before, or never been taken.
    Nothing,
}

/// The result of renewing a ticket's hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The seats are held.
    Held,
    /// Somebody else has them, or the booking is over.
    Gone,
}

impl InventoryStore {
    /// AP-17 hold seats: the items that take a ticket's seats, for the transaction that creates the ticket.
    pub fn hold(
        &self,
        inventory: &Inventory,
        reservation: &Reservation,
        trace: &Trace,
    ) -> Result<Transaction<SeatGuard>, StoreError> {
        let event = Envelope::new(
            InventoryReserved { seats: reservation.seats() },
            reservation.version,
            Timestamp::now(),
            trace,
        );
        let moves = self.move_seats(inventory.id, &reservation.allocations, HOLD, Some(inventory.version))?;
        Ok(Transaction::new()
            .updates(moves.into_iter().map(|(shard, update)| (SeatGuard::Shard(shard), update)))
            .put(SeatGuard::Reservation, self.put_new(reservation.to_item()?)?)
            .put(SeatGuard::Event, self.events.append(&event)?))
    }

    /// AP-18 sell seats: the items that make a held reservation a sold one, for the transaction that confirms the ticket.
    pub fn sell(&self, reservation: &Reservation, trace: &Trace) -> Result<Transaction<SeatGuard>, StoreError> {
        let sold =
            Reservation { state: ReservationState::Sold, version: reservation.version + 1, ..reservation.clone() };
        let event = InventorySold { seats: sold.seats() };
        self.transition(reservation, &sold, event, SELL, trace)
    }

    /// AP-20 release a ticket's seats, wherever they are counted; a late payment may hold them again. Does its work once however often it runs,
    /// and nothing for a ticket that never held seats.
    pub async fn release(&self, ticket: TicketId, reason: &str, trace: &Trace) -> Result<Release, StoreError> {
        self.give_back(ticket, reason, false, trace).await
    }

    /// AP-20 release a ticket's seats for good, when no money can come for them any more. From then on a step that held them once and is late, or is
    /// handled again, does not hold them.
    pub async fn close(&self, ticket: TicketId, reason: &str, trace: &Trace) -> Result<Release, StoreError> {
        self.give_back(ticket, reason, true, trace).await
    }

    async fn give_back(
        &self,
        ticket: TicketId,
        reason: &str,
        closed: bool,
        trace: &Trace,
    ) -> Result<Release, StoreError> {
        until_current(|| async {
            let Some(reservation) = self.reservation(ticket).await? else { return Ok(Attempt::Done(Release::Nothing)) };
            let movement = match reservation.state {
                ReservationState::Held => RELEASE_HELD,
                ReservationState::Sold => RELEASE_SOLD,
                ReservationState::Released if closed && !reservation.closed => {
                    return Ok(Attempt::when(self.note_closed(&reservation).await?, Release::Nothing));
                }
                ReservationState::Released => return Ok(Attempt::Done(Release::Nothing)),
            };
            let released = Reservation {
                state: ReservationState::Released,
                version: reservation.version + 1,
                closed,
                ..reservation.clone()
            };
            let event = InventoryReleased { seats: released.seats(), release_reason: reason.to_owned() };
            let transaction = self.transition(&reservation, &released, event, movement, trace)?;
            // When refused, it was sold or released in between.
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, StoreError>(Attempt::when(written, Release::Done))
        })
        .await
    }

    /// Seats that were released before are now back for good: a note, which moves nothing and states nothing.
    async fn note_closed(&self, released: &Reservation) -> Result<Written, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", reservation_key(released.id))
            .key("sk", text(RSV))
            .update_expression("SET closed = :closed")
            .condition_expression("version = :before")
            .expression_attribute_values(":closed", AttributeValue::Bool(true))
            .expression_attribute_values(":before", number(released.version))
            .send()
            .await;
        conditional(update)
    }

    /// AP-21 renew a hold that was released, if not for good and the seats are still free: for a payment that came late.
    pub async fn renew(&self, ticket: TicketId, trace: &Trace) -> Result<Renewal, StoreError> {
        until_current(|| async {
            let Some(reservation) = self.reservation(ticket).await? else { return Ok(Attempt::Done(Renewal::Gone)) };
            if reservation.state != ReservationState::Released {
                return Ok(Attempt::Done(Renewal::Held));
            }
            if reservation.closed {
                return Ok(Attempt::Done(Renewal::Gone));
            }
            let inventory = self.get(reservation.inventory_id).await?;
            let Some(inventory) = inventory else { return Ok(Attempt::Done(Renewal::Gone)) };
            let plan = inventory.plan_hold(reservation.quantity, shard_seed(ticket), Timestamp::now());
            let Ok(allocations) = plan else { return Ok(Attempt::Done(Renewal::Gone)) };
            let held = Reservation {
                allocations,
                state: ReservationState::Held,
                version: reservation.version + 1,
                ..reservation.clone()
            };
            let event = InventoryReserved { seats: held.seats() };
            let transaction = self.transition(&reservation, &held, event, HOLD_AGAIN, trace)?;
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok::<_, StoreError>(Attempt::when(written, Renewal::Held))
        })
        .await
    }

    fn transition<E: DomainEvent>(
        &self,
        before: &Reservation,
        after: &Reservation,
        event: E,
        movement: Move,
        trace: &Trace,
    ) -> Result<Transaction<SeatGuard>, StoreError> {
        let marker = Put::builder()
            .table_name(&self.table)
            .set_item(Some(after.to_item()?))
            .condition_expression("version = :before AND attribute_not_exists(closed)")
            .expression_attribute_values(":before", number(before.version))
            .build();
        let event = Envelope::new(event, after.version, Timestamp::now(), trace);
        let moves = self.move_seats(after.inventory_id, &after.allocations, movement, None)?;
        Ok(Transaction::new()
            .updates(moves.into_iter().map(|(shard, update)| (SeatGuard::Shard(shard), update)))
            .put(SeatGuard::Reservation, built(marker)?)
            .put(SeatGuard::Event, self.events.append(&event)?))
    }

    /// The updates that make this move on every shard of the allocations; `terms` is the version that [`HOLD`] asks for.
    pub(super) fn move_seats(
        &self,
        id: InventoryId,
        allocations: &[Allocation],
        movement: Move,
        terms: Option<u64>,
    ) -> Result<Vec<(u32, Update)>, StoreError> {
        let update = |allocation: &Allocation| {
            let update = self
                .shard_update(id, allocation.shard)
                .update_expression(movement.update)
                .condition_expression(movement.condition)
                .expression_attribute_values(":seats", number(allocation.seats))
                .expression_attribute_values(":none", number(0_u32))
                .expression_attribute_values(":one", number(1_u32));
            let update = match terms {
                Some(version) => update.expression_attribute_values(":terms", number(version)),
                None => update,
            };
            Ok((allocation.shard, built(update.build())?))
        };
        allocations.iter().map(update).collect()
    }

    pub(super) fn shard_update(&self, id: InventoryId, shard: u32) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .key("pk", shard_partition(id, shard))
            .key("sk", text(shard_key(shard)))
    }
}

/// Where a ticket starts to look among the shards: the last digits of its id, which are random.
pub fn shard_seed(ticket: TicketId) -> usize {
    let id = ticket.to_string();
    id.get(id.len().saturating_sub(4)..).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

impl Reservation {
    /// A ticket's new hold.
    pub fn hold(ticket: TicketId, inventory: &Inventory, quantity: Quantity, allocations: Vec<Allocation>) -> Self {
        Self {
            id: ticket.reservation(),
            ticket_id: ticket,
            inventory_id: inventory.id,
            event_name: inventory.terms.event_name.clone(),
            quantity,
            allocations,
            state: ReservationState::Held,
            version: 1,
            closed: false,
        }
    }

    pub(super) fn seats(&self) -> Seats {
        Seats {
            reservation_id: self.id,
            ticket_id: Some(self.ticket_id),
            inventory_id: self.inventory_id,
            event_name: self.event_name.clone(),
            quantity: self.quantity,
        }
    }
}
