//! A crowd: all calls and operators' acts on many bookings of two events at once, interleaved request by request.
//!
//! Some calls are always in flight, and each of them waits at a request: to a table, to the payment provider, to Step Functions. At each turn either another call
//! begins, or one request goes to its end, gets lost, or finds its process dead. A generator with a seed decides, and nothing else does: not time, for no request times out
//! and no retry waits; not the ids, which are other ones in each play; not the shards that a hold tries, whose generator has the same seed. So a seed is an
//! interleaving, and the seed of one that breaks a rule is a test.
//!
//! No model says how each call should end. Seats must add up at any time; in the end, when every event has been delivered and every execution has ended, everything
//! must be consistent ([`crate::rules`]), with every answer that a buyer was given, and so must what reports and messages are made of it ([`crate::news`]).

use crate::{
    executions::{Executions, NEEDS_ATTENTION, died},
    house::{Answer, Flaw, House, Ordered},
    model::{Booking, Call, Card},
    news::{self, Settled},
    rules::{self, Booked, Broken, holds},
    wire::{Gated, Mishap, Stop},
};
use boxoffice_inventory::domain::Revision;
use boxoffice_kernel::{Amount, Currency, InventoryId, TicketId, Timestamp, UserId};
use boxoffice_runtime::StepFailure;
use boxoffice_testing::Database;
use boxoffice_tickets::domain::Status as Ticket;
use fastrand::Rng;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};
use tokio::runtime::Handle;

/// Seats of each event, on one shard or on several. All together they are some two thirds of what a crowd of fifty asks for.
const ON_ONE_SHARD: [&[u32]; 2] = [&[28], &[48]];
const ON_SEVERAL: [&[u32]; 2] = [&[10, 10, 8], &[15, 15, 13, 5]];
/// Calls in flight: another begins at once when there are fewer, and none when there are more.
const FEWEST: usize = 4;
const MOST: usize = 10;
/// Calls beside orders and beside the steps of executions, per booking.
const ACTS: usize = 3;
/// One in so many requests meets a mishap.
const MISHAPS: usize = 40;
/// One in so many failures of a step is its last try.
const LAST_TRIES: usize = 2;
/// A walk over a cancelled event's bookings pauses while so many other calls begin, or until there is nothing else to do.
const PAUSE: usize = 30;
/// The seats are counted after so many turns.
const COUNTED: usize = 25;
/// More turns than any crowd takes, per booking.
const TURNS_TO_THE_END: usize = 300;

/// The events that start an execution of the saga.
const STARTS: [&str; 5] = [
    "TicketCreated",
    "TicketCancellationRequested",
    "PaymentRefunded",
    "SagaRedriveRequested",
    "SagaCompensationRequested",
];

/// The size of a crowd, and the seed of its interleaving.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    bookings: usize,
    several_shards: bool,
    seed: u64,
}

/// A crowd that kept every rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Played {
    /// Every choice that was made, in order.
    pub choices: Vec<String>,
    /// Calls, and steps of executions.
    pub calls: usize,
    /// Their requests.
    pub requests: usize,
    /// How many of those met a mishap.
    pub mishaps: usize,
    /// Orders that found no seats.
    pub sold_out: usize,
    /// Tickets that were confirmed in the end.
    pub confirmed: usize,
    /// Tickets that were cancelled in the end.
    pub cancelled: usize,
}

/// A crowd that broke a rule.
#[derive(Debug)]
pub struct Fallen {
    /// The crowd.
    pub crowd: Crowd,
    /// The rule, or the panic.
    pub broken: Broken,
    /// Every choice up to then.
    pub choices: Vec<String>,
}

impl fmt::Display for Fallen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} breaks a rule after {} choices:", self.crowd, self.choices.len())?;
        writeln!(f, "{}", self.broken)?;
        for choice in self.story() {
            writeln!(f, "  {choice}")?;
        }
        Ok(())
    }
}

impl Fallen {
    /// The choices about the booking that the broken rule names; if it names none, the last ones.
    fn story(&self) -> Vec<&str> {
        let choices = self.choices.iter().map(String::as_str);
        let Some(booking) = number_after(&self.broken, "booking ") else {
            return choices.skip(self.choices.len().saturating_sub(60)).collect();
        };
        let is_about = |choice: &&str| number_after(choice, "booking ") == Some(booking);
        let calls: Vec<_> = choices.clone().filter(is_about).filter_map(|choice| number_after(choice, "")).collect();
        let is_of = |choice: &&str| number_after(choice.trim_start(), "").is_some_and(|call| calls.contains(&call));
        choices.filter(|choice| is_about(choice) || is_of(choice)).collect()
    }
}

