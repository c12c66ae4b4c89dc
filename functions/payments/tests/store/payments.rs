//! Payments and their instructions: AP-30 to AP-37.

use crate::fixture::{instruction, pending, store, void};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_payments::{Instruction, PaymentStore, domain::Payment, events::RefundedBy};
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use serde_json::json;

async fn advance(store: &PaymentStore, before: &Payment, after: &Payment) -> Written {
    store.advance(before, after, None, RefundedBy::Saga, &trace()).await.unwrap()
}

/// Leaves an instruction as the booking does.
async fn instruct(database: &boxoffice_testing::Database, ticket: TicketId, instruction: &Instruction) {
    let put = PaymentStore::instruct(database.table(Table::Payments), ticket, instruction).unwrap();
    boxoffice_aws::Transaction::new().put((), put).commit(&database.client()).await.unwrap();
}

#[tokio::test]
async fn a_payment_is_created_once_for_its_ticket() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let payment = pending();
        assert_eq!(store.get(payment.id).await.unwrap(), None);
        assert_eq!(store.create(&payment, &trace()).await.unwrap(), Written::Yes);
        let other = Payment { user_id: boxoffice_kernel::UserId::generate(), ..payment.clone() };
        assert_eq!(store.create(&other, &trace()).await.unwrap(), Written::Stale);
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
async fn of_two_who_create_a_payment_at_once_one_does() {
    for_each_dynamodb(|database| async move {
        let (store, payment, trace) = (store(&database), pending(), trace());
        let (a, b) = tokio::join!(store.create(&payment, &trace), store.create(&payment, &trace));
        let mut written = [a.unwrap(), b.unwrap()];
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
        store.create(&payment, &trace()).await.unwrap();
        let started = payment.start(payment.method, now).unwrap();
        let paid = started.succeed(now).unwrap();
        let refunded = paid.refund("asked for".into(), now).unwrap();
        for (before, after) in [(&payment, &started), (&started, &paid), (&paid, &refunded)] {
            assert_eq!(advance(&store, before, after).await, Written::Yes);
            assert_eq!(store.get(payment.id).await.unwrap().as_ref(), Some(after));
        }
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
        store.create(&payment, &trace()).await.unwrap();
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
async fn of_paying_and_expiring_at_once_one_wins() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        for _ in 0..5 {
            let payment = pending();
            store.create(&payment, &trace()).await.unwrap();
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
async fn a_payment_that_never_was_stands_in_the_way_of_one_that_comes_too_late() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let late = pending();
        let tombstone = void(&late);
        assert_eq!(store.create(&tombstone, &trace()).await.unwrap(), Written::Yes);
        assert_eq!(store.create(&late, &trace()).await.unwrap(), Written::Stale);
        assert_eq!(store.get(late.id).await.unwrap(), Some(tombstone));
        assert_eq!(database.history(late.id).await, ["PaymentExpired"]);
    })
    .await;
}

#[tokio::test]
async fn what_to_charge_is_kept_while_it_may_be_needed_and_forgotten_when_settled() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let endings: [fn(&Payment, Timestamp) -> Payment; 3] = [
            |payment, now| payment.succeed(now).unwrap(),
            |payment, now| payment.fail("declined".into(), now).unwrap(),
            |payment, now| payment.expire("late".into(), now).unwrap(),
        ];
        for end in endings {
            let payment = pending();
            let (booked, named) = (instruction("pm_booked"), instruction("pm_named_later"));
            instruct(&database, payment.ticket_id, &booked).await;
            store.create(&payment, &trace()).await.unwrap();
            assert_eq!(store.instruction(payment.id).await.unwrap().as_ref(), Some(&booked));

            let started = payment.start(payment.method, now).unwrap();
            store.advance(&payment, &started, Some(&named), RefundedBy::Saga, &trace()).await.unwrap();
            assert_eq!(store.instruction(payment.id).await.unwrap(), Some(named));

            assert_eq!(advance(&store, &started, &end(&started, now)).await, Written::Yes);
            assert_eq!(store.instruction(payment.id).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn what_to_charge_is_forgotten_too_when_the_payment_is_void_from_the_start() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let payment = pending();
        instruct(&database, payment.ticket_id, &instruction("pm_booked")).await;
        store.create(&void(&payment), &trace()).await.unwrap();
        assert_eq!(store.instruction(payment.id).await.unwrap(), None, "the token outlives a payment that is settled");
    })
    .await;
}

#[tokio::test]
async fn the_providers_id_is_remembered_only_while_charging_and_never_replaced() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let (intent, other) = ("pi_1".parse().unwrap(), "pi_2".parse().unwrap());
        let payment = pending();
        store.create(&payment, &trace()).await.unwrap();
        assert_eq!(store.remember_intent(&payment, &intent).await.unwrap(), Written::Stale);

        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        for _ in 0..2 {
            assert_eq!(store.remember_intent(&started, &intent).await.unwrap(), Written::Yes);
        }
        assert_eq!(store.remember_intent(&started, &other).await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().intent.as_ref(), Some(&intent));

        // Whoever decided without knowing of it must look again: the provider may be charging by it.
        let unasked = started.expire("late".into(), now).unwrap();
        let written = store.advance(&started, &unasked, None, RefundedBy::Saga, &trace()).await.unwrap();
        assert_eq!(written, Written::Stale);

        // It stays through what follows, which is how a refund finds it.
        let known = store.get(payment.id).await.unwrap().unwrap();
        advance(&store, &known, &known.succeed(now).unwrap()).await;
        assert_eq!(store.remember_intent(&started, &intent).await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap().unwrap().intent, Some(intent));
    })
    .await;
}

#[tokio::test]
async fn word_is_left_only_with_a_payment_that_is_not_settled() {
    for_each_dynamodb(|database| async move {
        let (store, now) = (store(&database), Timestamp::now());
        let payment = pending();
        assert_eq!(store.leave_word(payment.id, "token-0").await.unwrap(), Written::Stale);
        assert_eq!(store.get(payment.id).await.unwrap(), None, "leaving word made a payment");
        store.create(&payment, &trace()).await.unwrap();
        assert_eq!(store.task_token(payment.id).await.unwrap(), None);
        assert_eq!(store.leave_word(payment.id, "token-1").await.unwrap(), Written::Yes);

        let started = payment.start(payment.method, now).unwrap();
        advance(&store, &payment, &started).await;
        assert_eq!(store.leave_word(payment.id, "token-2").await.unwrap(), Written::Yes);
        advance(&store, &started, &started.succeed(now).unwrap()).await;
        assert_eq!(store.leave_word(payment.id, "token-3").await.unwrap(), Written::Stale);
        assert_eq!(store.task_token(payment.id).await.unwrap().as_deref(), Some("token-2"));
    })
    .await;
}
