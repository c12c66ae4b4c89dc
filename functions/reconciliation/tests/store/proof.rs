//! A settled booking is proven once and read no more, until it is written again.

use crate::fixture::{House, NOTHING, Says, entry, facts, later, run};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{
    Journal,
    journal::{Step, StepStatus},
};
use boxoffice_kernel::{Amount, InventoryId, Timestamp};
use boxoffice_reconciliation::{
    domain::Violation,
    reconciler::{Part, Scope},
};
use boxoffice_reporting::store::Progress;
use boxoffice_saga::store::CallOff;
use boxoffice_testing::{Database, Meter, Table, for_each_dynamodb, trace};
use boxoffice_tickets::domain::{CancellationReason, Ticket};

impl House {
    async fn journal(&self, ticket: &Ticket, step: Step) {
        let journal = Journal::new(self.database.client(), self.database.table(Table::Sagas));
        journal.record(ticket.id, step, &entry(StepStatus::Completed)).await.unwrap();
    }

    /// A booking that is paid and confirmed, its saga over.
    async fn sold(&self, event: InventoryId) -> Ticket {
        let ticket = self.confirmed(event, 1).await;
        self.sagas.claim(ticket.id, &facts(&ticket), "forwards", &entry(StepStatus::Completed)).await.unwrap();
        self.journal(&ticket, Step::ConfirmTicket).await;
        ticket
    }

    /// The undo of a booking, step by step, as its saga runs it.
    async fn undone(&self, ticket: &Ticket) {
        self.cashier.reverse(ticket.id.payment(), "BookingCancelled", &trace()).await.unwrap();
        self.inventory.close(ticket.id, "BookingCancelled", &trace()).await.unwrap();
        self.tickets.cancel(ticket.id, CancellationReason::CancelledByBuyer, &trace()).await.unwrap();
        self.journal(ticket, Step::CancelTicket).await;
    }

    /// Adds to a paid payment's amount, as no code of ours would.
    async fn payment_grows(&self, ticket: &Ticket) {
        let update = self.database.client().update_item().table_name(self.database.table(Table::Payments));
        update
            .key("pk", AttributeValue::S(format!("PAY#{}", ticket.id.payment())))
            .key("sk", AttributeValue::S("PAYMENT".into()))
            .update_expression("ADD amountMinor :more")
            .expression_attribute_values(":more", AttributeValue::N("100".into()))
            .send()
            .await
            .unwrap();
    }

    /// How many bookings a run reads, and how many of them it proves, as of then.
    async fn run_of(&self, scope: Scope, now: Timestamp) -> (usize, usize) {
        self.project().await;
        let (mut checked, mut proven, mut part) = (0, 0, Some(Part::first(scope)));
        let mut cursor = None;
        while let Some(this) = part {
            let page = self.reconciler().bookings(this, cursor, &run(), now).await.unwrap();
            (checked, proven, cursor) = (checked + page.checked, proven + page.proven, page.next);
            part = if cursor.is_some() { part } else { this.next() };
        }
        (checked, proven)
    }
}

/// A house whose stores' reads are counted.
fn metered(database: &Database) -> (House, Meter) {
    let meter = Meter::default();
    let client = boxoffice_aws::client::dynamodb(&meter.on(database.sdk_config()));
    (House::over(database, client), meter)
}

#[tokio::test]
async fn a_settled_booking_is_proven_once_and_a_later_run_reads_none_however_many_there_are() {
    for_each_dynamodb(|database| async move {
        let (house, meter) = metered(&database);
        let event = house.on_sale(100).await;
        house.run_of(Scope::Moved, later()).await;
        house.seats().await;
        house.seats().await;
        meter.reads();
        house.run_of(Scope::Moved, later()).await;
        house.seats().await;
        let of_an_empty_house = meter.reads();

        for _ in 0..12 {
            house.sold(event).await;
        }
        meter.reads();
        assert_eq!(house.run_of(Scope::Moved, later()).await, (12, 12));
        assert_eq!(house.seats().await, NOTHING);
        assert!(meter.reads() > of_an_empty_house + 12 * 7, "each booking is looked at twice");

        assert_eq!(house.run_of(Scope::Moved, later()).await, (0, 0));
        assert_eq!(house.seats().await, NOTHING);
        assert_eq!(meter.reads(), of_an_empty_house);
        assert_eq!(house.run_of(Scope::All, later()).await.0, 12);
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_moves_or_rests_too_shortly_is_not_proven() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        house.booked(event, 1).await;
        house.sold(event).await;
        // Nobody took this one on: something may still start its saga.
        house.confirmed(event, 1).await;
        assert_eq!(house.run_of(Scope::Moved, Timestamp::now()).await.1, 0);
        assert_eq!(house.run_of(Scope::Moved, later()).await.1, 1);
    })
    .await;
}

#[tokio::test]
async fn every_way_of_writing_a_proven_booking_has_it_looked_at_again() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let proven = async || {
            let ticket = house.sold(event).await;
            assert_eq!(house.run_of(Scope::Moved, later()).await.1, 1);
            assert_eq!(house.run_of(Scope::Moved, later()).await, (0, 0));
            ticket
        };

        let wished = proven().await;
        house.sale.request_cancellation(wished.id, wished.user_id, &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["WISH_FORGOTTEN repaired"]);
        house.sagas.call_off(wished.id, None, CallOff::BookingCancelled, "back").await.unwrap();
        house.undone(&wished).await;
        assert_eq!(house.run_of(Scope::Moved, later()).await.1, 1);
        house.tickets.delete(wished.id, &trace()).await.unwrap();
        assert_eq!(house.run_of(Scope::Moved, later()).await, (1, 1));

        // A refund by request, whose event never reached the saga: only the payment was written.
        let refunded = proven().await;
        house.cashier.refund(refunded.id.payment(), "asked for", &trace()).await.unwrap();
        for _ in 0..2 {
            assert_eq!(house.bookings(later()).await, ["CONFIRMED_WITHOUT_MONEY left"]);
        }
        house.sagas.call_off(refunded.id, None, CallOff::PaymentRefunded, "back").await.unwrap();
        house.undone(&refunded).await;
        assert_eq!(house.bookings(later()).await, NOTHING);
        assert_eq!(house.run_of(Scope::Moved, later()).await, (0, 0));

        // An operator's compensation that got no further than its claim: only the saga was written.
        let forced = proven().await;
        house.sagas.call_off(forced.id, None, CallOff::CompensationRequested, "back").await.unwrap();
        assert_eq!(house.run_of(Scope::Moved, later()).await.0, 1);
    })
    .await;
}

