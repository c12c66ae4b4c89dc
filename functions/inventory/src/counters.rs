//! An event's seat counters against the reservations that they count. No I/O.
//!
//! Every reservation moves its shards' counters in one transaction with itself, so at any moment `held` is what the held reservations and the
//! seats reserved by hand add up to, and `sold` what the sold ones do. Adding up reservations takes some time, though. The sum
//! holds for a shard that did not move from before the first read until after the last: `moves` tells.
//!
//! Numbers are signed here: a counter that a defect drove below zero is something to see, not something that fails to be read.

use crate::domain::{EventName, Reservation, ReservationState, SeatCounts};
use boxoffice_kernel::{Fingerprint, InventoryId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The counters of one shard, and what tells whether they have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counter {
    /// The number of the shard in its event.
    pub number: u32,
    /// Seats anyone may hold.
    pub available: i64,
    /// Seats of unpaid tickets, and seats reserved by hand.
    pub held: i64,
    /// Seats of confirmed tickets.
    pub sold: i64,
    /// How many of `held` were reserved by hand. No item says who has them, so this is taken as it is.
    pub reserved: i64,
    /// The version of the terms that the shard sells under.
    pub inventory_version: u64,
    /// How often seats of the shard have moved.
    #[serde(default)]
    pub moves: u64,
}

/// The counters of an event on sale, all its shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// The event.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// How many seats it has.
    pub total: i64,
    /// The version of its terms.
    pub version: u64,
    /// Its shards, by number.
    pub shards: Vec<Counter>,
}

/// Seats by where they are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Anyone may hold them.
    pub available: i64,
    /// Seats of unpaid tickets, and seats reserved by hand.
    pub held: i64,
    /// Seats of confirmed tickets.
    pub sold: i64,
}

impl Counts {
    /// All of them.
    pub fn total(self) -> i64 {
        self.available + self.held + self.sold
    }

    /// The sums over these shards.
    pub fn of(shards: &[Counter]) -> Self {
        shards.iter().fold(Self::default(), |sum, shard| Self {
            available: sum.available + shard.available,
            held: sum.held + shard.held,
            sold: sum.sold + shard.sold,
        })
    }
}

/// As a list shows them: a counter that a defect drove below zero is for `reconcile` to see, and shown as zero.
impl From<Counts> for SeatCounts {
    fn from(Counts { available, held, sold }: Counts) -> Self {
        let shown = |seats: i64| u32::try_from(seats.max(0)).unwrap_or(u32::MAX);
        Self { available: shown(available), held: shown(held), sold: shown(sold) }
    }
}

impl From<&Counter> for Counts {
    fn from(&Counter { available, held, sold, .. }: &Counter) -> Self {
        Self { available, held, sold }
    }
}

/// Seats that tickets have of one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// By reservations that are held.
    pub held: i64,
    /// By reservations that are sold.
    pub sold: i64,
}

/// The seats that tickets have, summed per event and shard.
#[derive(Debug, Clone, Default)]
pub struct Holdings(BTreeMap<InventoryId, BTreeMap<u32, Taken>>);

impl Holdings {
    /// Adds a reservation's seats.
    pub fn add(&mut self, reservation: &Reservation) {
        let shards = self.0.entry(reservation.inventory_id).or_default();
        for allocation in &reservation.allocations {
            let taken = shards.entry(allocation.shard).or_default();
            match reservation.state {
                ReservationState::Held => taken.held += i64::from(allocation.seats),
                ReservationState::Sold => taken.sold += i64::from(allocation.seats),
                ReservationState::Released => {}
            }
        }
    }

    /// The seats of this shard that tickets have.
    pub fn of(&self, inventory: InventoryId, shard: u32) -> Taken {
        self.0.get(&inventory).and_then(|shards| shards.get(&shard)).copied().unwrap_or_default()
    }
}

/// One shard's counters, as they are and as they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// As they are.
    pub seen: Counter,
    /// As they must be.
    pub due: Counts,
}

