//! The expected world. One thing happens at a time here, and in full, so that a reader can check it in their head.
//!
//! A call leads through stages, one for each write. A call that is not disturbed ends in the last; one that stops half-way, in any of them or
//! where it began. Nothing of the product decides anything here: of its types only the names of statuses are used.

use crate::provider::{Account, Intent};
use boxoffice_inventory::domain::ReservationState;
use boxoffice_payments::domain::{Method, Status as Payment, Tried};
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

    /// The card whose token has this digest.
    pub fn tried(digest: &str) -> Self {
        let all = [Self::Good, Self::Declined, Self::Refused];
        let is_it =
            |card: &Self| Tried::of(&card.token().parse().expect("a token"), Method::CreditCard).to_string() == digest;
        all.into_iter().find(is_it).unwrap_or_else(|| panic!("no card was tried as {digest}"))
    }

    /// The card of this token.
    pub fn of(token: &str) -> Self {
        let all = [Self::Good, Self::Declined, Self::Refused];
        all.into_iter().find(|card| card.token() == token).unwrap_or_else(|| panic!("no card {token}"))
    }
}

/// The state of a ticket's admissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admissions {
    /// They are good.
    Issued,
    /// They were good.
    Revoked,
    /// There will be none.
    Barred,
}

/// A booking, as it lies in the tables and in the provider's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "what is written down beside each other, each true or not")]
pub struct Booking {
    /// Seats asked for.
    pub quantity: u32,
    /// Whether its hold is over as soon as it begins.
    pub over: bool,
    /// The card it is to be charged to at once.
    pub card: Option<Card>,
    /// The ticket and its version; none when the order did not come through.
    pub ticket: Option<(Ticket, u64)>,
    /// Its admissions.
    pub admissions: Option<Admissions>,
    /// Whether the buyer asked to cancel.
    pub wished: bool,
    /// Where its seats are counted, and the reservation's version.
    pub seats: Option<(ReservationState, u64)>,
    /// Whether they are back for good.
    pub closed: bool,
    /// The payment and its version.
    pub payment: Option<(Payment, u64)>,
    /// The charge to make, kept until the payment is settled.
    pub instruction: Option<Card>,
    /// The number of this attempt at charging it.
    pub attempt: u32,
    /// How often it was declined.
    pub declined: u32,
    /// The card that was tried last.
    pub tried: Option<Card>,
    /// Whether the attempt's intent is recorded.
    pub intent: bool,
    /// The provider's acts.
    pub account: Account,
    /// The execution that took it on.
    pub holder: Option<String>,
    /// The execution that took its undoing on.
    pub undoer: Option<String>,
    /// Whether the journal says that it was taken back.
    pub taken_back: bool,
}

