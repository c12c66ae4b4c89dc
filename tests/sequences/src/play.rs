//! A sequence, played in the house and in the model.
//!
//! After every call the tables must be as the model says. Undisturbed, the call ends where the model does and answers the same. Stopped half-way, it
//! has done some of its writes, in order, and no more. Overtaken in the middle by another, the two together come to what they would one after the
//! other, the rest of the first decided anew on what the other left. At every step the seats add up, and every other booking is untouched.
//!
//! In the end every event is delivered, every unanswered refund is asked for again and every execution goes on to its end, as on AWS; then the invariants of
//! docs/ARCHITECTURE.md are checked by themselves, without the model.

use crate::{
    executions::{Executions, Running, died},
    house::{Answer, House, Ordered},
    model::{Booking, Call, World, course},
    moves::{Disturbance, Event, Move, Turn},
    rules::{self, Booked, Broken, holds},
    wire::{self, Mishap},
};
use boxoffice_kernel::{InventoryId, TicketId};
use boxoffice_payments::domain::Status as Payment;
use boxoffice_runtime::StepFailure;
use serde_json::Value;
use std::collections::VecDeque;

const SHARDS: [u32; 3] = [4, 4, 3];
/// More than any execution has.
const STEPS_TO_THE_END: usize = 400;

/// A sequence under way.
struct Play<'a> {
    house: &'a House,
    event: InventoryId,
    world: World,
    ordered: Vec<Ordered>,
    tickets: Vec<Option<TicketId>>,
    executions: Executions,
    unanswered: Vec<usize>,
    troubles: VecDeque<(usize, usize, Mishap)>,
}

/// Plays a sequence to its end.
///
/// # Errors
/// With the rule that does not hold, and when.
pub async fn play(house: &House, turns: &[Turn]) -> Result<(), Broken> {
    let event = house.on_sale(&SHARDS).await;
    let total = SHARDS.iter().sum();
    let mut play = Play {
        house,
        event,
        world: World { total, reserved: 0, terms: 1, bookings: Vec::new() },
        ordered: Vec::new(),
        tickets: Vec::new(),
        executions: Executions::none(house),
        unanswered: Vec::new(),
        troubles: VecDeque::new(),
    };
    for (number, turn) in turns.iter().enumerate() {
        play.turn(turn).await.map_err(|broken| format!("at move {}: {broken}", number + 1))?;
    }
    play.play_out().await.map_err(|broken| format!("on the way to the end: {broken}"))?;
    play.check().await.map_err(|broken| format!("in the end: {broken}"))
}

fn wrapped<T>(all: &[T], place: usize) -> Option<usize> {
    place.checked_rem(all.len())
}

