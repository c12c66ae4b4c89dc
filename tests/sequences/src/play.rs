//! A sequence, played in the house and in the model.
//!
//! After every call the tables must be as the model says. Undisturbed, the call ends where the model does and answers the same. Stopped half-way, it
//! has done some of its writes, in order, and no more. Overtaken in the middle by another, the two together come to what they would one after the
//! other, the rest of the first decided anew on what the other left. At every step the seats add up, and every other booking is untouched.
//!
//! In the end every event is delivered, every unanswered refund is asked for again and every execution goes on to its end, as on AWS; then the invariants of
//! docs/ARCHITECTURE.md are checked by themselves, without the model.

use crate::{
    house::{Answer, House, Ordered},
    machine::{AWAIT_PAYMENT, Execution},
    model::{Admissions, Booking, Call, World, course},
    moves::{Disturbance, Event, Move, Turn},
    wire::{self, Mishap},
};
use boxoffice_inventory::domain::ReservationState;
use boxoffice_kernel::{InventoryId, TicketId};
use boxoffice_payments::domain::Status as Payment;
use boxoffice_runtime::StepFailure;
use boxoffice_tickets::domain::Status as Ticket;
use serde_json::Value;
use std::collections::VecDeque;

const SHARDS: [u32; 3] = [4, 4, 3];
/// More than any execution has.
const STEPS_TO_THE_END: usize = 400;

/// A rule that does not hold, in words.
pub type Broken = String;

