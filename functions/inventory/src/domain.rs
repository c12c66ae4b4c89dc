//! An event on sale, its shards of seats, and every decision about them. No I/O.
//!
//! Seats live on one or more shards, so that a hot sale is not bound to what one DynamoDB item can take. A hold is planned here on a
//! snapshot of the shards and proven by the conditions of the write: a plan can be out of date, never wrong.

use boxoffice_kernel::{
    Currency, InventoryId, Money, Quantity, ReservationId, Text, TicketId, Timestamp, money::InvalidAmount, whole,
};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// The name of an event on sale: unique among those on sale.
pub type EventName = Text<200>;
/// Where it takes place.
pub type Location = Text<300>;

/// The seats one shard is made for. A shard takes about 500 bookings a second (1,000 write units, two for each transactional
/// write), so a sale of `n` seats in shards of this size ends in seconds however hot it is. See `docs/adr/0003-seat-shards.md`.
pub const SEATS_PER_SHARD: u32 = 100;
/// The most shards an event has: putting it on sale, and reserving by hand what is gathered from all of them, must fit into DynamoDB's 100 items a
/// transaction.
pub const MAX_SHARDS: u32 = 90;
/// The most seats that any event lets one order have. An order takes at least one seat of each shard it is gathered from, so this also bounds the items of a
/// booking's transaction (`boxoffice_tickets::store`).
pub const MAX_PER_ORDER: u32 = 60;

/// How many of an event's shards lie in one partition of the table, from the first on. A partition takes what a shard does, about 500 bookings a second, but shards
/// beside each other do not collide, and are read at once. See `docs/adr/0022-hot-on-sales.md`.
pub const SHARDS_PER_PARTITION: u32 = 4;

/// How many shards serve so many seats.
pub fn shard_count(total: Quantity) -> u32 {
    total.get().div_ceil(SEATS_PER_SHARD).clamp(1, MAX_SHARDS)
}

/// So many seats over so many shards, as evenly as whole seats go.
pub fn spread(seats: u32, shards: u32) -> impl Iterator<Item = u32> {
    let shards = shards.max(1);
    (0..shards).map(move |number| seats / shards + u32::from(number < seats % shards))
}

/// Some of an event's seats, counted on one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// The number of the shard in its event, from 0.
    pub number: u32,
    /// Seats anyone may hold.
    pub available: u32,
    /// Seats of tickets not yet paid, and seats reserved by hand.
    pub held: u32,
    /// Seats of confirmed tickets.
    pub sold: u32,
    /// How many of `held` were reserved by hand.
    pub reserved: u32,
}

/// Why a number is not a limit of seats per order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {MAX_PER_ORDER}")]
pub struct InvalidOrderLimit;

/// The most seats of one order: at least one, at most [`MAX_PER_ORDER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Quantity")]
pub struct OrderLimit(u32);

impl OrderLimit {
    /// The number of seats.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<Quantity> for OrderLimit {
    type Error = InvalidOrderLimit;
    fn try_from(seats: Quantity) -> Result<Self, InvalidOrderLimit> {
        if seats.get() <= MAX_PER_ORDER { Ok(Self(seats.get())) } else { Err(InvalidOrderLimit) }
    }
}

impl utoipa::PartialSchema for OrderLimit {
    fn schema() -> RefOr<Schema> {
        let seats = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MAX_PER_ORDER));
        seats.description(Some("The most seats of one order")).into()
    }
}

impl utoipa::ToSchema for OrderLimit {}

/// How much of an event one buyer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PurchaseLimits {
    /// Seats of one order.
    pub max_per_order: OrderLimit,
    /// Seats that one buyer holds at one time without having paid.
    pub max_held_per_buyer: Quantity,
    /// Seats that one buyer has, paid or not.
    pub max_per_buyer: Quantity,
}

impl PurchaseLimits {
    /// No more than what any event is bound by.
    pub const WIDEST: Self = Self {
        max_per_order: OrderLimit(MAX_PER_ORDER),
        max_held_per_buyer: Quantity::LARGEST,
        max_per_buyer: Quantity::LARGEST,
    };
}