impl Play<'_> {
    fn open(&self) -> Vec<usize> {
        self.executions.open(self.house)
    }

    /// An open execution that waits for its buyer, or one that does not.
    fn open_at(&self, place: usize, waiting: bool) -> Option<usize> {
        let mut open = self.open();
        open.retain(|number| self.executions.waits(*number) == waiting);
        wrapped(&open, place).and_then(|place| open.get(place).copied())
    }

    /// A refund that was told before its booking's saga began: `Claim Saga` answers `Transient` until then.
    fn is_early(&self, number: usize) -> bool {
        let Running { booking, event, .. } = self.executions.running(number);
        let unknown = self.world.bookings.get(*booking).is_some_and(|it| it.holder.is_none() && it.undoer.is_none());
        *event == Event::PaymentRefunded.name() && self.executions.claims_again(number) && unknown
    }

    fn booked(&self, place: usize) -> Option<usize> {
        let place = wrapped(&self.tickets, place)?;
        self.tickets.get(place).copied().flatten().map(|_| place)
    }

    /// The call that a move makes, if it has a subject.
    fn call(&mut self, what: Move) -> Option<Call> {
        match what {
            Move::Book(quantity, card, over) => {
                let booking = Booking::ordered(quantity, card, over);
                self.ordered.push(House::order(self.event, &booking));
                self.tickets.push(None);
                self.world.bookings.push(booking);
                Some(Call::Book(self.tickets.len() - 1))
            }
            Move::BookAgain(place) => wrapped(&self.tickets, place).map(Call::Book),
            Move::Pay(place, card) => self.booked(place).map(|place| Call::Pay(place, card)),
            Move::Refund(place) => self.booked(place).map(Call::Refund),
            Move::Wish(place) => self.booked(place).map(Call::Wish),
            Move::Resize(total) => Some(Call::Resize(total)),
            Move::Reserve(seats) => Some(Call::Reserve(seats)),
            Move::Return(seats) => Some(Call::Return(seats)),
            Move::Step(place, _) => self.open_at(place, false).and_then(|number| self.next_step(number)),
            Move::Rerun(place, invocation) => {
                let number = wrapped(&self.executions.all, place)?;
                let invocation = wrapped(&self.executions.running(number).execution.invocations, invocation)?;
                Some(self.executions.invocation(number, invocation))
            }
            Move::Deliver(_) | Move::DeliverAgain(..) | Move::TimeUp(_) | Move::Trouble(..) => None,
        }
    }

    /// The step of an execution that comes after so many others.
    async fn step_after(&mut self, place: usize, before: usize) -> Result<Option<Call>, Broken> {
        let Some(number) = self.open_at(place, false) else { return Ok(None) };
        for _ in 0..before {
            let Some(call) = self.next_step(number) else { break };
            self.undisturbed(&call).await?;
        }
        Ok(self.next_step(number))
    }

    fn next_step(&mut self, number: usize) -> Option<Call> {
        if self.is_early(number) { None } else { self.executions.next_step(self.house, number) }
    }

    async fn turn(&mut self, Turn { what, disturbance }: &Turn) -> Result<(), Broken> {
        match *what {
            Move::Deliver(place) => {
                let fresh = self.undelivered();
                if let Some((booking, event)) = wrapped(&fresh, place).and_then(|place| fresh.get(place).copied()) {
                    self.deliver(booking, event).await;
                }
                return Ok(());
            }
            Move::DeliverAgain(place, event) => {
                if let Some(booking) = self.booked(place) {
                    self.deliver(booking, event).await;
                }
                return Ok(());
            }
            Move::TimeUp(place) => {
                if let Some(number) = self.open_at(place, true) {
                    self.executions.time_is_up(self.house, number);
                }
                return Ok(());
            }
            Move::Trouble(after, at, mishap) => {
                self.troubles.push_back((after, at, mishap));
                return Ok(());
            }
            _ => {}
        }
        let call = match *what {
            Move::Step(place, before) => self.step_after(place, before).await?,
            what => self.call(what),
        };
        let Some(call) = call else { return Ok(()) };
        match *disturbance {
            None => self.undisturbed(&call).await,
            Some(Disturbance::Unheard) => {
                let answer = self.make(&call).await;
                self.executions.hear_nothing(self.house);
                self.settled(&call, answer).await
            }
            Some(Disturbance::Mishap(at, mishap, last)) => self.disturbed(&call, at, mishap, last).await,
            Some(Disturbance::Overtaken(at, other)) => match self.call(other) {
                Some(other) => self.overtaken(at, &call, &other).await,
                None => self.undisturbed(&call).await,
            },
        }
    }

    /// An execution begins, if the event has happened.
    async fn deliver(&mut self, booking: usize, event: Event) -> bool {
        let Some(id) = self.tickets.get(booking).copied().flatten() else { return false };
        let events = match event {
            Event::TicketCreated | Event::TicketCancellationRequested => self.house.events_of(id).await,
            Event::PaymentRefunded => self.house.events_of(id.payment()).await,
        };
        let found = events.into_iter().find(|detail| {
            let is = |part: &str, name: &str, value: &str| {
                detail.get(part).and_then(|part| part.get(name)).and_then(Value::as_str) == Some(value)
            };
            // As the rule in the template has it.
            is("metadata", "eventType", event.name())
                && (event != Event::PaymentRefunded || is("data", "refundedBy", "REQUEST"))
        });
        let Some(detail) = found else { return false };
        self.executions.begin(self.house, booking, id, event.name(), detail);
        true
    }

    async fn make(&self, call: &Call) -> Answer {
        let (ordered, ticket) = match call {
            Call::Book(place) => (self.ordered.get(*place), None),
            Call::Pay(place, _) | Call::Refund(place) | Call::Wish(place) => {
                (None, self.tickets.get(*place).copied().flatten())
            }
            Call::Resize(_) | Call::Reserve(_) | Call::Return(_) | Call::Step { .. } => (None, None),
        };
        self.house.make(self.event, call, ordered, ticket, self.executions.input(call)).await
    }

    async fn undisturbed(&mut self, call: &Call) -> Result<(), Broken> {
        let answer = self.make(call).await;
        self.settled(call, answer).await
    }

    async fn disturbed(&mut self, call: &Call, at: usize, mishap: Mishap, last: bool) -> Result<(), Broken> {
        let ran = wire::mishap(at, mishap, self.make(call)).await;
        match ran.answer {
            Some(answer) if !ran.met => self.settled(call, answer).await,
            answer => self.interrupted(call, answer, last).await,
        }
    }

    /// A call ran to its end with nothing in its way.
    async fn settled(&mut self, call: &Call, answer: Answer) -> Result<(), Broken> {
        let course = course(&self.world, call);
        holds!(
            answer.word == course.answer,
            "{call:?} answered {:?} where the model says {:?}; it was {:#?}",
            answer.word,
            course.answer,
            self.subject(call)
        );
        let end = course.end(&self.world).clone();
        self.must_be(&[call], &[end]).await?;
        self.answered(call, answer.step, false);
        Ok(())
    }

    /// A call stopped half-way, or heard of a mishap and went on as it saw fit.
    async fn interrupted(&mut self, call: &Call, answer: Option<Answer>, last: bool) -> Result<(), Broken> {
        let course = course(&self.world, call);
        let mut possible = vec![self.world.clone()];
        possible.extend(course.stages);
        self.must_be(&[call], &possible).await?;
        if let Call::Refund(place) = call {
            self.unanswered.push(*place);
        }
        let step = answer.map_or_else(|| Some(died()), |answer| answer.step);
        self.answered(call, step, last);
        Ok(())
    }

    /// A call was held up at one of its requests while another ran whole.
    async fn overtaken(&mut self, at: usize, call: &Call, other: &Call) -> Result<(), Broken> {
        let (ran, overtaking) = wire::overtaken(at, self.make(call), self.make(other)).await;
        let answer = ran.answer.expect("a call that nobody stopped");
        let alone = course(&self.world, call);
        let mut possible = Vec::new();
        let stages = [self.world.clone()].into_iter().chain(alone.stages.iter().cloned());
        let ended_early = alone.stages.len();
        for (done, stage) in stages.enumerate() {
            let between = course(&stage, other);
            let between = between.end(&stage).clone();
            let rest = course(&between, call);
            possible.push(rest.end(&between).clone());
            // It had done all of its work by then, or said that it would do no more.
            if done == ended_early || !is_success(&answer) {
                possible.push(between);
            }
        }
        self.must_be(&[call, other], &possible).await?;
        if let (Call::Refund(place), false) = (call, answer.word == "refunded") {
            self.unanswered.push(*place);
        }
        self.answered(other, overtaking.step, false);
        self.answered(call, answer.step, false);
        Ok(())
    }

    /// The messages to the executions: the buyer's payment, and then the outcome of their own step.
    fn answered(&mut self, call: &Call, outcome: Option<Result<Value, StepFailure>>, last: bool) {
        self.executions.hear(self.house);
        let Some(outcome) = outcome else { return };
        // A step with no compensation but an operator's is retried until it works.
        let is_last = |state: &str| last && !is_undo(state);
        self.executions.answered(self.house, call, outcome, is_last);
    }

    fn subject(&self, call: &Call) -> Option<&Booking> {
        place_of(call).and_then(|place| self.world.bookings.get(place))
    }

    /// The tables are as one of these worlds, which from now on is the one there is.
    async fn must_be(&mut self, calls: &[&Call], possible: &[World]) -> Result<(), Broken> {
        let mut seen = self.world.clone();
        for place in calls.iter().filter_map(|call| place_of(call)) {
            if let (None, Some(ordered)) = (self.tickets.get(place).copied().flatten(), self.ordered.get(place)) {
                let found = self.house.ticket_of(ordered).await;
                *self.tickets.get_mut(place).expect("a place") = found;
            }
            let ticket = self.tickets.get(place).copied().flatten();
            let booking = seen.bookings.get_mut(place).expect("a booking that was ordered");
            *booking = self.house.look(booking, ticket).await;
        }
        let counts = self.house.count(self.event).await;
        holds!(counts.adds_up(), "after {calls:?} the seats do not add up: {counts}");
        let fits = |world: &&World| world.bookings == seen.bookings && world.counts() == counts;
        if let Some(world) = possible.iter().find(fits) {
            self.world = world.clone();
            return Ok(());
        }
        let bookings: Vec<_> = calls.iter().filter_map(|call| place_of(call)).collect();
        let told = |world: &World| {
            let bookings: Vec<_> = bookings.iter().filter_map(|place| world.bookings.get(*place)).collect();
            format!("{bookings:?}, {}", world.counts())
        };
        let expected: Vec<_> = possible.iter().map(told).collect();
        Err(format!(
            "after {calls:?} the tables are\n  {:?}, {counts}\nand should be one of\n  {}",
            bookings.iter().filter_map(|place| seen.bookings.get(*place)).collect::<Vec<_>>(),
            expected.join("\n  ")
        ))
    }

    /// Everything that is still to come comes.
    async fn play_out(&mut self) -> Result<(), Broken> {
        for place in std::mem::take(&mut self.unanswered) {
            self.undisturbed(&Call::Refund(place)).await?;
        }
        for _ in 0..STEPS_TO_THE_END {
            if let Some(number) = self.open().into_iter().find(|number| !self.is_early(*number)) {
                if self.executions.waits(number) {
                    self.executions.time_is_up(self.house, number);
                } else if let Some(call) = self.next_step(number) {
                    self.stumbling(&call).await?;
                }
            } else if !self.deliver_what_was_not().await {
                return Ok(());
            }
        }
        Err(format!("executions that never end: {:?}", self.open()))
    }

    /// A step on the way to the end, with the trouble that is due.
    async fn stumbling(&mut self, call: &Call) -> Result<(), Broken> {
        let due = self.troubles.front_mut().is_some_and(|(after, ..)| match after.checked_sub(1) {
            Some(left) => {
                *after = left;
                false
            }
            None => true,
        });
        match self.troubles.pop_front_if(|_| due) {
            Some((_, at, mishap)) => self.disturbed(call, at, mishap, false).await,
            None => self.undisturbed(call).await,
        }
    }

    async fn deliver_what_was_not(&mut self) -> bool {
        let mut any = false;
        for (booking, event) in self.undelivered() {
            any |= self.deliver(booking, event).await;
        }
        any
    }

    /// The events that start executions, may have happened, and have started none.
    fn undelivered(&self) -> Vec<(usize, Event)> {
        let mut undelivered = Vec::new();
        for (place, booking) in self.world.bookings.iter().enumerate() {
            for (event, happened) in [
                (Event::TicketCreated, booking.ticket.is_some()),
                (Event::TicketCancellationRequested, booking.wished),
                (Event::PaymentRefunded, booking.payment.is_some_and(|(status, _)| status == Payment::Refunded)),
            ] {
                let began = |running: &Running| running.booking == place && running.event == event.name();
                if happened && !self.executions.all.iter().any(began) {
                    undelivered.push((place, event));
                }
            }
        }
        undelivered
    }

    /// The rules that must hold of everything at rest, whatever the model says.
    async fn check(&self) -> Result<(), Broken> {
        rules::nobody_needs_attention(&self.executions)?;
        let mut bookings = Vec::new();
        for (place, ticket) in self.tickets.iter().enumerate() {
            let (Some(ticket), Some(ordered)) = (*ticket, self.ordered.get(place)) else { continue };
            let order = self.world.bookings.get(place).expect("a place");
            let booked = Booked { place, event: self.event, ordered, order, ticket };
            bookings.push(rules::booking_is_consistent(self.house, &booked).await?);
        }
        rules::seats_are_those_of(self.house, self.event, &bookings).await
    }
}

fn place_of(call: &Call) -> Option<usize> {
    match call {
        Call::Book(place) | Call::Pay(place, _) | Call::Refund(place) | Call::Wish(place) => Some(*place),
        Call::Step { booking, .. } => Some(*booking),
        Call::Resize(_) | Call::Reserve(_) | Call::Return(_) => None,
    }
}

fn is_undo(state: &str) -> bool {
    matches!(state, "Claim Saga" | "Revoke Admissions" | "Reverse Payment" | "Release Hold" | "Cancel Ticket")
}

fn is_success(answer: &Answer) -> bool {
    match &answer.step {
        Some(outcome) => outcome.is_ok(),
        None => matches!(
            answer.word.as_str(),
            "booked" | "replayed" | "SUCCESS" | "refunded" | "wished" | "resized" | "reserved" | "returned"
        ),
    }
}
