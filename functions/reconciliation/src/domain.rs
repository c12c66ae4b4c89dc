//! The invariants of a booking at rest, their violations, and the remedies. No I/O.
//!
//! The rules are 1 to 3 of "what always holds" in `docs/ARCHITECTURE.md`. They hold *at rest*: a booking on its way may break each of them for as long
//! as a step takes. So a booking is looked at only when nothing of it has moved for a time that no saga rests ([`Grace`]).

use boxoffice_inventory::{
    EventName,
    counters::{Counts, Discrepancy},
    domain::{Reservation, ReservationState},
};
use boxoffice_kernel::{InventoryId, PaymentId, RefundId, TicketId, Timestamp, UserId};
use boxoffice_payments::{
    domain::{Payment, Status as PaymentStatus},
    refund::Refund,
};
use boxoffice_reporting::ledger::Balances;
use boxoffice_saga::domain::{Saga, Status as SagaStatus};
use boxoffice_tickets::domain::{Status as TicketStatus, Ticket};
use serde::Serialize;
use std::str::FromStr;

/// For how many seconds a booking must not have moved, and its hold must be over, before anything is said of it. Longer than a saga that is at
/// work, be it in vain, ever rests between two tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(u32);

impl Grace {
    /// So many seconds.
    pub fn seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    pub(crate) fn is_over(self, since: Timestamp, now: Timestamp) -> bool {
        since.plus_seconds(self.0) <= now
    }
}

