//! What there should be. One thing happens at a time here, and in full, so that a reader can check it in their head.
//!
//! A call leads through stages, one for each write. A call that is not disturbed ends in the last; one that stops half-way, in any of them or
//! where it began. Nothing of the product decides anything here: of its types only the names of statuses are used.

use crate::provider::{Account, Intent};
use boxoffice_inventory::domain::ReservationState;
use boxoffice_payments::domain::Status as Payment;
use boxoffice_tickets::domain::Status as Ticket;
use std::fmt;

/// A card, by how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Is charged.
    Good,
    /// Is declined when it is charged.
    Declined,
    /// Is not taken at all.
    Refused,
}

impl Card {
    /// The provider's token for it.
    pub fn token(self) -> &'static str {
        match self {
            Self::Good => "pm_good",
            Self::Declined => "pm_declined",
            Self::Refused => "pm_refused",
        }
    }

    /// The card of this token.
    pub fn of(token: &str) -> Self {
        let all = [Self::Good, Self::Declined, Self::Refused];
        all.into_iter().find(|card| card.token() == token).unwrap_or_else(|| panic!("no card {token}"))
    }
}

/// A booking, as it lies in the tables and in the provider's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "what is written down beside each other, each true or not")]
pub struct Booking {
    /// Seats asked for.
    pub quantity: u32,
    /// Whether its hold is over as soon as it begins.
    pub over: bool,
    /// What it is to be charged to at once.
    pub card: Option<Card>,
    /// The ticket and its version; none when the order did not come through.
    pub ticket: Option<(Ticket, u64)>,
    /// Whether the buyer asked to cancel.
    pub wished: bool,
    /// Where its seats are counted, and the reservation's version.
    pub seats: Option<(ReservationState, u64)>,
    /// Whether they are back for good.
    pub closed: bool,
    /// The payment and its version.
    pub payment: Option<(Payment, u64)>,
    /// What there is to charge, kept until the payment is settled.
    pub instruction: Option<Card>,
    /// Whether the provider's intent is recorded.
    pub intent: bool,
    /// What the provider did.
    pub account: Account,
    /// The execution that took it on.
    pub holder: Option<String>,
    /// The execution that took its undoing on.
    pub undoer: Option<String>,
}

impl Booking {
    /// An order that nobody has heard of yet.
    pub fn ordered(quantity: u32, card: Option<Card>, over: bool) -> Self {
        Self {
            quantity,
            over,
            card,
            ticket: None,
            wished: false,
            seats: None,
            closed: false,
            payment: None,
            instruction: None,
            intent: false,
            account: Account::default(),
            holder: None,
            undoer: None,
        }
    }

    fn seats_are(&self, state: ReservationState) -> bool {
        self.seats.is_some_and(|(seats, _)| seats == state)
    }

    fn seats_become(&mut self, state: ReservationState) {
        self.seats = Some((state, self.seats.map_or(0, |(_, version)| version) + 1));
    }

    fn ticket_becomes(&mut self, status: Ticket) {
        self.ticket = Some((status, self.ticket.map_or(0, |(_, version)| version) + 1));
    }

    fn payment_becomes(&mut self, status: Payment) {
        self.payment = Some((status, self.payment.map_or(0, |(_, version)| version) + 1));
        if !matches!(status, Payment::Pending | Payment::Processing) {
            self.instruction = None;
        }
    }

    fn paid(&self) -> Option<Payment> {
        self.payment.map(|(status, _)| status)
    }

    fn status(&self) -> Option<Ticket> {
        self.ticket.map(|(status, _)| status)
    }
}

/// One event on sale and its bookings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Seats in all.
    pub total: u32,
    /// Seats reserved by hand.
    pub reserved: u32,
    /// How often the terms were written.
    pub terms: u64,
    /// Every order that was made.
    pub bookings: Vec<Booking>,
}

/// Where an event's seats are: available, held, sold, and how many of the held ones by hand; and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the tables name them")]
pub struct Counts {
    pub total: i64,
    pub available: i64,
    pub held: i64,
    pub sold: i64,
    pub reserved: i64,
    pub terms: i64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, available, held, sold, reserved, terms } = self;
        write!(
            f,
            "{available} available + {held} held ({reserved} by hand) + {sold} sold of {total} (terms written {terms} times)"
        )
    }
}

impl World {
    fn seats_that_are(&self, state: ReservationState) -> u32 {
        self.bookings.iter().filter(|booking| booking.seats_are(state)).map(|booking| booking.quantity).sum()
    }

    fn held(&self) -> u32 {
        self.seats_that_are(ReservationState::Held) + self.reserved
    }

    fn sold(&self) -> u32 {
        self.seats_that_are(ReservationState::Sold)
    }

    fn available(&self) -> u32 {
        self.total - self.held() - self.sold()
    }

    /// Where the seats are.
    pub fn counts(&self) -> Counts {
        Counts {
            total: self.total.into(),
            available: self.available().into(),
            held: self.held().into(),
            sold: self.sold().into(),
            reserved: self.reserved.into(),
            terms: i64::try_from(self.terms).expect("a small number"),
        }
    }

