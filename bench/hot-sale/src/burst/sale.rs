//! One burst: buyers, their bookings, and what becomes of them.

use super::{
    account::{Account, Call, Refused, Throttled, Times},
    bucket::Bucket,
    quotas::{Quotas, bucket},
    retry::{Attempts, caught},
    tasks::{Flag, Tasks},
    template::{Deployed, Reader, Rule, Target, kebab},
};
use crate::clock::{Clock, Stuck};
use boxoffice_statemachines::State;
use futures_util::future::{Either, select};
use serde::Serialize;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    pin::pin,
    rc::Rc,
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);
/// Shards of a new table's stream: one for each of the partitions that its 4,000 write units need.
const SHARDS: u32 = 4;
/// "Lambda polls shards in your DynamoDB stream for records at a base rate of 4 times per second"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>).
const POLL: Duration = Duration::from_millis(250);
/// How long a reader of the stream waits after a throttled invocation, at most: AWS documents only that it backs off.
const READER_BACKOFF: Duration = Duration::from_secs(10);
/// EventBridge's longest wait: 185 tries fill its 24 hours with this one. AWS documents only that waits grow exponentially, with jitter.
const BUS_BACKOFF: Duration = Duration::from_mins(8);
/// How often a step forward is tried at least before the end of the hold makes it give up: `TRIES_AFTER_THE_HOLD` of `shared/runtime/src/task.rs`.
const TRIES_AFTER_THE_HOLD: u32 = 10;
/// The refusal that ends those tries.
const DEADLINE_EXCEEDED: TaskError = "DeadlineExceeded";

/// One burst to be modelled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Buyers, each of whom books once.
    pub bookings: u32,
    /// Over how long they arrive.
    pub arrive_over: Duration,
    /// When they pay: with the booking, or so long after it.
    pub pay_after: Option<Duration>,
    /// The account.
    pub quotas: Quotas,
    /// Whether that is more than the account can serve while seats are held. Then bookings may be undone, and still none may be lost.
    pub overload: bool,
    /// How long things take.
    pub times: Times,
    /// The source of all randomness.
    pub seed: u64,
}

/// The result of a burst.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The modelled sale.
    pub plan: Plan,
    /// Bookings made.
    pub booked: u32,
    /// Confirmed bookings.
    pub confirmed: u32,
    /// Bookings undone although their buyer paid, or tried to, in time. Must be zero, unless the plan is an overload.
    pub undone: u32,
    /// Bookings left to an operator. Must be zero.
    pub stuck: u32,
    /// Bookings that never ended. Must be zero.
    pub lost: u32,
    /// Mails that were sent.
    pub mails: u32,
    /// Mails given up. Must be zero.
    pub mails_failed: u32,
    /// Events put into a dead-letter queue. Must be zero.
    pub dead_letters: u32,
    /// Seconds until the last buyer had their booking.
    pub last_booked: f64,
    /// Seconds until the last booking was confirmed.
    pub last_confirmed: f64,
    /// Seconds until the last mail was sent.
    pub last_mail: f64,
    /// Invocations served.
    pub invocations: u64,
    /// How often each service refused or delayed.
    pub throttles: BTreeMap<&'static str, u64>,
    /// The step whose error undid a booking, and how many it undid.
    pub undone_by: BTreeMap<String, u32>,
}

impl Outcome {
    /// The violations.
    pub fn faults(&self) -> Vec<String> {
        let name = self.plan.quotas.name;
        let mut faults = Vec::new();
        let mut must_be_none = |count: u32, what: &str| {
            if count > 0 {
                faults.push(format!("{name}: {count} of {} bookings {what}", self.plan.bookings));
            }
        };
        if !self.plan.overload {
            must_be_none(self.undone, "were undone although their buyers paid");
        }
        must_be_none(self.stuck, "were left to an operator");
        must_be_none(self.lost, "were lost");
        must_be_none(self.dead_letters, "have events in a dead-letter queue");
        must_be_none(self.mails_failed, "have a message that was given up");
        faults
    }
}

