//! Bookings at which nobody is at work, and those at which somebody is.

use crate::fixture::{House, NOTHING, Says, entry, facts, later};
use boxoffice_aws::{
    Journal,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_payments::domain::Status as PaymentStatus;
use boxoffice_saga::store::CallOff;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_tickets::domain::{CancellationReason, Status, Ticket};
use std::collections::BTreeSet;

impl House {
    /// A saga that took the booking on, and went so far.
    async fn saga(&self, ticket: &Ticket, steps: &[(Step, StepStatus)]) {
        self.sagas.claim(ticket.id, &facts(ticket), "forwards", &entry(StepStatus::Completed)).await.unwrap();
        let journal = Journal::new(self.database.client(), self.database.table(Table::Sagas));
        for (step, status) in steps {
            journal.record(ticket.id, *step, &entry(*status)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_booking_in_flight_is_no_violation() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        house.booked(event, 1).await;
        let paying = house.booked(event, 1).await;
        house.in_doubt(&paying).await;
        let wished = house.confirmed(event, 1).await;
        house.sale.request_cancellation(wished.id, wished.user_id, &trace()).await.unwrap();
        let half_back = house.confirmed(event, 1).await;
        house.cashier.refund(half_back.id.payment(), "asked for", &trace()).await.unwrap();
        assert_eq!(house.bookings(Timestamp::now()).await, NOTHING);
    })
    .await;
}

#[tokio::test]
async fn bookings_that_ended_as_they_should_are_no_violation() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        house.confirmed(event, 2).await;
        let back = house.confirmed(event, 2).await;
        house.sale.request_cancellation(back.id, back.user_id, &trace()).await.unwrap();
        house.cashier.reverse(back.id.payment(), "BookingCancelled", &trace()).await.unwrap();
        house.inventory.release(back.id, "BookingCancelled", &trace()).await.unwrap();
        house.tickets.cancel(back.id, CancellationReason::CancelledByBuyer, &trace()).await.unwrap();
        house.tickets.delete(back.id, &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, NOTHING);
    })
    .await;
}

#[tokio::test]
async fn a_hold_whose_saga_never_began_is_taken_back_once() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let (orphan, now) = (house.booked(event, 2).await, later());

        assert_eq!(house.bookings(now).await, ["HOLD_ORPHANED repaired"]);
        assert_eq!(database.history(orphan.id).await, ["TicketCreated", "TicketExpiryRequested"]);
        // Nothing is released by hand: that is the undo's, which now has an event to start from.
        assert_eq!(database.seats(event).await.counts(), (18, 2, 0));
        assert_eq!(house.bookings(now).await, NOTHING);
        assert_eq!(database.history(orphan.id).await.len(), 2);

        // Should that start have come to nothing too, it is looked at again when the grace is over once more.
        assert_eq!(house.bookings(now.plus_seconds(901)).await, ["HOLD_ORPHANED repaired"]);
    })
    .await;
}

#[tokio::test]
async fn a_saga_that_died_on_its_way_is_taken_back_and_one_that_is_alive_is_not() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let orphan = house.booked(event, 2).await;
        house
            .saga(&orphan, &[(Step::VerifyHold, StepStatus::Completed), (Step::InitiatePayment, StepStatus::Completed)])
            .await;
        // Its hold is over and the ticket is at rest, but its saga showed a sign of life.
        let journal = Journal::new(database.client(), database.table(Table::Sagas));
        let alive = Entry { executed_at: later(), ..entry(StepStatus::Failed) };
        journal.record(orphan.id, Step::ExpirePayment, &alive).await.unwrap();
        assert_eq!(house.bookings(later()).await, NOTHING);
        assert_eq!(house.bookings(later().plus_seconds(901)).await, ["HOLD_ORPHANED repaired"]);
    })
    .await;
}

#[tokio::test]
async fn a_saga_that_cannot_be_read_because_its_claim_failed_counts_as_none() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let orphan = house.booked(event, 2).await;
        let journal = Journal::new(database.client(), database.table(Table::Sagas));
        journal.record(orphan.id, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["HOLD_ORPHANED repaired"]);
    })
    .await;
}

