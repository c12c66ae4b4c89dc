//! Seats that a MANAGER reserves and returns by hand, without a ticket.

use super::{
    InventoryStore,
    items::{KEY, idempotency_key},
    seats::{Move, RESERVE_BY_HAND, RETURN_BY_HAND, shard_seed},
};
use crate::{
    domain::{Allocation, Inventory, NotForSale},
    events::{InventoryReleased, InventoryReserved, Seats},
};
use boxoffice_aws::{
    StoreError, Transaction, Uncommitted,
    transaction::{self, Attempt, read, until_current, write},
};
use boxoffice_kernel::{
    DomainEvent, Envelope, Fingerprint, IdempotencyKey, InventoryId, Quantity, ReservationId, Timestamp, Trace, UserId,
};
use serde::{Deserialize, Serialize};

/// Why seats were not moved by hand.
#[derive(Debug, thiserror::Error)]
pub enum SeatsError {
    /// No such event on sale.
    #[error("no such event on sale")]
    NotFound,
    /// Not that many to take.
    #[error(transparent)]
    NotForSale(#[from] NotForSale),
    /// Not that many to give back.
    #[error("only {0} seats are reserved by hand")]
    NotReserved(u32),
    /// The key was used for another request.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The identity of a request to move seats by hand, so that a repeat moves them once. The key is the caller's own: a stranger's same key is
/// another key.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// The caller.
    pub user_id: UserId,
    /// Their name for the request.
    pub key: IdempotencyKey,
}

/// Where a request to move seats by hand comes from. A trace alone is one without a key.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The trace of its event.
    pub trace: &'a Trace,
    /// Its idempotency key, if the caller sent one.
    pub key: Option<&'a RequestKey>,
}

impl<'a> From<&'a Trace> for Origin<'a> {
    fn from(trace: &'a Trace) -> Self {
        Self { trace, key: None }
    }
}

/// Seats that were moved by hand.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The event on sale, as it is now.
    pub inventory: Inventory,
    /// The reservation id of the move.
    pub reservation_id: ReservationId,
    /// Whether an earlier request under the same key moved them.
    pub replayed: bool,
}

/// A request that was served under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    fingerprint: Fingerprint,
    reservation_id: ReservationId,
}

/// The parts of a transaction that moves seats by hand.
#[derive(Debug, PartialEq)]
enum ByHandGuard {
    /// The seats are where the plan saw them.
    Current,
    /// The key is unused.
    Key,
}

impl InventoryStore {
    /// AP-22 reserve seats by hand: held until they are returned by hand. Once for a request that has a key.
    ///
    /// # Errors
    /// When the event is not on sale, has too few seats, the key was used for another request, or the store fails.
    pub async fn reserve_by_hand<'a>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        origin: impl Into<Origin<'a>>,
    ) -> Result<Moved, SeatsError> {
        let plan = |inventory: &Inventory, reservation: ReservationId| {
            let plan = inventory.plan_hold(quantity, shard_seed(reservation.ticket()), Timestamp::now());
            plan.map_err(SeatsError::from)
        };
        let event = |seats| InventoryReserved { seats };
        self.move_by_hand(id, quantity, RESERVE_BY_HAND, origin.into(), plan, event).await
    }

    /// AP-23 return seats that were reserved by hand. Seats of tickets are not touched: those come back with their ticket. Once for a request
    /// that has a key.
    ///
    /// # Errors
    /// When the event is not on sale, has fewer such seats, the key was used for another request, or the store fails.
    pub async fn return_by_hand<'a>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        origin: impl Into<Origin<'a>>,
    ) -> Result<Moved, SeatsError> {
        let plan = |inventory: &Inventory, _| inventory.plan_return(quantity).map_err(SeatsError::NotReserved);
        let event = |seats| InventoryReleased { seats, release_reason: "RETURNED_BY_HAND".into() };
        self.move_by_hand(id, quantity, RETURN_BY_HAND, origin.into(), plan, event).await
    }

    /// Moves seats by hand. The key is written with the seats, and looked up only when something says no: the write itself, or a plan that
    /// may fail just because this very request went through before.
    async fn move_by_hand<E: DomainEvent>(
        &self,
        id: InventoryId,
        quantity: Quantity,
        movement: Move,
        Origin { trace, key }: Origin<'_>,
        plan: impl Fn(&Inventory, ReservationId) -> Result<Vec<Allocation>, SeatsError>,
        event: impl Fn(Seats) -> E,
    ) -> Result<Moved, SeatsError> {
        let reservation_id = ReservationId::generate();
        let marker = KeyItem {
            fingerprint: Fingerprint::of(&[E::TYPE, &id.to_string(), &quantity.to_string()]),
            reservation_id,
        };
        until_current(|| async {
            let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
            let plan = match plan(&inventory, reservation_id) {
                Ok(plan) => plan,
                Err(refusal) => {
                    return self.replay(id, key, &marker).await?.map(Attempt::Done).ok_or(refusal);
                }
            };
            let event = event(by_hand(&inventory, reservation_id, quantity));
            let event = Envelope::new(event, 1, Timestamp::now(), trace);
            let updates = self.move_seats(id, &plan, movement, None)?;
            let mut transaction = Transaction::new()
                .updates(updates.into_iter().map(|(_, update)| (ByHandGuard::Current, update)))
                .put(ByHandGuard::Current, self.events.append(&event)?);
            if let Some(key) = key {
                let put = self.put_new(write(&marker, idempotency_key(key), KEY)?)?;
                transaction = transaction.put(ByHandGuard::Key, put);
            }
            match transaction.commit(&self.client).await {
                Ok(_) => {
                    let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
                    Ok(Attempt::Done(Moved { inventory, reservation_id, replayed: false }))
                }
                Err(Uncommitted::Refused(refusals)) if refusals.has(&ByHandGuard::Key) => {
                    Ok(self.replay(id, key, &marker).await?.map_or(Attempt::Overtaken, Attempt::Done))
                }
                // The plan was out of date.
                Err(Uncommitted::Refused(_)) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }

    /// AP-24 what a key was used for: the seats that this very request moved before; `None` when the key, if there is one, is unused.
    async fn replay(
        &self,
        id: InventoryId,
        key: Option<&RequestKey>,
        marker: &KeyItem,
    ) -> Result<Option<Moved>, SeatsError> {
        let Some(key) = key else { return Ok(None) };
        let found = transaction::get(&self.client, &self.table, idempotency_key(key), KEY).await?;
        let Some(item) = found else { return Ok(None) };
        let used: KeyItem = read("idempotency key", item)?;
        if used.fingerprint != marker.fingerprint {
            return Err(SeatsError::KeyReused);
        }
        let inventory = self.get(id).await?.ok_or(SeatsError::NotFound)?;
        Ok(Some(Moved { inventory, reservation_id: used.reservation_id, replayed: true }))
    }
}

fn by_hand(inventory: &Inventory, reservation_id: ReservationId, quantity: Quantity) -> Seats {
    let event_name = inventory.terms.event_name.clone();
    Seats { reservation_id, ticket_id: None, inventory_id: inventory.id, event_name, quantity }
}