    fn booking(&mut self, place: usize) -> &mut Booking {
        self.bookings.get_mut(place).expect("a booking that was ordered")
    }
}

/// Something that a client or an execution does; a booking goes by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// An order, sent under its key: for the first time, or again.
    Book(usize),
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
    /// An execution, by its number, handles the invocation of this number.
    Step {
        /// The booking it is about.
        booking: usize,
        /// Which execution.
        execution: usize,
        /// Its name, by which it claims.
        arn: String,
        /// The state that is handled.
        state: String,
        /// The event that started the execution.
        event: &'static str,
        /// Which of its invocations.
        invocation: usize,
    },
}

/// What a call leads to: the world after each of its writes, and what it answers.
#[derive(Debug, Clone)]
pub struct Course {
    /// The world after each write, in order; empty when it writes nothing.
    pub stages: Vec<World>,
    /// What it answers, in a word.
    pub answer: String,
}

impl Course {
    /// Where the call ends when nothing disturbs it.
    pub fn end<'a>(&'a self, start: &'a World) -> &'a World {
        self.stages.last().unwrap_or(start)
    }
}

/// A call under way.
struct Going {
    world: World,
    stages: Vec<World>,
}

impl Going {
    /// A write.
    fn write(&mut self, place: usize, change: impl FnOnce(&mut Booking)) {
        change(self.world.booking(place));
        self.stages.push(self.world.clone());
    }

    fn write_all(&mut self, change: impl FnOnce(&mut World)) {
        change(&mut self.world);
        self.stages.push(self.world.clone());
    }

    fn at(&self, place: usize) -> &Booking {
        self.world.bookings.get(place).expect("a booking that was ordered")
    }

    /// Charges a payment that is being charged, until it is settled.
    fn charge(&mut self, place: usize) {
        if self.at(place).paid() != Some(Payment::Processing) {
            return;
        }
        if !self.at(place).intent {
            let card = self.at(place).instruction.expect("what to charge, while it is being charged");
            if card == Card::Refused {
                return self.write(place, |it| it.payment_becomes(Payment::Failed));
            }
            if self.at(place).account.intent == Intent::None {
                self.write(place, |it| {
                    (it.account.intent, it.account.card) = (Intent::Open, Some(card));
                });
            }
            self.write(place, |it| it.intent = true);
        }
        let Account { intent, card, .. } = self.at(place).account;
        match intent {
            Intent::Open if card == Some(Card::Declined) => {
                self.write(place, |it| it.payment_becomes(Payment::Failed));
            }
            Intent::None | Intent::Open => {
                self.write(place, |it| {
                    (it.account.intent, it.account.charges) = (Intent::Charged, it.account.charges + 1);
                });
                self.write(place, |it| it.payment_becomes(Payment::Success));
            }
            Intent::Charged | Intent::Refunded => self.write(place, |it| it.payment_becomes(Payment::Success)),
            Intent::Cancelled => self.write(place, |it| it.payment_becomes(Payment::Expired)),
        }
    }

    /// Ends a payment that is not settled; one that turns out to have been charged ends as charged.
    fn end(&mut self, place: usize) {
        let (paid, intent, known) = (self.at(place).paid(), self.at(place).account.intent, self.at(place).intent);
        if paid == Some(Payment::Processing) && known {
            if matches!(intent, Intent::Charged | Intent::Refunded) {
                return self.write(place, |it| it.payment_becomes(Payment::Success));
            }
            if intent == Intent::Open {
                self.write(place, |it| it.account.intent = Intent::Cancelled);
            }
        }
        self.write(place, |it| it.payment_becomes(Payment::Expired));
    }

    fn give_back(&mut self, place: usize) {
        if self.at(place).account.intent == Intent::Charged {
            self.write(place, |it| {
                (it.account.intent, it.account.refunds) = (Intent::Refunded, it.account.refunds + 1);
            });
        }
        self.write(place, |it| it.payment_becomes(Payment::Refunded));
    }