#[tokio::test]
async fn a_wish_that_was_lost_is_said_again() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let (wished, now) = (house.confirmed(event, 2).await, later());
        house.saga(&wished, &[(Step::ConfirmTicket, StepStatus::Completed)]).await;
        house.sale.request_cancellation(wished.id, wished.user_id, &trace()).await.unwrap();

        assert_eq!(house.bookings(now).await, ["WISH_FORGOTTEN repaired"]);
        let history = database.history(wished.id).await;
        assert_eq!(history[2..], ["TicketCancellationRequested", "TicketCancellationRequested"]);
        assert_eq!(house.bookings(now).await, NOTHING);

        // Once an undo has taken it on, another start would do nothing: that is a person's.
        house.sagas.call_off(wished.id, None, CallOff::BookingCancelled, "back").await.unwrap();
        assert_eq!(house.bookings(now.plus_seconds(901)).await, ["SAGA_STOPPED left"]);
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_needs_attention_is_left_to_people() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let stuck = house.booked(event, 2).await;
        house
            .saga(
                &stuck,
                &[(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)],
            )
            .await;
        for _ in 0..2 {
            assert_eq!(house.bookings(later()).await, ["SAGA_STOPPED left"]);
        }
        assert_eq!(database.history(stuck.id).await, ["TicketCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_in_doubt_is_asked_about_and_settled_as_the_provider_says() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        for (says, status) in [(Says::Cancelled, PaymentStatus::Expired), (Says::Succeeded, PaymentStatus::Success)] {
            let (ticket, now) = (house.booked(event, 1).await, later());
            house.in_doubt(&ticket).await;
            house.provider_says(says);
            assert_eq!(house.bookings(now).await, ["PAYMENT_IN_DOUBT repaired", "HOLD_ORPHANED repaired"], "{says:?}");
            assert_eq!(house.payment(&ticket).await.status, status);
            assert_eq!(house.bookings(now).await, NOTHING, "{says:?}");
            let steps = [(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)];
            house.saga(&ticket, &steps).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_was_asked_for_and_not_finished_is_finished() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let (ticket, now) = (house.confirmed(event, 2).await, later());
        house.provider_says(Says::Nothing);
        house.cashier.refund(ticket.id.payment(), "changed my mind", &trace()).await.unwrap_err();
        assert_eq!(house.bookings(Timestamp::now()).await, NOTHING, "whoever asked may be asking again just now");

        assert_eq!(house.bookings(now).await, ["REFUND_UNFINISHED postponed"]);
        assert_eq!(house.payment(&ticket).await.status, PaymentStatus::Success);

        house.provider_says(Says::Succeeded);
        assert_eq!(house.bookings(now).await, ["REFUND_UNFINISHED repaired"]);
        let payment = house.payment(&ticket).await;
        assert_eq!(
            (payment.status, payment.refund_reason.as_deref()),
            (PaymentStatus::Refunded, Some("changed my mind"))
        );
        // As if the request had been answered: this is what starts the undo of the booking.
        let last = database.events_of(payment.id).await.pop().unwrap();
        assert_eq!((last.event_type.as_str(), &last.data()["refundedBy"]), ("PaymentRefunded", &"REQUEST".into()));
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_failed_is_an_operators_until_they_act() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let (ticket, now) = (house.confirmed(event, 2).await, later());
        house.provider_says(Says::RefundFails);
        house.cashier.refund(ticket.id.payment(), "changed my mind", &trace()).await.unwrap_err();
        for _ in 0..2 {
            assert_eq!(house.bookings(now).await, ["REFUND_FAILED left"]);
        }
        let failed = house.payment(&ticket).await.failed_refund().unwrap().id;
        house.cashier.settle_refund(ticket.id.payment(), failed, "bank transfer", &trace()).await.unwrap();
        // Given back: now the booking's undo is due.
        assert_eq!(house.bookings(now).await, ["CONFIRMED_WITHOUT_MONEY left"]);
    })
    .await;
}

#[tokio::test]
async fn while_the_provider_says_nothing_a_payment_stays_in_doubt() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let (ticket, now) = (house.booked(event, 1).await, later());
        house.in_doubt(&ticket).await;
        house.inventory.release(ticket.id, "HoldExpired", &trace()).await.unwrap();
        house.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        house.provider_says(Says::Nothing);
        assert_eq!(house.bookings(now).await, ["PAYMENT_IN_DOUBT postponed"]);
        assert_eq!(house.payment(&ticket).await.status, PaymentStatus::Processing);

        // It was charged, and the ticket is cancelled: what to give back is a person's to say.
        house.provider_says(Says::Succeeded);
        assert_eq!(house.bookings(now).await, ["PAYMENT_IN_DOUBT repaired"]);
        assert_eq!(house.bookings(now).await, ["CANCELLED_WITH_MONEY left"]);
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_ticket_without_its_money_is_left_to_people() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.confirmed(event, 1).await;
        house.cashier.refund(ticket.id.payment(), "asked for", &trace()).await.unwrap();
        for _ in 0..2 {
            assert_eq!(house.bookings(later()).await, ["CONFIRMED_WITHOUT_MONEY left"]);
        }
        assert_eq!(house.stored(&ticket).await, ticket);
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_ticket_without_its_seats_is_left_to_people() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.confirmed(event, 1).await;
        house.inventory.release(ticket.id, "a defect", &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["CONFIRMED_WITHOUT_SEATS left"]);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_ticket_with_seats_is_left_to_people_deleted_or_not() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.booked(event, 3).await;
        house.cashier.reverse(ticket.id.payment(), "HoldExpired", &trace()).await.unwrap();
        house.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["CANCELLED_WITH_SEATS left"]);
        house.tickets.delete(ticket.id, &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["CANCELLED_WITH_SEATS left"]);
        assert_eq!(database.seats(event).await.counts(), (17, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_moved_since_it_was_looked_at_is_not_taken_back() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let seen = house.booked(event, 1).await;
        house.sale.confirm(seen.id, &trace()).await.unwrap();
        let outcome = house.tickets.take_back(&seen, later(), &trace()).await.unwrap();
        assert_eq!(outcome, boxoffice_aws::transaction::Written::Stale);
        assert_eq!(house.stored(&seen).await.status, Status::Confirmed);
        assert_eq!(database.history(seen.id).await, ["TicketCreated", "TicketConfirmed"]);
    })
    .await;
}

#[tokio::test]
async fn no_booking_is_missed_between_pages() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(200).await;
        let mut booked = BTreeSet::new();
        for _ in 0..70 {
            booked.insert(house.booked(event, 1).await.id);
        }
        // Each has a ticket and an idempotency key: more than one page of the table.
        let (mut met, mut pages, mut cursor) = (Vec::<TicketId>::new(), 0, None);
        loop {
            let page = house.tickets.walk(cursor).await.unwrap();
            met.extend(page.items.iter().map(|ticket| ticket.id));
            pages += 1;
            // As it travels between invocations.
            cursor = page.next.map(|next| next.to_string().parse().unwrap());
            if cursor.is_none() {
                break;
            }
        }
        assert!(pages > 1, "one page held them all");
        assert_eq!((met.len(), BTreeSet::from_iter(met)), (booked.len(), booked));
    })
    .await;
}