impl FromStr for Grace {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A booking as every context has it.
#[derive(Debug, Clone)]
pub struct Booking {
    /// Its ticket.
    pub ticket: Ticket,
    /// Its payment.
    pub payment: Option<Payment>,
    /// Its seats.
    pub reservation: Option<Reservation>,
    /// Its saga. None is known at a first look, which only asks whether a second is worth it.
    pub saga: Option<Saga>,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Violation {
    /// An event's counters are not what its reservations add up to, or not its total.
    CountersWrong {
        /// The event.
        inventory_id: InventoryId,
        /// Its name.
        event_name: EventName,
        /// How many seats it has.
        total: i64,
        /// As they are counted.
        seen: Counts,
        /// As they must be; absent when no such counters would be right.
        #[serde(skip_serializing_if = "Option::is_none")]
        due: Option<Counts>,
    },
    /// The seats could not be gone through in the time there was.
    SeatsUnread {
        /// How many reservations were read.
        reservations: usize,
    },
    /// A hold is over, and no saga is at work on its booking.
    HoldOrphaned {
        /// The booking's ticket.
        ticket_id: TicketId,
        /// When its hold was over.
        hold_expired_at: Timestamp,
        /// The status of its payment.
        payment: Option<PaymentStatus>,
        /// How far its saga came.
        saga: Option<SagaStatus>,
    },
    /// A buyer's wish to cancel that no saga has heard of.
    WishForgotten {
        /// The booking's ticket.
        ticket_id: TicketId,
        /// When it was wished.
        requested_at: Timestamp,
        /// The status of the payment.
        payment: Option<PaymentStatus>,
    },
    /// A saga that ended nowhere: it was taking the booking back, or could not, and nothing moves.
    SagaStopped {
        /// The booking's ticket.
        ticket_id: TicketId,
        /// Where the ticket is.
        ticket: TicketStatus,
        /// The status of the payment.
        payment: Option<PaymentStatus>,
        /// How far the saga came.
        saga: Option<SagaStatus>,
    },
    /// A payment of which nobody knows whether it was made.
    PaymentInDoubt {
        /// The payment.
        payment_id: PaymentId,
        /// The booking's ticket.
        ticket_id: TicketId,
        /// Since when.
        since: Timestamp,
    },
    /// A refund that somebody asked for, and nobody finished.
    RefundUnfinished {
        /// The payment.
        payment_id: PaymentId,
        /// The booking's ticket.
        ticket_id: TicketId,
        /// Since when it is wanted.
        since: Timestamp,
        /// The reason.
        reason: String,
    },
    /// Money that left a payment again, or came back, without a word of the provider's to us.
    MoveUnheard {
        /// The payment.
        payment_id: PaymentId,
        /// The booking's ticket.
        ticket_id: TicketId,
    },
    /// The provider's record of such money, or the account's statement, could not be read.
    RecordUnread,
    /// The provider has another sum of a payment than the payment says.
    BalanceWrong {
        /// The payment.
        payment_id: PaymentId,
        /// The booking's ticket.
        ticket_id: TicketId,
        /// The sum at the provider, in minor units, fees aside.
        provider: i64,
        /// The sum that should be there.
        due: i64,
    },
    /// A refund that did not arrive, and that no operator has made again or settled otherwise.
    RefundFailed {
        /// The payment.
        payment_id: PaymentId,
        /// The refund.
        refund_id: RefundId,
        /// The booking's ticket.
        ticket_id: TicketId,
        /// Since when.
        since: Timestamp,
        /// Why it failed, in the provider's word.
        #[serde(rename = "failureReason")]
        because: String,
    },
    /// A ticket that admits somebody, without a payment that was made.
    ConfirmedWithoutMoney {
        /// The ticket.
        ticket_id: TicketId,
        /// The actual status of its payment.
        payment: Option<PaymentStatus>,
    },
    /// A ticket that admits somebody, without seats that were sold.
    ConfirmedWithoutSeats {
        /// The ticket.
        ticket_id: TicketId,
        /// Where its seats are counted instead.
        seats: Option<ReservationState>,
    },
    /// A cancelled ticket whose payment was made and not given back, or can still be made.
    CancelledWithMoney {
        /// The ticket.
        ticket_id: TicketId,
        /// The status of its payment.
        payment: PaymentStatus,
    },
    /// A buyer's pool is not what their tickets to the event add up to.
    PoolWrong {
        /// The buyer.
        user_id: UserId,
        /// The event.
        inventory_id: InventoryId,
        /// Unpaid seats, as they were counted.
        held: i64,
        /// Seats paid or not, as they were counted.
        taken: i64,
        /// Unpaid seats of the tickets.
        held_due: i64,
        /// Seats of the tickets, paid or not.
        taken_due: i64,
    },
    /// The ledger of a booking does not say what its payment's state says.
    LedgerWrong {
        /// The payment.
        payment_id: PaymentId,
        /// The booking's ticket.
        ticket_id: TicketId,
        /// The balances as its events tell them, in minor units.
        seen: Balances,
        /// As its payment's state says.
        due: Balances,
    },
    /// A cancelled ticket that has seats.
    CancelledWithSeats {
        /// The ticket.
        ticket_id: TicketId,
        /// Where they are counted.
        seats: ReservationState,
    },
}

/// The remedy for a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Make the counters what the reservations add up to.
    Recount,
    /// Start the saga's own undo.
    TakeBack,
    /// Ask the provider, and settle the payment as it says.
    Settle,
    /// Have a person look.
    Report,
}

impl From<&Discrepancy> for Violation {
    fn from(found: &Discrepancy) -> Self {
        Self::CountersWrong {
            inventory_id: found.seen.inventory_id,
            event_name: found.seen.event_name.clone(),
            total: found.seen.total,
            seen: found.before(),
            due: (!found.corrections.is_empty()).then(|| found.after()),
        }
    }
}

impl Violation {
    /// The remedy. A repair is automatic only if it is safe whatever was overlooked: it is written on condition that nothing has moved, or does
    /// nothing where there is nothing to do.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::CountersWrong { due: Some(_), .. } | Self::PoolWrong { .. } => Remedy::Recount,
            Self::HoldOrphaned { .. } | Self::WishForgotten { .. } => Remedy::TakeBack,
            Self::PaymentInDoubt { .. }
            | Self::RefundUnfinished { .. }
            | Self::MoveUnheard { .. }
            | Self::RecordUnread => Remedy::Settle,
            Self::CountersWrong { due: None, .. }
            | Self::SeatsUnread { .. }
            | Self::SagaStopped { .. }
            | Self::RefundFailed { .. }
            | Self::ConfirmedWithoutMoney { .. }
            | Self::ConfirmedWithoutSeats { .. }
            | Self::CancelledWithMoney { .. }
            | Self::LedgerWrong { .. }
            | Self::BalanceWrong { .. }
            | Self::CancelledWithSeats { .. } => Remedy::Report,
        }
    }

    /// The advice to the operator, if it is left to one.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::CountersWrong { due: Some(_), .. } | Self::PoolWrong { .. } => {
                "Nothing yet: the next run tries again."
            }
            Self::CountersWrong { due: None, .. } => {
                "More seats are held or sold than there are. Raise the event's total, or cancel tickets, then run reconcile."
            }
            Self::SeatsUnread { .. } => "Run reconcile when less is going on, or give it more time.",
            Self::HoldOrphaned { .. } | Self::WishForgotten { .. } => "Nothing yet: the next run tries again.",
            Self::SagaStopped { .. } => "Follow the runbook of a stuck booking.",
            Self::PaymentInDoubt { .. }
            | Self::RefundUnfinished { .. }
            | Self::MoveUnheard { .. }
            | Self::RecordUnread => "See whether the payment provider answers; the next run asks again.",
            Self::RefundFailed { .. } => {
                "Make the refund again (POST /payments/{id}/refunds/{refundId}/retry), or pay the buyer otherwise and say how (…/settle)."
            }
            Self::ConfirmedWithoutMoney { .. } => {
                "Compare with the provider's record; cancel the ticket if it was given back."
            }
            Self::ConfirmedWithoutSeats { .. } => "Find seats for the ticket, or cancel it.",
            Self::CancelledWithMoney { payment: PaymentStatus::Success, .. } => "Refund the payment.",
            Self::CancelledWithMoney { .. } => "See that nobody pays: the payment is still open.",
            Self::BalanceWrong { .. } => {
                "Compare the payment with its intent, refunds and disputes in the provider's dashboard; give back what was taken too often."
            }
            Self::LedgerWrong { .. } => {
                "Rebuild the read models (boxoffice projections rebuild). If it stays, compare the payment's events with the provider's record."
            }
            Self::CancelledWithSeats { .. } => "Start the booking's undo again; it releases the seats.",
        }
    }

    /// The rule it breaks, and exactly how: two looks must agree on both.
    fn rule(&self) -> u8 {
        match self {
            Self::CountersWrong { .. } | Self::SeatsUnread { .. } => 0,
            Self::HoldOrphaned { .. } | Self::WishForgotten { .. } | Self::SagaStopped { .. } => 1,
            Self::PaymentInDoubt { .. } | Self::RefundUnfinished { .. } => 2,
            Self::ConfirmedWithoutMoney { .. } | Self::CancelledWithMoney { .. } => 3,
            Self::ConfirmedWithoutSeats { .. } | Self::CancelledWithSeats { .. } => 4,
            Self::PoolWrong { .. } => 5,
            Self::RefundFailed { .. } => 6,
            Self::MoveUnheard { .. } | Self::RecordUnread => 7,
            Self::LedgerWrong { .. } => 8,
            Self::BalanceWrong { .. } => 9,
        }
    }
}