/// The model does not know something that is deployed, and must be taught it.
#[derive(Debug, thiserror::Error)]
pub enum SaleError {
    /// The sale came to a halt.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A function or choice that the model does not know.
    #[error("the model of a burst does not know {0}: teach it what that does (bench/hot-sale/src/burst/sale.rs)")]
    Unknown(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Confirmed,
    Undone,
    Stuck,
}

/// One booking.
#[derive(Debug)]
struct Booking {
    number: u32,
    hold_ends: Duration,
    pays_at_once: bool,
    claimed: Cell<bool>,
    /// Its saga found the hold over, and waits for no buyer.
    late: Cell<bool>,
    /// Its payment has ended without money, and takes none any more.
    closed: Cell<bool>,
    /// Stripe knows of the intent; then, of the charge.
    opened: Cell<bool>,
    paid: Flag,
    awaited: Cell<bool>,
    ended: Cell<Option<End>>,
    /// The step whose error sent the saga back.
    failed_at: RefCell<Option<String>>,
}

#[derive(Clone)]
struct Event {
    kind: &'static str,
    booking: Rc<Booking>,
}

/// A message to a user.
struct Letter {
    event: Event,
    receives: u32,
    recorded: Rc<Cell<bool>>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Event>,
    busy: bool,
}

struct Sale {
    plan: Plan,
    deployed: Deployed,
    account: Account,
    tasks: Tasks,
    lanes: RefCell<BTreeMap<(String, u32), Lane>>,
    letters: RefCell<VecDeque<Letter>>,
    /// Invocations that read the queue of messages.
    readers: Cell<u32>,
    bookings: RefCell<Vec<Rc<Booking>>>,
    counts: Counts,
    unknown: RefCell<Option<String>>,
}

#[derive(Default)]
struct Counts {
    mails: Cell<u32>,
    mails_failed: Cell<u32>,
    dead_letters: Cell<u32>,
    last_booked: Cell<Duration>,
    last_confirmed: Cell<Duration>,
    last_mail: Cell<Duration>,
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

/// Why a task failed: the name that `ErrorEquals` is compared with.
type TaskError = &'static str;
const TRANSIENT: TaskError = "Transient";
const THROTTLED: TaskError = "Lambda.TooManyRequestsException";

impl From<Refused> for Throttled {
    fn from(_: Refused) -> Self {
        Self
    }
}

/// Runs one burst.
///
/// # Errors
/// When something is deployed that the model does not know.
pub fn run(plan: Plan, deployed: Deployed) -> Result<Outcome, SaleError> {
    let clock = Clock::default();
    let sale = Rc::new(Sale {
        plan,
        deployed,
        account: Account::new(clock.clone(), plan.quotas, plan.times, plan.seed),
        tasks: Tasks::default(),
        lanes: RefCell::default(),
        letters: RefCell::default(),
        readers: Cell::default(),
        bookings: RefCell::default(),
        counts: Counts::default(),
        unknown: RefCell::default(),
    });
    for number in 0..plan.bookings {
        let buyer = Rc::clone(&sale);
        sale.tasks.begin(async move { buyer.buy(number).await });
    }
    clock.run(sale.tasks.run())?;
    if let Some(unknown) = sale.unknown.take() {
        return Err(SaleError::Unknown(unknown));
    }
    Ok(sale.outcome())
}

impl Sale {
    fn outcome(&self) -> Outcome {
        let bookings = self.bookings.borrow();
        let ended =
            |end| bookings.iter().filter(|booking| booking.ended.get() == end).count().try_into().unwrap_or(u32::MAX);
        let mut undone_by = BTreeMap::new();
        for booking in bookings.iter().filter(|booking| booking.ended.get() == Some(End::Undone)) {
            let step = booking.failed_at.borrow().clone().unwrap_or_default();
            *undone_by.entry(step).or_default() += 1;
        }
        Outcome {
            plan: self.plan,
            booked: bookings.len().try_into().unwrap_or(u32::MAX),
            confirmed: ended(Some(End::Confirmed)),
            undone: ended(Some(End::Undone)),
            stuck: ended(Some(End::Stuck)),
            lost: ended(None),
            mails: self.counts.mails.get(),
            mails_failed: self.counts.mails_failed.get(),
            dead_letters: self.counts.dead_letters.get(),
            last_booked: self.counts.last_booked.get().as_secs_f64(),
            last_confirmed: self.counts.last_confirmed.get().as_secs_f64(),
            last_mail: self.counts.last_mail.get().as_secs_f64(),
            invocations: self.account.invocations(),
            throttles: self.account.throttles(),
            undone_by,
        }
    }

    fn now(&self) -> Duration {
        self.account.clock.now()
    }

    async fn pause(&self, duration: Duration) {
        self.account.clock.pause(duration).await;
    }

