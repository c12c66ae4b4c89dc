//! Payments and their instructions: AP-30 to AP-37.

use crate::fixture::{card, initiate, instruction, pending, store};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{Actor, Timestamp};
use boxoffice_payments::{
    PaymentStore,
    domain::{Method, NextAction, Payment, Status, Tried},
    events::RefundedBy,
    gateway::Moved,
    refund::{Fact, Refund, Seen, State},
};
use boxoffice_testing::{for_each_dynamodb, trace};
use serde_json::json;

async fn advance(store: &PaymentStore, before: &Payment, after: &Payment) -> Written {
    store.advance(before, after, None, &trace()).await.unwrap()
}

/// A charged payment with a refund of all of it asked for, the same given back, and the fact that is.
fn given_back(paid: &Payment) -> (Payment, Payment, Fact) {
    let (id, amount, now) = (paid.id.refund("whole"), paid.money.amount, Timestamp::now());
    let refund = Refund::wanted(id, amount, "asked for", RefundedBy::Saga, Actor::System, now);
    let asked = paid.ask_back(refund).unwrap();
    let id = "re_1".parse().unwrap();
    let ours = Some((asked.refunds[0].id, 1));
    let seen = Seen { id, ours, amount, state: State::Succeeded, failure_reason: None };
    let (refunded, fact) = asked.take_in(&Moved { refunds: vec![seen], ..Moved::default() }, now).unwrap().unwrap();
    (asked, refunded, fact)
}

#[tokio::test]
async fn a_payment_is_created_once_for_its_ticket() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let payment = pending();
        assert_eq!(store.get(payment.id).await.unwrap(), None);
        assert_eq!(initiate(&database, &payment, None).await, Written::Yes);
        let other = Payment { user_id: boxoffice_kernel::UserId::generate(), ..payment.clone() };
        assert_eq!(initiate(&database, &other, None).await, Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap().as_ref(), Some(&payment));

        let events = database.events_of(payment.id).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].event_type, "PaymentInitiated");
        assert_eq!(
            events[0].data(),
            json!({
                "paymentId": payment.id,
                "ticketId": payment.ticket_id,
                "userId": payment.user_id,
                "amount": 99.8,
                "currency": "EUR",
                "paymentMethod": "CREDIT_CARD",
                "transactionId": payment.id.transaction(),
            })
        );
    })
    .await;
}

#[tokio::test]
async fn one_of_two_concurrent_creations_of_a_payment_wins() {
    for_each_dynamodb(|database| async move {
        let payment = pending();
        let (a, b) = tokio::join!(initiate(&database, &payment, None), initiate(&database, &payment, None));
        let mut written = [a, b];
        written.sort_by_key(|written| *written == Written::Stale);
        assert_eq!(written, [Written::Yes, Written::Stale]);
    })
    .await;
}

#[tokio::test]
async fn a_payments_life_is_stated_step_by_step() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let payment = pending();
        initiate(&database, &payment, None).await;
        let started = payment.start(payment.method, now).unwrap();
        let paid = started.succeed(now).unwrap();
        for (before, after) in [(&payment, &started), (&started, &paid)] {
            assert_eq!(advance(&store, before, after).await, Written::Yes);
            assert_eq!(store.get(payment.id).await.unwrap().as_ref(), Some(after));
        }
        let (asked, refunded, fact) = given_back(&paid);
        assert_eq!(store.ask_back(&paid, &asked).await.unwrap(), Written::Yes);
        assert_eq!(store.get(payment.id).await.unwrap().as_ref(), Some(&asked));
        assert_eq!(store.record(&asked, &refunded, &fact, &trace()).await.unwrap(), Written::Yes);
        assert_eq!(store.get(payment.id).await.unwrap().as_ref(), Some(&refunded));
        let history = database.history(payment.id).await;
        assert_eq!(history, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted", "PaymentRefunded"]);
        let last = database.events_of(payment.id).await.pop().unwrap().data();
        assert_eq!((&last["refundReason"], &last["refundedBy"]), (&json!("asked for"), &json!("SAGA")));
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_was_moved_in_between_is_not_moved_again_and_nothing_is_stated() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let payment = pending();
        initiate(&database, &payment, None).await;
        let started = payment.start(payment.method, now).unwrap();
        let expired = payment.expire("HoldExpired".into(), now).unwrap();
        assert_eq!(advance(&store, &payment, &started).await, Written::Yes);
        assert_eq!(advance(&store, &payment, &expired).await, Written::Stale);
        assert_eq!(advance(&store, &payment, &started).await, Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap(), Some(started));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing"]);
    })
    .await;
}

#[tokio::test]
async fn paying_and_expiring_at_once_has_one_winner() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        for _ in 0..5 {
            let payment = pending();
            initiate(&database, &payment, None).await;
            let started = payment.start(payment.method, now).unwrap();
            let expired = payment.expire("HoldExpired".into(), now).unwrap();
            let (paying, expiring) =
                tokio::join!(advance(&store, &payment, &started), advance(&store, &payment, &expired));
            let winner = match (paying, expiring) {
                (Written::Yes, Written::Stale) => started,
                (Written::Stale, Written::Yes) => expired,
                both => panic!("{both:?}"),
            };
            assert_eq!(store.get(payment.id).await.unwrap(), Some(winner));
        }
    })
    .await;
}

