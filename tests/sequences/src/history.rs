//! Calls with their times and answers, and whether some order explains them all.
//!
//! A history is *linearizable* when its calls can be put in one order such that each takes place at one moment between its invocation and its return, and
//! each answers as it would in that order (Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects", 1990). The search is that of
//! Wing and Gong ("Testing and verifying concurrent objects", 1993): take a call that no other one returned before, see whether its answer fits, go on
//! with the rest, and go back when nothing fits; with Lowe's memory ("Testing for linearizability", 2017) of what has been tried. Here the seats'
//! counts follow from *which* calls have taken place, whatever their order, so that this set alone is remembered. A call that changes nothing is placed as
//! soon as it fits: a call that reads cannot spoil a later one.
//!
//! The claims:
//!
//! | Call | Takes place |
//! |---|---|
//! | hold, confirm, release | at one moment, on all its shards together: each is one `TransactWriteItems`, which is serializable |
//! | read of one shard | at one moment: a consistent read of one item |
//! | read of an event (AP-10) | shard by shard: a `Query` is read-committed and no snapshot of several items, so its shards may be of different moments, each within the call |
//! | refusal for want of seats | at one moment where the event has one shard (which is so up to 100 seats). With several it rests on such a read, and nothing is claimed of the moment |

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Instant,
};

/// The seats of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "as the tables name them")]
pub struct Shard {
    pub available: i64,
    pub held: i64,
    pub sold: i64,
}

impl Shard {
    /// With so many more (or fewer) seats in each counter.
    #[must_use]
    pub fn plus(self, change: Self) -> Self {
        Self {
            available: self.available + change.available,
            held: self.held + change.held,
            sold: self.sold + change.sold,
        }
    }

    fn is_possible(self) -> bool {
        self.available >= 0 && self.held >= 0 && self.sold >= 0
    }
}

/// The effect of a call, by its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// Moved seats on these shards, all at once.
    Move(Vec<(u32, Shard)>),
    /// Saw this shard so.
    See(u32, Shard),
    /// Was told that fewer than so many seats are available.
    Refuse(i64),
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it was invoked.
    pub invoked: Instant,
    /// When it returned; never, where nobody knows whether it is still to take place.
    pub returned: Option<Instant>,
    /// The effect.
    pub did: Did,
}

/// No order explains the answers.
#[derive(Debug)]
pub struct Unexplained {
    /// The most calls that could be put in an order.
    placed: usize,
    all: usize,
    /// The seats then.
    shards: Vec<(u32, Shard)>,
    /// The calls of which one had to be next.
    stuck: Vec<Did>,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { placed, all, shards, stuck } = self;
        write!(
            f,
            "no order explains the answers: after {placed} of {all} calls, with {shards:?}, none fits of {stuck:?}"
        )
    }
}

/// The calls that have been placed, one bit each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Placed(Vec<u64>);

impl Placed {
    fn has(&self, call: usize) -> bool {
        self.0.get(call / 64).is_some_and(|word| word >> (call % 64) & 1 == 1)
    }

    fn set(&mut self, call: usize, placed: bool) {
        let word = self.0.get_mut(call / 64).expect("a call of this history");
        *word = if placed { *word | 1 << (call % 64) } else { *word & !(1 << (call % 64)) };
    }
}

struct Search<'a> {
    history: &'a [Call],
    placed: Placed,
    count: usize,
    shards: HashMap<u32, Shard>,
    tried: HashSet<Placed>,
    furthest: Option<Unexplained>,
}

impl Search<'_> {
    /// The calls that may be next: no other one that is still to be placed returned before they were invoked.
    fn next(&self) -> Vec<usize> {
        let left = || (0..self.history.len()).filter(|call| !self.placed.has(*call));
        let call = |number: usize| self.history.get(number).expect("a call of this history");
        let first_return = left().filter_map(|number| call(number).returned).min();
        left().filter(|number| first_return.is_none_or(|first| call(*number).invoked <= first)).collect()
    }

    fn shard(&self, number: u32) -> Shard {
        self.shards.get(&number).copied().unwrap_or_default()
    }

    fn place(&mut self, call: usize, placed: bool) {
        self.placed.set(call, placed);
        if placed { self.count += 1 } else { self.count -= 1 }
    }

    fn did(&self, call: usize) -> &Did {
        &self.history.get(call).expect("a call of this history").did
    }

    /// Places what changes nothing and fits, for as long as there is such; what was placed.
    fn place_what_fits(&mut self) -> Vec<usize> {
        let mut fitted = Vec::new();
        loop {
            let available: i64 = self.shards.values().map(|shard| shard.available).sum();
            let fits = |call: &usize| match *self.did(*call) {
                Did::See(number, seen) => self.shard(number) == seen,
                Did::Refuse(wanted) => available < wanted,
                Did::Move(_) => false,
            };
            let fitting: Vec<_> = self.next().into_iter().filter(fits).collect();
            if fitting.is_empty() {
                return fitted;
            }
            for call in fitting {
                self.place(call, true);
                fitted.push(call);
            }
        }
    }

    fn is_explained(&mut self) -> bool {
        let fitted = self.place_what_fits();
        let next = self.next();
        // A step that may never take place is not demanded.
        let over = (0..self.history.len())
            .all(|call| self.placed.has(call) || self.history.get(call).is_some_and(|call| call.returned.is_none()));
        if over {
            return true;
        }
        if self.tried.insert(self.placed.clone()) {
            for call in &next {
                let Did::Move(changes) = self.did(*call).clone() else { continue };
                let before = self.shards.clone();
                for (number, change) in &changes {
                    let after = self.shard(*number).plus(*change);
                    self.shards.insert(*number, after);
                }
                if self.shards.values().all(|shard| shard.is_possible()) {
                    self.place(*call, true);
                    if self.is_explained() {
                        return true;
                    }
                    self.place(*call, false);
                }
                self.shards = before;
            }
        }
        if self.furthest.as_ref().is_none_or(|furthest| furthest.placed < self.count) {
            let mut shards: Vec<_> = self.shards.iter().map(|(number, shard)| (*number, *shard)).collect();
            shards.sort_by_key(|(number, _)| *number);
            let stuck = next.iter().map(|call| self.did(*call).clone()).collect();
            self.furthest = Some(Unexplained { placed: self.count, all: self.history.len(), shards, stuck });
        }
        for call in fitted {
            self.place(call, false);
        }
        false
    }
}

