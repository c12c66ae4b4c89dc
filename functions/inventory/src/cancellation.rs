//! The cancellation of an event by its organiser: how far the walk over its bookings is, and the account of it. No I/O.
//!
//! The walk goes over all bookings again and again, until a pass finds each of them at rest. The first pass requests the cancellations, at the configured rate;
//! the later ones count what became of them, and request that of a booking that the list, which follows the table within moments, did not show before. The
//! last word has the event's seats, which are read consistently: the walk is over only when no booking has any that the account does not name.
//!
//! Progress is one item. A page counts when the item is written with the place after it, on condition that nobody wrote since, so a page that is walked twice
//! counts once. A *run* is one execution of the state machine: a new run ends the one before at its next page.

use crate::domain::{EventName, Inventory};
use boxoffice_aws::Cursor;
use boxoffice_kernel::{InventoryId, Quantity, Reason, TicketId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// How long the walk pauses between two steps: the rate is bookings in this time.
pub const STEP_SECONDS: u32 = 5;
/// The longest pause between two passes that found bookings still under way.
const LONGEST_PAUSE_SECONDS: u32 = 60;
/// How many passes look for bookings that have seats and are on no list. Deleted ones never show.
const BLIND_PASSES: u32 = 10;
/// How many steps a run takes before it hands over to the next: an execution has at most 25,000 entries in its history, and a step makes nine.
const STEPS_PER_RUN: u32 = 1_500;
/// How many cases the account names. The count has them all.
pub const MOST_CASES: usize = 100;

/// Why a booking was not cancelled with its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = CancellationCaseCode)]
pub enum CaseCode {
    /// Somebody has entered with it.
    AdmissionUsed,
    /// The ticket is COMPLETED.
    TicketCompleted,
    /// Its saga needs attention.
    SagaStuck,
}

/// A booking that was not cancelled, for people to decide about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CancellationCase)]
pub struct Case {
    /// The booking.
    pub ticket_id: TicketId,
    /// Why.
    pub code: CaseCode,
}

/// The state in which the walk found a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Cancelled, and its money given back if there was any.
    Cancelled {
        /// Whether there was money.
        refunded: bool,
    },
    /// On its way.
    Open,
    /// It stays, with these seats still taken.
    Failed {
        /// Why.
        code: CaseCode,
        /// The seats it has.
        seats: u32,
    },
}

/// The bookings of a pass, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// All of them.
    pub walked: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Cancelled with their money given back.
    pub refunded: u32,
    /// Still under way.
    pub open: u32,
    /// Cases.
    pub failed: u32,
    /// The seats of the cases.
    pub failed_seats: u32,
}

impl Tally {
    fn count(&mut self, fate: Fate) {
        let add = |count: &mut u32, more: u32| *count = count.saturating_add(more);
        add(&mut self.walked, 1);
        match fate {
            Fate::Cancelled { refunded } => {
                add(&mut self.cancelled, 1);
                add(&mut self.refunded, u32::from(refunded));
            }
            Fate::Open => add(&mut self.open, 1),
            Fate::Failed { seats, .. } => {
                add(&mut self.failed, 1);
                add(&mut self.failed_seats, seats);
            }
        }
    }
}

/// The findings of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// The first cases.
    pub cases: Vec<Case>,
}

/// Where the cancellation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = CancellationState)]
pub enum State {
    /// The walk is under way.
    Cancelling,
    /// Every booking is at rest.
    Done,
}

/// The cancellation of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// The event.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// The organiser's words.
    pub reason: Reason,
    /// The organiser.
    pub requested_by: UserId,
    /// When the sale was closed.
    pub requested_at: Timestamp,
    /// How often the walk was begun or resumed.
    pub run: u32,
    /// The execution that walks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// How many steps this run has taken.
    pub steps: u32,
    /// The number of the pass over the bookings, from 1.
    pub pass: u32,
    /// How many passes in a row found every booking at rest, and seats that are none of theirs.
    pub blind: u32,
    /// The place in this pass; none at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// This pass, so far.
    pub current: Account,
    /// The last pass that is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Account>,
    /// Seats of bookings that the walk did not find.
    pub unaccounted_seats: u32,
    /// When every booking had come to rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When this was last written.
    pub updated_at: Timestamp,
    /// How often it has been written.
    pub version: u64,
}

/// Another run has the walk, or it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaken;

impl Cancellation {
    /// The cancellation of this event, before its first booking.
    pub fn request(cancelled: &Inventory, reason: Reason, by: UserId, now: Timestamp) -> Self {
        Self {
            inventory_id: cancelled.id,
            event_name: cancelled.terms.event_name.clone(),
            reason,
            requested_by: by,
            requested_at: now,
            run: 1,
            execution: None,
            steps: 0,
            pass: 1,
            blind: 0,
            cursor: None,
            current: Account::default(),
            complete: None,
            unaccounted_seats: 0,
            ended_at: None,
            updated_at: now,
            version: 1,
        }
    }