/// The limits of an event whose organiser sets none.
impl Default for PurchaseLimits {
    fn default() -> Self {
        Self { max_per_order: OrderLimit(10), max_held_per_buyer: Quantity::TEN, max_per_buyer: Quantity::TWENTY }
    }
}

/// The terms of an event on sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name.
    pub event_name: EventName,
    /// When it begins.
    pub event_date: Timestamp,
    /// How many seats there are.
    pub total_seats: Quantity,
    /// The price of one.
    pub price: Money,
    /// Where it is.
    pub location: Location,
    /// How much one buyer may take.
    pub limits: PurchaseLimits,
}

/// The terms as they are at some version, without the seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedTerms {
    /// The terms that the event is sold under.
    pub terms: Terms,
    /// How often the terms have been written.
    pub version: u64,
}

/// How many of an event's seats are where, over all its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeatCounts {
    /// Seats anyone may hold.
    pub available: u32,
    /// Seats of unpaid tickets, and seats reserved by hand.
    pub held: u32,
    /// Seats of confirmed tickets.
    pub sold: u32,
}

impl SeatCounts {
    /// The sums over these shards.
    pub fn of<'a>(shards: impl IntoIterator<Item = &'a Shard>) -> Self {
        shards.into_iter().fold(Self::default(), |sums, shard| Self {
            available: sums.available.saturating_add(shard.available),
            held: sums.held.saturating_add(shard.held),
            sold: sums.sold.saturating_add(shard.sold),
        })
    }
}

/// An event on sale as a list shows it: its terms as they are, its seats as they were counted a moment ago. Enough to show, not to plan a hold on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInventory {
    /// Its id.
    pub id: InventoryId,
    /// The terms.
    pub terms: Terms,
    /// How often the terms have been written.
    pub version: u64,
    /// When it was put on sale.
    pub created_at: Timestamp,
    /// When the terms were last written.
    pub updated_at: Timestamp,
    /// When its organiser cancelled it.
    pub cancelled_at: Option<Timestamp>,
    /// Its seats.
    pub seats: SeatCounts,
}

impl ListedInventory {
    /// Whether it can be booked as far as its date and its organiser go.
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        open_for_sale(self.cancelled_at, self.terms.event_date, now).is_ok()
    }
}

fn open_for_sale(cancelled_at: Option<Timestamp>, event_date: Timestamp, now: Timestamp) -> Result<(), NotForSale> {
    match cancelled_at {
        Some(at) => Err(NotForSale::Cancelled(at)),
        None if now < event_date => Ok(()),
        None => Err(NotForSale::Begun(event_date)),
    }
}

/// An event on sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Its id.
    pub id: InventoryId,
    /// The terms.
    pub terms: Terms,
    /// How often the terms have been written. Each shard carries it, so that nobody buys under terms that have changed.
    pub version: u64,
    /// When it was put on sale.
    pub created_at: Timestamp,
    /// When the terms were last written.
    pub updated_at: Timestamp,
    /// When its organiser cancelled it.
    pub cancelled_at: Option<Timestamp>,
    /// Its seats, by shard number.
    pub shards: Vec<Shard>,
}

/// Seats of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// The shard.
    pub shard: u32,
    /// How many of its seats; at least one.
    pub seats: u32,
}

/// Where a reservation's seats are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationState {
    /// In `held`.
    Held,
    /// In `sold`.
    Sold,
    /// Back in `available`.
    Released,
}

/// A ticket's seats: the marker that makes holding, selling and releasing happen once each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Its id, which follows from the ticket's.
    pub id: ReservationId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// The event's name when the seats were taken.
    pub event_name: EventName,
    /// How many seats.
    pub quantity: Quantity,
    /// On which shards.
    pub allocations: Vec<Allocation>,
    /// Where they are counted now.
    pub state: ReservationState,
    /// How often the state has been written.
    pub version: u64,
    /// Whether they are back for good: their booking is over, and no late payment holds them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// Why seats cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotForSale {
    /// Fewer seats are left than were asked for.
    #[error("{available} of the {wanted} requested seats are left")]
    SoldOut {
        /// Left.
        available: u32,
        /// Asked for.
        wanted: u32,
    },
    /// The event has begun.
    #[error("the event began at {0}")]
    Begun(Timestamp),
    /// Its organiser cancelled the event.
    #[error("the event was cancelled at {0}")]
    Cancelled(Timestamp),
}

