//! The saga at `Initiate Payment`: it charges what the booking named, and leaves every other payment to the buyer.

use crate::{
    fixture::{Desk, pending},
    provider::{Call, Side},
};
use boxoffice_payments::domain::Status;
use boxoffice_runtime::StepFailure;
use boxoffice_testing::for_each_dynamodb;

#[tokio::test]
async fn the_step_charges_the_card_of_the_booking_once_however_often_it_runs() {
    for_each_dynamodb(|database| async move {
        for (call, side) in [(Call::Open, Side::After), (Call::Confirm, Side::Before), (Call::Confirm, Side::After)] {
            let desk = Desk::new(database.clone());
            let payment = desk.named("pm_card").await;
            assert_eq!((payment.status, payment.version), (Status::Processing, 1));
            desk.provider.lose(call, side);
            let unheard = desk.step(&payment).await;
            assert!(matches!(unheard, Err(StepFailure::Transient(_))), "{unheard:?}");
            for _ in 0..2 {
                assert_eq!(desk.step(&payment).await.unwrap(), "SUCCESS", "{call:?} {side:?}");
            }
            assert_eq!(desk.provider.money_moved(), (1, 0), "{call:?} {side:?}");
            assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentCompleted"]);
            assert_eq!(desk.store.instruction(payment.id).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_named_card_that_is_declined_leaves_the_payment_to_the_buyer() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.named("pm_declined").await;
        for _ in 0..2 {
            assert_eq!(desk.step(&payment).await.unwrap(), "PENDING");
        }
        let declined = desk.stored(&payment).await;
        assert_eq!((declined.status, declined.declined), (Status::Pending, 1), "it is charged once, not at every run");
        assert_eq!(desk.pay(&payment, "pm_card").await.unwrap().status, Status::Success);
        assert_eq!(desk.step(&payment).await.unwrap(), "SUCCESS");
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_waits_for_its_buyer_is_left_as_it_is() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        assert_eq!(desk.step(&payment).await.unwrap(), "PENDING");
        assert_eq!(desk.stored(&payment).await, payment);
        assert_eq!(desk.provider.calls(Call::Open), 0);
    })
    .await;
}

/// The buyer pays before the saga comes to the payment. Were it to charge too, one of the two would hear that the other's request is under way.
#[tokio::test]
async fn an_attempt_of_the_buyers_is_not_joined_by_the_saga() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let under_way = desk.processing().await;
        assert_eq!(desk.step(&under_way).await.unwrap(), "PROCESSING");
        assert_eq!((desk.provider.calls(Call::Open), desk.provider.calls(Call::Confirm)), (0, 0));

        let paid = desk.paid().await;
        let calls = desk.provider.calls(Call::Confirm);
        assert_eq!(desk.step(&paid).await.unwrap(), "SUCCESS");
        assert_eq!(desk.provider.calls(Call::Confirm), calls);
    })
    .await;
}

#[tokio::test]
async fn a_booking_without_a_payment_is_a_defect() {
    for_each_dynamodb(|database| async move {
        let missing = Desk::new(database.clone()).step(&pending()).await;
        assert!(matches!(missing, Err(StepFailure::Defect(_))), "{missing:?}");
        assert!(database.events().await.is_empty());
    })
    .await;
}
