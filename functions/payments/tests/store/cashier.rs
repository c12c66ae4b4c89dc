//! The buyer pays, and the saga is told.

use crate::{
    fixture::{Desk, card, is_transient, pending},
    provider::{Call, Side, action},
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
                // Confirmed unheard, it is found to be paid as soon as somebody looks.
                let losses = if (call, side) == (Call::Confirm, Side::After) { 1 } else { 2 };
                for _ in 0..losses {
                    desk.provider.lose(call, side);
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
async fn another_card_takes_the_place_of_an_attempt_nobody_heard_of() {
    for_each_dynamodb(|database| async move {
        for (call, side) in [(Call::Open, Side::Before), (Call::Open, Side::After), (Call::Confirm, Side::Before)] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.provider.lose(call, side);
            assert!(is_transient(&desk.pay(&payment, "pm_first_card").await));
            assert_eq!(desk.pay(&payment, "pm_declined").await.unwrap().status, Status::Pending, "{call:?} {side:?}");
            let paid = desk.pay(&payment, "pm_second_card").await.unwrap();
            assert_eq!((paid.status, paid.attempt), (Status::Success, 3), "{call:?} {side:?}");
            assert_eq!(desk.provider.money_moved(), (1, 0), "{call:?} {side:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bank_transfer_takes_the_place_of_no_attempt_whose_seats_do_not_wait_for_it() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.provider.lose(Call::Confirm, Side::Before);
        assert!(is_transient(&desk.pay(&payment, "pm_first_card").await));
        let by_transfer = desk.cashier.pay(payment.id, Some(Method::BankTransfer), &card("pm_sepa"), &trace()).await;
        assert!(matches!(by_transfer, Err(CashierError::NotPayable(NotPayable::SettlesTooLate(_)))), "{by_transfer:?}");
        assert_eq!(desk.pay(&payment, "pm_first_card").await.unwrap().status, Status::Success);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_was_paid_unheard_is_not_paid_again_with_another_card() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.provider.lose(Call::Confirm, Side::After);
        assert!(is_transient(&desk.pay(&payment, "pm_first_card").await));
        let paid = desk.pay(&payment, "pm_second_card").await.unwrap();
        assert_eq!((paid.status, paid.attempt), (Status::Success, 1));
        assert_eq!((desk.provider.money_moved(), desk.provider.calls(Call::Open)), ((1, 0), 1));
    })
    .await;
}

#[tokio::test]
async fn two_cards_at_once_are_charged_once() {
    for_each_dynamodb(|database| async move {
        for _ in 0..5 {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            let mut running = JoinSet::new();
            for card in ["pm_one", "pm_other", "pm_one", "pm_declined"] {
                let (desk, payment) = (desk.clone(), payment.clone());
                running.spawn(async move {
                    let _ = desk.pay(&payment, card).await;
                });
            }
            running.join_all().await;
            let last = desk.pay(&payment, "pm_one").await;
            assert!(matches!(desk.status(&payment).await, Status::Success), "{last:?}");
            assert_eq!((desk.provider.money_moved(), desk.provider.calls(Call::Refund)), ((1, 0), 0));
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_call_is_answered_like_the_first() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        for _ in 0..3 {
            let declined = desk.pay(&payment, "pm_declined").await.unwrap();
            assert_eq!((declined.status, declined.declined), (Status::Pending, 1));
        }
        for _ in 0..3 {
            assert_eq!(desk.pay(&payment, "pm_card").await.unwrap().status, Status::Success);
        }
        assert_eq!((desk.provider.money_moved(), desk.provider.calls(Call::Confirm)), ((1, 0), 2));
    })
    .await;
}

#[tokio::test]
async fn a_card_that_asks_for_authentication_waits_for_the_buyer() {
    for_each_dynamodb(|database| async move {
        for (succeeds, ending, money) in [(true, Status::Success, (1, 0)), (false, Status::Pending, (0, 0))] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.cashier.wait_for(payment.id, "token").await.unwrap();
            for _ in 0..2 {
                let waiting = desk.pay(&payment, "pm_authenticates").await.unwrap();
                assert_eq!((waiting.status, waiting.next_action), (Status::Processing, Some(action())));
            }
            assert_eq!(desk.settle(&payment).await.unwrap().status, Status::Processing);
            assert_eq!(desk.stored(&payment).await.next_action, Some(action()));
            assert!(desk.told().is_empty());
            desk.provider.decide(&payment, succeeds);
            for _ in 0..2 {
                assert_eq!(desk.settle(&payment).await.unwrap().status, ending);
            }
            assert_eq!(desk.stored(&payment).await.next_action, None);
            assert_eq!((desk.provider.money_moved(), desk.told().len()), (money, usize::from(succeeds)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_buyer_who_leaves_their_banks_page_is_charged_nothing() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.pay(&payment, "pm_authenticates").await.unwrap();
        assert_eq!(desk.expire(&payment).await.unwrap().status, Status::Expired);
        assert_eq!((desk.provider.money_moved(), desk.provider.open_intents()), ((0, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn a_charge_that_is_not_decided_is_asked_about_again() {
    for_each_dynamodb(|database| async move {
        for (succeeds, ending) in [(true, Status::Success), (false, Status::Pending)] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            for _ in 0..2 {
                assert_eq!(desk.pay(&payment, "pm_settles_later").await.unwrap().status, Status::Processing);
            }
            desk.provider.decide(&payment, succeeds);
            assert_eq!(desk.pay(&payment, "pm_settles_later").await.unwrap().status, ending);
            assert_eq!(desk.provider.calls(Call::Confirm), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_about_an_intent_settles_its_payment_and_no_other() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.pay(&payment, "pm_authenticates").await.unwrap();
        desk.provider.decide(&payment, true);
        let strangers = "pi_strangers".parse().unwrap();
        assert_eq!(desk.cashier.settle_intent(&strangers, false, &trace()).await.unwrap(), None);
        let intent = desk.stored(&payment).await.intent.unwrap();
        for _ in 0..3 {
            let settled = desk.cashier.settle_intent(&intent, false, &trace()).await.unwrap().unwrap();
            assert_eq!((settled.id, settled.status), (payment.id, Status::Success));
        }
        assert_eq!(desk.provider.money_moved(), (1, 0));
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
async fn a_declined_card_leaves_the_payment_open_for_another_and_its_intent_closed() {
    for_each_dynamodb(|database| async move {
        for (card, reason) in [("pm_declined_at_once", "card_not_supported"), ("pm_declined", "card_declined")] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.cashier.wait_for(payment.id, "token").await.unwrap();
            let declined = desk.pay(&payment, card).await.unwrap();
            assert_eq!((declined.status, declined.failure_reason.as_deref()), (Status::Pending, Some(reason)));
            assert_eq!((desk.provider.money_moved(), desk.provider.open_intents()), ((0, 0), 0));
            assert!(desk.told().is_empty(), "the saga waits on");
            assert_eq!(desk.pay(&payment, "pm_card").await.unwrap().status, Status::Success);
            assert_eq!(desk.provider.money_moved(), (1, 0));
            let history = database.history(payment.id).await;
            let tried =
                ["PaymentInitiated", "PaymentProcessing", "PaymentFailed", "PaymentProcessing", "PaymentCompleted"];
            assert_eq!(history, tried);
        }
    })
    .await;
}

#[tokio::test]
async fn five_declines_end_the_payment() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let declined = desk.declined().await;
        assert_eq!((declined.status, declined.declined), (Status::Failed, 5));
        let again = desk.pay(&declined, "pm_card").await;
        assert!(matches!(again, Err(CashierError::NotPayable(NotPayable::NotPending(Status::Failed)))), "{again:?}");
        assert_eq!((desk.provider.money_moved(), desk.provider.open_intents()), ((0, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn a_decline_whose_end_nobody_wrote_down_is_counted_once() {
    for_each_dynamodb(|database| async move {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.provider.lose(Call::Cancel, side);
            assert!(is_transient(&desk.pay(&payment, "pm_declined").await));
            assert_eq!(desk.status(&payment).await, Status::Processing);
            let declined = desk.settle(&payment).await.unwrap();
            assert_eq!((declined.status, declined.declined), (Status::Pending, 1), "{side:?}");
            assert_eq!(desk.provider.open_intents(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_is_made_once_and_in_time() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let paid = desk.paid().await;
        let again = desk.pay(&paid, "pm_another_card").await;
        assert!(matches!(again, Err(CashierError::NotPayable(NotPayable::NotPending(Status::Success)))), "{again:?}");

        let late = desk.initiated(Payment { payable_until: Timestamp::now(), ..pending() }, None).await;
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
        let told = |call: &str, error: &str| [(call.to_owned(), "token-of-the-wait".to_owned(), error.to_owned())];
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        desk.cashier.wait_for(payment.id, "token-of-the-wait").await.unwrap();
        assert!(desk.told().is_empty());
        desk.pay(&payment, "pm_card").await.unwrap();
        assert_eq!(desk.told(), told("SendTaskSuccess", ""));

        let desk = Desk::new(database);
        let payment = desk.pending().await;
        desk.cashier.wait_for(payment.id, "token-of-the-wait").await.unwrap();
        desk.decline_for_good(&payment).await;
        assert_eq!(desk.told(), told("SendTaskFailure", "PaymentDeclined"));
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