fn number_after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let rest = text.split_once(words)?.1;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits).filter(|number| !number.is_empty())
}

impl Crowd {
    /// The crowd of this seed. Those of odd ones buy from several shards.
    pub fn of(bookings: usize, seed: u64) -> Self {
        Self { bookings, several_shards: seed % 2 == 1, seed }
    }

    /// Plays it in these tables, on this thread, which must be one of a runtime that may block.
    ///
    /// # Errors
    /// With the rule that it breaks.
    pub fn play(self, database: &Database, flaw: Option<Flaw>) -> Result<Played, Box<Fallen>> {
        let choices = Mutex::new(Vec::new());
        // The calls are polled on this thread and nowhere else, and draw from its generator.
        fastrand::seed(self.seed);
        let house = House::open_without_time(database, flaw);
        let playing = || Handle::current().block_on(play(&house, self, &choices));
        let outcome = catch_unwind(AssertUnwindSafe(playing)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("it panicked").to_owned())
        });
        let choices = choices.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        match outcome {
            Ok(played) => Ok(Played { choices, ..played }),
            Err(broken) => Err(Box::new(Fallen { crowd: self, broken, choices })),
        }
    }
}

/// A change of an event's terms.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// It takes place so many hours from now.
    Date(u32),
    /// It has a new name.
    Name,
    /// It costs so much, in cents.
    Price(u64),
    /// It is sold in dollars, or in euros.
    Currency(bool),
    /// It takes place elsewhere.
    Place,
}

/// Something that takes requests. Bookings and events go by their places.
#[derive(Debug, Clone)]
enum Act {
    /// A call about an event, or a step of an execution.
    Call(usize, Call),
    /// A step that an execution has begun, handled once more.
    Late(Call),
    Revise(usize, Change),
    CancelEvent(usize),
    /// Buyers are told of an event's change.
    Announce(Value),
    /// A step of the walk over a cancelled event's bookings.
    Walk(usize),
    /// An operator has a stuck compensation tried again, or takes a booking back by force.
    Intervene(usize, bool),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |call: &Call| match call {
            Call::Book(booking) => format!("booking {booking}: order"),
            Call::Pay(booking, card) => format!("booking {booking}: pay with a card that is {card:?}"),
            Call::Refund(booking) => format!("booking {booking}: refund"),
            Call::Wish(booking) => format!("booking {booking}: ask to cancel"),
            Call::Resize(total) => format!("change to {total} seats in all"),
            Call::Reserve(seats) => format!("reserve {seats} by hand"),
            Call::Return(seats) => format!("return {seats} by hand"),
            Call::Step { booking, execution, state, event, invocation, .. } => {
                format!("booking {booking}, execution {execution} by {event}: {state}, invocation {invocation}")
            }
        };
        match self {
            Self::Call(_, call @ Call::Step { .. }) => f.write_str(&said(call)),
            Self::Call(event, call) => write!(f, "event {event}, {}", said(call)),
            Self::Late(call) => write!(f, "late once more: {}", said(call)),
            Self::Revise(event, change) => write!(f, "event {event}, change of terms: {change:?}"),
            Self::CancelEvent(event) => write!(f, "event {event}, cancelled"),
            Self::Announce(_) => write!(f, "a change of terms is announced"),
            Self::Walk(event) => write!(f, "event {event}, a step of the walk over its bookings"),
            Self::Intervene(booking, false) => write!(f, "booking {booking}: redrive"),
            Self::Intervene(booking, true) => write!(f, "booking {booking}: take back by force"),
        }
    }
}

/// The kinds of what may happen next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Book,
    BookAgain,
    Pay,
    Refund,
    Wish,
    Resize,
    Reserve,
    Return,
    Revise,
    CancelEvent,
    TakeBack,
    Late,
    Deliver,
    DeliverAgain,
    Step,
    TimeUp,
    Announce,
    Walk,
    Redrive,
    RefundAgain,
}

/// An event on sale.
#[derive(Debug)]
struct Hall {
    event: InventoryId,
    is_cancelled: bool,
    /// The run of the walk that is to go on.
    walk: Option<u32>,
    /// The number of the call that was its last step.
    walked: usize,
}

/// An order, and what its buyer was told.
#[derive(Debug)]
struct Placed {
    hall: usize,
    order: Booking,
    ordered: Ordered,
    ticket: Option<TicketId>,
    was_told: Vec<&'static str>,
}