    /// A request of a client, which goes on asking with the same key until it is answered: about a second after each refusal.
    async fn ask(&self, method: &'static str, function: &str, work: impl AsyncFn(bool) -> Result<(), Refused>) {
        loop {
            let (burst, rate) = self.deployed.api;
            if self.account.take("API Gateway, one method", method, 1.0, Bucket::new(burst, rate))
                && self.account.invoke(function, &work).await == Ok(Ok(()))
            {
                return;
            }
            self.pause(SECOND / 2 + self.account.part_of(SECOND)).await;
        }
    }

    async fn calls(&self, calls: &[Call]) -> Result<(), Refused> {
        for call in calls {
            self.account.call(*call).await?;
        }
        Ok(())
    }

    async fn buy(self: Rc<Self>, number: u32) {
        self.pause(self.account.part_of(self.plan.arrive_over)).await;
        let booked = RefCell::new(None);
        self.ask("POST /tickets", "create-ticket", async |_| {
            let write = Call::Write(&[("tickets", 8), ("inventory", 4), ("payments", 7), ("events", 6)]);
            self.calls(&[Call::Read("sessions", 1), Call::Read("tickets", 1), Call::Read("inventory", 1), write])
                .await?;
            *booked.borrow_mut() = Some(self.booking(number));
            Ok(())
        })
        .await;
        let Some(booking) = booked.take() else { return };
        self.counts.last_booked.set(self.now());
        if let Some(after) = self.plan.pay_after {
            self.pause(after / 2 + self.account.part_of(after)).await;
            self.pay(&booking).await;
        }
    }

    fn booking(self: &Rc<Self>, number: u32) -> Rc<Booking> {
        let booking = Rc::new(Booking {
            number,
            hold_ends: self.now() + self.deployed.hold,
            pays_at_once: self.plan.pay_after.is_none(),
            claimed: Cell::default(),
            late: Cell::default(),
            closed: Cell::default(),
            opened: Cell::default(),
            paid: Flag::default(),
            awaited: Cell::default(),
            ended: Cell::default(),
            failed_at: RefCell::default(),
        });
        self.bookings.borrow_mut().push(Rc::clone(&booking));
        self.store(&booking, &["TicketCreated", "InventoryReserved", "PaymentInitiated"]);
        booking
    }

    /// The buyer pays, and asks again until they are answered: refused once the hold is over, unless the charge is under way.
    async fn pay(self: &Rc<Self>, booking: &Rc<Booking>) {
        self.ask("POST /payments/{id}/process", "process-payment", async |cold| {
            self.calls(&[Call::Read("sessions", 1), Call::Read("payments", 1)]).await?;
            let too_late = self.now() >= booking.hold_ends && !booking.opened.get();
            if too_late || booking.closed.get() {
                return Ok(());
            }
            self.charge(booking, cold).await?;
            if booking.awaited.get() {
                self.account.call(Call::SendTask).await?;
            }
            Ok(())
        })
        .await;
    }

    /// Opens the payment's intent and confirms it, each once however often this is repeated.
    async fn charge(self: &Rc<Self>, booking: &Rc<Booking>, cold: bool) -> Result<(), Refused> {
        if cold {
            self.account.call(Call::Secret).await?;
        }
        if !booking.opened.get() {
            self.calls(&[Call::Stripe("open"), Call::Write(&[("payments", 2)])]).await?;
            booking.opened.set(true);
        }
        if !booking.paid.is_raised() {
            self.calls(&[Call::Stripe("confirm"), Call::Write(&[("payments", 6), ("events", 2)])]).await?;
            booking.paid.raise();
            self.store(booking, &["PaymentCompleted"]);
        }
        Ok(())
    }

