//! Disputes: the buyer's bank takes the money back, and decides.

use crate::fixture::Desk;
use boxoffice_aws::Limit;
use boxoffice_payments::{
    cashier::CashierError,
    dispute::State,
    domain::{Payment, Status},
    refund::NotRefundable,
};
use boxoffice_testing::{Database, for_each_dynamodb, trace};
use serde_json::json;

async fn settle_money(desk: &Desk, payment: &Payment) -> Payment {
    desk.cashier.settle_money(payment.id, &trace()).await.unwrap()
}

/// A payment that is disputed, as the provider's event has it taken in.
async fn disputed(desk: &Desk) -> Payment {
    let payment = desk.paid().await;
    desk.provider.dispute(&payment, payment.money.amount.minor());
    settle_money(desk, &payment).await
}

async fn is_listed(desk: &Desk, payment: &Payment) -> bool {
    let page = desk.store.list_cases(Limit::LARGEST, None).await.unwrap();
    page.items.iter().any(|case| case.id == payment.id)
}

async fn last(database: &Database, payment: &Payment) -> (String, serde_json::Value) {
    let event = database.events_of(payment.id).await.pop().unwrap();
    (event.event_type.clone(), event.data())
}

#[tokio::test]
async fn a_dispute_is_taken_in_once_and_shown_to_operators_until_it_is_decided() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = disputed(&desk).await;
        assert_eq!((payment.status, payment.disputed()), (Status::Success, 9980));
        assert_eq!(settle_money(&desk, &payment).await, payment);
        assert!(is_listed(&desk, &payment).await);
        let (event, data) = last(&database, &payment).await;
        assert_eq!((event.as_str(), &data["disputeReason"]), ("PaymentDisputed", &json!("fraudulent")));

        desk.provider.close_disputes(State::Won);
        let won = settle_money(&desk, &payment).await;
        assert_eq!((won.status, won.disputed(), won.disputes[0].state), (Status::Success, 0, State::Won));
        assert!(!is_listed(&desk, &payment).await);
        let (event, data) = last(&database, &payment).await;
        assert_eq!((event.as_str(), &data["outcome"]), ("PaymentDisputeClosed", &json!("WON")));
    })
    .await;
}

#[tokio::test]
async fn no_refund_of_a_disputed_charge_is_tried_and_its_undo_ends_once_it_is_decided() {
    for_each_dynamodb(|database| async move {
        for (outcome, moved) in [(State::Won, 1), (State::Lost, 0)] {
            let desk = Desk::new(database.clone());
            let payment = disputed(&desk).await;
            for refused in [desk.reverse(&payment).await, desk.refund(&payment).await] {
                assert!(matches!(refused, Err(CashierError::NotRefundable(NotRefundable::Disputed))), "{refused:?}");
            }
            assert_eq!(desk.provider.money_moved(), (1, 0));
            desk.provider.close_disputes(outcome);
            settle_money(&desk, &payment).await;
            assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded, "{outcome:?}");
            assert_eq!(desk.provider.money_moved(), (1, moved), "{outcome:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_dispute_takes_the_booking_back_as_a_refund_from_outside() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = disputed(&desk).await;
        desk.provider.close_disputes(State::Lost);
        let lost = settle_money(&desk, &payment).await;
        assert_eq!((lost.status, lost.given_back(), lost.left_account()), (Status::Refunded, 9980, 0));
        assert_eq!(settle_money(&desk, &payment).await, lost);
        let (event, data) = last(&database, &payment).await;
        assert_eq!((event.as_str(), &data["refundedBy"]), ("PaymentRefunded", &json!("EXTERNAL")));
        assert_eq!(desk.provider.disputed(payment.intent.as_ref().unwrap()), lost.disputed());
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_was_asked_for_before_the_dispute_waits_for_its_end() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        desk.provider.lose(crate::provider::Call::Refund, crate::provider::Side::Before);
        desk.refund(&payment).await.unwrap_err();
        desk.provider.dispute(&payment, 9980);
        let waiting = settle_money(&desk, &payment).await;
        assert!(waiting.unsent().is_some(), "{waiting:?}");
        desk.provider.close_disputes(State::Won);
        assert_eq!(settle_money(&desk, &payment).await.status, Status::Refunded);
        assert_eq!(desk.provider.money_moved(), (1, 1));
    })
    .await;
}