/// Counters that do not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// As they are.
    pub seen: Counters,
    /// The corrections, for each shard that must change; empty when no correction is possible, which is a case for an operator.
    pub corrections: Vec<Correction>,
}

impl Discrepancy {
    /// The event's seats as they are counted.
    pub fn before(&self) -> Counts {
        Counts::of(&self.seen.shards)
    }

    /// The event's seats as they will be counted once corrected.
    pub fn after(&self) -> Counts {
        self.corrections.iter().fold(self.before(), |sum, Correction { seen, due }| Counts {
            available: sum.available + due.available - seen.available,
            held: sum.held + due.held - seen.held,
            sold: sum.sold + due.sold - seen.sold,
        })
    }
}

impl Counters {
    /// The sums over all shards.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.shards)
    }

    /// These very counters: any move of a seat, any change of the terms and any correction makes others.
    pub fn fingerprint(&self) -> Fingerprint {
        let shard = |shard: &Counter| {
            let Counter { number, available, held, sold, reserved, inventory_version, moves } = shard;
            format!("{number} {available} {held} {sold} {reserved} {inventory_version} {moves}")
        };
        let shards: Vec<_> = self.shards.iter().map(shard).collect();
        Fingerprint::of(&[&self.total.to_string(), &self.version.to_string(), &shards.join("\n")])
    }

    /// The defects of these counters, given those from `before` the reservations were read. Shards that moved in between
    /// must still add up to the total with the others; while the terms change, nothing is checked.
    pub fn discrepancy(&self, before: &Self, holdings: &Holdings) -> Option<Discrepancy> {
        if self.version != before.version {
            return None;
        }
        let (still, moved): (Vec<Counter>, Vec<Counter>) =
            self.shards.iter().partition(|shard| before.shards.contains(shard));
        if moved.iter().any(|shard| shard.inventory_version != self.version) {
            return None;
        }
        let mut due: Vec<Correction> = still
            .into_iter()
            .map(|seen| {
                let taken = holdings.of(self.inventory_id, seen.number);
                let (held, sold) = (taken.held + seen.reserved, taken.sold);
                let available = seen.available + (seen.held - held) + (seen.sold - sold);
                Correction { seen, due: Counts { available, held, sold } }
            })
            .collect();
        let missing = self.total - Counts::of(&self.shards).total();
        let outdated = |correction: &Correction| correction.seen.inventory_version != self.version;
        if missing == 0 && due.iter().all(|correction| !correction.is_one() && !outdated(correction)) {
            return None;
        }
        let by_hand_is_sound = due.iter().all(|Correction { seen, .. }| seen.reserved >= 0);
        let corrections = if by_hand_is_sound && balance(&mut due, missing) {
            due.retain(|correction| correction.is_one() || outdated(correction));
            due
        } else {
            Vec::new()
        };
        Some(Discrepancy { seen: self.clone(), corrections })
    }
}

impl Correction {
    /// Whether it changes anything.
    fn is_one(&self) -> bool {
        self.due != Counts::from(&self.seen)
    }
}