/// An event on its way to the state machine.
#[derive(Debug, Clone)]
struct Start {
    place: usize,
    event: &'static str,
    detail: Value,
}

/// A call in flight.
struct Flight<'a> {
    number: usize,
    act: Act,
    call: Gated<'a, Answer>,
}

struct Play<'a> {
    house: &'a House,
    choices: &'a Mutex<Vec<String>>,
    random: Rng,
    played: Played,
    halls: Vec<Hall>,
    placed: Vec<Placed>,
    buyers: BTreeMap<UserId, usize>,
    tickets: BTreeMap<TicketId, usize>,
    booked: Vec<usize>,
    /// Where the seats of each booking are, by the last event about them.
    seats: BTreeMap<TicketId, &'static str>,
    orders_left: usize,
    acts_left: usize,
    reserves_by_hand: bool,
    cancels_an_event: bool,
    executions: Executions,
    flight: Vec<Flight<'a>>,
    /// How many events of the stream were read.
    read: usize,
    bus: Vec<Start>,
    delivered: Vec<Start>,
    announcements: Vec<Value>,
    stuck: Vec<usize>,
    unanswered: Vec<usize>,
}

async fn play(house: &House, crowd: Crowd, choices: &Mutex<Vec<String>>) -> Result<Played, Broken> {
    let mut random = Rng::with_seed(crowd.seed);
    let mut halls = Vec::new();
    for shards in if crowd.several_shards { ON_SEVERAL } else { ON_ONE_SHARD } {
        halls.push(Hall { event: house.on_sale(shards).await, is_cancelled: false, walk: None, walked: 0 });
    }
    let mut play = Play {
        house,
        choices,
        // The reservation's id chooses one of several shards, and that is another each time.
        reserves_by_hand: !crowd.several_shards,
        cancels_an_event: random.usize(..5) < 2,
        random,
        played: Played::default(),
        halls,
        placed: Vec::new(),
        buyers: BTreeMap::new(),
        tickets: BTreeMap::new(),
        booked: Vec::new(),
        seats: BTreeMap::new(),
        orders_left: crowd.bookings,
        acts_left: crowd.bookings * ACTS,
        executions: Executions::none(house),
        flight: Vec::new(),
        read: 0,
        bus: Vec::new(),
        delivered: Vec::new(),
        announcements: Vec::new(),
        stuck: Vec::new(),
        unanswered: Vec::new(),
    };
    for turn in 0..crowd.bookings * TURNS_TO_THE_END {
        if turn % COUNTED == 0 {
            play.seats_add_up().await?;
        }
        if !play.turn().await? {
            return play.end().await;
        }
    }
    Err("it never ends".to_owned())
}

impl<'a> Play<'a> {
    fn note(&self, choice: String) {
        self.choices.lock().expect("a test that has not panicked").push(choice);
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { all.get(self.random.usize(..all.len())).copied() }
    }

    /// Whether anything happened, or could.
    async fn turn(&mut self) -> Result<bool, Broken> {
        let has_room = self.flight.len() < MOST;
        let begins = self.flight.len() < FEWEST || self.random.usize(..3) == 0;
        if has_room && begins && self.begins_something().await? {
            return Ok(true);
        }
        if self.flight.is_empty() {
            return Ok(false);
        }
        let place = self.random.usize(..self.flight.len());
        let mishap = if self.random.usize(..MISHAPS) == 0 { Some(self.mishap()) } else { None };
        let call = &self.flight.get(place).expect("a call in flight").call;
        let (request, reads) = (self.random.usize(..call.waiting()), call.reads());
        if reads.len() > 1 && reads.contains(&request) {
            self.let_all_go(place, reads.len()).await?;
        } else {
            self.let_go(place, request, mishap).await?;
        }
        Ok(true)
    }

    /// Reads that a call makes at once go one right after the other, for it has them from different parts of a list, and ids, which are other ones each time,
    /// decide which part holds which item.
    async fn let_all_go(&mut self, place: usize, reads: usize) -> Result<(), Broken> {
        for _ in 0..reads {
            let first = self.flight.get(place).and_then(|flight| flight.call.reads().first().copied());
            let Some(first) = first else { break };
            if self.let_go(place, first, None).await? {
                break;
            }
        }
        Ok(())
    }

    /// One request of a call in flight goes. Whether that ended the call.
    async fn let_go(&mut self, place: usize, request: usize, mishap: Option<Mishap>) -> Result<bool, Broken> {
        let flight = self.flight.get(place).expect("a call in flight");
        let fate = mishap.map_or_else(|| "goes".to_owned(), |mishap| mishap.to_string());
        let choice = format!("  {}: request {request} {fate}", flight.number);
        flight.call.let_go(request, mishap);
        self.played.requests += 1;
        self.played.mishaps += usize::from(mishap.is_some());
        self.note(choice);
        self.goes_on(place).await
    }