    fn written(&self, now: Timestamp) -> Self {
        Self { version: self.version.saturating_add(1), updated_at: now, ..self.clone() }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        if self.ended_at.is_some() { State::Done } else { State::Cancelling }
    }

    /// The counts to show: the first pass as it goes, then the last complete one.
    pub fn account(&self) -> &Account {
        self.complete.as_ref().unwrap_or(&self.current)
    }

    /// The cancellation with a new run, which goes on where the last one stopped; of one that ended, over every booking again. Nothing when it ended and left no
    /// case.
    pub fn resume(&self, now: Timestamp) -> Option<Self> {
        let next = Self { run: self.run.saturating_add(1), execution: None, steps: 0, ..self.written(now) };
        match self.ended_at {
            None => Some(next),
            Some(_) if self.account().tally.failed == 0 && self.unaccounted_seats == 0 => None,
            Some(_) => Some(Self { ended_at: None, unaccounted_seats: 0, blind: 0, ..next.next_pass() }),
        }
    }

    /// The cancellation with a run for the next execution, when this one has taken as many steps as its history has room for.
    pub fn hand_over(&self, now: Timestamp) -> Option<Self> {
        if self.steps < STEPS_PER_RUN { None } else { self.resume(now) }
    }

    /// This execution takes a step of this run.
    ///
    /// # Errors
    /// When another one has the run, there is a newer run, or the walk is over.
    pub fn step(&self, run: u32, execution: &str, now: Timestamp) -> Result<Self, Overtaken> {
        let mine = self.execution.as_deref().is_none_or(|holder| holder == execution);
        if self.run != run || !mine || self.ended_at.is_some() {
            return Err(Overtaken);
        }
        let steps = self.steps.saturating_add(1);
        Ok(Self { execution: Some(execution.to_owned()), steps, ..self.written(now) })
    }

    /// The cancellation after a page of bookings, with the place of the next one.
    #[must_use]
    pub fn after_page(&self, page: &[(TicketId, Fate)], next: Option<Cursor>, now: Timestamp) -> Self {
        let mut current = self.current.clone();
        for (ticket_id, fate) in page {
            current.tally.count(*fate);
            if let Fate::Failed { code, .. } = *fate
                && current.cases.len() < MOST_CASES
            {
                current.cases.push(Case { ticket_id: *ticket_id, code });
            }
        }
        Self { current, cursor: next, ..self.written(now) }
    }

    /// The cancellation after the last page of a pass, while bookings have so many seats. It is over when none is under way and the seats are those of the
    /// cases; or when pass after pass finds no more bookings for the seats there are.
    #[must_use]
    pub fn after_pass(&self, booked: u32, now: Timestamp) -> Self {
        let Tally { open, failed_seats, .. } = self.current.tally;
        let unaccounted = booked.saturating_sub(failed_seats);
        let blind = if open == 0 && unaccounted > 0 { self.blind.saturating_add(1) } else { 0 };
        let over = open == 0 && (unaccounted == 0 || blind >= BLIND_PASSES);
        let next = Self { complete: Some(self.current.clone()), blind, ..self.written(now) }.next_pass();
        if over { Self { ended_at: Some(now), unaccounted_seats: unaccounted, ..next } } else { next }
    }

    fn next_pass(self) -> Self {
        Self { pass: self.pass.saturating_add(1), cursor: None, current: Account::default(), ..self }
    }

    /// How long to wait before the next step: within a pass the rate decides, between two the work that is left takes its time.
    pub fn pause_seconds(&self) -> u32 {
        let begun = self.cursor.is_some() || self.pass < 3;
        if begun { STEP_SECONDS } else { STEP_SECONDS.saturating_mul(self.pass - 1).min(LONGEST_PAUSE_SECONDS) }
    }
}