/// Adds the seats that are missing (or takes those that are too many) where they can be had, so that no shard has less than none; whether that
/// can be done. Which shard a seat is on does not matter, only that it is on one: those that are wrong anyway come first.
fn balance(shards: &mut [Correction], missing: i64) -> bool {
    shards.sort_by_key(|shard| (!shard.is_one(), -shard.due.available));
    let Some(first) = shards.first_mut() else { return false };
    first.due.available += missing;
    let mut owed = 0;
    for shard in shards.iter_mut().filter(|shard| shard.due.available < 0) {
        owed -= shard.due.available;
        shard.due.available = 0;
    }
    for shard in shards.iter_mut() {
        let paid = owed.min(shard.due.available);
        shard.due.available -= paid;
        owed -= paid;
    }
    shards.sort_by_key(|shard| shard.seen.number);
    owed == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Allocation;
    use boxoffice_kernel::{Quantity, TicketId};
    use proptest::prelude::*;

    fn reservation(inventory_id: InventoryId, state: ReservationState, allocations: Vec<Allocation>) -> Reservation {
        let ticket_id = TicketId::generate();
        Reservation {
            id: ticket_id.reservation(),
            ticket_id,
            inventory_id,
            event_name: "Concert".parse().unwrap(),
            quantity: Quantity::new(allocations.iter().map(|allocation| allocation.seats).sum()).unwrap(),
            allocations,
            state,
            closed: false,
            version: 1,
        }
    }

    /// An event whose counters count what its reservations hold.
    #[derive(Debug, Clone)]
    struct Sound {
        counters: Counters,
        holdings: Holdings,
    }

    /// Shards of (available, reserved by hand, held by a ticket, sold to a ticket).
    fn sound(shards: &[(i64, i64, u32, u32)]) -> Sound {
        let inventory_id = InventoryId::generate();
        let mut holdings = Holdings::default();
        let mut counted = Vec::new();
        for (&(available, reserved, held, sold), number) in shards.iter().zip(0..) {
            for (seats, state) in [(held, ReservationState::Held), (sold, ReservationState::Sold)] {
                if seats > 0 {
                    holdings.add(&reservation(inventory_id, state, vec![Allocation { shard: number, seats }]));
                }
            }
            let (held, sold) = (reserved + i64::from(held), i64::from(sold));
            counted.push(Counter { number, available, held, sold, reserved, inventory_version: 3, moves: 7 });
        }
        let total = Counts::of(&counted).total();
        let event_name = "Concert".parse().unwrap();
        Sound { counters: Counters { inventory_id, event_name, total, version: 3, shards: counted }, holdings }
    }

    impl Sound {
        fn found(&self, seen: &Counters) -> Option<Discrepancy> {
            seen.discrepancy(seen, &self.holdings)
        }
    }

    /// The counters once a discrepancy is corrected.
    fn corrected(found: &Discrepancy) -> Counters {
        let mut counters = found.seen.clone();
        for shard in &mut counters.shards {
            if let Some(Correction { due, .. }) = found.corrections.iter().find(|c| c.seen.number == shard.number) {
                (shard.available, shard.held, shard.sold) = (due.available, due.held, due.sold);
            }
        }
        counters
    }

    #[test]
    fn a_released_reservation_counts_nowhere() {
        let mut event = sound(&[(5, 0, 2, 1)]);
        let released = vec![Allocation { shard: 0, seats: 3 }];
        event.holdings.add(&reservation(event.counters.inventory_id, ReservationState::Released, released));
        assert_eq!(event.found(&event.counters), None);
    }

    #[test]
    fn a_hold_that_is_counted_and_not_there_goes_back_on_sale() {
        let event = sound(&[(5, 1, 2, 1), (3, 0, 0, 0)]);
        let mut wrong = event.counters.clone();
        wrong.shards[0].held += 2;
        wrong.shards[0].available -= 2;
        let found = event.found(&wrong).unwrap();
        assert_eq!(found.corrections.len(), 1);
        assert_eq!(found.after(), Counts { available: 8, held: 3, sold: 1 });
        assert_eq!(corrected(&found), event.counters);
    }

    #[test]
    fn seats_lost_from_the_total_are_found_again_where_the_counters_are_wrong() {
        let event = sound(&[(5, 0, 2, 1), (9, 0, 0, 0)]);
        let mut wrong = event.counters.clone();
        wrong.shards[0].held = 0;
        let found = event.found(&wrong).unwrap();
        assert_eq!(corrected(&found), event.counters);
    }

    #[test]
    fn counters_below_zero_are_seen_and_put_right() {
        let event = sound(&[(1, 0, 2, 0), (4, 0, 0, 0)]);
        let mut wrong = event.counters.clone();
        wrong.shards[1].available = -3;
        let found = event.found(&wrong).unwrap();
        assert_eq!(found.before().total(), 0);
        assert_eq!(found.after().total(), event.counters.total);
    }

    #[test]
    fn a_correction_below_zero_seats_is_left_to_an_operator() {
        // Sold twice: three tickets have seats of an event of two.
        let mut event = sound(&[(0, 0, 0, 2)]);
        let more = vec![Allocation { shard: 0, seats: 1 }];
        event.holdings.add(&reservation(event.counters.inventory_id, ReservationState::Sold, more));
        let found = event.found(&event.counters).unwrap();
        assert_eq!(found.corrections, []);
        assert_eq!(found.after(), found.before());
    }

    #[test]
    fn nothing_is_said_of_a_shard_that_moved() {
        let event = sound(&[(5, 0, 2, 1), (4, 0, 1, 0)]);
        let mut now = event.counters.clone();
        now.shards[0].moves += 2;
        // Another ticket's seats came and went while the reservations were read, and were met.
        let mut holdings = event.holdings.clone();
        let met = vec![Allocation { shard: 0, seats: 1 }];
        holdings.add(&reservation(now.inventory_id, ReservationState::Held, met));
        assert_eq!(now.discrepancy(&event.counters, &holdings), None);
        // Had the shard not moved, that would have been a hold that nobody counts.
        assert!(event.counters.discrepancy(&event.counters, &holdings).is_some());
    }

    #[test]
    fn nothing_is_said_while_the_terms_change() {
        let event = sound(&[(5, 0, 2, 1)]);
        let mut now = event.counters.clone();
        (now.version, now.total) = (4, 20);
        assert_eq!(now.discrepancy(&event.counters, &event.holdings), None);
    }

    #[test]
    fn a_shard_left_behind_under_old_terms_is_found() {
        let event = sound(&[(5, 0, 2, 1), (4, 0, 1, 0)]);
        let mut wrong = event.counters.clone();
        wrong.shards[1].inventory_version = 2;
        let found = event.found(&wrong).unwrap();
        assert_eq!((found.corrections.len(), found.before()), (1, found.after()));
    }

    fn events() -> impl Strategy<Value = Sound> {
        prop::collection::vec((0..200_i64, 0..9_i64, 0..50_u32, 0..50_u32), 1..12).prop_map(|shards| sound(&shards))
    }

    proptest! {
        #[test]
        fn counters_that_count_their_reservations_are_right(event in events()) {
            prop_assert_eq!(event.found(&event.counters), None);
        }

        #[test]
        fn each_violation_is_found_and_its_correction_holds(
            event in events(), place: prop::sample::Index, counter in 0..3_u8, by in prop_oneof![-300..0_i64, 1..300_i64],
        ) {
            let mut wrong = event.counters.clone();
            let shard = place.index(wrong.shards.len());
            let shard = &mut wrong.shards[shard];
            match counter {
                0 => shard.available += by,
                1 => shard.held += by,
                _ => shard.sold += by,
            }
            let found = event.found(&wrong).expect("a wrong counter is found");
            // Seats held by tickets and by hand never exceed the total here, so a correction always exists.
            prop_assert!(!found.corrections.is_empty());
            let right = corrected(&found);
            prop_assert_eq!(event.found(&right), None);
            prop_assert!(right.shards.iter().all(|shard| shard.available >= 0 && shard.held >= 0 && shard.sold >= 0));
            prop_assert_eq!(found.after(), Counts::of(&event.counters.shards));
        }

        #[test]
        fn a_correction_never_makes_a_number_negative(
            event in events(), scramble in prop::collection::vec((-50..50_i64, -50..50_i64, -50..50_i64), 12),
        ) {
            let mut wrong = event.counters.clone();
            for (shard, (available, held, sold)) in wrong.shards.iter_mut().zip(scramble) {
                (shard.available, shard.held, shard.sold) =
                    (shard.available + available, shard.held + held, shard.sold + sold);
            }
            if let Some(found) = event.found(&wrong) {
                prop_assert!(found.corrections.iter().all(|correction| correction.due.available >= 0));
                prop_assert_eq!(event.found(&corrected(&found)), None);
            }
        }
    }
}
