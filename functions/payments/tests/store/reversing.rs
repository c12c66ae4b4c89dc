//! Taking a payment back, whatever became of it: reversed by the saga, expired with its hold, refunded on request.

use crate::{
    fixture::{Desk, is_transient, pending},
    provider::{Call, Side},
};
use boxoffice_kernel::Refusal;
use boxoffice_payments::{
    cashier::CashierError,
    domain::{NotPayable, Status},
    refund::{NotRefundable, State},
};
use boxoffice_runtime::StepFailure;
use boxoffice_testing::for_each_dynamodb;
use tokio::task::JoinSet;

#[tokio::test]
async fn reversing_a_payment_that_is_not_there_is_an_error_and_makes_none() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = pending();
        let reversed = desk.reverse(&payment).await;
        assert!(matches!(reversed, Err(CashierError::NotFound)), "{reversed:?}");
        assert!(database.history(payment.id).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_booking_called_off_before_its_saga_charges_takes_no_money_and_forgets_what_to_charge() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.named("pm_card").await;
        for _ in 0..2 {
            let ended = desk.reverse(&payment).await.unwrap();
            assert_eq!((ended.status, ended.failure_reason.as_deref()), (Status::Expired, Some("BookingCancelled")));
        }
        assert_eq!(desk.store.instruction(payment.id).await.unwrap(), None, "the token outlives its payment");
        let late = desk.step(&payment).await;
        assert!(matches!(late, Err(StepFailure::Refused { refusal: Refusal::PaymentVoided, .. })), "{late:?}");
        let paying = desk.pay(&payment, "pm_card").await;
        assert!(matches!(paying, Err(CashierError::NotPayable(NotPayable::NotPending(Status::Expired)))), "{paying:?}");
        assert_eq!(desk.provider.money_moved(), (0, 0));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentExpired"]);
    })
    .await;
}

#[tokio::test]
async fn reversing_a_payment_nobody_made_ends_it() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        for _ in 0..2 {
            let ended = desk.reverse(&payment).await.unwrap();
            assert_eq!((ended.status, ended.failure_reason.as_deref()), (Status::Expired, Some("BookingCancelled")));
        }
        assert_eq!(desk.provider.calls(Call::Open), 0);
    })
    .await;
}

