//! The decision at a door.
//!
//! [`decide`] is given everything it needs: the list, the code's proven facts, the record of the admission, and the time. It never admits what it was not
//! told to be good: an admission that nobody knows is for a person to look at, and a code that did not verify has no [`Facts`] to decide on.

use crate::code::{EventTag, Facts, Unread};
use alloc::vec::Vec;
use core::fmt;

/// Into the venue, or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// In.
    Entry,
    /// Out.
    Exit,
}

/// The device's name for one scan: a retry of it is the same scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

/// A check-in list: which admissions pass, where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The event.
    pub event: EventTag,
    /// The ticket types that pass; empty: every type.
    pub types: Vec<u16>,
    /// The gates of the list; empty: one gate, 0.
    pub gates: Vec<u16>,
    /// Whether exits are scanned.
    pub exits: bool,
    /// Whether somebody who left may come in again.
    pub reentry: bool,
    /// Ticket types of which a person checks the entitlement, such as a student card.
    pub entitled: Vec<u16>,
    /// The first second in which it admits, in Unix time.
    pub opens: u32,
    /// The first second in which it admits no more.
    pub closes: u32,
}

/// One scan of a proven code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Where the device stands.
    pub gate: u16,
    /// In or out.
    pub direction: Direction,
    /// The device's name for this scan.
    pub nonce: Nonce,
    /// Whether a person has looked and vouches for the entitlement.
    pub vouched: bool,
    /// The time, in Unix seconds.
    pub now: u32,
}

/// The last passage of an admission through a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// In or out.
    pub direction: Direction,
    /// The scan that made it.
    pub nonce: Nonce,
}

/// The state of the admission with this serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// No admission has this serial, as far as the reader knows.
    Unknown,
    /// Cancelled, refunded or passed on, with its last passage through this list.
    Revoked(Option<Last>),
    /// Good, with its last passage through this list.
    Good(Option<Last>),
}

/// Why somebody stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The text is no ticket code.
    NotATicket,
    /// The code is of a format that this version does not know.
    OtherFormat,
    /// No such key signs tickets.
    UnknownKey,
    /// The signature is not the key's.
    Forged,
    /// The ticket is for another event.
    OtherEvent,
    /// The code is not valid yet.
    NotYetValid,
    /// The code is not valid any more.
    Expired,
    /// The list does not admit now.
    ListClosed,
    /// The list does not admit this ticket type.
    WrongType,
    /// The ticket belongs to another gate, or the gate is not one of the list's.
    WrongGate,
    /// The ticket was cancelled, refunded or passed on.
    Revoked,
    /// The ticket is inside already.
    AlreadyIn,
    /// The ticket was used, and the list admits once.
    NoReentry,
    /// The list does not scan exits.
    NoExits,
    /// The ticket is not inside.
    NotInside,
}

/// Why a person at the door has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Look {
    /// The code is genuine, and the admission is not known: it may have been issued a moment ago.
    Unrecorded,
    /// The ticket type asks for a proof, such as a student card.
    Entitlement,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Come in.
    In,
    /// Gone out.
    Out,
    /// Stay outside.
    Stop(Stop),
    /// Nobody passes until a person has looked.
    Look(Look),
}

impl Stop {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::NotATicket,
        Self::OtherFormat,
        Self::UnknownKey,
        Self::Forged,
        Self::OtherEvent,
        Self::NotYetValid,
        Self::Expired,
        Self::ListClosed,
        Self::WrongType,
        Self::WrongGate,
        Self::Revoked,
        Self::AlreadyIn,
        Self::NoReentry,
        Self::NoExits,
        Self::NotInside,
    ];

    /// Its name in the API, in records and in the vectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotATicket => "NOT_A_TICKET",
            Self::OtherFormat => "OTHER_FORMAT",
            Self::UnknownKey => "UNKNOWN_KEY",
            Self::Forged => "FORGED",
            Self::OtherEvent => "OTHER_EVENT",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::Expired => "EXPIRED",
            Self::ListClosed => "LIST_CLOSED",
            Self::WrongType => "WRONG_TYPE",
            Self::WrongGate => "WRONG_GATE",
            Self::Revoked => "REVOKED",
            Self::AlreadyIn => "ALREADY_IN",
            Self::NoReentry => "NO_REENTRY",
            Self::NoExits => "NO_EXITS",
            Self::NotInside => "NOT_INSIDE",
        }
    }
}