/// A violation that a second look confirmed.
pub fn confirmed(first: &[Violation], second: Vec<Violation>) -> Vec<Violation> {
    second.into_iter().filter(|found| first.iter().any(|seen| seen.rule() == found.rule())).collect()
}

impl Booking {
    /// The violation at that instant.
    pub fn violations(&self, now: Timestamp, grace: Grace) -> Vec<Violation> {
        if !self.rests(now, grace) {
            return Vec::new();
        }
        let ticket_id = self.ticket.id;
        let payment = self.payment.as_ref().map(|payment| payment.status);
        let seats = self.reservation.as_ref().map(|reservation| reservation.state);
        let mut found = Vec::new();
        if let Some(payment) = self.payment.as_ref().filter(|payment| payment.status == PaymentStatus::Processing) {
            found.push(Violation::PaymentInDoubt { payment_id: payment.id, ticket_id, since: payment.updated_at });
        }
        if let Some(payment) = self.payment.as_ref() {
            if let Some(Refund { reason, created_at, .. }) = payment.pending_refund() {
                let (payment_id, reason, since) = (payment.id, reason.clone(), *created_at);
                found.push(Violation::RefundUnfinished { payment_id, ticket_id, since, reason });
            }
            if let Some(Refund { id, failure_reason, updated_at, .. }) = payment.failed_refund() {
                let (payment_id, refund_id, since) = (payment.id, *id, *updated_at);
                let because = failure_reason.clone().unwrap_or_default();
                found.push(Violation::RefundFailed { payment_id, refund_id, ticket_id, since, because });
            }
        }
        match self.ticket.status {
            TicketStatus::Pending => found.push(self.never_ended(payment)),
            TicketStatus::Confirmed | TicketStatus::Completed => {
                if !matches!(payment, Some(PaymentStatus::Success | PaymentStatus::Processing)) {
                    found.push(Violation::ConfirmedWithoutMoney { ticket_id, payment });
                }
                if seats != Some(ReservationState::Sold) {
                    found.push(Violation::ConfirmedWithoutSeats { ticket_id, seats });
                }
                if self.ticket.cancellation_requested_at.is_some() {
                    found.push(self.never_ended(payment));
                }
            }
            TicketStatus::Cancelled => {
                if let Some(payment @ (PaymentStatus::Success | PaymentStatus::Pending)) = payment {
                    found.push(Violation::CancelledWithMoney { ticket_id, payment });
                }
                if let Some(seats @ (ReservationState::Held | ReservationState::Sold)) = seats {
                    found.push(Violation::CancelledWithSeats { ticket_id, seats });
                }
            }
        }
        found
    }