#[tokio::test]
async fn the_payment_method_is_kept_until_the_payment_settles() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let endings: [fn(&Payment, Timestamp) -> Payment; 3] = [
            |payment, now| payment.succeed(now).unwrap(),
            |payment, now| payment.decline("declined".into(), now).unwrap(),
            |payment, now| payment.expire("late".into(), now).unwrap(),
        ];
        for end in endings {
            let payment = pending();
            let (booked, named) = (instruction("pm_booked"), instruction("pm_named_later"));
            initiate(&database, &payment, Some(&booked)).await;
            assert_eq!(store.instruction(payment.id).await.unwrap().as_ref(), Some(&booked));

            let started = payment.start(payment.method, now).unwrap();
            store.advance(&payment, &started, Some(&named), &trace()).await.unwrap();
            assert_eq!(store.instruction(payment.id).await.unwrap(), Some(named));

            assert_eq!(advance(&store, &started, &end(&started, now)).await, Written::Yes);
            assert_eq!(store.instruction(payment.id).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn the_providers_id_is_remembered_only_while_charging_and_never_replaced() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let (intent, other) = ("pi_1".parse().unwrap(), "pi_2".parse().unwrap());
        let tried = Tried::of(&card("pm_card"), Method::CreditCard);
        let payment = pending();
        initiate(&database, &payment, None).await;
        assert_eq!(store.remember_intent(&payment, &intent, &tried).await.unwrap(), Written::Stale);

        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        for _ in 0..2 {
            assert_eq!(store.remember_intent(&started, &intent, &tried).await.unwrap(), Written::Yes);
        }
        assert_eq!(store.remember_intent(&started, &other, &tried).await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().intent.as_ref(), Some(&intent));

        // A decision made without it must be made anew: the provider may be charging by it.
        let unasked = started.expire("late".into(), now).unwrap();
        let written = store.advance(&started, &unasked, None, &trace()).await.unwrap();
        assert_eq!(written, Written::Stale);

        // It stays through what follows, which is how a refund finds it.
        let known = store.get(payment.id).await.unwrap().unwrap();
        advance(&store, &known, &known.succeed(now).unwrap()).await;
        assert_eq!(store.remember_intent(&started, &intent, &tried).await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().intent, Some(intent));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_forgets_the_intent_of_the_one_before_and_is_not_given_its_intent_late() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let (first, second) = ("pi_1".parse().unwrap(), "pi_2".parse().unwrap());
        let tried = Tried::of(&card("pm_card"), Method::CreditCard);
        let payment = pending();
        initiate(&database, &payment, None).await;
        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        store.remember_intent(&started, &first, &tried).await.unwrap();
        let known = store.get(payment.id).await.unwrap().unwrap();
        let declined = known.decline("card_declined".into(), now).unwrap();
        assert_eq!(advance(&store, &known, &declined).await, Written::Yes);
        assert_eq!(store.get(payment.id).await.unwrap(), Some(declined.clone()));
        assert_eq!((declined.status, declined.intent.clone()), (Status::Pending, None));

        let again = declined.start(payment.method, now).unwrap();
        assert_eq!(advance(&store, &declined, &again).await, Written::Yes);
        // Somebody who still works on the first attempt.
        assert_eq!(store.remember_intent(&started, &first, &tried).await.unwrap(), Written::Stale);
        assert_eq!(store.remember_intent(&again, &second, &tried).await.unwrap(), Written::Yes);
        let history = database.history(payment.id).await;
        assert_eq!(history, ["PaymentInitiated", "PaymentProcessing", "PaymentFailed", "PaymentProcessing"]);
        let failed = &database.events_of(payment.id).await[2];
        assert_eq!(failed.data()["triesLeft"], 4);
    })
    .await;
}

#[tokio::test]
async fn a_next_action_is_kept_while_the_attempt_lasts() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let payment = pending();
        initiate(&database, &payment, None).await;
        let action = NextAction { redirect_url: Some("https://bank.example".into()), client_secret: "secret".into() };
        assert_eq!(store.remember_action(&payment, &action).await.unwrap(), Written::Stale);
        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        assert_eq!(store.remember_action(&started, &action).await.unwrap(), Written::Yes);
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().next_action, Some(action.clone()));
        advance(&store, &started, &started.expire("HoldExpired".into(), now).unwrap()).await;
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().next_action, None);
        for event in database.events().await {
            assert!(!event.detail.contains("secret"), "{} tells the secret", event.event_type);
        }
    })
    .await;
}

#[tokio::test]
async fn word_is_left_only_with_a_payment_that_is_not_settled() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let payment = pending();
        assert_eq!(store.store_task_token(payment.id, "token-0").await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap(), None, "leaving word made a payment");
        initiate(&database, &payment, None).await;
        assert_eq!(store.task_token(payment.id).await.unwrap(), None);
        assert_eq!(store.store_task_token(payment.id, "token-1").await.unwrap(), Written::Yes);

        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        assert_eq!(store.store_task_token(payment.id, "token-2").await.unwrap(), Written::Yes);
        advance(&store, &started, &started.succeed(now).unwrap()).await;
        assert_eq!(store.store_task_token(payment.id, "token-3").await.unwrap(), Written::Stale);
        assert_eq!(store.task_token(payment.id).await.unwrap().as_deref(), Some("token-2"));
    })
    .await;
}
