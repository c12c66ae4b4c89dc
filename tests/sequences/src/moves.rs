//! The moves of a sequence, in words and at random.
//!
//! A booking or an execution goes by its place among those there are, wrapping around, so that every part of a sequence is a sequence too:
//! that is what lets the shortest failing one be found by leaving moves out. A move that has no subject, or comes too late, does nothing.

use crate::{model::Card, wire::Mishap};
use proptest::prelude::*;
use std::fmt;

/// The event that starts an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The ticket was created.
    TicketCreated,
    /// The buyer asked to cancel.
    TicketCancellationRequested,
    /// The money was given back by a call.
    PaymentRefunded,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TicketCreated, Self::TicketCancellationRequested, Self::PaymentRefunded];

    /// Its name on the bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::TicketCreated => "TicketCreated",
            Self::TicketCancellationRequested => "TicketCancellationRequested",
            Self::PaymentRefunded => "PaymentRefunded",
        }
    }
}

/// Something that somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A new order: so many seats, a card to charge at once, and whether its hold is over as soon as it begins.
    Book(u32, Option<Card>, bool),
    /// The same order once more, under its key.
    BookAgain(usize),
    /// The buyer pays.
    Pay(usize, Card),
    /// Somebody gives the money back.
    Refund(usize),
    /// The buyer asks to cancel.
    Wish(usize),
    /// A MANAGER changes the number of seats.
    Resize(u32),
    /// A MANAGER reserves seats.
    Reserve(u32),
    /// A MANAGER returns such seats.
    Return(u32),
    /// One of the events that happened and have not reached the state machine does: an execution begins.
    Deliver(usize),
    /// An event reaches it that may have done so before.
    DeliverAgain(usize, Event),
    /// An execution takes so many steps, or as many as it can, and then one more, which is the one that something may disturb.
    Step(usize, usize),
    /// An execution's wait for its buyer times out.
    TimeUp(usize),
    /// An invocation of an execution is handled once more, however late.
    Rerun(usize, usize),
    /// On the way to the end, after so many steps without, a write of this number of a step meets a mishap.
    Trouble(usize, usize, Mishap),
}

/// A disturbance of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Its write of this number, from 0, meets a mishap. Where it was a step's last try, the execution turns back.
    Mishap(usize, Mishap, bool),
    /// Another move is made, whole, while its request of this number is held up.
    Overtaken(usize, Move),
    /// Nobody hears what the saga is told.
    Unheard,
}

/// A move, and what disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The move itself.
    pub what: Move,
    /// The disturbance in between.
    pub disturbance: Option<Disturbance>,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Book(seats, card, over) => {
                write!(f, "book {seats}")?;
                if let Some(card) = card {
                    write!(f, ", charged at once to a card that is {card:?}")?;
                }
                if *over { f.write_str(", held for no time at all") } else { Ok(()) }
            }
            Self::BookAgain(booking) => write!(f, "booking {booking}: the same order again"),
            Self::Pay(booking, card) => write!(f, "booking {booking}: pay with a card that is {card:?}"),
            Self::Refund(booking) => write!(f, "booking {booking}: refund"),
            Self::Wish(booking) => write!(f, "booking {booking}: ask to cancel"),
            Self::Resize(total) => write!(f, "change to {total} seats in all"),
            Self::Reserve(seats) => write!(f, "reserve {seats} by hand"),
            Self::Return(seats) => write!(f, "return {seats} by hand"),
            Self::Deliver(place) => write!(f, "deliver event {place} of those that were not"),
            Self::DeliverAgain(booking, event) => write!(f, "booking {booking}: deliver {}, also again", event.name()),
            Self::Step(execution, 0) => write!(f, "open execution {execution}: one step"),
            Self::Step(execution, before) => write!(f, "open execution {execution}: {before} steps, and one more"),
            Self::TimeUp(execution) => write!(f, "waiting execution {execution}: its time is up"),
            Self::Rerun(execution, invocation) => write!(f, "execution {execution}: invocation {invocation} again"),
            Self::Trouble(after, at, mishap) => write!(f, "later, {after} steps on, a step {mishap} write {at}"),
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.disturbance {
            None => Ok(()),
            Some(Disturbance::Mishap(at, mishap, last)) => {
                write!(f, "; it {mishap} write {at}")?;
                if *last { f.write_str(", at its last try") } else { Ok(()) }
            }
            Some(Disturbance::Overtaken(at, other)) => write!(f, "; while its request {at} is held up: {other}"),
            Some(Disturbance::Unheard) => f.write_str("; the saga does not hear of it"),
        }
    }
}

fn place() -> impl Strategy<Value = usize> {
    0..8_usize
}

fn card() -> impl Strategy<Value = Card> {
    prop_oneof![3 => Just(Card::Good), 1 => Just(Card::Declined), 1 => Just(Card::Refused)]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::TicketCreated),
        1 => Just(Event::TicketCancellationRequested),
        1 => Just(Event::PaymentRefunded),
    ]
}

/// A move.
pub fn one() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (1..6_u32, prop::option::weighted(0.6, card()), prop::bool::weighted(0.1)).prop_map(|(s, c, o)| Move::Book(s, c, o)),
        1 => place().prop_map(Move::BookAgain),
        3 => (place(), card()).prop_map(|(booking, card)| Move::Pay(booking, card)),
        2 => place().prop_map(Move::Refund),
        2 => place().prop_map(Move::Wish),
        1 => (1..24_u32).prop_map(Move::Resize),
        1 => (1..5_u32).prop_map(Move::Reserve),
        1 => (1..5_u32).prop_map(Move::Return),
        5 => place().prop_map(Move::Deliver),
        2 => (place(), event()).prop_map(|(booking, event)| Move::DeliverAgain(booking, event)),
        12 => (place(), 0..6_usize).prop_map(|(execution, before)| Move::Step(execution, before)),
        2 => place().prop_map(Move::TimeUp),
        3 => (place(), 0..10_usize).prop_map(|(execution, invocation)| Move::Rerun(execution, invocation)),
        5 => (0..6_usize, 0..6_usize, mishap()).prop_map(|(after, at, mishap)| Move::Trouble(after, at, mishap)),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        2 => Just(Mishap::DiesBefore),
        3 => Just(Mishap::DiesAfter),
        2 => Just(Mishap::AnswerLost),
        1 => Just(Mishap::Unreachable),
    ]
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    prop_oneof![
        6 => (0..6_usize, mishap(), prop::bool::weighted(0.2)).prop_map(|(at, it, last)| Disturbance::Mishap(at, it, last)),
        3 => (0..9_usize, one()).prop_map(|(at, other)| Disturbance::Overtaken(at, other)),
        1 => Just(Disturbance::Unheard),
    ]
}

/// A sequence of at most so many turns.
pub fn sequences(longest: usize) -> impl Strategy<Value = Vec<Turn>> {
    let turn = (one(), prop::option::weighted(0.5, disturbance()));
    prop::collection::vec(turn.prop_map(|(what, disturbance)| Turn { what, disturbance }), 1..=longest)
}