#[tokio::test]
async fn reversing_an_attempt_nobody_heard_of_calls_it_off_or_gives_it_back() {
    for_each_dynamodb(|database| async move {
        for (call, side, ending, money) in [
            (Call::Open, Side::Before, Status::Expired, (0, 0)),
            (Call::Open, Side::After, Status::Expired, (0, 0)),
            (Call::Confirm, Side::Before, Status::Expired, (0, 0)),
            (Call::Confirm, Side::After, Status::Refunded, (1, 1)),
        ] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.provider.lose(call, side);
            assert!(is_transient(&desk.pay(&payment, "pm_card").await));
            for _ in 0..2 {
                assert_eq!(desk.reverse(&payment).await.unwrap().status, ending, "{call:?} {side:?}");
            }
            assert_eq!(desk.provider.money_moved(), money, "{call:?} {side:?}");
            let paying = desk.pay(&payment, "pm_card").await;
            assert!(matches!(paying, Err(CashierError::NotPayable(_))), "{paying:?}");
            assert_eq!(desk.provider.money_moved(), money, "{call:?} {side:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn reversing_a_charged_payment_gives_the_money_back_once_even_if_the_answer_gets_lost() {
    for_each_dynamodb(|database| async move {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new(database.clone());
            let payment = desk.paid().await;
            desk.provider.lose(Call::Refund, side);
            let unheard = desk.reverse(&payment).await;
            assert!(is_transient(&unheard), "{unheard:?}");
            assert_eq!(desk.status(&payment).await, Status::Success);
            for _ in 0..2 {
                assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded);
            }
            assert_eq!(desk.provider.money_moved(), (1, 1), "{side:?}");
            let last = database.events_of(payment.id).await.pop().unwrap();
            assert_eq!((last.event_type.as_str(), &last.data()["refundedBy"]), ("PaymentRefunded", &"SAGA".into()));
        }
    })
    .await;
}

#[tokio::test]
async fn reversing_a_declined_payment_leaves_it_as_it_is() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.declined().await;
        let cancelled = desk.provider.calls(Call::Cancel);
        assert_eq!(desk.reverse(&payment).await.unwrap(), payment);
        assert_eq!((desk.provider.calls(Call::Cancel), desk.provider.money_moved()), (cancelled, (0, 0)));
        assert_eq!(desk.provider.open_intents(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_to_a_cancellation_is_asked_for_again() {
    for_each_dynamodb(|database| async move {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.provider.lose(Call::Confirm, Side::Before);
            assert!(is_transient(&desk.pay(&payment, "pm_card").await));
            desk.provider.lose(Call::Cancel, side);
            assert!(is_transient(&desk.reverse(&payment).await));
            assert_eq!(desk.status(&payment).await, Status::Processing);
            assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Expired);
            assert_eq!(desk.provider.money_moved(), (0, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_the_provider_never_heard_of_is_reversed_without_asking() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.processing().await;
        assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Expired);
        assert_eq!((desk.provider.calls(Call::Open), desk.provider.calls(Call::Cancel)), (0, 0));
        // A charge that was about to begin finds it over.
        assert!(desk.pay(&payment, "pm_card").await.is_err());
        assert_eq!(desk.provider.money_moved(), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_payment_called_off_just_before_it_is_confirmed_takes_no_money() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let about_to_confirm = desk.provider.hold_up(Call::Confirm, Side::Before);
        let paying = tokio::spawn({
            let (desk, payment) = (desk.clone(), payment.clone());
            async move { desk.pay(&payment, "pm_card").await }
        });
        about_to_confirm.reached().await;
        assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Expired);
        about_to_confirm.go();
        // The payer learns the outcome.
        assert_eq!(paying.await.unwrap().unwrap().status, Status::Expired);
        assert_eq!(desk.provider.money_moved(), (0, 0));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentExpired"]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_called_off_just_after_it_was_confirmed_is_given_back() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let confirmed = desk.provider.hold_up(Call::Confirm, Side::After);
        let paying = tokio::spawn({
            let (desk, payment) = (desk.clone(), payment.clone());
            async move { desk.pay(&payment, "pm_card").await }
        });
        confirmed.reached().await;
        assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded);
        confirmed.go();
        assert_eq!(paying.await.unwrap().unwrap().status, Status::Refunded);
        assert_eq!(desk.provider.money_moved(), (1, 1));
        assert_eq!(
            database.history(payment.id).await,
            ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted", "PaymentRefunded"]
        );
    })
    .await;
}

#[tokio::test]
async fn payments_and_reversals_at_once_never_keep_money_for_what_is_called_off() {
    for_each_dynamodb(|database| async move {
        for _ in 0..5 {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            let mut running = JoinSet::new();
            for number in 0..4 {
                let (desk, payment) = (desk.clone(), payment.clone());
                running.spawn(async move {
                    if number % 2 == 0 {
                        let _ = desk.pay(&payment, "pm_card").await;
                    } else {
                        let _ = desk.reverse(&payment).await;
                    }
                });
            }
            running.join_all().await;
            // The saga retries an undo until it has an answer.
            let ended = desk.reverse(&payment).await.unwrap();
            let (charges, refunds) = desk.provider.money_moved();
            assert!(charges <= 1 && charges == refunds, "{charges} charges, {refunds} refunds");
            let ending = if charges == 1 { Status::Refunded } else { Status::Expired };
            assert_eq!((ended.status, desk.status(&payment).await), (ending, ending));
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_nobody_made_expires_with_its_hold() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        for _ in 0..2 {
            let expired = desk.expire(&payment).await.unwrap();
            assert_eq!((expired.status, expired.failure_reason.as_deref()), (Status::Expired, Some("HoldExpired")));
        }
        let paying = desk.pay(&payment, "pm_card").await;
        assert!(matches!(paying, Err(CashierError::NotPayable(_))), "{paying:?}");
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentExpired"]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_succeeded_unheard_is_found_when_its_hold_expires() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        desk.provider.lose(Call::Confirm, Side::After);
        assert!(is_transient(&desk.pay(&payment, "pm_card").await));
        for _ in 0..2 {
            assert_eq!(desk.expire(&payment).await.unwrap().status, Status::Success);
        }
        assert_eq!(desk.provider.money_moved(), (1, 0));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted"]);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_took_no_money_ends_when_its_hold_expires() {
    for_each_dynamodb(|database| async move {
        for (call, side) in [(Call::Open, Side::Before), (Call::Open, Side::After), (Call::Confirm, Side::Before)] {
            let desk = Desk::new(database.clone());
            let payment = desk.pending().await;
            desk.provider.lose(call, side);
            assert!(is_transient(&desk.pay(&payment, "pm_card").await));
            assert_eq!(desk.expire(&payment).await.unwrap().status, Status::Expired, "{call:?} {side:?}");
            assert_eq!(desk.provider.money_moved(), (0, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn expiring_leaves_a_settled_payment_as_it_is() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let paid = desk.paid().await;
        assert_eq!(desk.expire(&paid).await.unwrap(), paid);
        let declined = desk.declined().await;
        assert_eq!(desk.expire(&declined).await.unwrap().status, Status::Failed);
        let unknown = desk.expire(&pending()).await;
        assert!(matches!(unknown, Err(CashierError::NotFound)), "{unknown:?}");
        assert_eq!(desk.provider.money_moved(), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_refund_gives_back_what_was_charged_once() {
    for_each_dynamodb(|database| async move {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new(database.clone());
            let payment = desk.paid().await;
            desk.provider.lose(Call::Refund, side);
            assert!(is_transient(&desk.refund(&payment).await));
            let refunded = desk.refund(&payment).await.unwrap();
            assert_eq!((refunded.status, refunded.refund_reason.as_deref()), (Status::Refunded, Some("asked for")));
            let again = desk.refund(&payment).await;
            assert!(
                matches!(again, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Refunded)))),
                "{again:?}"
            );
            assert_eq!(desk.provider.money_moved(), (1, 1), "{side:?}");
            let last = database.events_of(payment.id).await.pop().unwrap();
            assert_eq!((last.event_type.as_str(), &last.data()["refundedBy"]), ("PaymentRefunded", &"REQUEST".into()));
        }
    })
    .await;
}

#[tokio::test]
async fn that_a_refund_is_wanted_is_known_before_the_provider_is_asked() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        assert!(payment.refunds.is_empty());
        desk.provider.lose(Call::Refund, Side::After);
        assert!(is_transient(&desk.refund(&payment).await));
        // The money is gone, and whoever asked may never ask again.
        assert_eq!(desk.provider.money_moved(), (1, 1));
        let left = desk.stored(&payment).await;
        assert_eq!((left.status, left.version), (Status::Success, payment.version));
        let asked = left.pending_refund().unwrap();
        assert_eq!((asked.reason.as_str(), asked.state, &asked.provider_id), ("asked for", State::Pending, &None));
    })
    .await;
}

#[tokio::test]
async fn a_refund_on_its_way_is_not_done_until_the_provider_says_so() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (asked_for, undone) = (desk.paid().await, desk.paid().await);
        desk.provider.refunds_are_pending(true);
        for _ in 0..2 {
            assert!(matches!(desk.refund(&asked_for).await, Err(CashierError::RefundPending(_))));
            assert!(matches!(desk.reverse(&undone).await, Err(CashierError::RefundPending(_))));
        }
        assert_eq!((desk.status(&asked_for).await, desk.status(&undone).await), (Status::Success, Status::Success));
        desk.provider.refunds_are_pending(false);
        assert_eq!(desk.settle(&asked_for).await.unwrap().status, Status::Refunded);
        assert_eq!(desk.reverse(&undone).await.unwrap().status, Status::Refunded);
        assert_eq!(desk.provider.money_moved(), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_payment_without_money_is_not_refunded() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let waiting = desk.pending().await;
        let refused = desk.refund(&waiting).await;
        assert!(
            matches!(refused, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Pending)))),
            "{refused:?}"
        );
        let under_way = desk.processing().await;
        let refused = desk.refund(&under_way).await;
        assert!(
            matches!(refused, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Processing)))),
            "{refused:?}"
        );
        desk.expire(&waiting).await.unwrap();
        let refused = desk.refund(&waiting).await;
        assert!(
            matches!(refused, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Expired)))),
            "{refused:?}"
        );
        let unknown = desk.refund(&pending()).await;
        assert!(matches!(unknown, Err(CashierError::NotFound)), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn refunds_and_reversals_at_once_give_the_money_back_once() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.paid().await;
        let mut running = JoinSet::new();
        for number in 0..6 {
            let (desk, payment) = (desk.clone(), payment.clone());
            running.spawn(async move {
                if number % 2 == 0 {
                    let outcome = desk.refund(&payment).await;
                    let refused =
                        matches!(outcome, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Refunded))));
                    assert!(refused || outcome.is_ok(), "{outcome:?}");
                } else {
                    assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded);
                }
            });
        }
        running.join_all().await;
        assert_eq!(desk.provider.money_moved(), (1, 1));
        let history = database.history(payment.id).await;
        assert_eq!(history.iter().filter(|event| *event == "PaymentRefunded").count(), 1);
    })
    .await;
}