/// Whether some order of these calls, each between its invocation and its return, explains every answer.
///
/// # Errors
/// When none does.
pub fn explain(history: &[Call], shards: &[(u32, Shard)]) -> Result<(), Unexplained> {
    let mut search = Search {
        history,
        placed: Placed(vec![0; history.len().div_ceil(64)]),
        count: 0,
        shards: shards.iter().copied().collect(),
        tried: HashSet::new(),
        furthest: None,
    };
    if search.is_explained() {
        return Ok(());
    }
    Err(search.furthest.expect("a search that failed somewhere"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOLD: Shard = Shard { available: -1, held: 1, sold: 0 };

    fn call(start: Instant, from: u64, to: u64, did: Did) -> Call {
        let at = |millis| start + Duration::from_millis(millis);
        Call { invoked: at(from), returned: Some(at(to)), did }
    }

    fn shard(available: i64, held: i64) -> Shard {
        Shard { available, held, sold: 0 }
    }

    fn explained(calls: &[(u64, u64, Did)], seats: i64) -> bool {
        let start = Instant::now();
        let history: Vec<_> = calls.iter().map(|(from, to, did)| call(start, *from, *to, did.clone())).collect();
        explain(&history, &[(0, shard(seats, 0)), (1, shard(seats, 0))]).is_ok()
    }

    #[test]
    fn a_read_beside_a_write_may_see_it_or_not() {
        let hold = (0, 10, Did::Move(vec![(0, HOLD)]));
        assert!(explained(&[hold.clone(), (5, 6, Did::See(0, shard(1, 0)))], 1));
        assert!(explained(&[hold, (5, 6, Did::See(0, shard(0, 1)))], 1));
    }

    #[test]
    fn a_read_after_a_write_must_see_it() {
        let hold = (0, 10, Did::Move(vec![(0, HOLD)]));
        assert!(!explained(&[hold, (11, 12, Did::See(0, shard(1, 0)))], 1));
    }

    #[test]
    fn reads_are_monotonic() {
        let hold = (0, 10, Did::Move(vec![(0, HOLD)]));
        let (new, old) = (Did::See(0, shard(0, 1)), Did::See(0, shard(1, 0)));
        assert!(!explained(&[hold.clone(), (2, 3, new.clone()), (4, 5, old.clone())], 1));
        assert!(explained(&[hold, (2, 3, old), (4, 5, new)], 1));
    }

    #[test]
    fn one_seat_is_held_once() {
        let hold = |from, to| (from, to, Did::Move(vec![(0, HOLD)]));
        assert!(!explained(&[hold(0, 10), hold(0, 10)], 1));
        assert!(explained(&[hold(0, 10), hold(0, 10)], 2));
    }

    #[test]
    fn a_refusal_needs_a_moment_without_seats() {
        let hold = |shard| (0, 10, Did::Move(vec![(shard, HOLD)]));
        assert!(explained(&[hold(0), hold(1), (9, 11, Did::Refuse(1))], 1));
        assert!(!explained(&[hold(0), (9, 11, Did::Refuse(1))], 1));
    }

    #[test]
    fn shards_of_one_read_may_be_of_different_moments_and_those_of_one_write_may_not() {
        let both = (0, 10, Did::Move(vec![(0, HOLD), (1, HOLD)]));
        let (new, old) = (Did::See(0, shard(0, 1)), Did::See(1, shard(1, 0)));
        assert!(explained(&[both.clone(), (2, 8, new.clone()), (2, 8, old.clone())], 1));
        assert!(!explained(&[both, (2, 3, new), (4, 5, old)], 1));
    }

    #[test]
    fn a_call_that_never_returned_may_have_taken_place_or_not() {
        let start = Instant::now();
        let lost = Call { returned: None, ..call(start, 0, 0, Did::Move(vec![(0, HOLD)])) };
        for seen in [shard(1, 0), shard(0, 1)] {
            let read = call(start, 5, 6, Did::See(0, seen));
            assert!(explain(&[lost.clone(), read], &[(0, shard(1, 0))]).is_ok());
        }
    }
}