/// Why terms cannot become what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unchangeable {
    /// Fewer seats than are held or sold already.
    #[error("{taken} seats are held or sold, so there cannot be only {wanted}")]
    SeatsTaken {
        /// Held or sold.
        taken: u32,
        /// The total asked for.
        wanted: u32,
    },
    /// The new price cannot be charged.
    #[error("the price {0}")]
    Price(#[from] InvalidAmount),
    /// The new date has passed.
    #[error("the event date must be in the future")]
    PastDate,
    /// Its organiser cancelled the event.
    #[error("the event was cancelled at {0}")]
    Cancelled(Timestamp),
    /// The caller saw an older version.
    #[error("version {current} is current")]
    Stale {
        /// The version there is.
        current: u64,
    },
}

/// A change of an event on sale; absent fields keep their values.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = InventoryRevision)]
pub struct Revision {
    /// A new name.
    pub event_name: Option<EventName>,
    /// A new date, in the future.
    pub event_date: Option<Timestamp>,
    /// A new number of seats.
    pub total_seats: Option<Quantity>,
    /// A new price, for bookings from now on.
    pub price: Option<boxoffice_kernel::Amount>,
    /// A new currency, for bookings from now on.
    pub currency: Option<Currency>,
    /// A new place.
    pub location: Option<Location>,
    /// The most seats of one order, for orders from now on.
    pub max_per_order: Option<OrderLimit>,
    /// The most seats that one buyer holds without having paid, for orders from now on.
    pub max_held_per_buyer: Option<Quantity>,
    /// The most seats that one buyer has, paid or not, for orders from now on.
    pub max_per_buyer: Option<Quantity>,
    /// The version the caller saw; a newer one refuses the change.
    #[serde(default, deserialize_with = "whole::optional")]
    pub version: Option<u64>,
}

/// The change of one shard when the number of seats changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChange {
    /// It stays, with so many more (or fewer) seats available.
    Adjust {
        /// The shard's number.
        number: u32,
        /// Seats that come.
        added: u32,
        /// Seats that go; they must be available when the change is written.
        removed: u32,
    },
    /// It is new.
    Create {
        /// The shard's number.
        number: u32,
        /// Its seats.
        seats: u32,
    },
}

impl Inventory {
    /// A new event on sale, all of its seats available.
    pub fn open(id: InventoryId, terms: Terms, now: Timestamp) -> Self {
        let shards = spread(terms.total_seats.get(), shard_count(terms.total_seats))
            .zip(0..)
            .map(|(available, number)| Shard { number, available, held: 0, sold: 0, reserved: 0 })
            .collect();
        Self { id, terms, version: 1, created_at: now, updated_at: now, cancelled_at: None, shards }
    }