    fn mishap(&mut self) -> Mishap {
        match self.random.usize(..9) {
            0..2 => Mishap::DiesBefore,
            2..5 => Mishap::DiesAfter,
            5..8 => Mishap::AnswerLost,
            _ => Mishap::Unreachable,
        }
    }

    /// A call in flight goes on until it waits again, or has ended. Whether it has.
    async fn goes_on(&mut self, place: usize) -> Result<bool, Broken> {
        let stop = self.flight.get_mut(place).expect("a call in flight").call.goes_on().await;
        self.executions.hear(self.house);
        self.read_the_stream()?;
        let answer = match stop {
            Stop::Waits => return Ok(false),
            Stop::Answers(answer) => Some(answer),
            Stop::Died => None,
        };
        let flight = self.flight.remove(place);
        self.ended(&flight, answer)?;
        Ok(true)
    }

    /// Each kind of thing that may happen next, with its weight.
    fn possible(&self) -> Vec<(Next, usize)> {
        let is_booked = !self.booked.is_empty();
        let is_busy = self.acts_left > 0;
        let any = |condition: bool, weight: usize| if condition { weight } else { 0 };
        let late = self.acts_left < self.placed.len() * ACTS / 3;
        let waits = self.open_at(true);
        vec![
            (Next::Book, any(self.orders_left > 0, 12)),
            (Next::BookAgain, any(is_busy && !self.placed.is_empty(), 3)),
            (Next::Pay, any(is_busy && is_booked, 16)),
            (Next::Refund, any(is_busy && is_booked, 1)),
            (Next::Wish, any(is_busy && is_booked, 1)),
            (Next::TakeBack, any(is_busy && is_booked, 1)),
            (Next::Resize, any(is_busy, 2)),
            (Next::Reserve, any(is_busy && self.reserves_by_hand, 2)),
            (Next::Return, any(is_busy && self.reserves_by_hand, 2)),
            (Next::Revise, any(is_busy, 4)),
            (Next::CancelEvent, any(is_busy && late && self.cancels_an_event, 4)),
            (Next::Late, any(is_busy && !self.executions.all.is_empty(), 5)),
            (Next::DeliverAgain, any(is_busy && !self.delivered.is_empty(), 2)),
            (Next::Deliver, any(!self.bus.is_empty(), 12)),
            (Next::Step, any(!self.open_at(false).is_empty(), 24)),
            (Next::TimeUp, any(!waits.is_empty(), if is_busy { 1 } else { 6 })),
            (Next::Announce, any(!self.announcements.is_empty(), 3)),
            (Next::Walk, any(!self.walks(PAUSE).is_empty(), 6)),
            (Next::Redrive, any(!self.stuck.is_empty(), 3)),
            (Next::RefundAgain, any(!is_busy && !self.unanswered.is_empty(), 6)),
        ]
    }

    /// Whether something began.
    async fn begins_something(&mut self) -> Result<bool, Broken> {
        let mut possible = self.possible();
        if possible.iter().all(|(_, weight)| *weight == 0) {
            if !self.flight.is_empty() || self.walks(0).is_empty() {
                return Ok(false);
            }
            possible.push((Next::Walk, 1));
        }
        let all: usize = possible.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.usize(..all);
        for (next, weight) in possible {
            if let Some(left) = drawn.checked_sub(weight) {
                drawn = left;
                continue;
            }
            if let Some(act) = self.act(next) {
                self.begin(act).await?;
            }
            break;
        }
        Ok(true)
    }