    /// Whether it has come to rest where bookings stay: its buyer has the seats, or gave them back.
    pub fn is_settled(&self, now: Timestamp, grace: Grace) -> bool {
        self.ticket.status != TicketStatus::Pending && self.rests(now, grace)
    }

    /// Whether it is settled, and its saga says so. A booking whose saga is unknown is not over: something may still start it.
    pub fn is_over(&self, now: Timestamp, grace: Grace) -> bool {
        let ended = |saga: &Saga| matches!(saga.status(), SagaStatus::Completed | SagaStatus::Compensated);
        self.is_settled(now, grace) && self.saga.as_ref().is_some_and(ended)
    }

    /// Whether nothing of it has moved for as long as the grace, and its buyer cannot pay any more.
    fn rests(&self, now: Timestamp, grace: Grace) -> bool {
        let moved = self.payment.iter().map(|payment| payment.updated_at);
        let refunds = self.payment.iter().flat_map(|payment| payment.refunds.iter().map(|refund| refund.updated_at));
        let moved = moved
            .chain(refunds)
            .chain(self.saga.iter().map(Saga::last_active))
            .fold(self.ticket.updated_at, Timestamp::max);
        let held = self.ticket.status != TicketStatus::Pending || grace.is_over(self.ticket.hold_expires_at, now);
        held && grace.is_over(moved, now)
    }