macro_rules! holds {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

/// An execution and what it is about.
#[derive(Debug)]
struct Running {
    booking: usize,
    event: Event,
    execution: Execution,
}

/// A sequence under way.
struct Play<'a> {
    house: &'a House,
    event: InventoryId,
    world: World,
    ordered: Vec<Ordered>,
    tickets: Vec<Option<TicketId>>,
    executions: Vec<Running>,
    unanswered: Vec<usize>,
    troubles: VecDeque<(usize, usize, Mishap)>,
    heard: usize,
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
        executions: Vec::new(),
        unanswered: Vec::new(),
        troubles: VecDeque::new(),
        heard: house.listener.heard().len(),
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
    fn running(&self, number: usize) -> &Running {
        self.executions.get(number).expect("an execution that began")
    }

    fn open(&self) -> Vec<usize> {
        let open = |(_, running): &(usize, &Running)| !self.house.machine.has_ended(&running.execution);
        self.executions.iter().enumerate().filter(open).map(|(number, _)| number).collect()
    }

    /// An open execution that waits for its buyer, or one that does not.
    fn open_at(&self, place: usize, waiting: bool) -> Option<usize> {
        let mut open = self.open();
        open.retain(|number| self.waits(*number) == waiting);
        wrapped(&open, place).and_then(|place| open.get(place).copied())
    }

    fn waits(&self, number: usize) -> bool {
        let execution = &self.running(number).execution;
        execution.state == AWAIT_PAYMENT && execution.waits_for.is_some()
    }

    /// A refund that was told before its booking's saga began: `Claim Saga` answers `Transient` until then.
    fn is_early(&self, number: usize) -> bool {
        let Running { booking, event, execution } = self.running(number);
        let unknown = self.world.bookings.get(*booking).is_some_and(|it| it.holder.is_none() && it.undoer.is_none());
        *event == Event::PaymentRefunded && execution.retries > 0 && unknown
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
                let number = wrapped(&self.executions, place)?;
                let invocation = wrapped(&self.running(number).execution.invocations, invocation)?;
                Some(self.invocation(number, invocation))
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

    /// The next step of an execution that neither waits nor has ended.
    fn next_step(&mut self, number: usize) -> Option<Call> {
        if self.waits(number) || self.is_early(number) || self.house.machine.has_ended(&self.running(number).execution)
        {
            return None;
        }
        let running = self.executions.get_mut(number)?;
        self.house.machine.invoke(&mut running.execution);
        let invocation = running.execution.invocations.len() - 1;
        Some(self.invocation(number, invocation))
    }

    fn invocation(&self, number: usize, invocation: usize) -> Call {
        let Running { booking, event, execution } = self.running(number);
        let (state, _) = execution.invocations.get(invocation).expect("an invocation that began");
        Call::Step {
            booking: *booking,
            execution: number,
            arn: execution.arn.clone(),
            state: state.clone(),
            event: event.name(),
            invocation,
        }
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
                    self.time_is_up(number);
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
                self.heard = self.house.listener.heard().len();
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
        let execution = self.house.machine.start(format!("execution-{}-of-{id}", self.executions.len()), detail);
        self.executions.push(Running { booking, event, execution });
        true
    }

    fn time_is_up(&mut self, number: usize) {
        let running = self.executions.get_mut(number).expect("an execution that began");
        self.house.machine.failed(&mut running.execution, "States.Timeout", false);
    }

    async fn make(&self, call: &Call) -> Answer {
        let (ordered, ticket, input) = match call {
            Call::Book(place) => (self.ordered.get(*place), None, Value::Null),
            Call::Pay(place, _) | Call::Refund(place) | Call::Wish(place) => {
                (None, self.tickets.get(*place).copied().flatten(), Value::Null)
            }
            Call::Resize(_) | Call::Reserve(_) | Call::Return(_) => (None, None, Value::Null),
            Call::Step { execution, invocation, .. } => {
                let (_, input) =
                    &self.running(*execution).execution.invocations.get(*invocation).expect("an invocation");
                (None, None, input.clone())
            }
        };
        self.house.make(self.event, call, ordered, ticket, input).await
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
        let told: Vec<_> = self.house.listener.heard().into_iter().skip(self.heard).collect();
        self.heard += told.len();
        for (operation, said) in told {
            let token = said.get("taskToken").and_then(Value::as_str);
            let waits = |running: &&mut Running| {
                running.execution.state == AWAIT_PAYMENT && running.execution.waits_for.as_deref() == token
            };
            // Nobody waits under an old token.
            let Some(running) = self.executions.iter_mut().find(waits) else { continue };
            match operation.as_str() {
                "SendTaskSuccess" => {
                    let output = said.get("output").and_then(Value::as_str).unwrap_or_default();
                    let output = serde_json::from_str(output).unwrap_or_default();
                    self.house.machine.succeeded(&mut running.execution, &output);
                }
                "SendTaskFailure" => {
                    let error = said.get("error").and_then(Value::as_str).unwrap_or_default();
                    self.house.machine.failed(&mut running.execution, error, false);
                }
                other => panic!("the saga was told {other}"),
            }
        }
        let (Call::Step { execution, state, invocation, .. }, Some(outcome)) = (call, outcome) else { return };
        let execution = &mut self.executions.get_mut(*execution).expect("an execution that began").execution;
        // Nobody listens to the answer of an invocation that the execution has gone on from.
        if execution.state != *state || execution.invocations.len() != invocation + 1 {
            return;
        }
        match outcome {
            // It has stored its task token, and continues when the token is answered.
            Ok(_) if state == AWAIT_PAYMENT => {}
            Ok(result) => self.house.machine.succeeded(execution, &result),
            Err(failure) => {
                // A step with no compensation but an operator's is retried until it works.
                let last = last
                    && !matches!(
                        state.as_str(),
                        "Claim Saga" | "Revoke Admissions" | "Reverse Payment" | "Release Hold" | "Cancel Ticket"
                    );
                self.house.machine.failed(execution, failure.name(), last);
            }
        }
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
        let adds_up = counts.total == counts.available + counts.held + counts.sold;
        holds!(adds_up, "after {calls:?} the seats do not add up: {counts}");
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
                if self.waits(number) {
                    self.time_is_up(number);
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
                let began = |running: &Running| running.booking == place && running.event == event;
                if happened && !self.executions.iter().any(began) {
                    undelivered.push((place, event));
                }
            }
        }
        undelivered
    }

    /// The rules that must hold of everything at rest, whatever the model says.
    async fn check(&self) -> Result<(), Broken> {
        for running in &self.executions {
            let state = &running.execution.state;
            holds!(state != "Needs Attention", "an execution of booking {} needs attention", running.booking);
        }
        let (mut held, mut sold) = (0, 0);
        for (place, ticket) in self.tickets.iter().enumerate() {
            let Some(id) = *ticket else { continue };
            let booking = self.house.look(self.world.bookings.get(place).expect("a place"), *ticket).await;
            let is = |status| booking.ticket.is_some_and(|(ticket, _)| ticket == status);
            let paid = booking.payment.map(|(status, _)| status);
            let seats = booking.seats.map(|(state, _)| state);
            let moved = (booking.account.charges, booking.account.refunds);
            let told = || format!("booking {place}: {booking:?}");
            holds!(is(Ticket::Confirmed) || is(Ticket::Cancelled), "a ticket is not settled; {}", told());
            holds!(
                is(Ticket::Confirmed) == (paid == Some(Payment::Success)),
                "a ticket is CONFIRMED exactly when its payment is SUCCESS; {}",
                told()
            );
            if is(Ticket::Confirmed) {
                holds!(moved == (1, 0), "a confirmed ticket is charged once; {}", told());
                holds!(seats == Some(ReservationState::Sold), "a confirmed ticket has its seats; {}", told());
                holds!(booking.admissions == Some(Admissions::Issued), "a confirmed ticket admits; {}", told());
                sold += booking.quantity;
            } else {
                holds!(moved.0 == moved.1 && moved.0 <= 1, "a cancelled ticket has no money; {}", told());
                holds!(seats == Some(ReservationState::Released), "a cancelled ticket has no seat; {}", told());
                holds!(booking.admissions != Some(Admissions::Issued), "a cancelled ticket admits nobody; {}", told());
            }
            held += if seats == Some(ReservationState::Held) { booking.quantity } else { 0 };
            holds!(booking.instruction.is_none(), "what to charge is kept after the end; {}", told());
            let ordered = self.ordered.get(place).expect("a place");
            let pool = self.house.tickets.pool(ordered.buyer(), self.event).await.expect("an answer");
            let taken = if is(Ticket::Confirmed) { i64::from(booking.quantity) } else { 0 };
            holds!((pool.held, pool.taken) == (0, taken), "the buyer's pool is {pool:?}; {}", told());
            let saga = self.house.saga_status(id).await;
            let ended = if is(Ticket::Confirmed) { "Completed" } else { "Compensated" };
            holds!(format!("{saga:?}") == format!("Some({ended})"), "the saga is {saga:?}; {}", told());
            for (aggregate, version) in [
                (id.to_string(), booking.ticket.map(|(_, version)| version)),
                (id.payment().to_string(), booking.payment.map(|(_, version)| version)),
                (id.reservation().to_string(), booking.seats.map(|(_, version)| version)),
                (
                    id.admission(1).expect("a first admission").to_string(),
                    booking.admissions.map(|admissions| match admissions {
                        Admissions::Issued => 1,
                        Admissions::Revoked => 2,
                        Admissions::Barred => 0,
                    }),
                ),
            ] {
                self.one_event_a_change(&aggregate, version.unwrap_or(0)).await?;
            }
        }
        let counts = self.house.count(self.event).await;
        self.one_event_a_change(&self.event.to_string(), u64::try_from(counts.terms).unwrap_or(0)).await?;
        holds!(counts.total == counts.available + counts.held + counts.sold, "the seats do not add up: {counts}");
        holds!(counts.held == i64::from(held) + counts.reserved, "{held} seats are held by tickets; {counts}");
        holds!(counts.sold == i64::from(sold), "{sold} seats are of confirmed tickets; {counts}");
        Ok(())
    }

    async fn one_event_a_change(&self, aggregate: &str, changes: u64) -> Result<(), Broken> {
        let version = |event: &Value| event.get("metadata").and_then(|it| it.get("aggregateVersion")?.as_u64());
        let stated: Vec<_> = self.house.events_of(aggregate).await.iter().map(version).collect();
        let expected: Vec<_> = (1..=changes).map(Some).collect();
        holds!(stated == expected, "{aggregate} was changed {changes} times, and its events are {stated:?}");
        Ok(())
    }
}

fn place_of(call: &Call) -> Option<usize> {
    match call {
        Call::Book(place) | Call::Pay(place, _) | Call::Refund(place) | Call::Wish(place) => Some(*place),
        Call::Step { booking, .. } => Some(*booking),
        Call::Resize(_) | Call::Reserve(_) | Call::Return(_) => None,
    }
}

/// The state machine's view of a step whose process died.
fn died() -> Result<Value, StepFailure> {
    Err(StepFailure::Transient("the process died".into()))
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