    /// The call to make, unless it takes none.
    fn act(&mut self, next: Next) -> Option<Act> {
        let hall = self.random.usize(..self.halls.len());
        let booked = self.booked.clone();
        self.acts_left = self.acts_left.saturating_sub(usize::from(is_act(next)));
        match next {
            Next::Book => Some(self.order(hall)),
            Next::BookAgain => {
                let place = self.random.usize(..self.placed.len());
                Some(self.about(place, Call::Book(place)))
            }
            Next::Pay => {
                let (place, card) = (self.one_of(&booked)?, self.card());
                Some(self.about(place, Call::Pay(place, card)))
            }
            Next::Refund => self.one_of(&booked).map(|place| self.about(place, Call::Refund(place))),
            Next::RefundAgain => {
                let place = self.random.usize(..self.unanswered.len());
                let place = self.unanswered.swap_remove(place);
                Some(self.about(place, Call::Refund(place)))
            }
            Next::Wish => self.one_of(&booked).map(|place| self.about(place, Call::Wish(place))),
            Next::Resize => Some(Act::Call(hall, Call::Resize(self.random.u32(20..70)))),
            Next::Reserve => Some(Act::Call(hall, Call::Reserve(self.random.u32(1..4)))),
            Next::Return => Some(Act::Call(hall, Call::Return(self.random.u32(1..4)))),
            Next::Revise => {
                let change = match self.random.usize(..8) {
                    0..3 => Change::Date(self.random.u32(2..72)),
                    3..5 => Change::Name,
                    5 => Change::Price(self.random.u64(1_000..9_000)),
                    6 => Change::Currency(self.random.bool()),
                    _ => Change::Place,
                };
                Some(Act::Revise(hall, change))
            }
            Next::CancelEvent => {
                self.cancels_an_event = false;
                Some(Act::CancelEvent(hall))
            }
            Next::TakeBack => self.one_of(&booked).map(|place| Act::Intervene(place, true)),
            Next::Redrive => {
                let place = self.random.usize(..self.stuck.len());
                Some(Act::Intervene(self.stuck.swap_remove(place), false))
            }
            Next::Late => {
                let number = self.random.usize(..self.executions.all.len());
                let begun = self.executions.running(number).execution.invocations.len();
                let invocation = if begun == 0 { None } else { Some(self.random.usize(..begun)) };
                invocation.map(|invocation| Act::Late(self.executions.invocation(number, invocation)))
            }
            Next::Deliver => {
                let place = self.random.usize(..self.bus.len());
                let start = self.bus.swap_remove(place);
                self.deliver(&start);
                self.delivered.push(start);
                None
            }
            Next::DeliverAgain => {
                let place = self.random.usize(..self.delivered.len());
                let start = self.delivered.get(place).expect("an event").clone();
                self.deliver(&start);
                None
            }
            Next::Step => {
                let open = self.open_at(false);
                let number = self.one_of(&open)?;
                let call = self.executions.next_step(self.house, number);
                self.is_stuck(number);
                call.map(|call| Act::Call(0, call))
            }
            Next::TimeUp => {
                let waiting = self.open_at(true);
                let number = self.one_of(&waiting)?;
                self.note(format!("execution {number}: its time is up"));
                self.executions.time_is_up(self.house, number);
                None
            }
            Next::Announce => {
                let place = self.random.usize(..self.announcements.len());
                Some(Act::Announce(self.announcements.swap_remove(place)))
            }
            Next::Walk => {
                let pause = if self.walks(PAUSE).is_empty() { 0 } else { PAUSE };
                let walks = self.walks(pause);
                let place = self.one_of(&walks)?;
                self.hall(Some(place)).walked = self.played.calls;
                Some(Act::Walk(place))
            }
        }
    }

    /// The cancelled events whose walk takes another step now. An execution takes one after the other.
    fn walks(&self, pause: usize) -> Vec<usize> {
        let is_under_way =
            |place: usize| self.flight.iter().any(|flight| matches!(flight.act, Act::Walk(hall) if hall == place));
        let is_due = |(place, hall): &(usize, &Hall)| {
            hall.walk.is_some() && !is_under_way(*place) && self.played.calls >= hall.walked + pause
        };
        self.halls.iter().enumerate().filter(is_due).map(|(place, _)| place).collect()
    }

    fn about(&self, place: usize, call: Call) -> Act {
        Act::Call(self.placed.get(place).expect("an order").hall, call)
    }

    fn card(&mut self) -> Card {
        match self.random.usize(..6) {
            0 => Card::Declined,
            1 => Card::Refused,
            _ => Card::Good,
        }
    }

    fn order(&mut self, hall: usize) -> Act {
        let card = if self.random.usize(..5) < 2 { Some(self.card()) } else { None };
        let order = Booking::ordered(self.random.u32(1..5), card, self.random.usize(..10) == 0);
        let event = self.halls.get(hall).expect("an event").event;
        let ordered = House::order(event, &order);
        let place = self.placed.len();
        self.buyers.insert(ordered.buyer(), place);
        self.placed.push(Placed { hall, order, ordered, ticket: None, was_told: Vec::new() });
        self.orders_left -= 1;
        Act::Call(hall, Call::Book(place))
    }

    fn deliver(&mut self, Start { place, event, detail }: &Start) {
        let ticket = self.placed.get(*place).and_then(|placed| placed.ticket).expect("a ticket");
        let number = self.executions.begin(self.house, *place, ticket, event, detail.clone());
        self.note(format!("{event} of booking {place} begins execution {number}"));
    }