    /// A booking that should have come to an end and did not. An undo is taken on once: where one was, or its saga gave up, another start does
    /// nothing.
    fn never_ended(&self, payment: Option<PaymentStatus>) -> Violation {
        let ticket_id = self.ticket.id;
        let saga = self.saga.as_ref().map(Saga::status);
        let called_off = self.saga.as_ref().is_some_and(|saga| saga.called_off_at.is_some());
        let over = match saga {
            Some(SagaStatus::NeedsAttention | SagaStatus::Compensated) => true,
            Some(SagaStatus::Completed) => self.ticket.status == TicketStatus::Pending,
            Some(SagaStatus::Started | SagaStatus::InProgress | SagaStatus::Compensating) | None => false,
        };
        if called_off || over {
            return Violation::SagaStopped { ticket_id, ticket: self.ticket.status, payment, saga };
        }
        match self.ticket.cancellation_requested_at {
            Some(requested_at) => Violation::WishForgotten { ticket_id, requested_at, payment },
            None => {
                let hold_expired_at = self.ticket.hold_expires_at;
                Violation::HoldOrphaned { ticket_id, hold_expired_at, payment, saga }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_aws::journal::{Entry, Step, StepStatus};
    use boxoffice_inventory::{
        Inventory,
        domain::{Allocation, PurchaseLimits, Terms},
    };
    use boxoffice_kernel::{Amount, Currency, Money, Quantity};
    use boxoffice_payments::domain::{DECLINES, Method};
    use boxoffice_tickets::domain::CancellationReason;
    use proptest::prelude::*;

    const HOLD: u32 = 600;
    const GRACE: u32 = 900;

    fn grace() -> Grace {
        Grace::seconds(GRACE)
    }

    fn start() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    /// Long after everything.
    fn later() -> Timestamp {
        start().plus_seconds(86_400)
    }

    fn booked(at: Timestamp) -> Booking {
        let terms = Terms {
            event_name: "Concert".parse().unwrap(),
            event_date: start().plus_seconds(999_999),
            total_seats: Quantity::new(10).unwrap(),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::default(),
        };
        let inventory = Inventory::open(InventoryId::generate(), terms, at);
        let (id, quantity) = (TicketId::generate(), Quantity::new(2).unwrap());
        let ticket = Ticket::book(id, UserId::generate(), &inventory, quantity, HOLD, at).unwrap();
        let seats = vec![Allocation { shard: 0, seats: 2 }];
        let reservation = Some(Reservation::hold(id, &inventory, quantity, seats));
        Booking { ticket, payment: None, reservation, saga: None }
    }

    /// The payment with all of its money given back.
    fn given_back(payment: &Payment, at: Timestamp) -> Payment {
        let (status, version) = (PaymentStatus::Refunded, payment.version + 1);
        Payment { status, version, updated_at: at, ..payment.clone() }
    }

    fn saga(of: &Booking, at: Timestamp, steps: &[(Step, StepStatus)]) -> Saga {
        let entry = |status| Entry {
            status,
            attempt: 1,
            started_at: at,
            executed_at: at,
            reason: None,
            error_code: None,
            error_message: None,
        };
        Saga {
            ticket_id: of.ticket.id,
            user_id: of.ticket.user_id,
            started_at: at,
            called_off_at: None,
            called_off_because: None,
            redriven_at: None,
            steps: steps.iter().map(|(step, status)| (*step, entry(*status))).collect(),
        }
    }

    impl Booking {
        fn pay(&mut self, becomes: impl FnOnce(&Payment) -> Payment) {
            if let Some(payment) = &self.payment {
                self.payment = Some(becomes(payment));
            }
        }

        fn count(&mut self, state: ReservationState) {
            if let Some(reservation) = &mut self.reservation {
                reservation.state = state;
            }
        }

        fn opened(mut self, at: Timestamp) -> Self {
            let ticket = &self.ticket;
            let money = Money { amount: ticket.total, currency: ticket.price.currency };
            self.payment = Some(Payment::of(ticket.id, ticket.user_id, money, ticket.hold_expires_at, at));
            self
        }

        fn charging(mut self, at: Timestamp) -> Self {
            self = self.opened(at);
            self.pay(|payment| payment.start(Method::CreditCard, at).unwrap());
            self
        }

        fn paid(mut self, at: Timestamp) -> Self {
            self = self.charging(at);
            self.pay(|payment| payment.succeed(at).unwrap());
            self
        }

        fn confirmed(mut self, at: Timestamp) -> Self {
            self = self.paid(at);
            self.ticket = self.ticket.confirm(at).unwrap();
            self.count(ReservationState::Sold);
            self
        }

        /// The effects of the saga's compensation: money, seats, ticket.
        fn undo(mut self, at: Timestamp) -> Self {
            self.pay(|payment| match payment.status {
                PaymentStatus::Success => given_back(payment, at),
                PaymentStatus::Pending | PaymentStatus::Processing => payment.expire("undone".into(), at).unwrap(),
                _ => payment.clone(),
            });
            self.count(ReservationState::Released);
            self.ticket = self.ticket.cancel(CancellationReason::HoldExpired, at).unwrap();
            self
        }
    }

    fn kinds(found: &[Violation]) -> Vec<String> {
        let kind = |violation| serde_json::to_value(violation).unwrap()["kind"].as_str().unwrap().to_owned();
        found.iter().map(kind).collect()
    }

    fn found(booking: &Booking) -> Vec<String> {
        kinds(&booking.violations(later(), grace()))
    }

    #[test]
    fn a_booking_whose_saga_was_never_started_is_an_orphan() {
        let orphan = booked(start());
        assert_eq!(found(&orphan), ["HOLD_ORPHANED"]);
        assert_eq!(orphan.violations(later(), grace())[0].remedy(), Remedy::TakeBack);
    }

    #[test]
    fn a_hold_is_an_orphan_only_once_it_is_over_and_the_grace_with_it() {
        let orphan = booked(start());
        assert_eq!(orphan.violations(start().plus_seconds(HOLD + GRACE - 1), grace()), []);
        assert_eq!(orphan.violations(start().plus_seconds(HOLD + GRACE), grace()).len(), 1);
    }

    #[test]
    fn a_saga_that_still_tries_is_left_alone() {
        let mut booking = booked(start());
        let tried = later().minus_seconds(GRACE - 1);
        booking.saga = Some(saga(&booking, tried, &[(Step::ReversePayment, StepStatus::Failed)]));
        assert_eq!(found(&booking), Vec::<String>::new());
    }

    #[test]
    fn a_saga_that_died_on_its_way_is_taken_back_and_one_that_gave_up_is_a_persons() {
        for (steps, kind) in [
            (&[(Step::ClaimSaga, StepStatus::Completed)][..], "HOLD_ORPHANED"),
            (&[(Step::ClaimSaga, StepStatus::Completed), (Step::InitiatePayment, StepStatus::Failed)], "HOLD_ORPHANED"),
            // Its own way back, which nobody called for: another may take it on.
            (&[(Step::ReversePayment, StepStatus::Compensated)], "HOLD_ORPHANED"),
            (
                &[(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)],
                "SAGA_STOPPED",
            ),
            (&[(Step::ConfirmTicket, StepStatus::Completed)], "SAGA_STOPPED"),
            (&[(Step::CancelTicket, StepStatus::Compensated)], "SAGA_STOPPED"),
        ] {
            let mut booking = booked(start()).opened(start());
            booking.saga = Some(saga(&booking, start(), steps));
            assert_eq!(found(&booking), [kind], "{steps:?}");
        }
    }

    #[test]
    fn an_undo_that_was_taken_on_and_stopped_is_not_started_again() {
        let mut booking = booked(start());
        let stopped = Saga { called_off_at: Some(start()), ..saga(&booking, start(), &[]) };
        booking.saga = Some(stopped);
        assert_eq!(found(&booking), ["SAGA_STOPPED"]);
    }

    #[test]
    fn a_wish_that_no_saga_heard_of_is_said_again_of_a_paid_ticket_too() {
        let mut booking = booked(start()).confirmed(start());
        booking.saga = Some(saga(&booking, start(), &[(Step::ConfirmTicket, StepStatus::Completed)]));
        assert_eq!(found(&booking), Vec::<String>::new());
        booking.ticket =
            booking.ticket.request_cancellation(booking.ticket.user_id, booking.ticket.event.date, start()).unwrap();
        assert_eq!(found(&booking), ["WISH_FORGOTTEN"]);
    }

    #[test]
    fn each_defect_is_found() {
        type Defect = fn(Booking) -> Booking;
        let defects: [(Defect, &[&str]); 10] = [
            (|b| b.charging(start()).undone_but_for_the_money(), &["PAYMENT_IN_DOUBT"]),
            (|b| b.charging(start()), &["PAYMENT_IN_DOUBT", "HOLD_ORPHANED"]),
            (|b| b.paid(start()), &["HOLD_ORPHANED"]),
            (|b| b.confirmed(start()).with_payment(PaymentStatus::Refunded), &["CONFIRMED_WITHOUT_MONEY"]),
            (|b| b.confirmed(start()).with_payment(PaymentStatus::Pending), &["CONFIRMED_WITHOUT_MONEY"]),
            (|b| Booking { payment: None, ..b.confirmed(start()) }, &["CONFIRMED_WITHOUT_MONEY"]),
            (|b| b.confirmed(start()).with_seats(ReservationState::Released), &["CONFIRMED_WITHOUT_SEATS"]),
            (|b| b.opened(start()).undo(start()).with_seats(ReservationState::Held), &["CANCELLED_WITH_SEATS"]),
            (|b| b.paid(start()).undo(start()).with_payment(PaymentStatus::Success), &["CANCELLED_WITH_MONEY"]),
            (|b| b.opened(start()).undo(start()).with_payment(PaymentStatus::Pending), &["CANCELLED_WITH_MONEY"]),
        ];
        for (number, (defect, kinds)) in defects.into_iter().enumerate() {
            assert_eq!(found(&defect(booked(start()))), kinds, "defect {number}");
        }
    }

    impl Booking {
        fn with_payment(mut self, status: PaymentStatus) -> Self {
            self.pay(|payment| Payment { status, ..payment.clone() });
            self
        }

        fn with_seats(mut self, state: ReservationState) -> Self {
            self.count(state);
            self
        }

        fn undone_but_for_the_money(self) -> Self {
            let payment = self.payment.clone();
            Self { payment, ..self.undo(start()) }
        }
    }

    #[test]
    fn a_finding_left_to_an_operator_carries_advice() {
        let stopped = Violation::SagaStopped {
            ticket_id: TicketId::generate(),
            ticket: TicketStatus::Pending,
            payment: None,
            saga: None,
        };
        assert_eq!((stopped.remedy(), stopped.advice()), (Remedy::Report, "Follow the runbook of a stuck booking."));
    }

    #[test]
    fn a_violation_seen_only_once_is_not_reported() {
        let orphan = booked(start()).violations(later(), grace());
        assert_eq!(confirmed(&[], orphan.clone()), []);
        assert_eq!(confirmed(&orphan, orphan.clone()), orphan);
    }

    /// The next moves that the product allows for a booking.
    #[derive(Debug, Clone, Copy)]
    enum Next {
        Open,
        Charge,
        Succeed,
        Decline,
        Confirm,
        Wish,
        ReverseMoney,
        ReleaseSeats,
        Cancel,
        Complete,
    }

    impl Next {
        const ALL: [Self; 10] = [
            Self::Open,
            Self::Charge,
            Self::Succeed,
            Self::Decline,
            Self::Confirm,
            Self::Wish,
            Self::ReverseMoney,
            Self::ReleaseSeats,
            Self::Cancel,
            Self::Complete,
        ];
    }

    fn steps() -> impl Strategy<Value = Vec<(Next, u32)>> {
        prop::collection::vec((prop::sample::select(Next::ALL.to_vec()), 0..GRACE), 0..30)
    }

    /// Takes the step if the product would.
    fn step(mut booking: Booking, next: Next, now: Timestamp) -> Booking {
        let payment = booking.payment.clone();
        let money_is_over = payment.as_ref().is_some_and(|payment| payment.status.is_end());
        let seats = booking.reservation.as_ref().map(|reservation| reservation.state);
        let moved = match next {
            Next::Open => payment.is_none().then(|| booking.clone().opened(now).payment).flatten(),
            Next::Charge => payment.and_then(|payment| payment.start(Method::CreditCard, now).ok()),
            Next::Succeed => payment.and_then(|payment| payment.succeed(now).ok()),
            Next::Decline => payment
                .and_then(|payment| Payment { declined: DECLINES - 1, ..payment }.decline("declined".into(), now).ok()),
            Next::ReverseMoney => payment.and_then(|payment| {
                payment
                    .expire("undone".into(), now)
                    .ok()
                    .or_else(|| (payment.status == PaymentStatus::Success).then(|| given_back(&payment, now)))
            }),
            _ => None,
        };
        booking.payment = moved.or(booking.payment);
        let paid = booking.payment.as_ref().is_some_and(|payment| payment.status == PaymentStatus::Success);
        let ticket = match next {
            Next::Confirm if paid && seats == Some(ReservationState::Held) => {
                let confirmed = booking.ticket.confirm(now).ok();
                if confirmed.is_some() {
                    booking.count(ReservationState::Sold);
                }
                confirmed
            }
            Next::Wish => {
                booking.ticket.request_cancellation(booking.ticket.user_id, booking.ticket.event.date, now).ok()
            }
            Next::Cancel if money_is_over && seats == Some(ReservationState::Released) => {
                booking.ticket.cancel(CancellationReason::HoldExpired, now).ok()
            }
            Next::Complete => booking.ticket.complete(booking.ticket.event.date, now).ok(),
            _ => None,
        };
        if matches!(next, Next::ReleaseSeats) && money_is_over {
            booking.count(ReservationState::Released);
        }
        booking.ticket = ticket.unwrap_or(booking.ticket);
        booking
    }

    proptest! {
        /// Each step comes before the grace since the one before is over: a booking on its way is never a violation, whatever it looks like. Once its
        /// saga has come to its end, neither is it, however long one waits.
        #[test]
        fn a_history_that_the_product_makes_has_no_violation(steps in steps(), back: bool) {
            let mut now = start();
            let mut booking = booked(now);
            for (next, pause) in steps {
                now = now.plus_seconds(pause.min(GRACE - 1));
                let before = booking.clone();
                booking = step(booking, next, now);
                let moved = booking.ticket != before.ticket || booking.payment != before.payment;
                if !moved {
                    // A saga at work shows that it is alive, also where it writes nothing of the booking.
                    booking.saga = Some(saga(&booking, now, &[(Step::ClaimSaga, StepStatus::Completed)]));
                }
                prop_assert_eq!(booking.violations(now, grace()), []);
            }
            let over = if booking.ticket.status == TicketStatus::Cancelled {
                booking
            } else if back || booking.ticket.cancellation_requested_at.is_some()
                || booking.ticket.status != TicketStatus::Pending && found(&booking) != Vec::<String>::new()
                || booking.payment.as_ref().is_some_and(|payment| payment.status.is_end())
                || booking.reservation.as_ref().is_some_and(|seats| seats.state == ReservationState::Released)
            {
                booking.undo(now)
            } else if booking.ticket.status == TicketStatus::Pending {
                Booking { payment: None, ..booking }.confirmed(now)
            } else {
                booking
            };
            prop_assert_eq!(over.violations(later(), grace()), []);
        }

        /// A repair without a person succeeds from every state at rest: the next look finds nothing, and neither does one after
        /// the undo that was started.
        #[test]
        fn a_repair_leads_to_no_violation(steps in steps()) {
            let mut now = start();
            let mut booking = booked(now);
            for (next, pause) in steps {
                now = now.plus_seconds(pause);
                booking = step(booking, next, now);
            }
            let found = booking.violations(later(), grace());
            for violation in &found {
                match violation.remedy() {
                    Remedy::Settle => booking.pay(|payment| payment.expire("asked".into(), later()).unwrap()),
                    Remedy::TakeBack => {
                        let ticket = &booking.ticket;
                        let taken_back =
                            ticket.restate_cancellation(later()).or_else(|_| ticket.request_expiry(later()));
                        booking.ticket = taken_back.unwrap();
                    }
                    Remedy::Recount | Remedy::Report => {}
                }
            }
            if found.iter().any(|violation| violation.remedy() == Remedy::TakeBack) {
                prop_assert_eq!(booking.violations(later(), grace()), []);
                let undone = booking.undo(later());
                prop_assert_eq!(undone.violations(later().plus_seconds(86_400), grace()), []);
            }
        }
    }
}
