//! The provider's record of money that moved, read where a webhook was lost.

use crate::{
    fixture::Desk,
    provider::{Call, Side},
};
use boxoffice_kernel::Timestamp;
use boxoffice_payments::{
    cashier::Compared,
    dispute::State,
    domain::{Payment, Status},
    store::Reading,
};
use boxoffice_testing::{for_each_dynamodb, trace};
use std::collections::{BTreeMap, BTreeSet};

async fn read(desk: &Desk) -> Vec<Payment> {
    let caught = desk.cashier.read_record(Timestamp::now().plus_seconds(60), &trace()).await.unwrap();
    assert_eq!(caught.unread, None);
    caught.changed
}

fn ids(payments: &[Payment]) -> Vec<String> {
    payments.iter().map(|payment| payment.id.to_string()).collect()
}

#[tokio::test]
async fn refunds_and_disputes_that_nobody_told_of_are_taken_in_once() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let [refunded, disputed, untouched] = [desk.paid().await, desk.paid().await, desk.paid().await];
        assert!(desk.provider.refund_by_hand(&refunded, 9980));
        desk.provider.dispute(&disputed, 9980);

        assert_eq!(ids(&read(&desk).await), ids(&[refunded.clone(), disputed.clone()]));
        let last = database.events_of(refunded.id).await.pop().unwrap();
        assert_eq!((last.event_type.as_str(), &last.data()["refundedBy"]), ("PaymentRefunded", &"EXTERNAL".into()));
        assert_eq!(desk.stored(&disputed).await.disputed(), 9980);
        assert_eq!(desk.stored(&untouched).await, untouched);

        assert_eq!(read(&desk).await, []);
        desk.provider.close_disputes(State::Lost);
        assert_eq!(ids(&read(&desk).await), [disputed.id.to_string()]);
        assert_eq!(desk.stored(&disputed).await.status, Status::Refunded);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_was_read_in_part_is_read_again_and_one_read_whole_is_noted() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let [first, second] = [desk.paid().await, desk.paid().await];
        for payment in [&first, &second] {
            assert!(desk.provider.refund_by_hand(payment, 100));
        }
        desk.provider.lose(Call::Moved, Side::Before);
        let in_part = desk.cashier.read_record(Timestamp::now().plus_seconds(60), &trace()).await.unwrap();
        // One of them failed, and the other was taken in all the same.
        assert_eq!(ids(&in_part.changed), ids(std::slice::from_ref(&second)));
        assert!(in_part.unread.is_some());
        assert_eq!(desk.store.read_through(Reading::Record).await.unwrap(), None);
        let out_of_time = desk.cashier.read_record(Timestamp::now(), &trace()).await.unwrap();
        assert!(out_of_time.changed.is_empty() && out_of_time.unread.is_some(), "{out_of_time:?}");
        assert_eq!(desk.store.read_through(Reading::Record).await.unwrap(), None);

        let before = Timestamp::now();
        assert_eq!(ids(&read(&desk).await), ids(&[first]));
        let through = desk.store.read_through(Reading::Record).await.unwrap().unwrap();
        assert!(before <= through && through <= Timestamp::now(), "{through}");

        // Somebody whose clock is behind does not take it back.
        desk.store.note_read(Reading::Record, through.minus_seconds(1)).await.unwrap();
        assert_eq!(desk.store.read_through(Reading::Record).await.unwrap(), Some(through));
    })
    .await;
}

/// The part of the statement that is compared at that time.
async fn compared(desk: &Desk, now: Timestamp) -> Compared {
    let compared = desk.cashier.read_statement(now, Timestamp::now().plus_seconds(60)).await.unwrap().unwrap();
    assert!(compared.is_whole);
    compared
}

#[tokio::test]
async fn a_statement_that_says_what_payments_say_differs_in_nothing() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let [paid, refunded, disputed] = [desk.paid().await, desk.paid().await, desk.paid().await];
        assert!(desk.provider.refund_by_hand(&refunded, 100));
        desk.provider.dispute(&disputed, 9980);
        read(&desk).await;

        let looked = desk.provider.calls(Call::Moved);
        let Compared { to, more, payments, differing, .. } = compared(&desk, Timestamp::now()).await;
        assert_eq!(payments, BTreeSet::from([paid.id, refunded.id, disputed.id]));
        assert_eq!((differing, desk.provider.calls(Call::Moved)), (Vec::new(), looked), "nothing was asked for");

        // A day is read an hour at a time, each noted by itself.
        assert!(more);
        desk.store.note_read(Reading::Statement, to).await.unwrap();
        assert_eq!(desk.store.read_through(Reading::Statement).await.unwrap(), Some(to));
        assert_eq!(compared(&desk, Timestamp::now()).await.from, to);
        let read = desk.cashier.read_statement(to.plus_seconds(900), Timestamp::now().plus_seconds(60)).await.unwrap();
        assert_eq!(read, None, "there is no more to compare");
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_has_another_sum_of_a_payment_differs() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let [twice, unheard] = [desk.paid().await, desk.paid().await];
        desk.provider.charge_again(&twice);
        assert!(desk.provider.refund_by_hand(&unheard, 100));

        let differing = compared(&desk, Timestamp::now()).await.differing;
        let sums: BTreeMap<_, _> = differing.iter().map(|it| (it.payment.id, it.provider)).collect();
        assert_eq!(sums, BTreeMap::from([(twice.id, 2 * 9980), (unheard.id, 9880)]));
        let late = desk.cashier.read_statement(Timestamp::now(), Timestamp::now()).await.unwrap().unwrap();
        assert!(!late.is_whole, "time was up");
    })
    .await;
}

#[tokio::test]
async fn a_charge_that_is_on_no_statement_is_asked_for() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let [known, unknown] = [desk.paid().await, desk.paid().await];
        desk.provider.forget_charge(&unknown);
        assert_eq!(desk.cashier.uncharged(known.id).await.unwrap(), None);
        let found = desk.cashier.uncharged(unknown.id).await.unwrap().unwrap();
        assert_eq!((found.payment.id, found.provider), (unknown.id, 0));
    })
    .await;
}
