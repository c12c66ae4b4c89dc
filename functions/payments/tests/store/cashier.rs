//! The buyer pays, and the saga is told.

use crate::{
    fixture::{Desk, card, is_transient, pending},
    provider::{Call, Side},
};
use boxoffice_kernel::Timestamp;
use boxoffice_payments::{
    cashier::CashierError,
    domain::{Method, NotPayable, Payment, Status},
};
use boxoffice_testing::{for_each_dynamodb, trace};
use tokio::task::JoinSet;

#[tokio::test]
async fn paying_charges_once_and_forgets_the_card() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let paid = desk.pay(&payment, "pm_card").await.unwrap();
        assert_eq!((paid.status, desk.status(&payment).await), (Status::Success, Status::Success));
        assert_eq!(desk.provider.money_moved(), (1, 0));
        assert_eq!(desk.store.instruction(payment.id).await.unwrap(), None);
        assert!(desk.stored(&payment).await.intent.is_some());
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted"]);
        assert!(desk.told().is_empty(), "nobody waits, so nobody is told");
        for event in database.events().await {
            assert!(!event.detail.contains("pm_card"), "{} tells the token", event.event_type);
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_at_any_point_is_resumed_by_paying_again_and_charges_once() {
    for_each_dynamodb(|database| async move {
        for call in [Call::Open, Call::Confirm] {
            for side in [Side::Before, Side::After] {
                let desk = Desk::new(database.clone());
                let payment = desk.pending().await;
                desk.provider.lose(call, side);
                desk.provider.lose(call, side);
                for _ in 0..2 {
                    let outcome = desk.pay(&payment, "pm_card").await;
                    assert!(is_transient(&outcome), "{call:?} {side:?}: {outcome:?}");
                    assert_eq!(desk.status(&payment).await, Status::Processing, "{call:?} {side:?}");
                }
                let paid = desk.pay(&payment, "pm_card").await.unwrap();
                assert_eq!(paid.status, Status::Success, "{call:?} {side:?}");
                assert_eq!(desk.provider.money_moved(), (1, 0), "{call:?} {side:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_attempt_under_way_is_resumed_with_the_card_it_began_with() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.provider.lose(Call::Open, Side::Before);
        assert!(is_transient(&desk.pay(&payment, "pm_card").await));
        assert_eq!(desk.pay(&payment, "pm_declined").await.unwrap().status, Status::Success);
    })
    .await;
}

#[tokio::test]
async fn the_method_is_recorded_as_the_charge_begins_and_stays_when_it_is_resumed() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        desk.provider.lose(Call::Open, Side::Before);
        let (token, trace) = (card("pm_card"), trace());
        let pay = |method| desk.cashier.pay(payment.id, method, &token, &trace);
        assert!(is_transient(&pay(Some(Method::Paypal)).await));
        assert_eq!(desk.stored(&payment).await.method, Method::Paypal);
        let paid = pay(Some(Method::DebitCard)).await.unwrap();
        assert_eq!((paid.status, desk.stored(&payment).await.method), (Status::Success, Method::Paypal));
        let stated: Vec<_> =
            database.events_of(payment.id).await.iter().map(|event| event.data()["paymentMethod"].clone()).collect();
        assert_eq!(stated, ["CREDIT_CARD", "PAYPAL", "PAYPAL"]);
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_ends_the_payment_without_moving_money() {
    for_each_dynamodb(|database| async move {
        for (card, reason) in [("pm_declined_at_once", "card_not_supported"), ("pm_declined", "card_declined")] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            let declined = desk.pay(&payment, card).await.unwrap();
            assert_eq!((declined.status, declined.failure_reason.as_deref()), (Status::Failed, Some(reason)));
            let again = desk.pay(&payment, "pm_card").await;
            assert!(
                matches!(again, Err(CashierError::NotPayable(NotPayable::NotPending(Status::Failed)))),
                "{again:?}"
            );
            assert_eq!(desk.provider.money_moved(), (0, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_is_made_once_and_in_time() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let paid = desk.paid().await;
        let again = desk.pay(&paid, "pm_card").await;
        assert!(matches!(again, Err(CashierError::NotPayable(NotPayable::NotPending(Status::Success)))), "{again:?}");

        let late = Payment { payable_until: Timestamp::now(), ..pending() };
        desk.store.create(&late, &trace()).await.unwrap();
        let refused = desk.pay(&late, "pm_card").await;
        assert!(matches!(refused, Err(CashierError::NotPayable(NotPayable::TooLate(_)))), "{refused:?}");

        let unknown = desk.pay(&pending(), "pm_card").await;
        assert!(matches!(unknown, Err(CashierError::NotFound)), "{unknown:?}");
        assert_eq!(desk.provider.money_moved(), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_buyer_who_pays_many_times_at_once_is_charged_once() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let mut running = JoinSet::new();
        for _ in 0..6 {
            let (desk, payment) = (desk.clone(), payment.clone());
            running.spawn(async move { desk.pay(&payment, "pm_card").await });
        }
        for outcome in running.join_all().await {
            match &outcome {
                Ok(paid) => assert_eq!(paid.status, Status::Success),
                Err(CashierError::NotPayable(NotPayable::NotPending(Status::Success))) => {}
                _ => assert!(is_transient(&outcome), "{outcome:?}"),
            }
        }
        assert_eq!(desk.status(&payment).await, Status::Success);
        assert_eq!(desk.provider.money_moved(), (1, 0));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted"]);
    })
    .await;
}

#[tokio::test]
async fn the_waiting_saga_is_told_what_became_of_its_payment() {
    for_each_dynamodb(|database| async move {
        for (card, call, error) in
            [("pm_card", "SendTaskSuccess", ""), ("pm_declined", "SendTaskFailure", "PaymentDeclined")]
        {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.cashier.wait_for(payment.id, "token-of-the-wait").await.unwrap();
            assert!(desk.told().is_empty());
            desk.pay(&payment, card).await.unwrap();
            assert_eq!(desk.told(), [(call.to_owned(), "token-of-the-wait".to_owned(), error.to_owned())]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_saga_that_comes_to_wait_for_a_settled_payment_is_told_at_once() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let paid = desk.paid().await;
        desk.cashier.wait_for(paid.id, "token").await.unwrap();
        assert_eq!(desk.told(), [("SendTaskSuccess".to_owned(), "token".to_owned(), String::new())]);

        let desk = Desk::new(database);
        let called_off = desk.pending().await;
        desk.reverse(&called_off).await.unwrap();
        desk.cashier.wait_for(called_off.id, "token").await.unwrap();
        assert_eq!(desk.told(), [("SendTaskFailure".to_owned(), "token".to_owned(), "PaymentVoided".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_is_called_off_while_the_saga_waits_wakes_it() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.cashier.wait_for(payment.id, "token").await.unwrap();
        desk.reverse(&payment).await.unwrap();
        assert_eq!(desk.told(), [("SendTaskFailure".to_owned(), "token".to_owned(), "PaymentVoided".to_owned())]);
    })
    .await;
}