#[tokio::test]
async fn a_corrupted_booking_is_found_though_older_ones_are_not_read_and_one_corrupted_by_nobody_by_an_audit() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let old = house.sold(event).await;
        assert_eq!(house.run_of(Scope::Moved, later()).await.1, 1);

        let corrupted = house.sold(event).await;
        house.inventory.release(corrupted.id, "a defect", &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["CONFIRMED_WITHOUT_SEATS left"]);

        // No code of ours writes a reservation alone: a run by schedule cannot see that, and an audit does.
        house.inventory.release(old.id, "a restore from a backup", &trace()).await.unwrap();
        assert_eq!(house.bookings(later()).await, ["CONFIRMED_WITHOUT_SEATS left"]);
        assert_eq!(house.audit(later()).await, ["CONFIRMED_WITHOUT_SEATS left"; 2]);
    })
    .await;
}

#[tokio::test]
async fn counters_that_nobody_moved_are_found_wrong_though_they_were_proven() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        house.sold(event).await;
        assert_eq!(house.seats().await, NOTHING);
        house.corrupt(event, "sold", 1).await;
        house.corrupt(event, "available", -1).await;
        assert_eq!(house.seats().await, ["COUNTERS_WRONG repaired"]);
        assert_eq!(house.seats().await, NOTHING);
        assert_eq!(database.seats(event).await.counts(), (19, 0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_is_not_what_its_tickets_add_up_to_is_made_right() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.sold(event).await;
        let seen = house.tickets.pool(ticket.user_id, event).await.unwrap();
        assert_eq!((seen.held, seen.taken), (0, 1));
        let wrong = boxoffice_tickets::pool::Pool { held: 3, taken: 4, ..seen };
        house.tickets.correct_pool(ticket.user_id, event, &seen, &wrong).await.unwrap();
        assert_eq!(house.bookings(Timestamp::now()).await, NOTHING);
        assert_eq!(house.bookings(later()).await, ["POOL_WRONG repaired"]);
        let right = house.tickets.pool(ticket.user_id, event).await.unwrap();
        assert_eq!((right.held, right.taken), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_ledger_that_does_not_say_what_the_payment_says_is_left_to_people() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.sold(event).await;
        house.project().await;
        house.payment_grows(&ticket).await;
        // Read models that have heard of nothing since are late, and accuse nobody.
        let first = Part::first(Scope::All);
        let reconciler = house.reconciler();
        let late = reconciler.bookings(first, None, &run(), later()).await.unwrap();
        assert_eq!((late.proven, late.found.len()), (0, 0), "{late:?}");
        let heard = Progress { occurred_at: Timestamp::now(), projected_at: Timestamp::now() };
        reconciler.views.note(&heard).await.unwrap();
        for _ in 0..2 {
            assert_eq!(house.audit(later()).await, ["LEDGER_WRONG left"]);
        }
        assert_eq!(house.run_of(Scope::Moved, later()).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refund_is_in_the_ledger_and_proven() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let ticket = house.sold(event).await;
        let (id, part) = (ticket.id.payment(), Amount::from_minor(1000).unwrap());
        house.cashier.refund_part(id, id.refund("part"), part, "asked for", &trace()).await.unwrap();
        assert_eq!(house.run_of(Scope::Moved, later()).await.1, 1);
        let balances = house.reconciler().views.balances(ticket.user_id, ticket.id).await.unwrap();
        assert_eq!((balances.provider_clearing, balances.refund), (3990, 1000));
    })
    .await;
}

#[tokio::test]
async fn a_statement_is_compared_with_payments_and_with_the_ledger() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(20).await;
        let [right, more, missing] = [house.sold(event).await, house.sold(event).await, house.sold(event).await];
        house.project().await;
        let charged = house.payment(&right).await.at_provider();
        let found = async || {
            // The hour in which they were charged.
            let now = later();
            house.reconciler().note_compared(now.minus_seconds(3600)).await.unwrap();
            let part = house.reconciler().statement(now, Timestamp::now().plus_seconds(60)).await;
            part.found.into_iter().map(|found| found.violation).collect::<Vec<_>>()
        };
        let wrong = |ticket: &Ticket, provider: i64| Violation::BalanceWrong {
            payment_id: ticket.id.payment(),
            ticket_id: ticket.id,
            provider,
            due: charged,
        };
        house.statement_has(&[(&right, charged), (&more, charged + 100)]);
        // On no statement, and the provider knows of no charge.
        assert_eq!(found().await, [wrong(&more, charged + 100), wrong(&missing, 0)]);
        house.statement_has(&[(&right, charged), (&more, charged), (&missing, charged)]);
        assert_eq!(found().await, []);
        house.provider_says(Says::Nothing);
        assert_eq!(house.reconciler().record(&run(), later()).await.len(), 1, "an unread record is reported");
    })
    .await;
}