/// How many cancellations a step requests at such a rate.
pub fn batch(per_second: Quantity) -> usize {
    usize::try_from(per_second.get().saturating_mul(STEP_SECONDS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PurchaseLimits, Terms};
    use boxoffice_kernel::{Amount, Currency, Money};

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn requested() -> Cancellation {
        let terms = Terms {
            event_name: "Concert".parse().unwrap(),
            event_date: now().plus_seconds(3600),
            total_seats: Quantity::TEN,
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::default(),
        };
        let inventory = Inventory::open(InventoryId::generate(), terms, now()).cancel(now());
        Cancellation::request(&inventory, "The headliner is ill".parse().unwrap(), UserId::generate(), now())
    }

    fn found(fates: &[Fate]) -> Vec<(TicketId, Fate)> {
        fates.iter().map(|fate| (TicketId::generate(), *fate)).collect()
    }

    const REFUNDED: Fate = Fate::Cancelled { refunded: true };
    const USED: Fate = Fate::Failed { code: CaseCode::AdmissionUsed, seats: 2 };

    #[test]
    fn a_pass_that_finds_every_booking_at_rest_ends_the_walk() {
        let first = requested().after_page(&found(&[Fate::Open, Fate::Open]), None, now()).after_pass(3, now());
        assert_eq!((first.state(), first.pass), (State::Cancelling, 2));
        let page = found(&[REFUNDED, Fate::Cancelled { refunded: false }, USED]);
        let second = first.after_page(&page, None, now()).after_pass(2, now());
        assert_eq!((second.state(), second.unaccounted_seats), (State::Done, 0));
        let tally = Tally { walked: 3, cancelled: 2, refunded: 1, open: 0, failed: 1, failed_seats: 2 };
        assert_eq!(second.account().tally, tally);
        assert_eq!(second.account().cases, [Case { ticket_id: page[2].0, code: CaseCode::AdmissionUsed }]);
    }

    #[test]
    fn a_booking_that_is_on_no_list_yet_keeps_the_walk_going() {
        let mut walk = requested();
        for pass in 1..BLIND_PASSES {
            walk = walk.after_page(&found(&[REFUNDED]), None, now()).after_pass(1, now());
            assert_eq!((walk.state(), walk.blind), (State::Cancelling, pass));
        }
        let seen = walk.after_page(&found(&[REFUNDED, Fate::Open]), None, now()).after_pass(1, now());
        assert_eq!((seen.state(), seen.blind), (State::Cancelling, 0));
        let gone = walk.after_page(&found(&[REFUNDED]), None, now()).after_pass(1, now());
        assert_eq!((gone.state(), gone.unaccounted_seats), (State::Done, 1), "the account says what nobody found");
    }

    #[test]
    fn one_execution_walks_and_a_new_run_ends_the_one_before() {
        let walk = requested().step(1, "first", now()).unwrap();
        assert!(walk.step(1, "first", now()).is_ok());
        assert_eq!(walk.step(1, "second", now()), Err(Overtaken), "an event that was delivered twice");
        let resumed = walk.resume(now()).unwrap();
        assert_eq!(resumed.step(1, "first", now()), Err(Overtaken));
        assert!(resumed.step(2, "second", now()).is_ok());
    }

    #[test]
    fn a_resumed_walk_goes_on_where_it_stopped_and_a_finished_one_is_walked_again_for_its_cases() {
        let cursor = Cursor::after("EVENT#1", "tkt_1");
        let stopped = requested().after_page(&found(&[Fate::Open]), Some(cursor.clone()), now());
        let resumed = stopped.resume(now()).unwrap();
        assert_eq!((resumed.pass, resumed.cursor, resumed.current), (1, Some(cursor), stopped.current));
        let done = requested().after_page(&found(&[REFUNDED]), None, now()).after_pass(0, now());
        assert_eq!((done.state(), done.resume(now())), (State::Done, None));
        let with_case = requested().after_page(&found(&[USED]), None, now()).after_pass(2, now());
        let again = with_case.resume(now()).unwrap();
        assert_eq!((again.state(), again.pass, again.account().tally.failed), (State::Cancelling, 3, 1));
    }

    #[test]
    fn a_run_hands_over_before_its_history_is_full() {
        let walk = requested();
        assert_eq!(walk.hand_over(now()), None);
        let long = Cancellation { steps: STEPS_PER_RUN, ..walk };
        assert_eq!(long.hand_over(now()).map(|next| (next.run, next.steps)), Some((2, 0)));
    }

    #[test]
    fn more_cases_than_are_named_are_counted() {
        let page = found(&vec![USED; MOST_CASES + 5]);
        let walk = requested().after_page(&page, None, now());
        assert_eq!(walk.current.cases.len(), MOST_CASES);
        assert_eq!(walk.current.tally.failed as usize, MOST_CASES + 5);
    }

    #[test]
    fn the_walk_pauses_longer_between_passes_up_to_a_minute() {
        let pauses = |pass| Cancellation { pass, ..requested() }.pause_seconds();
        assert_eq!([1, 2, 3, 4, 13, 1000].map(pauses), [5, 5, 10, 15, 60, 60]);
        let within = Cancellation { pass: 50, cursor: Some(Cursor::after("EVENT#1", "tkt_1")), ..requested() };
        assert_eq!(within.pause_seconds(), STEP_SECONDS);
    }
}