    /// The open executions that wait for their buyer, or those that do not, of which no step is under way.
    fn open_at(&self, waiting: bool) -> Vec<usize> {
        let is_under_way = |number: usize| {
            let begun = self.executions.running(number).execution.invocations.len();
            self.flight.iter().any(|flight| {
                matches!(&flight.act, Act::Call(_, Call::Step { execution, invocation, .. })
                    if *execution == number && invocation + 1 == begun)
            })
        };
        // Told of a booking that no saga knows yet, an execution tries again until one does.
        let is_early = |number: usize| {
            let running = self.executions.running(number);
            !matches!(running.event, "TicketCreated" | "TicketCancellationRequested")
                && self.executions.claims_again(number)
                && !self.executions.is_claimed(running.booking)
        };
        let mut open = self.executions.open(self.house);
        open.retain(|number| self.executions.waits(*number) == waiting && !is_under_way(*number) && !is_early(*number));
        open
    }

    async fn begin(&mut self, act: Act) -> Result<(), Broken> {
        let number = self.played.calls;
        self.played.calls += 1;
        self.note(format!("{number}. {act}"));
        let call = self.call(&act);
        self.flight.push(Flight { number, act, call });
        self.goes_on(self.flight.len() - 1).await?;
        Ok(())
    }

    fn call(&self, act: &Act) -> Gated<'a, Answer> {
        let house = self.house;
        let event_of = |hall: &usize| self.halls.get(*hall).expect("an event").event;
        let of_word = |word| Answer { word, step: None };
        match act {
            Act::Call(hall, call) => self.make(event_of(hall), call.clone()),
            Act::Late(call) => self.make(event_of(&0), call.clone()),
            Act::Revise(hall, change) => {
                let (event, revision) = (event_of(hall), revision(event_of(hall), *change, self.played.calls));
                Gated::new(async move { of_word(house.revise(event, &revision).await) })
            }
            Act::CancelEvent(hall) => {
                let event = event_of(hall);
                Gated::new(async move { of_word(house.cancel(event).await) })
            }
            Act::Announce(changed) => {
                let changed = changed.clone();
                Gated::new(async move { of_word(house.announce(changed).await) })
            }
            Act::Walk(hall) => {
                let (event, run) = (event_of(hall), self.halls.get(*hall).and_then(|hall| hall.walk).unwrap_or(1));
                Gated::new(async move { of_word(house.walk(event, run).await) })
            }
            Act::Intervene(place, by_force) => {
                let (ticket, by_force) = (self.ticket_of(*place).expect("a ticket"), *by_force);
                Gated::new(async move { of_word(house.intervene(ticket, by_force).await) })
            }
        }
    }

    fn make(&self, event: InventoryId, call: Call) -> Gated<'a, Answer> {
        let house = self.house;
        let placed = place_of(&call).and_then(|place| self.placed.get(place));
        let (ordered, ticket) = (placed.map(|it| it.ordered.clone()), placed.and_then(|it| it.ticket));
        let input = self.executions.input(&call);
        Gated::new(async move { house.make(event, &call, ordered.as_ref(), ticket, input).await })
    }

    fn ticket_of(&self, place: usize) -> Option<TicketId> {
        self.placed.get(place).and_then(|placed| placed.ticket)
    }

    /// A call has its answer; none when its process died.
    fn ended(&mut self, Flight { number, act, .. }: &Flight<'_>, answer: Option<Answer>) -> Result<(), Broken> {
        let word = answer.as_ref().map_or("it died", |answer| answer.word.as_str());
        // Without ids and times, which are other ones each time.
        let same = word.split_whitespace().filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()));
        self.note(format!("  {number}: {}", same.collect::<Vec<_>>().join(" ")));
        match act {
            Act::Call(_, call @ Call::Step { .. }) => {
                let outcome = answer.map_or_else(|| Some(died()), |answer| answer.step).expect("a step's outcome");
                self.stepped(call, outcome)
            }
            Act::Late(_) => match answer.and_then(|answer| answer.step) {
                Some(Err(StepFailure::Defect(defect))) => Err(format!("{act} has a defect: {defect}")),
                _ => Ok(()),
            },
            Act::Call(_, call) => self.answered(call, word),
            Act::Revise(..) | Act::CancelEvent(_) | Act::Intervene(_, true) => Ok(()),
            // The bus delivers it until it is taken.
            Act::Announce(changed) => {
                if word != "announced" {
                    self.announcements.push(changed.clone());
                }
                Ok(())
            }
            Act::Walk(hall) => {
                if word == "walked" {
                    self.halls.get_mut(*hall).expect("an event").walk = None;
                }
                Ok(())
            }
            Act::Intervene(place, false) => {
                if !matches!(word, "requested" | "refused") {
                    self.stuck.push(*place);
                }
                Ok(())
            }
        }
    }

    fn stepped(&mut self, call: &Call, outcome: Result<Value, StepFailure>) -> Result<(), Broken> {
        if let Err(StepFailure::Defect(defect)) = &outcome {
            return Err(format!("{} has a defect: {defect}", Act::Call(0, call.clone())));
        }
        let Call::Step { state, .. } = call else { return Ok(()) };
        let last = outcome.is_err() && self.random.usize(..LAST_TRIES) == 0;
        // Its failure leaves a booking to an operator who hears nothing of it.
        let may_be_last = state != "Record Stuck Booking";
        self.executions.answered(self.house, call, outcome, |_| last && may_be_last);
        Ok(())
    }

    /// An execution that needs attention is an operator's case from now on.
    fn is_stuck(&mut self, number: usize) {
        let running = self.executions.running(number);
        if running.execution.state == NEEDS_ATTENTION {
            let booking = running.booking;
            self.note(format!("execution {number} of booking {booking} needs attention"));
            self.stuck.push(booking);
        }
    }

    /// A buyer has an answer, which binds.
    fn answered(&mut self, call: &Call, word: &str) -> Result<(), Broken> {
        let Some(place) = place_of(call) else { return Ok(()) };
        let placed = self.placed.get_mut(place).expect("an order");
        match (call, word) {
            (Call::Book(_), "booked" | "replayed") => {
                holds!(placed.ticket.is_some(), "booking {place} was {word}, and there is no ticket");
            }
            (Call::Book(_), "sold out") => self.played.sold_out += 1,
            (Call::Pay(..), "SUCCESS") => placed.was_told.push("SUCCESS"),
            (Call::Refund(_), "refunded") => placed.was_told.push("refunded"),
            (Call::Refund(_), "not refundable") => {}
            (Call::Refund(_), _) => self.unanswered.push(place),
            _ => {}
        }
        Ok(())
    }

    /// Events that were stored reach whoever they are for.
    fn read_the_stream(&mut self) -> Result<(), Broken> {
        for event in self.house.stream.since(self.read) {
            self.read += 1;
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let hall = self.halls.iter().position(|hall| hall.event.to_string() == text("/data/inventoryId"));
            let name = text("/metadata/eventType");
            match name {
                "InventoryUpdated" => self.announcements.push(event.clone()),
                "InventoryCancelled" => self.hall(hall).is_cancelled = true,
                "CancellationStarted" => {
                    let run = event.pointer("/data/run").and_then(Value::as_u64);
                    self.hall(hall).walk = run.and_then(|run| u32::try_from(run).ok());
                }
                "TicketCreated" => {
                    let buyer: UserId = text("/data/userId").parse().expect("a buyer");
                    let ticket = text("/data/ticketId").parse().expect("a ticket");
                    let place = self.buyers.get(&buyer).copied().expect("a buyer of this crowd");
                    let placed = self.placed.get_mut(place).expect("an order");
                    holds!(placed.ticket.is_none(), "booking {place} was made twice under one key");
                    placed.ticket = Some(ticket);
                    self.tickets.insert(ticket, place);
                    self.booked.push(place);
                }
                _ => {}
            }
            let moved =
                ["InventoryReserved", "InventorySold", "InventoryReleased"].into_iter().find(|moved| *moved == name);
            // Seats that were reserved by hand have no ticket.
            if let (Some(moved), Ok(ticket)) = (moved, text("/data/ticketId").parse::<TicketId>()) {
                self.seats.insert(ticket, moved);
            }
            let starts = STARTS.into_iter().find(|start| *start == name);
            // As the rule in the template has it.
            let starts = starts.filter(|_| name != "PaymentRefunded" || text("/data/refundedBy") == "REQUEST");
            if let Some(name) = starts {
                let ticket = text("/data/ticketId").parse().expect("a ticket");
                let place = self.tickets.get(&ticket).copied().expect("a ticket of this crowd");
                self.bus.push(Start { place, event: name, detail: event.clone() });
            }
        }
        Ok(())
    }

    fn hall(&mut self, place: Option<usize>) -> &mut Hall {
        place.and_then(|place| self.halls.get_mut(place)).expect("an event of this crowd")
    }

    /// An event's seats add up, and are where the events about them say.
    async fn seats_add_up(&self) -> Result<(), Broken> {
        for (place, hall) in self.halls.iter().enumerate() {
            let counts = self.house.count(hall.event).await;
            holds!(counts.adds_up(), "the seats do not add up: {counts}");
            let seats_that_are = |wanted: &str| {
                let are = self.seats.iter().filter(|(_, seats)| **seats == wanted);
                let orders = are.filter_map(|(ticket, _)| self.placed.get(*self.tickets.get(ticket)?));
                let orders = orders.filter(|placed| placed.hall == place);
                orders.map(|placed| i64::from(placed.order.quantity)).sum::<i64>()
            };
            let (held, sold) = (seats_that_are("InventoryReserved"), seats_that_are("InventorySold"));
            holds!(
                (counts.held, counts.sold) == (held + counts.reserved, sold),
                "by their events, bookings hold {held} seats and have bought {sold}: {counts}"
            );
        }
        Ok(())
    }

    /// Everything is at rest.
    async fn end(mut self) -> Result<Played, Broken> {
        let mut settled = Vec::new();
        for (place, Placed { hall, order, ordered, ticket, was_told }) in self.placed.iter().enumerate() {
            let (Some(ticket), Some(hall)) = (*ticket, self.halls.get(*hall)) else { continue };
            let booked = Booked { place, event: hall.event, ordered, order, ticket };
            let booking = rules::booking_is_consistent(self.house, &booked).await?;
            let is_confirmed = booking.ticket.is_some_and(|(status, _)| status == Ticket::Confirmed);
            holds!(!(is_confirmed && hall.is_cancelled), "booking {place} is of a cancelled event; {booking:?}");
            for told in was_told {
                let done = if *told == "refunded" { booking.account.refunds } else { booking.account.charges };
                holds!(done == 1, "the buyer of booking {place} was told {told}; {booking:?}");
            }
            if is_confirmed {
                let (copy, terms) = (self.house.terms_on(ticket).await, self.house.told_terms(hall.event).await);
                holds!(copy == terms, "the ticket of booking {place} says {copy}, and its event {terms}");
            }
            self.played.confirmed += usize::from(is_confirmed);
            self.played.cancelled += usize::from(!is_confirmed);
            settled.push(Settled { event: hall.event, ticket, booking });
        }
        for hall in &self.halls {
            let bookings: Vec<_> =
                settled.iter().filter(|it| it.event == hall.event).map(|it| it.booking.clone()).collect();
            rules::seats_are_those_of(self.house, hall.event, &bookings).await?;
        }
        let halls: Vec<_> = self.halls.iter().map(|hall| hall.event).collect();
        let events = self.house.stream.since(0);
        let reported = self.house.without_a_confirmation(events.clone(), Flaw::UnreportedConfirmation);
        let told = self.house.without_a_confirmation(events, Flaw::UntoldConfirmation);
        news::sales_are_those_of(self.house, reported, &halls, &settled, &mut self.random).await?;
        news::messages_are_those_of(self.house, told, &settled, &mut self.random).await?;
        Ok(self.played)
    }
}

