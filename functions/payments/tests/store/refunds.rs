//! Refunds, whole and in part, by us and at the provider: AP-430 to AP-432.

use crate::{
    fixture::{Desk, is_transient},
    provider::{Call, Side},
};
use boxoffice_aws::{Limit, transaction::Written};
use boxoffice_kernel::{Actor, Amount, PaymentId, TicketId, Timestamp};
use boxoffice_payments::{
    cashier::CashierError,
    domain::{Payment, Status},
    events::RefundedBy,
    refund::{NotACase, NotRefundable, Refund, State},
};
use boxoffice_testing::{Database, for_each_dynamodb, trace};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::json;
use tokio::task::JoinSet;

fn amount(minor: u64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

/// Gives so much of a payment back, under that name.
async fn part(desk: &Desk, payment: &Payment, name: &str, minor: u64) -> Result<Payment, CashierError> {
    desk.cashier.refund_part(payment.id, payment.id.refund(name), amount(minor), "asked for", &trace()).await
}

async fn settle_money(desk: &Desk, payment: &Payment) -> Payment {
    desk.cashier.settle_money(payment.id, &trace()).await.unwrap()
}

async fn cases(desk: &Desk) -> Vec<PaymentId> {
    let page = desk.store.list_cases(Limit::LARGEST, None).await.unwrap();
    page.items.into_iter().map(|payment| payment.id).collect()
}

/// A payment that was refunded, and whose refund came back days later.
async fn come_back(desk: &Desk) -> Payment {
    let payment = desk.paid().await;
    desk.refund(&payment).await.unwrap();
    desk.provider.settle_refunds(State::Failed);
    settle_money(desk, &payment).await
}

/// The events that are about money that has left, with the amount that each is about.
async fn facts(database: &Database, payment: &Payment) -> Vec<(String, f64)> {
    let events = database.events_of(payment.id).await.into_iter();
    let about_a_refund = events.filter(|event| event.event_type.contains("Refund"));
    about_a_refund.map(|event| (event.event_type.clone(), event.data()["refundAmount"].as_f64().unwrap())).collect()
}

#[tokio::test]
async fn parts_are_given_back_until_nothing_is_left_and_only_the_last_ends_the_payment() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.paid().await;
        let partly = part(&desk, &payment, "first", 2000).await.unwrap();
        assert_eq!((partly.status, partly.given_back(), partly.refundable()), (Status::Success, 2000, Some(amount(7980))));
        let refused = part(&desk, &payment, "too much", 7981).await;
        assert!(
            matches!(refused, Err(CashierError::NotRefundable(NotRefundable::TooMuch(left))) if left == Some(amount(7980))),
            "{refused:?}"
        );
        assert_eq!(part(&desk, &payment, "second", 980).await.unwrap().status, Status::Success);
        // Without an amount: all that is left.
        let whole = desk.refund(&payment).await.unwrap();
        assert_eq!((whole.status, whole.refunds.len()), (Status::Refunded, 3));
        assert_eq!(desk.stored(&payment).await, whole);
        assert_eq!(desk.provider.has_left(&payment.intent.clone().unwrap()), 9980);
        let facts = facts(&database, &payment).await;
        let expected =
            [("PaymentPartlyRefunded", 20.0), ("PaymentPartlyRefunded", 9.8), ("PaymentRefunded", 70.0)];
        assert_eq!(facts, expected.map(|(event, amount)| (event.to_owned(), amount)));
        let refused = part(&desk, &payment, "late", 1).await;
        assert!(matches!(refused, Err(CashierError::NotRefundable(NotRefundable::Status(Status::Refunded)))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_part_asked_for_again_under_its_name_is_given_back_once() {
    for_each_dynamodb(|database| async move {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new(database.clone());
            let payment = desk.paid().await;
            desk.provider.lose(Call::Refund, side);
            assert!(is_transient(&part(&desk, &payment, "part", 2000).await));
            let asked = desk.stored(&payment).await;
            assert_eq!(
                (asked.version, asked.unsent().map(|refund| refund.amount)),
                (payment.version, Some(amount(2000)))
            );
            for _ in 0..2 {
                assert_eq!(part(&desk, &payment, "part", 2000).await.unwrap().given_back(), 2000, "{side:?}");
            }
            assert!(matches!(part(&desk, &payment, "part", 1).await, Err(CashierError::AnotherRefund)));
            assert_eq!(desk.provider.has_left(&payment.intent.clone().unwrap()), 2000, "{side:?}");
            assert_eq!(facts(&database, &payment).await.len(), 1, "{side:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_nobody_finished_is_finished_by_settling() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        desk.provider.lose(Call::Refund, Side::After);
        assert!(is_transient(&part(&desk, &payment, "part", 2000).await));
        assert_eq!(desk.settle(&payment).await.unwrap().given_back(), 2000);
        assert_eq!(desk.provider.money_moved(), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_reversal_gives_back_what_is_left_and_waits_for_what_is_on_its_way() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.paid().await;
        desk.provider.refunds_are_pending(true);
        let pending = part(&desk, &payment, "part", 2000).await;
        assert!(matches!(pending, Err(CashierError::RefundPending(_))), "{pending:?}");
        for _ in 0..2 {
            assert!(matches!(desk.reverse(&payment).await, Err(CashierError::RefundPending(_))));
        }
        desk.provider.refunds_are_pending(false);
        assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded);
        assert_eq!(desk.provider.has_left(&payment.intent.clone().unwrap()), 9980);
        let facts: Vec<String> = facts(&database, &payment).await.into_iter().map(|(event, _)| event).collect();
        let expected = ["PaymentRefundPending", "PaymentRefundPending"];
        assert_eq!(facts[..2], expected.map(str::to_owned));
        assert_eq!(facts.iter().filter(|event| *event == "PaymentRefunded").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refund_made_at_the_provider_is_taken_in_once() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.paid().await;
        assert!(desk.provider.refund_by_hand(&payment, 2000));
        for _ in 0..2 {
            let settled = settle_money(&desk, &payment).await;
            assert_eq!((settled.status, settled.given_back()), (Status::Success, 2000));
            assert_eq!((settled.refunds.len(), settled.refunds[0].by), (1, RefundedBy::External));
        }
        assert!(desk.provider.refund_by_hand(&payment, 7980));
        assert_eq!(settle_money(&desk, &payment).await.status, Status::Refunded);
        let last = database.events_of(payment.id).await.pop().unwrap();
        assert_eq!((last.event_type.as_str(), &last.data()["refundedBy"]), ("PaymentRefunded", &json!("EXTERNAL")));
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_another_made_needless_is_called_off() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        desk.provider.lose(Call::Refund, Side::Before);
        assert!(is_transient(&part(&desk, &payment, "part", 5000).await));
        assert!(desk.provider.refund_by_hand(&payment, 9000));
        let refused = part(&desk, &payment, "part", 5000).await;
        assert!(
            matches!(refused, Err(CashierError::NotRefundable(NotRefundable::TooMuch(left))) if left == Some(amount(980))),
            "{refused:?}"
        );
        let settled = desk.stored(&payment).await;
        assert_eq!(settled.refund(payment.id.refund("part")).unwrap().state, State::Canceled);
        assert_eq!((settled.given_back(), settled.failed_refund()), (9000, None));
        assert_eq!(desk.refund(&payment).await.unwrap().status, Status::Refunded);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_comes_back_is_a_case_until_it_is_made_again() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = come_back(&desk).await;
        assert_eq!((payment.status, payment.left_account()), (Status::Success, 0));
        assert_eq!(cases(&desk).await, [payment.id]);
        let last = database.events_of(payment.id).await.pop().unwrap();
        assert_eq!((last.event_type.as_str(), &last.data()["cameBack"]), ("PaymentRefundFailed", &json!(true)));
        // Neither the saga nor a second call decides for the operator.
        for outcome in [desk.reverse(&payment).await, desk.refund(&payment).await] {
            assert!(matches!(outcome, Err(CashierError::RefundFailed(_))), "{outcome:?}");
        }
        assert_eq!(desk.provider.money_moved(), (1, 1));

        let failed = payment.failed_refund().unwrap().id;
        let again = desk.cashier.retry_refund(payment.id, failed, &trace()).await.unwrap();
        assert_eq!((again.status, again.refunds.len(), again.refunds[0].attempt), (Status::Refunded, 1, 2));
        assert!(cases(&desk).await.is_empty());
        assert_eq!(desk.provider.has_left(&payment.intent.clone().unwrap()), 9980);
        let twice = desk.cashier.retry_refund(payment.id, failed, &trace()).await;
        assert!(matches!(twice, Err(CashierError::NotACase(NotACase::NotFailed))), "{twice:?}");
        let unknown = desk.cashier.retry_refund(payment.id, payment.id.refund("another"), &trace()).await;
        assert!(matches!(unknown, Err(CashierError::NotACase(NotACase::NotFound))), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_comes_back_can_be_settled_otherwise_with_a_reason() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = come_back(&desk).await;
        let failed = payment.failed_refund().unwrap().id;
        let settled = desk.cashier.settle_refund(payment.id, failed, "bank transfer", &trace()).await.unwrap();
        assert_eq!((settled.status, settled.left_account(), settled.given_back()), (Status::Refunded, 0, 9980));
        assert!(cases(&desk).await.is_empty());
        let last = database.events_of(payment.id).await.pop().unwrap();
        assert_eq!(
            (last.event_type.as_str(), &last.data()["settledOtherwise"]),
            ("PaymentRefunded", &json!("bank transfer"))
        );
        let twice = desk.cashier.settle_refund(payment.id, failed, "again", &trace()).await;
        assert!(matches!(twice, Err(CashierError::NotACase(NotACase::NotFailed))), "{twice:?}");
        assert_eq!(desk.reverse(&payment).await.unwrap().status, Status::Refunded);
    })
    .await;
}

#[tokio::test]
async fn one_of_two_operators_acts_on_a_failed_refund() {
    for_each_dynamodb(|database| async move {
        for _ in 0..3 {
            let desk = Desk::new(database.clone());
            let payment = come_back(&desk).await;
            let failed = payment.failed_refund().unwrap().id;
            let trace = trace();
            let (again, settled) = tokio::join!(
                desk.cashier.retry_refund(payment.id, failed, &trace),
                desk.cashier.settle_refund(payment.id, failed, "bank transfer", &trace)
            );
            assert!(again.is_ok() != settled.is_ok(), "{again:?} {settled:?}");
            let stored = desk.stored(&payment).await;
            assert_eq!((stored.status, stored.given_back()), (Status::Refunded, 9980));
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_is_a_case() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        desk.provider.refunds_are_refused(true);
        let refused = desk.reverse(&payment).await;
        assert!(matches!(refused, Err(CashierError::RefundFailed(_))), "{refused:?}");
        let failed = desk.stored(&payment).await.failed_refund().unwrap().clone();
        assert_eq!(failed.failure_reason.as_deref(), Some("charge_disputed"));
        assert_eq!(cases(&desk).await, [payment.id]);
        desk.provider.refunds_are_refused(false);
        let again = desk.cashier.retry_refund(payment.id, failed.id, &trace()).await.unwrap();
        assert_eq!(again.status, Status::Refunded);
    })
    .await;
}

#[tokio::test]
async fn a_proof_that_saw_no_refund_does_not_hide_one_that_was_asked_for_since() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        assert!(is_transient(&{
            desk.provider.lose(Call::Refund, Side::Before);
            part(&desk, &payment, "part", 2000).await
        }));
        let asked = desk.stored(&payment).await;
        assert_eq!(asked.version, payment.version);
        assert_eq!(desk.store.prove(&payment).await.unwrap(), Written::Stale);
        assert_eq!(desk.store.prove(&asked).await.unwrap(), Written::Yes);
    })
    .await;
}

/// Something that happens to a charged payment.
#[derive(Debug, Clone)]
enum Act {
    Part(u8, u64),
    ByHand(u64),
    Whole,
    Reverse,
    Settle,
    Lost(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_u8, 1..6000_u64).prop_map(|(name, minor)| Act::Part(name, minor)),
        3 => (1..6000_u64).prop_map(Act::ByHand),
        1 => Just(Act::Whole),
        1 => Just(Act::Reverse),
        2 => Just(Act::Settle),
        1 => any::<bool>().prop_map(Act::Lost),
    ];
    prop::collection::vec(act, 2..9)
}

async fn perform(desk: &Desk, payment: &Payment, act: Act) {
    // Whether an act is refused or gets no answer is its own affair; the sums are not.
    match act {
        Act::Part(name, minor) => drop(part(desk, payment, &name.to_string(), minor).await),
        Act::ByHand(minor) => drop(desk.provider.refund_by_hand(payment, minor)),
        Act::Whole => drop(desk.refund(payment).await),
        Act::Reverse => drop(desk.reverse(payment).await),
        Act::Settle => drop(desk.cashier.settle_money(payment.id, &trace()).await),
        Act::Lost(after) => desk.provider.lose(Call::Refund, if after { Side::After } else { Side::Before }),
    }
}

/// How the payment, the provider and the events add up once everything has come to rest.
async fn adds_up(database: &Database, desk: &Desk, payment: &Payment) {
    desk.provider.forget_mishaps();
    let rest = settle_money(desk, payment).await;
    let left = desk.provider.has_left(payment.intent.as_ref().unwrap());
    assert_eq!(rest.left_account(), left, "the payment and the provider disagree: {rest:?}");
    assert!(left <= payment.money.amount.minor(), "more was given back than was paid");
    assert!(rest.pending_refund().is_none(), "{rest:?}");
    assert_eq!(rest.status == Status::Refunded, left == payment.money.amount.minor());
    let facts = facts(database, payment).await;
    let given: f64 = facts.iter().filter(|(event, _)| event != "PaymentRefundFailed").map(|(_, amount)| amount).sum();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let left = left as f64 / 100.0;
    assert!((given - left).abs() < 0.001, "the events state {given} of {left}: {facts:?}");
    // The one event that has the seats released.
    let whole = facts.iter().filter(|(event, _)| event == "PaymentRefunded").count();
    assert_eq!(whole, usize::from(rest.status == Status::Refunded), "{facts:?}");
}

#[tokio::test]
async fn however_refunds_and_cancellations_meet_no_more_is_given_back_than_was_paid() {
    for_each_dynamodb(|database| async move {
        let mut runner = TestRunner::deterministic();
        for _ in 0..12 {
            let acts = acts().new_tree(&mut runner).unwrap().current();
            let desk = Desk::new(database.clone());
            let payment = desk.paid().await;
            let mut running = JoinSet::new();
            for act in acts.clone() {
                let (desk, payment) = (desk.clone(), payment.clone());
                running.spawn(async move { perform(&desk, &payment, act).await });
            }
            running.join_all().await;
            adds_up(&database, &desk, &payment).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_decided_on_an_older_look_or_beyond_the_sum_is_not_written() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.paid().await;
        let stale = desk.stored(&payment).await;
        part(&desk, &payment, "first", 6000).await.unwrap();
        let wanted = |minor| {
            let id = payment.id.refund("second");
            Refund::wanted(id, amount(minor), "asked for", RefundedBy::Request, Actor::System, Timestamp::now())
        };
        let asked = stale.ask_back(wanted(6000)).unwrap();
        assert_eq!(desk.store.ask_back(&stale, &asked).await.unwrap(), Written::Stale);
        // As if it had been decided on the payment as it is: refused by the sum and not by the version.
        let current = desk.stored(&payment).await;
        let too_much = Payment { refunds: [current.refunds.clone(), vec![wanted(6000)]].concat(), ..current.clone() };
        assert_eq!(desk.store.ask_back(&current, &too_much).await.unwrap(), Written::Stale);
        let enough = current.ask_back(wanted(3980)).unwrap();
        assert_eq!(desk.store.ask_back(&current, &enough).await.unwrap(), Written::Yes);
    })
    .await;
}

#[test]
fn a_refunds_id_follows_from_its_payment_and_name() {
    let (payment, other) = (TicketId::generate().payment(), TicketId::generate().payment());
    assert_eq!(payment.refund("key"), payment.refund("key"));
    assert_ne!(payment.refund("key"), payment.refund("another"));
    assert_ne!(payment.refund("key"), other.refund("key"));
    assert_eq!(payment.refund("key").to_string().parse(), Ok(payment.refund("key")));
}