impl Look {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Unrecorded, Self::Entitlement];

    /// Its name in the API, in records and in the vectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unrecorded => "UNRECORDED",
            Self::Entitlement => "ENTITLEMENT",
        }
    }
}

impl From<Unread> for Stop {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::NotACode => Self::NotATicket,
            Unread::OtherFormat => Self::OtherFormat,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the holder of a proven code passes.
///
/// The order of the rules is part of the specification: the first that refuses is the reason. A repeated scan gets the verdict of the first, even where the
/// list has closed or the admission was revoked in between, because the person has passed.
pub fn decide(list: &List, facts: &Facts, record: &Record, scan: &Scan) -> Verdict {
    if facts.event != list.event {
        return Verdict::Stop(Stop::OtherEvent);
    }
    if let Record::Good(Some(last)) | Record::Revoked(Some(last)) = record
        && last.nonce == scan.nonce
        && last.direction == scan.direction
    {
        return passed(scan.direction);
    }
    if let Some(stop) = not_here_and_now(list, facts, scan) {
        return Verdict::Stop(stop);
    }
    let latest = match record {
        Record::Unknown => return Verdict::Look(Look::Unrecorded),
        Record::Revoked(_) if scan.direction == Direction::Entry => return Verdict::Stop(Stop::Revoked),
        // Somebody inside may leave, whatever became of the ticket.
        Record::Revoked(passage) | Record::Good(passage) => passage.map(|passage| passage.direction),
    };
    match (scan.direction, latest) {
        (Direction::Entry, Some(Direction::Entry)) => Verdict::Stop(Stop::AlreadyIn),
        (Direction::Entry, Some(Direction::Exit)) if !list.reentry => Verdict::Stop(Stop::NoReentry),
        (Direction::Entry, None) if list.entitled.contains(&facts.ticket_type) && !scan.vouched => {
            Verdict::Look(Look::Entitlement)
        }
        (Direction::Exit, None | Some(Direction::Exit)) => Verdict::Stop(Stop::NotInside),
        (direction, _) => passed(direction),
    }
}

fn passed(direction: Direction) -> Verdict {
    match direction {
        Direction::Entry => Verdict::In,
        Direction::Exit => Verdict::Out,
    }
}

/// The refusals that need no record. Somebody inside may leave at any time and through any gate of the list.
fn not_here_and_now(list: &List, facts: &Facts, scan: &Scan) -> Option<Stop> {
    let gate_of_list = if list.gates.is_empty() { scan.gate == 0 } else { list.gates.contains(&scan.gate) };
    if scan.direction == Direction::Exit {
        return (!list.exits).then_some(Stop::NoExits).or_else(|| (!gate_of_list).then_some(Stop::WrongGate));
    }
    let at_home = facts.gate == 0 || facts.gate == scan.gate;
    let of_type = list.types.is_empty() || list.types.contains(&facts.ticket_type);
    [
        (scan.now < facts.valid_from, Stop::NotYetValid),
        (scan.now >= facts.valid_until, Stop::Expired),
        (scan.now < list.opens || scan.now >= list.closes, Stop::ListClosed),
        (!of_type, Stop::WrongType),
        (!gate_of_list || !at_home, Stop::WrongGate),
    ]
    .into_iter()
    .find_map(|(refused, stop)| refused.then_some(stop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{KeyId, Serial};
    use alloc::vec;
    use proptest::prelude::*;

    const EVENT: EventTag = EventTag([7; 8]);

    fn list() -> List {
        List {
            event: EVENT,
            types: vec![],
            gates: vec![],
            exits: true,
            reentry: true,
            entitled: vec![],
            opens: 1000,
            closes: 2000,
        }
    }

    fn facts() -> Facts {
        Facts {
            key: KeyId(1),
            event: EVENT,
            serial: Serial(1),
            ticket_type: 0,
            gate: 0,
            valid_from: 900,
            valid_until: 2100,
        }
    }

    fn scan(direction: Direction) -> Scan {
        Scan { gate: 0, direction, nonce: Nonce([1; 16]), vouched: false, now: 1500 }
    }

    fn last(direction: Direction) -> Last {
        Last { direction, nonce: Nonce([2; 16]) }
    }

    fn direction() -> impl Strategy<Value = Direction> {
        prop_oneof![Just(Direction::Entry), Just(Direction::Exit)]
    }

    prop_compose! {
        fn lists()(
            event in 6..8_u8, types in prop::collection::vec(0..3_u16, 0..3), gates in prop::collection::vec(0..3_u16, 0..3),
            exits: bool, reentry: bool, entitled in prop::collection::vec(0..3_u16, 0..2), opens in 0..20_u32, closes in 0..20_u32,
        ) -> List {
            List { event: EventTag([event; 8]), types, gates, exits, reentry, entitled, opens, closes }
        }
    }

    prop_compose! {
        fn codes()(event in 6..8_u8, ticket_type in 0..3_u16, gate in 0..3_u16, from in 0..20_u32, until in 0..20_u32) -> Facts {
            Facts { event: EventTag([event; 8]), ticket_type, gate, valid_from: from, valid_until: until, ..facts() }
        }
    }

    prop_compose! {
        fn scans()(gate in 0..3_u16, direction in direction(), nonce in 0..3_u8, vouched: bool, now in 0..20_u32) -> Scan {
            Scan { gate, direction, nonce: Nonce([nonce; 16]), vouched, now }
        }
    }

    fn lasts() -> impl Strategy<Value = Option<Last>> {
        let passage = (direction(), 0..3_u8);
        prop::option::of(passage.prop_map(|(direction, nonce)| Last { direction, nonce: Nonce([nonce; 16]) }))
    }

    fn records() -> impl Strategy<Value = Record> {
        prop_oneof![Just(Record::Unknown), lasts().prop_map(Record::Revoked), lasts().prop_map(Record::Good)]
    }

    proptest! {
        #[test]
        fn only_a_known_admission_of_this_event_passes(list in lists(), facts in codes(), record in records(), scan in scans()) {
            if matches!(decide(&list, &facts, &record, &scan), Verdict::In | Verdict::Out) {
                prop_assert_eq!(facts.event, list.event);
                prop_assert_ne!(record, Record::Unknown);
            }
        }

        #[test]
        fn a_revoked_admission_enters_by_no_new_scan(list in lists(), facts in codes(), last in lasts(), scan in scans()) {
            prop_assume!(last.is_none_or(|last| last.nonce != scan.nonce));
            prop_assert_ne!(decide(&list, &facts, &Record::Revoked(last), &scan), Verdict::In);
        }

        #[test]
        fn nobody_inside_enters_by_another_scan(list in lists(), facts in codes(), scan in scans(), nonce in 0..3_u8) {
            let inside = Last { direction: Direction::Entry, nonce: Nonce([nonce; 16]) };
            prop_assume!(inside.nonce != scan.nonce);
            prop_assert_ne!(decide(&list, &facts, &Record::Good(Some(inside)), &scan), Verdict::In);
        }

        #[test]
        fn a_first_entry_keeps_the_times_of_code_and_list(list in lists(), facts in codes(), scan in scans()) {
            if decide(&list, &facts, &Record::Good(None), &scan) == Verdict::In {
                prop_assert!((facts.valid_from..facts.valid_until).contains(&scan.now));
                prop_assert!((list.opens..list.closes).contains(&scan.now));
            }
        }
    }

    #[test]
    fn each_rule_refuses_with_its_own_reason() {
        use Direction::{Entry, Exit};
        let good = Record::Good(None);
        let entry = scan(Entry);
        let stops = [
            (list(), Facts { event: EventTag([8; 8]), ..facts() }, good, entry, Stop::OtherEvent),
            (list(), facts(), good, Scan { now: 899, ..entry }, Stop::NotYetValid),
            (list(), facts(), good, Scan { now: 2100, ..entry }, Stop::Expired),
            (list(), facts(), good, Scan { now: 2000, ..entry }, Stop::ListClosed),
            (list(), facts(), good, Scan { now: 999, ..entry }, Stop::ListClosed),
            (List { types: vec![2], ..list() }, facts(), good, entry, Stop::WrongType),
            (list(), Facts { gate: 3, ..facts() }, good, entry, Stop::WrongGate),
            (List { gates: vec![1], ..list() }, facts(), good, entry, Stop::WrongGate),
            (list(), facts(), Record::Revoked(None), entry, Stop::Revoked),
            (list(), facts(), Record::Good(Some(last(Entry))), entry, Stop::AlreadyIn),
            (List { reentry: false, ..list() }, facts(), Record::Good(Some(last(Exit))), entry, Stop::NoReentry),
            (List { exits: false, ..list() }, facts(), Record::Good(Some(last(Entry))), scan(Exit), Stop::NoExits),
            (list(), facts(), good, scan(Exit), Stop::NotInside),
            (list(), facts(), Record::Good(Some(last(Exit))), scan(Exit), Stop::NotInside),
        ];
        for (list, facts, record, scan, stop) in stops {
            assert_eq!(decide(&list, &facts, &record, &scan), Verdict::Stop(stop));
        }
        assert_eq!(decide(&list(), &facts(), &Record::Unknown, &entry), Verdict::Look(Look::Unrecorded));
        let entitled = List { entitled: vec![0], ..list() };
        assert_eq!(decide(&entitled, &facts(), &good, &entry), Verdict::Look(Look::Entitlement));
        assert_eq!(decide(&entitled, &facts(), &good, &Scan { vouched: true, ..entry }), Verdict::In);
    }

    #[test]
    fn a_good_admission_enters_leaves_and_enters_again() {
        use Direction::{Entry, Exit};
        for (before, direction, verdict) in [
            (None, Entry, Verdict::In),
            (Some(last(Entry)), Exit, Verdict::Out),
            (Some(last(Exit)), Entry, Verdict::In),
        ] {
            assert_eq!(decide(&list(), &facts(), &Record::Good(before), &scan(direction)), verdict);
        }
    }

    #[test]
    fn a_repeated_scan_gets_its_first_verdict() {
        let again = scan(Direction::Entry);
        let record = Record::Good(Some(Last { direction: Direction::Entry, nonce: again.nonce }));
        assert_eq!(decide(&list(), &facts(), &record, &again), Verdict::In);
        let closed = Scan { now: 5000, ..again };
        assert_eq!(decide(&list(), &facts(), &record, &closed), Verdict::In);
    }

    #[test]
    fn somebody_inside_may_leave_although_the_ticket_was_revoked() {
        let inside = Record::Revoked(Some(last(Direction::Entry)));
        assert_eq!(decide(&list(), &facts(), &inside, &scan(Direction::Exit)), Verdict::Out);
        assert_eq!(decide(&list(), &facts(), &inside, &scan(Direction::Entry)), Verdict::Stop(Stop::Revoked));
    }

    #[test]
    fn somebody_inside_may_leave_after_the_list_has_closed() {
        let late = Scan { now: 5000, ..scan(Direction::Exit) };
        assert_eq!(decide(&list(), &facts(), &Record::Good(Some(last(Direction::Entry))), &late), Verdict::Out);
    }
}