impl Booking {
    /// An order that nobody has heard of yet.
    pub fn ordered(quantity: u32, card: Option<Card>, over: bool) -> Self {
        Self {
            quantity,
            over,
            card,
            ticket: None,
            admissions: None,
            wished: false,
            seats: None,
            closed: false,
            payment: None,
            instruction: None,
            attempt: 1,
            declined: 0,
            tried: None,
            intent: false,
            account: Account::default(),
            holder: None,
            undoer: None,
            taken_back: false,
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

    /// Declined: another card may follow, until the fifth.
    fn is_declined(&mut self) {
        self.declined += 1;
        self.instruction = None;
        if self.declined == 5 {
            return self.payment_becomes(Payment::Failed);
        }
        self.payment_becomes(Payment::Pending);
        (self.attempt, self.intent) = (self.attempt + 1, false);
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

impl Counts {
    /// Whether every seat is in one place.
    pub fn adds_up(&self) -> bool {
        self.total == self.available + self.held + self.sold
    }
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
        /// The execution.
        execution: usize,
        /// Its name, by which it claims.
        arn: String,
        /// The state that is handled.
        state: String,
        /// The event that started the execution.
        event: &'static str,
        /// The number of its invocation.
        invocation: usize,
    },
}

/// The result of a call: the world after each of its writes, and the answer.
#[derive(Debug, Clone)]
pub struct Course {
    /// The world after each write, in order; empty when it writes nothing.
    pub stages: Vec<World>,
    /// The answer, in a word.
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
                return self.write(place, |it| {
                    it.tried = Some(card);
                    it.is_declined();
                });
            }
            if self.at(place).account.attempt < self.at(place).attempt {
                self.write(place, |it| {
                    it.account = Account { attempt: it.attempt, intent: Intent::Open, card: Some(card), ..it.account };
                });
            }
            self.write(place, |it| (it.intent, it.tried) = (true, Some(card)));
        }
        let Account { intent, card, .. } = self.at(place).account;
        match intent {
            Intent::Open if card == Some(Card::Declined) => {
                self.write(place, |it| it.account.intent = Intent::Declined);
                self.leave_behind(place);
                self.write(place, Booking::is_declined);
            }
            Intent::Declined | Intent::LeftBehind => {
                self.leave_behind(place);
                self.write(place, Booking::is_declined);
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

    /// Cancels the attempt's intent, because the payment goes on with another.
    fn leave_behind(&mut self, place: usize) {
        if matches!(self.at(place).account.intent, Intent::Open | Intent::Declined) {
            self.write(place, |it| it.account.intent = Intent::LeftBehind);
        }
    }

    /// Another card, in the place of an attempt that nobody heard the end of; whether that is how it went.
    fn change_card(&mut self, place: usize, card: Card) -> bool {
        if self.at(place).intent {
            if matches!(self.at(place).account.intent, Intent::Charged | Intent::Refunded) {
                self.write(place, |it| it.payment_becomes(Payment::Success));
                return false;
            }
            self.leave_behind(place);
        }
        self.write(place, |it| {
            it.payment_becomes(Payment::Processing);
            (it.attempt, it.intent, it.instruction) = (it.attempt + 1, false, Some(card));
        });
        true
    }

    /// Ends a payment that is not settled; one that turns out to have been charged ends as charged.
    fn end(&mut self, place: usize) {
        let (paid, intent, known) = (self.at(place).paid(), self.at(place).account.intent, self.at(place).intent);
        if paid == Some(Payment::Processing) && known {
            if matches!(intent, Intent::Charged | Intent::Refunded) {
                return self.write(place, |it| it.payment_becomes(Payment::Success));
            }
            if matches!(intent, Intent::Open | Intent::Declined) {
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
        if self.at(place).taken_back {
            return "NOTHING";
        }
        // A refund says nothing of the booking: it takes back one that a saga knows.
        if event == "PaymentRefunded" && holder.is_none() && undoer.is_none() {
            return "Transient";
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
            "Initiate Payment" => {
                // The booking's own attempt is the saga's; one that the buyer started is the buyer's.
                if it.payment == Some((Payment::Processing, 1)) {
                    self.charge(place);
                }
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
                (Some(Ticket::Pending), false) if it.admissions.is_some() => return "TicketNotPending".into(),
                (Some(Ticket::Pending), false) => self.write(place, |it| {
                    it.ticket_becomes(Ticket::Confirmed);
                    it.seats_become(ReservationState::Sold);
                    it.admissions = Some(Admissions::Issued);
                }),
                _ => return "TicketNotPending".into(),
            },
            "Revoke Admissions" => {
                let revoked = match it.admissions {
                    None => Admissions::Barred,
                    Some(Admissions::Issued) => Admissions::Revoked,
                    Some(done) => done,
                };
                if it.admissions != Some(revoked) {
                    self.write(place, |it| it.admissions = Some(revoked));
                }
            }
            "Reverse Payment" => {
                if let Some(Payment::Pending | Payment::Processing) = it.paid() {
                    self.end(place);
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
                // A run that fails says so, whatever another run has said before.
                self.write(place, |it| it.taken_back = false);
                self.write(place, |it| it.taken_back = true);
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
                    it.payment_becomes(if it.card.is_some() { Payment::Processing } else { Payment::Pending });
                    it.instruction = it.card;
                });
                "booked".into()
            }
            Call::Pay(place, card) => {
                let it = self.at(place);
                match it.paid() {
                    None => return "no payment".into(),
                    Some(status @ (Payment::Pending | Payment::Success | Payment::Failed))
                        if it.tried == Some(card) =>
                    {
                        return status.to_string();
                    }
                    Some(Payment::Pending) if it.over => return "too late".into(),
                    Some(Payment::Processing) if it.over && !it.intent => return "too late".into(),
                    Some(Payment::Pending) => self.write(place, |it| {
                        it.payment_becomes(Payment::Processing);
                        it.instruction = Some(card);
                    }),
                    Some(Payment::Processing) => {
                        let another = it.instruction.is_some_and(|charged| charged != card);
                        if another && !it.over && !self.change_card(place, card) {
                            return Payment::Success.to_string();
                        }
                    }
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
                            if it.admissions == Some(Admissions::Issued) {
                                it.admissions = Some(Admissions::Revoked);
                            }
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

/// The result of this call from here.
pub fn course(start: &World, call: &Call) -> Course {
    let mut going = Going { world: start.clone(), stages: Vec::new() };
    let answer = going.call(call);
    Course { stages: going.stages, answer }
}