    /// An event is in the store: every reader of the stream has it to read.
    fn store(self: &Rc<Self>, booking: &Rc<Booking>, kinds: &[&'static str]) {
        for reader in &self.deployed.readers {
            let lane = booking.number % (SHARDS * reader.lanes);
            let mut lanes = self.lanes.borrow_mut();
            let waiting = lanes.entry((reader.function.clone(), lane)).or_default();
            waiting.waiting.extend(kinds.iter().map(|kind| Event { kind, booking: Rc::clone(booking) }));
            if !waiting.busy {
                waiting.busy = true;
                let (sale, reader) = (Rc::clone(self), reader.clone());
                self.tasks.begin(async move { sale.drain(&reader, lane).await });
            }
        }
    }

    /// Reads one lane of the stream until nothing is left in it. A throttled delivery is retried until it is served: records are dropped by
    /// their age alone, a day, when the function was never run (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>).
    async fn drain(self: Rc<Self>, reader: &Reader, lane: u32) {
        self.pause(self.account.part_of(POLL)).await;
        let key = (reader.function.clone(), lane);
        let mut refusals = 0_u32;
        loop {
            let batch: Vec<Event> = match self.lanes.borrow_mut().get_mut(&key) {
                Some(lane) if !lane.waiting.is_empty() => lane.waiting.iter().take(reader.batch).cloned().collect(),
                Some(lane) => {
                    lane.busy = false;
                    return;
                }
                None => return,
            };
            let work = async |_| self.read(&reader.function, &batch).await;
            let done = self.account.invoke(&reader.function, work).await.unwrap_or(0);
            if let Some(lane) = self.lanes.borrow_mut().get_mut(&key) {
                lane.waiting.drain(..done.min(lane.waiting.len()));
            }
            if done == 0 {
                refusals += 1;
                let wait = SECOND.saturating_mul(2_u32.saturating_pow(refusals - 1)).min(READER_BACKOFF);
                self.pause(self.account.part_of(wait)).await;
            } else {
                refusals = 0;
            }
        }
    }

    /// Handles a batch, and says how many of its records are done.
    async fn read(self: &Rc<Self>, function: &str, batch: &[Event]) -> usize {
        let mut done = 0;
        match function {
            "relay-events" => {
                for events in batch.chunks(10) {
                    if self.account.call(Call::PutEvents).await.is_err() {
                        break;
                    }
                    done += events.len();
                    for event in events {
                        self.publish(event);
                    }
                }
            }
            "project-events" => {
                for event in batch {
                    // Events about a booking change the read models: 23 write units and 13 read units for the nine of a booking.
                    let about_it = !event.kind.starts_with("Notification");
                    let calls = [Call::Read("views", 2), Call::Write(&[("views", 4)])];
                    if about_it && self.calls(&calls).await.is_err() {
                        break;
                    }
                    done += 1;
                }
            }
            other => {
                self.unknown(other);
                done = batch.len();
            }
        }
        done
    }

    fn unknown(&self, what: &str) {
        self.unknown.borrow_mut().get_or_insert_with(|| what.to_owned());
    }

    /// An event is on the bus: each rule that takes it takes it to its target.
    fn publish(self: &Rc<Self>, event: &Event) {
        for rule in &self.deployed.rules {
            if rule.event_types.iter().any(|kind| kind == event.kind) {
                let (sale, rule, event) = (Rc::clone(self), rule.clone(), event.clone());
                self.tasks.begin(async move { sale.deliver(&rule, &event).await });
            }
        }
    }

    async fn deliver(self: &Rc<Self>, rule: &Rule, event: &Event) {
        self.account.pass_the_bus().await;
        let began = self.now();
        for attempt in 0..=rule.retries {
            if self.now().saturating_sub(began) > rule.age {
                break;
            }
            self.account.delay("EventBridge, invocations", Bucket::of_rate(self.plan.quotas.invocations)).await;
            if rule.target == Target::Messages {
                return self.queue(Letter { event: event.clone(), receives: 0, recorded: Rc::default() });
            }
            if self.account.take("Step Functions StartExecution", "", 1.0, bucket(self.plan.quotas.start_standard)) {
                return self.saga(&event.booking).await;
            }
            let wait = SECOND.saturating_mul(2_u32.saturating_pow(attempt)).min(BUS_BACKOFF);
            self.pause(self.account.part_of(wait)).await;
        }
        count(&self.counts.dead_letters);
    }

    async fn saga(self: &Rc<Self>, booking: &Rc<Booking>) {
        let Some(end) = self.execute(booking).await else { return };
        let end = match end.as_str() {
            "Completed" => End::Confirmed,
            "Compensated" => End::Undone,
            _ => End::Stuck,
        };
        booking.ended.set(Some(end));
        if end == End::Confirmed {
            self.counts.last_confirmed.set(self.now());
        }
    }

    /// Runs the saga to its end.
    async fn execute(self: &Rc<Self>, booking: &Rc<Booking>) -> Option<String> {
        let saga = &self.deployed.saga;
        let mut name = saga.start_at.as_str();
        loop {
            let Some(state) = saga.states.get(name) else {
                self.unknown(name);
                return None;
            };
            self.transition().await;
            name = match state.kind.as_str() {
                "Succeed" | "Fail" => return Some(name.to_owned()),
                "Choice" => self.choose(name, state, booking)?,
                "Task" => self.task(name, state, booking).await?,
                _ => {
                    self.unknown(name);
                    return None;
                }
            };
        }
    }

    /// Step Functions delays a standard workflow's transition beyond the quota. A retry is a transition too.
    async fn transition(&self) {
        self.account.delay("Step Functions, state transitions", bucket(self.plan.quotas.transitions)).await;
    }

    fn choose<'a>(&self, name: &str, state: &'a State, booking: &Booking) -> Option<&'a str> {
        let branch = match name {
            "Choose Direction" => 0,
            "Choose Wait" if booking.paid.is_raised() => 0,
            "Choose Wait" if booking.late.get() => 1,
            "Choose Wait" => usize::MAX,
            "Choose Late Payment" => usize::from(!booking.paid.is_raised()),
            // A booking that nobody could claim is undone, any other is left to an operator.
            "Choose Ending" => usize::from(booking.claimed.get()),
            _ => {
                self.unknown(name);
                return None;
            }
        };
        let branch = state.choices.get(branch).map(|branch| branch.next.as_str());
        branch.or(state.default.as_deref())
    }