    fn claim(&mut self, place: usize, arn: &str, event: &str) -> &'static str {
        let (holder, undoer) = (self.at(place).holder.clone(), self.at(place).undoer.clone());
        if event == "TicketCreated" {
            if holder.is_none() && undoer.is_none() {
                self.write(place, |it| it.holder = Some(arn.to_owned()));
                return "BOOK";
            }
            return if holder.as_deref() == Some(arn) { "BOOK" } else { "NOTHING" };
        }
        match undoer {
            Some(undoer) if undoer != arn => "NOTHING",
            Some(_) => "UNDO",
            None => {
                self.write(place, |it| it.undoer = Some(arn.to_owned()));
                "UNDO"
            }
        }
    }

    /// A step of the saga, without its entry in the journal.
    fn step(&mut self, place: usize, state: &str, arn: &str, event: &str) -> String {
        let it = self.at(place);
        let (quantity, available) = (it.quantity, self.world.available());
        match state {
            "Claim Saga" => return self.claim(place, arn, event).into(),
            "Verify Hold" if !it.seats_are(ReservationState::Held) => return "HoldLost".into(),
            "Verify Hold" if it.over => return "HoldExpired".into(),
            "Initiate Payment" => {
                if it.payment.is_none() {
                    let status = if it.instruction.is_some() { Payment::Processing } else { Payment::Pending };
                    self.write(place, |it| it.payment_becomes(status));
                }
                self.charge(place);
                return match self.at(place).paid() {
                    Some(Payment::Failed) => "PaymentDeclined".into(),
                    Some(Payment::Expired | Payment::Refunded) => "PaymentVoided".into(),
                    status => status.map_or_else(String::new, |status| status.to_string()),
                };
            }
            "Verify Hold" | "Await Payment" => {}
            "Expire Payment" => {
                if matches!(it.paid(), Some(Payment::Pending | Payment::Processing)) {
                    self.end(place);
                }
                return self.at(place).paid().map_or_else(String::new, |status| status.to_string());
            }
            "Renew Hold" => {
                if it.seats_are(ReservationState::Released) {
                    if it.closed || quantity > available {
                        return "SeatsGone".into();
                    }
                    self.write(place, |it| it.seats_become(ReservationState::Held));
                }
            }
            "Confirm Ticket" => match (it.status(), it.wished) {
                (Some(Ticket::Confirmed), _) => {}
                (Some(Ticket::Pending), false) if !it.seats_are(ReservationState::Held) => return "HoldLost".into(),
                (Some(Ticket::Pending), false) => self.write(place, |it| {
                    it.ticket_becomes(Ticket::Confirmed);
                    it.seats_become(ReservationState::Sold);
                }),
                _ => return "TicketNotPending".into(),
            },
            "Reverse Payment" => {
                match it.paid() {
                    None => self.write(place, |it| it.payment_becomes(Payment::Expired)),
                    Some(Payment::Pending | Payment::Processing) => self.end(place),
                    Some(_) => {}
                }
                if self.at(place).paid() == Some(Payment::Success) {
                    self.give_back(place);
                }
                return self.at(place).paid().map_or_else(String::new, |status| status.to_string());
            }
            "Release Hold" => {
                if !it.seats_are(ReservationState::Released) {
                    self.write(place, |it| {
                        it.seats_become(ReservationState::Released);
                        it.closed = true;
                    });
                }
            }
            "Cancel Ticket" => {
                if it.status() != Some(Ticket::Cancelled) {
                    self.write(place, |it| it.ticket_becomes(Ticket::Cancelled));
                }
            }
            other => panic!("the model does not know what {other} does"),
        }
        "done".into()
    }

    fn call(&mut self, call: &Call) -> String {
        match *call {
            Call::Book(place) => {
                let (available, it) = (self.world.available(), self.at(place));
                if it.ticket.is_some() {
                    return "replayed".into();
                }
                if it.quantity > available {
                    return "sold out".into();
                }
                self.write(place, |it| {
                    it.ticket_becomes(Ticket::Pending);
                    it.seats_become(ReservationState::Held);
                    it.instruction = it.card;
                });
                "booked".into()
            }
            Call::Pay(place, card) => {
                match self.at(place).paid() {
                    None => return "no payment".into(),
                    Some(Payment::Pending) if self.at(place).over => return "too late".into(),
                    Some(Payment::Pending) => self.write(place, |it| {
                        it.payment_becomes(Payment::Processing);
                        it.instruction = Some(card);
                    }),
                    Some(Payment::Processing) => {}
                    Some(_) => return "not pending".into(),
                }
                self.charge(place);
                self.at(place).paid().map_or_else(String::new, |status| status.to_string())
            }
            Call::Refund(place) => {
                if self.at(place).paid() != Some(Payment::Success) {
                    return "not refundable".into();
                }
                self.give_back(place);
                "refunded".into()
            }
            Call::Wish(place) => {
                let it = self.at(place);
                match it.status() {
                    None => "no ticket".into(),
                    Some(Ticket::Cancelled) => "unchanged".into(),
                    Some(_) if it.wished => "unchanged".into(),
                    Some(status) => {
                        self.write(place, |it| {
                            it.wished = true;
                            it.ticket_becomes(status);
                        });
                        "wished".into()
                    }
                }
            }
            Call::Resize(total) => {
                let taken = self.world.total - self.world.available();
                if total < taken {
                    return "seats taken".into();
                }
                if total != self.world.total {
                    self.write_all(|world| (world.total, world.terms) = (total, world.terms + 1));
                }
                "resized".into()
            }
            Call::Reserve(seats) => {
                if seats > self.world.available() {
                    return "sold out".into();
                }
                self.write_all(|world| world.reserved += seats);
                "reserved".into()
            }
            Call::Return(seats) => {
                if seats > self.world.reserved {
                    return "not reserved".into();
                }
                self.write_all(|world| world.reserved -= seats);
                "returned".into()
            }
            Call::Step { booking, ref state, ref arn, event, .. } => self.step(booking, state, arn, event),
        }
    }
}

/// What this call leads to from here.
pub fn course(start: &World, call: &Call) -> Course {
    let mut going = Going { world: start.clone(), stages: Vec::new() };
    let answer = going.call(call);
    Course { stages: going.stages, answer }
}
