//! The provider's record of money that moved, read where a webhook was lost.

use crate::{
    fixture::Desk,
    provider::{Call, Side},
};
use boxoffice_kernel::Timestamp;
use boxoffice_payments::{
    dispute::State,
    domain::{Payment, Status},
};
use boxoffice_testing::{for_each_dynamodb, trace};

async fn read(desk: &Desk) -> Vec<Payment> {
    desk.cashier.read_record(Timestamp::now().plus_seconds(60), &trace()).await.unwrap()
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
        desk.cashier.read_record(Timestamp::now().plus_seconds(60), &trace()).await.unwrap_err();
        assert_eq!(desk.store.record_read_through().await.unwrap(), None);
        let out_of_time = desk.cashier.read_record(Timestamp::now(), &trace()).await.unwrap();
        assert_eq!((out_of_time, desk.store.record_read_through().await.unwrap()), (Vec::new(), None));

        let before = Timestamp::now();
        assert_eq!(ids(&read(&desk).await), ids(&[first, second]));
        let through = desk.store.record_read_through().await.unwrap().unwrap();
        assert!(before <= through && through <= Timestamp::now(), "{through}");

        // Somebody whose clock is behind does not take it back.
        desk.store.note_record_read(through.minus_seconds(1)).await.unwrap();
        assert_eq!(desk.store.record_read_through().await.unwrap(), Some(through));
    })
    .await;
}