    /// A message waits in the queue until one of its readers is free.
    fn queue(self: &Rc<Self>, letter: Letter) {
        let Some(messages) = self.deployed.messages else { return self.unknown("the queue of messages") };
        self.letters.borrow_mut().push_back(letter);
        let at_a_time = messages.at_a_time.unwrap_or(self.plan.quotas.concurrent_executions);
        if self.readers.get() < at_a_time {
            count(&self.readers);
            let sale = Rc::clone(self);
            self.tasks.begin(async move {
                while let Some(letter) = sale.next_letter() {
                    sale.send(letter).await;
                }
                sale.readers.set(sale.readers.get() - 1);
            });
        }
    }

    fn next_letter(&self) -> Option<Letter> {
        self.letters.borrow_mut().pop_front()
    }

    /// Receives a message and sends it; one that is not sent is out of sight for a while and comes again.
    async fn send(self: &Rc<Self>, letter: Letter) {
        let Some(messages) = self.deployed.messages else { return };
        let letter = Letter { receives: letter.receives + 1, ..letter };
        if letter.receives > messages.receives {
            return count(&self.counts.mails_failed);
        }
        let work = async |_| self.tell(&letter).await;
        let hidden = match self.account.invoke("send-notification", work).await {
            Ok(Ok(())) => return,
            Ok(Err(Refused)) => {
                // Half of it by chance, doubling to a quarter of an hour: functions/notifications/src/patience.rs.
                let longest = SECOND.saturating_mul(2_u32.saturating_pow(letter.receives)).min(SECOND * 900);
                longest / 2 + self.account.part_of(longest / 2)
            }
            Err(Throttled) => messages.hidden,
        };
        let sale = Rc::clone(self);
        self.tasks.begin(async move {
            sale.pause(hidden).await;
            sale.queue(letter);
        });
    }

    async fn tell(self: &Rc<Self>, letter: &Letter) -> Result<(), Refused> {
        let booking = &letter.event.booking;
        if !letter.recorded.get() {
            let write = Call::Write(&[("notifications", 6), ("events", 4)]);
            self.calls(&[Call::Read("notifications", 1), write]).await?;
            letter.recorded.set(true);
            self.store(booking, &["NotificationRequested"]);
        }
        self.calls(&[Call::Read("notifications", 2), Call::Write(&[("notifications", 2)]), Call::Mail]).await?;
        count(&self.counts.mails);
        self.counts.last_mail.set(self.now());
        self.account.call(Call::Write(&[("notifications", 5), ("events", 4)])).await?;
        self.store(booking, &["NotificationSent"]);
        Ok(())
    }

    /// Enters a task, tries it as often as its state says, and says where it leads.
    async fn task<'a>(self: &Rc<Self>, name: &'a str, state: &'a State, booking: &Rc<Booking>) -> Option<&'a str> {
        let mut attempts = Attempts::default();
        // Once the hold is over, a step forward that can refuse for that reason tries no longer than an undo does.
        let has_deadline =
            state.retry.iter().flat_map(|retry| &retry.error_equals).any(|name| name == DEADLINE_EXCEEDED);
        let mut tries = 0;
        loop {
            let Err(error) = self.attempt(name, state, booking).await else { return state.next.as_deref() };
            let is_late = has_deadline && tries >= TRIES_AFTER_THE_HOLD && self.now() >= booking.hold_ends;
            let error = if is_late && error == TRANSIENT { DEADLINE_EXCEEDED } else { error };
            let wait = self.account.draw(|random| attempts.next(state, error, random));
            let Some(wait) = wait else {
                booking.failed_at.borrow_mut().get_or_insert_with(|| format!("{name}: {error}"));
                return caught(state, error);
            };
            tries += 1;
            self.pause(wait).await;
            self.transition().await;
        }
    }