/// Whether it is one of the acts of which a crowd makes so many.
fn is_act(next: Next) -> bool {
    !matches!(
        next,
        Next::Book
            | Next::Deliver
            | Next::Step
            | Next::TimeUp
            | Next::Announce
            | Next::Walk
            | Next::Redrive
            | Next::RefundAgain
    )
}

/// The booking that a call of a client is about.
fn place_of(call: &Call) -> Option<usize> {
    match call {
        Call::Book(place) | Call::Pay(place, _) | Call::Refund(place) | Call::Wish(place) => Some(*place),
        Call::Resize(_) | Call::Reserve(_) | Call::Return(_) | Call::Step { .. } => None,
    }
}

fn revision(event: InventoryId, change: Change, number: usize) -> Revision {
    let same = Revision::default();
    match change {
        Change::Date(hours) => Revision { event_date: Some(Timestamp::now().plus_seconds(hours * 3_600)), ..same },
        Change::Name => Revision { event_name: Some(format!("{event} {number}").parse().expect("a name")), ..same },
        Change::Price(cents) => Revision { price: Some(Amount::from_minor(cents).expect("a price")), ..same },
        Change::Currency(dollars) => {
            Revision { currency: Some(if dollars { Currency::Usd } else { Currency::Eur }), ..same }
        }
        Change::Place => Revision { location: Some(format!("Hall {number}").parse().expect("a place")), ..same },
    }
}