    /// Whether it can be booked as far as its date and its organiser go: once it has begun or is cancelled, no seat is sold any more.
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        self.open_for_sale(now).is_ok()
    }

    fn open_for_sale(&self, now: Timestamp) -> Result<(), NotForSale> {
        open_for_sale(self.cancelled_at, self.terms.event_date, now)
    }

    /// The event as a list shows it, its seats counted now.
    pub fn listed(&self) -> ListedInventory {
        ListedInventory {
            id: self.id,
            terms: self.terms.clone(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            cancelled_at: self.cancelled_at,
            seats: self.seats(),
        }
    }

    /// The sums over all shards.
    pub fn seats(&self) -> SeatCounts {
        SeatCounts::of(&self.shards)
    }

    /// The event, cancelled by its organiser. The new version is what closes the sale: a hold that was planned under the terms before is refused.
    #[must_use]
    pub fn cancel(&self, now: Timestamp) -> Self {
        Self { cancelled_at: Some(now), version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// Seats that bookings have, paid or not: what a cancellation takes back. Those reserved by hand are none of them.
    pub fn booked(&self) -> u32 {
        let reserved: u32 = self.shards.iter().map(|shard| shard.reserved).sum();
        (self.held() + self.sold()).saturating_sub(reserved)
    }

    /// Seats anyone may hold.
    pub fn available(&self) -> u32 {
        self.seats().available
    }

    /// Seats of unpaid tickets, and reserved by hand.
    pub fn held(&self) -> u32 {
        self.seats().held
    }

    /// Seats of confirmed tickets.
    pub fn sold(&self) -> u32 {
        self.seats().sold
    }

    /// The seats to take for such a quantity, asking the shards in an order that `seed` decides.
    ///
    /// One shard that has them all is preferred, since a transaction on one item meets the fewest others. When none has, the last seats are
    /// gathered from as many shards as it takes, so that no seat is left unsold for being on the wrong shard.
    ///
    /// # Errors
    /// When the event has begun, or all shards together have too few.
    pub fn plan_hold(&self, quantity: Quantity, seed: usize, now: Timestamp) -> Result<Vec<Allocation>, NotForSale> {
        self.open_for_sale(now)?;
        let wanted = quantity.get();
        // One of the shards with enough seats, chosen by the seed. The one after an empty shard would serve the buyers of both.
        let fitting: Vec<_> = self.shards.iter().filter(|shard| shard.available >= wanted).collect();
        if let Some(shard) = seed.checked_rem(fitting.len()).and_then(|turn| fitting.get(turn)) {
            return Ok(vec![Allocation { shard: shard.number, seats: wanted }]);
        }
        let turn = seed.checked_rem(self.shards.len()).unwrap_or(0);
        let in_turn = self.shards.iter().cycle().skip(turn).take(self.shards.len());
        gather(in_turn.map(|shard| (shard.number, shard.available)), wanted)
            .ok_or(NotForSale::SoldOut { available: self.available(), wanted })
    }

    /// The hand-reserved seats to give back.
    ///
    /// # Errors
    /// With the number there is, when it is less than asked for.
    pub fn plan_return(&self, quantity: Quantity) -> Result<Vec<Allocation>, u32> {
        gather(self.shards.iter().map(|shard| (shard.number, shard.reserved)), quantity.get())
            .ok_or_else(|| self.shards.iter().map(|shard| shard.reserved).sum())
    }

    /// The inventory as the revision makes it, and what that changes on the shards; `None` when all is so already, as for a request that is sent again.
    ///
    /// # Errors
    /// When the revision asks for what cannot be.
    pub fn revise(
        &self,
        revision: &Revision,
        now: Timestamp,
    ) -> Result<Option<(Self, Vec<ShardChange>)>, Unchangeable> {
        if revision.version.is_some_and(|seen| seen != self.version) {
            return Err(Unchangeable::Stale { current: self.version });
        }
        if let Some(at) = self.cancelled_at {
            return Err(Unchangeable::Cancelled(at));
        }
        if revision.event_date.is_some_and(|date| date <= now) {
            return Err(Unchangeable::PastDate);
        }
        let old = &self.terms;
        let total_seats = revision.total_seats.unwrap_or(old.total_seats);
        let terms = Terms {
            event_name: revision.event_name.clone().unwrap_or_else(|| old.event_name.clone()),
            event_date: revision.event_date.unwrap_or(old.event_date),
            total_seats,
            price: Money {
                amount: revision.price.unwrap_or(old.price.amount),
                currency: revision.currency.unwrap_or(old.price.currency),
            },
            location: revision.location.clone().unwrap_or_else(|| old.location.clone()),
            limits: PurchaseLimits {
                max_per_order: revision.max_per_order.unwrap_or(old.limits.max_per_order),
                max_held_per_buyer: revision.max_held_per_buyer.unwrap_or(old.limits.max_held_per_buyer),
                max_per_buyer: revision.max_per_buyer.unwrap_or(old.limits.max_per_buyer),
            },
        };
        if terms == *old {
            return Ok(None);
        }
        if terms.price != old.price {
            terms.price.chargeable()?;
        }
        let changes = self.resize(total_seats)?;
        let mut shards = self.shards.clone();
        for change in &changes {
            match *change {
                ShardChange::Adjust { number, added, removed } => {
                    for shard in shards.iter_mut().filter(|shard| shard.number == number) {
                        shard.available = (shard.available + added).saturating_sub(removed);
                    }
                }
                ShardChange::Create { number, seats } => {
                    shards.push(Shard { number, available: seats, held: 0, sold: 0, reserved: 0 });
                }
            }
        }
        Ok(Some((Self { terms, version: self.version + 1, updated_at: now, shards, ..self.clone() }, changes)))
    }

    /// The change of each shard when the event comes to have so many seats. Every shard is named, even one that stays as it is, for
    /// each must learn of the new terms.
    fn resize(&self, total: Quantity) -> Result<Vec<ShardChange>, Unchangeable> {
        let (old, new) = (self.terms.total_seats.get(), total.get());
        let available = self.shards.iter().map(|shard| (shard.number, shard.available));
        let Some(removals) = gather(available, old.saturating_sub(new)) else {
            return Err(Unchangeable::SeatsTaken { taken: self.held() + self.sold(), wanted: new });
        };
        let existing = u32::try_from(self.shards.len()).unwrap_or(MAX_SHARDS);
        let wanted_shards = shard_count(total).max(existing);
        let growth = new.saturating_sub(old);
        // Added seats go to new shards where the size calls for some, else evenly to those there are.
        let created = wanted_shards - existing;
        let mut additions = spread(if created == 0 { growth } else { 0 }, existing);
        let adjusted = self.shards.iter().map(|shard| ShardChange::Adjust {
            number: shard.number,
            added: additions.next().unwrap_or(0),
            removed: removals.iter().find(|removal| removal.shard == shard.number).map_or(0, |removal| removal.seats),
        });
        let added = spread(growth, created)
            .zip(existing..wanted_shards)
            .map(|(seats, number)| ShardChange::Create { number, seats });
        Ok(adjusted.chain(added).collect())
    }
}

/// So many seats from these shards, the fullest first so that few are touched; `None` when all together have too few.
fn gather(shards: impl Iterator<Item = (u32, u32)>, wanted: u32) -> Option<Vec<Allocation>> {
    let mut shards: Vec<_> = shards.filter(|(_, seats)| *seats > 0).collect();
    shards.sort_by_key(|(_, seats)| std::cmp::Reverse(*seats));
    let mut missing = wanted;
    let mut allocations = Vec::new();
    for (shard, seats) in shards {
        if missing == 0 {
            break;
        }
        let taken = seats.min(missing);
        missing -= taken;
        allocations.push(Allocation { shard, seats: taken });
    }
    (missing == 0).then_some(allocations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::Amount;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn terms(seats: u32) -> Terms {
        Terms {
            event_name: "Concert".parse().unwrap(),
            event_date: now().plus_seconds(3600),
            total_seats: Quantity::new(seats).unwrap(),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::default(),
        }
    }

    fn with_shards(shards: &[(u32, u32, u32)]) -> Inventory {
        let total = shards.iter().map(|(available, held, sold)| available + held + sold).sum();
        let mut inventory = Inventory::open(InventoryId::generate(), terms(total), now());
        inventory.shards = shards
            .iter()
            .zip(0..)
            .map(|(&(available, held, sold), number)| Shard { number, available, held, sold, reserved: 0 })
            .collect();
        inventory
    }

    fn quantity(seats: u32) -> Quantity {
        Quantity::new(seats).unwrap()
    }

    fn in_shards() -> impl Strategy<Value = Inventory> {
        prop::collection::vec((0..200_u32, 0..50_u32, 0..50_u32), 1..20)
            .prop_filter("some seats", |shards| shards.iter().any(|(a, h, s)| a + h + s > 0))
            .prop_map(|shards| with_shards(&shards))
    }

    #[test]
    fn an_event_that_has_begun_sells_nothing() {
        let inventory = with_shards(&[(10, 0, 0)]);
        let begun = inventory.terms.event_date;
        assert_eq!(inventory.plan_hold(quantity(1), 0, begun), Err(NotForSale::Begun(begun)));
    }

    #[test]
    fn a_cancelled_event_sells_nothing_and_keeps_its_terms() {
        let mut inventory = with_shards(&[(10, 5, 3)]);
        inventory.shards[0].reserved = 2;
        let cancelled = inventory.cancel(now());
        assert_eq!((cancelled.version, cancelled.is_on_sale(now())), (2, false));
        assert_eq!(cancelled.plan_hold(quantity(1), 0, now()), Err(NotForSale::Cancelled(now())));
        let revised = cancelled.revise(&Revision { location: "Arena".parse().ok(), ..Revision::default() }, now());
        assert_eq!(revised.unwrap_err(), Unchangeable::Cancelled(now()));
        assert_eq!(cancelled.booked(), 6, "seats reserved by hand are nobody's booking");
    }

    #[test]
    fn a_shard_that_has_all_seats_is_preferred_to_several() {
        let plan = with_shards(&[(1, 0, 0), (5, 0, 0), (3, 0, 0)]).plan_hold(quantity(4), 0, now());
        assert_eq!(plan, Ok(vec![Allocation { shard: 1, seats: 4 }]));
    }

    #[test]
    fn buyers_start_at_different_shards() {
        let inventory = with_shards(&[(5, 0, 0), (5, 0, 0), (5, 0, 0)]);
        let first = |seed| inventory.plan_hold(quantity(1), seed, now()).unwrap()[0].shard;
        assert_eq!([first(0), first(1), first(2), first(3)], [0, 1, 2, 0]);
    }

    #[test]
    fn the_buyers_of_a_shard_that_has_run_out_do_not_all_go_to_the_next() {
        let inventory = with_shards(&[(5, 0, 0), (0, 5, 0), (5, 0, 0), (5, 0, 0)]);
        let first = |seed| inventory.plan_hold(quantity(1), seed, now()).unwrap()[0].shard;
        assert_eq!([first(1), first(5), first(9)], [2, 3, 0]);
    }

    #[test]
    fn fewer_seats_than_are_held_or_sold_are_refused() {
        let inventory = with_shards(&[(2, 3, 4), (1, 0, 0)]);
        let to = |seats| Revision { total_seats: Some(quantity(seats)), ..Revision::default() };
        assert_eq!(inventory.revise(&to(6), now()).unwrap_err(), Unchangeable::SeatsTaken { taken: 7, wanted: 6 });
        let (revised, _) = inventory.revise(&to(7), now()).unwrap().unwrap();
        assert_eq!((revised.available(), revised.held(), revised.sold()), (0, 3, 4));
    }

    #[test]
    fn a_caller_who_saw_an_older_version_is_refused() {
        let revision = Revision { version: Some(7), ..Revision::default() };
        assert_eq!(with_shards(&[(1, 0, 0)]).revise(&revision, now()).unwrap_err(), Unchangeable::Stale { current: 1 });
    }

    #[test]
    fn a_revision_that_changes_nothing_is_none() {
        let inventory = with_shards(&[(1, 0, 0), (2, 0, 0)]);
        let same = Revision { total_seats: Some(inventory.terms.total_seats), version: Some(1), ..Revision::default() };
        for revision in [same, Revision::default()] {
            assert!(inventory.revise(&revision, now()).unwrap().is_none(), "{revision:?}");
        }
    }

    #[test]
    fn an_event_that_grows_gets_the_shards_of_its_size() {
        let inventory = Inventory::open(InventoryId::generate(), terms(50), now());
        let revision = Revision { total_seats: Some(quantity(1050)), ..Revision::default() };
        let (revised, _) = inventory.revise(&revision, now()).unwrap().unwrap();
        assert_eq!((revised.shards.len(), revised.available()), (11, 1050));
    }

    #[test]
    fn a_listed_event_has_the_sums_of_all_shards_and_is_on_sale_as_long_as_the_event_is() {
        let inventory = with_shards(&[(10, 5, 3), (0, 2, 0), (1, 0, 40)]);
        let listed = inventory.listed();
        assert_eq!(listed.seats, SeatCounts { available: 11, held: 7, sold: 43 });
        assert_eq!((listed.id, &listed.terms, listed.version), (inventory.id, &inventory.terms, 1));
        let begins = inventory.terms.event_date;
        for (inventory, at) in
            [(inventory.clone(), now()), (inventory.clone(), begins), (inventory.cancel(now()), now())]
        {
            assert_eq!(inventory.listed().is_on_sale(at), inventory.is_on_sale(at), "{inventory:?} at {at}");
        }
    }

    proptest! {
        #[test]
        fn opening_spreads_every_seat(seats in 1..=Quantity::MAX) {
            let inventory = Inventory::open(InventoryId::generate(), terms(seats), now());
            prop_assert_eq!(inventory.available(), seats);
            let counts: Vec<u32> = inventory.shards.iter().map(|shard| shard.available).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }

        #[test]
        fn a_plan_takes_exactly_what_was_asked_and_only_what_is_there(inventory in in_shards(), wanted in 1..4000_u32, seed: usize) {
            match inventory.plan_hold(quantity(wanted), seed, now()) {
                Ok(plan) => {
                    prop_assert_eq!(plan.iter().map(|allocation| allocation.seats).sum::<u32>(), wanted);
                    for allocation in &plan {
                        let shard = &inventory.shards[allocation.shard as usize];
                        prop_assert!(allocation.seats >= 1 && allocation.seats <= shard.available);
                    }
                    let mut shards: Vec<u32> = plan.iter().map(|allocation| allocation.shard).collect();
                    shards.dedup();
                    prop_assert_eq!(shards.len(), plan.len());
                }
                // A refusal is only right when no seat is left anywhere that could have served it.
                Err(_) => prop_assert!(inventory.available() < wanted),
            }
        }

        #[test]
        fn resizing_keeps_the_equation(inventory in in_shards(), seats in 1..20_000_u32) {
            let revision = Revision { total_seats: Some(quantity(seats)), ..Revision::default() };
            match inventory.revise(&revision, now()) {
                Ok(None) => prop_assert_eq!(inventory.terms.total_seats.get(), seats),
                Ok(Some((revised, _))) => {
                    prop_assert_eq!(revised.available() + revised.held() + revised.sold(), seats);
                    prop_assert_eq!((revised.held(), revised.sold()), (inventory.held(), inventory.sold()));
                }
                Err(_) => prop_assert!(inventory.held() + inventory.sold() > seats),
            }
        }
    }

    /// Two shards of 75 seats.
    fn inventory() -> Inventory {
        Inventory::open(InventoryId::generate(), terms(150), now())
    }

    #[test]
    fn seats_reserved_by_hand_are_given_back_where_they_were_taken() {
        let mut inventory = inventory();
        for (shard, reserved) in inventory.shards.iter_mut().zip([1, 2]) {
            (shard.available, shard.held, shard.reserved) = (60, 15, reserved);
        }
        let all = vec![Allocation { shard: 1, seats: 2 }, Allocation { shard: 0, seats: 1 }];
        assert_eq!(inventory.plan_return(quantity(3)), Ok(all));
        assert_eq!(inventory.plan_return(quantity(4)), Err(3));
    }

    #[test]
    fn an_event_moves_into_the_future_only() {
        let on = |date| Revision { event_date: Some(date), ..Revision::default() };
        assert_eq!(inventory().revise(&on(now()), now()).unwrap_err(), Unchangeable::PastDate);
        let tomorrow = now().plus_seconds(86_400);
        let (revised, _) = inventory().revise(&on(tomorrow), now()).unwrap().unwrap();
        assert_eq!(revised.terms, Terms { event_date: tomorrow, ..terms(150) });
    }

    #[test]
    fn a_revision_changes_what_it_names_and_is_a_version_of_its_own() {
        let later = now().plus_seconds(60);
        let wanted = Terms {
            event_name: "Matinee".parse().unwrap(),
            total_seats: quantity(151),
            price: Money { amount: Amount::from_minor(2990).unwrap(), currency: Currency::Chf },
            location: "Garden".parse().unwrap(),
            limits: PurchaseLimits {
                max_per_order: quantity(4).try_into().unwrap(),
                max_held_per_buyer: quantity(8),
                max_per_buyer: quantity(12),
            },
            ..terms(150)
        };
        let revision = Revision {
            event_name: Some(wanted.event_name.clone()),
            total_seats: Some(wanted.total_seats),
            price: Some(wanted.price.amount),
            currency: Some(wanted.price.currency),
            location: Some(wanted.location.clone()),
            max_per_order: Some(wanted.limits.max_per_order),
            max_held_per_buyer: Some(wanted.limits.max_held_per_buyer),
            max_per_buyer: Some(wanted.limits.max_per_buyer),
            ..Revision::default()
        };
        let (revised, _) = inventory().revise(&revision, later).unwrap().unwrap();
        assert_eq!((revised.version, revised.created_at, revised.updated_at), (2, now(), later));
        assert_eq!((revised.available(), revised.terms), (151, wanted));
    }
}