    async fn attempt(self: &Rc<Self>, name: &str, state: &State, booking: &Rc<Booking>) -> Result<(), TaskError> {
        if state.resource.contains(":sqs:") {
            return Ok(());
        }
        let function = kebab(name);
        let work = async |cold| self.step(&function, booking, cold).await;
        self.account.invoke(&function, work).await.map_err(|Throttled| THROTTLED)??;
        if !state.resource.ends_with(".waitForTaskToken") {
            return Ok(());
        }
        let longest = state.timeout_seconds.as_ref().and_then(serde_json::Value::as_f64);
        let longest = longest.map_or(self.deployed.hold, Duration::from_secs_f64);
        match select(pin!(booking.paid.wait()), pin!(self.pause(longest))).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err("States.Timeout"),
        }
    }

    /// The work of one step. Units are those of docs/cost.md, spread over the tables that the step writes.
    async fn step(self: &Rc<Self>, function: &str, booking: &Rc<Booking>, cold: bool) -> Result<(), TaskError> {
        let transient = |Refused| TRANSIENT;
        match function {
            "claim-saga" => {
                self.calls(&[Call::Write(&[("sagas", 2)])]).await.map_err(transient)?;
                booking.claimed.set(true);
                Ok(())
            }
            "verify-hold" => {
                self.calls(&[Call::Read("inventory", 1), Call::Write(&[("sagas", 2)])]).await.map_err(transient)?;
                booking.late.set(self.now() >= booking.hold_ends);
                let latest = booking.hold_ends + self.deployed.latest_start;
                if self.now() >= latest { Err("HoldExpired") } else { Ok(()) }
            }
            "initiate-payment" => {
                self.calls(&[Call::Read("payments", 1)]).await.map_err(transient)?;
                if booking.pays_at_once {
                    self.charge(booking, cold).await.map_err(transient)?;
                }
                self.calls(&[Call::Write(&[("sagas", 2)])]).await.map_err(transient)
            }
            "await-payment" => {
                booking.awaited.set(true);
                self.calls(&[Call::Write(&[("payments", 2)]), Call::Write(&[("sagas", 2)])]).await.map_err(transient)
            }
            "expire-payment" => {
                booking.closed.set(!booking.paid.is_raised());
                let writes = [Call::Write(&[("payments", 6), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)
            }
            "renew-hold" => {
                let writes = [Call::Write(&[("inventory", 4), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)
            }
            "confirm-ticket" => {
                let writes = [
                    Call::Write(&[("admissions", 1)]),
                    Call::Write(&[("tickets", 5), ("inventory", 4), ("admissions", 4), ("events", 6)]),
                    Call::Write(&[("sagas", 2)]),
                ];
                self.calls(&[Call::Read("tickets", 2)]).await.map_err(transient)?;
                self.calls(&writes).await.map_err(transient)?;
                self.store(booking, &["TicketConfirmed", "InventorySold", "AdmissionsIssued"]);
                Ok(())
            }
            "revoke-admissions" => {
                let writes = [Call::Write(&[("admissions", 2), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)
            }
            "reverse-payment" => {
                booking.closed.set(true);
                if cold {
                    self.account.call(Call::Secret).await.map_err(transient)?;
                }
                if booking.opened.get() {
                    let endpoint = if booking.paid.is_raised() { "refund" } else { "cancel" };
                    self.account.call(Call::Stripe(endpoint)).await.map_err(transient)?;
                }
                let writes = [Call::Write(&[("payments", 6), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)
            }
            "release-hold" => {
                let writes = [Call::Write(&[("inventory", 4), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)
            }
            "cancel-ticket" => {
                let writes = [Call::Write(&[("tickets", 5), ("events", 2)]), Call::Write(&[("sagas", 2)])];
                self.calls(&writes).await.map_err(transient)?;
                self.store(booking, &["TicketCancelled"]);
                Ok(())
            }
            "record-stuck-booking" => self.calls(&[Call::Write(&[("sagas", 2)])]).await.map_err(transient),
            other => {
                self.unknown(other);
                Ok(())
            }
        }
    }
}
