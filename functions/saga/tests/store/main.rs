//! The sagas store and the journal, on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod lists;
mod redriving;
mod starts;
mod stuck;

use boxoffice_aws::{
    Journal, StoreError,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_kernel::{TicketId, Timestamp, UserId};
use boxoffice_saga::{
    SagaStore,
    domain::Status,
    handlers::claim_saga,
    store::{CallOff, TicketFacts},
};
use boxoffice_testing::{Database, Table, for_each_dynamodb};
use serde_json::json;
use tokio::task::JoinSet;

fn store(database: &Database) -> SagaStore {
    SagaStore::new(database.client(), database.table(Table::Sagas))
}

fn journal(database: &Database) -> Journal {
    Journal::new(database.client(), database.table(Table::Sagas))
}

/// One ticket's, with a buyer that follows from it.
fn booking(ticket: TicketId) -> TicketFacts {
    json!({ "ticketId": ticket, "userId": buyer(ticket), "quantity": 2, "totalAmount": 99.8 })
        .as_object()
        .unwrap()
        .clone()
}

fn buyer(ticket: TicketId) -> UserId {
    ticket.to_string().replace("tkt", "usr").parse().unwrap()
}

fn entry(status: StepStatus) -> Entry {
    let now = Timestamp::now();
    let (reason, error_code, error_message) = (None, None, None);
    Entry { status, attempt: 1, started_at: now, executed_at: now, reason, error_code, error_message }
}

async fn claim(store: &SagaStore, ticket: TicketId, execution: &str) -> bool {
    store.claim(ticket, &booking(ticket), execution, &entry(StepStatus::Completed)).await.unwrap()
}

#[tokio::test]
async fn a_booking_is_taken_on_by_one_execution_and_again_only_by_that_one() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        assert_eq!(store.get(ticket).await.unwrap(), None);
        assert!(claim(&store, ticket, "one").await);
        assert!(!claim(&store, ticket, "other").await);
        assert!(claim(&store, ticket, "one").await);

        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!((saga.ticket_id, saga.user_id, saga.status()), (ticket, buyer(ticket), Status::Started));
        assert_eq!(saga.steps.keys().copied().collect::<Vec<_>>(), [Step::ClaimSaga]);
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_executions_claims_the_booking() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        let mut running = JoinSet::new();
        for number in 0..8 {
            let store = store.clone();
            running.spawn(async move { claim(&store, ticket, &format!("execution-{number}")).await });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|claimed| *claimed).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_claim_by_another_execution_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        journal(&database).record(ticket, Step::VerifyHold, &entry(StepStatus::Completed)).await.unwrap();
        let before = store.get(ticket).await.unwrap();
        claim(&store, ticket, "other").await;
        assert_eq!(store.get(ticket).await.unwrap(), before);
    })
    .await;
}

#[tokio::test]
async fn a_booking_is_called_off_by_one_execution_and_again_only_by_that_one() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "forwards").await;
        let because = CallOff::BookingCancelled;
        for _ in 0..2 {
            // Without being told the booking's facts, since the claim left them.
            let facts = store.call_off(ticket, None, because, "back").await.unwrap();
            assert_eq!(facts, Some(booking(ticket)));
        }
        let other = store.call_off(ticket, Some(&booking(ticket)), CallOff::PaymentRefunded, "another").await.unwrap();
        assert_eq!(other, None);

        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!(saga.status(), Status::Compensating);
        assert_eq!(saga.compensation_reason(), Some("BookingCancelled"));
        assert!(saga.called_off_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_call_offs_wins() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "forwards").await;
        let mut running = JoinSet::new();
        for number in 0..6 {
            let store = store.clone();
            running.spawn(async move {
                let execution = format!("back-{number}");
                store.call_off(ticket, None, CallOff::BookingCancelled, &execution).await.unwrap().is_some()
            });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|mine| *mine).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_booking_called_off_before_its_saga_began_never_begins() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        let facts = store.call_off(ticket, Some(&booking(ticket)), CallOff::BookingCancelled, "back").await.unwrap();
        assert_eq!(facts, Some(booking(ticket)));
        assert!(!claim(&store, ticket, "forwards").await);
        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!((saga.ticket_id, saga.user_id, saga.status()), (ticket, buyer(ticket), Status::Compensating));
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_nobody_is_at_work_on_is_taken_back_whether_its_saga_ever_began_or_not() {
    for_each_dynamodb(|database| async move {
        for began in [false, true] {
            let (store, ticket) = (store(&database), TicketId::generate());
            if began {
                claim(&store, ticket, "forwards").await;
            }
            for (execution, direction) in [("back", "UNDO"), ("back", "UNDO"), ("another", "NOTHING")] {
                let start = json!({
                    "eventType": "TicketExpiryRequested",
                    "correlationId": "reconcile",
                    "data": booking(ticket),
                    "executionArn": execution,
                });
                let claim = claim_saga::run(&store, serde_json::from_value(start).unwrap()).await.unwrap();
                let claim = serde_json::to_value(claim).unwrap();
                assert_eq!(claim["direction"], direction, "{execution}, began: {began}");
                assert_eq!(claim["failure"]["error"], "HoldExpired");
            }
            let saga = store.get(ticket).await.unwrap().unwrap();
            assert_eq!(saga.compensation_reason(), Some("HoldExpired"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_booking_nobody_knows_of_cannot_be_called_off_yet() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        let refused = store.call_off(ticket, None, CallOff::PaymentRefunded, "back").await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(store.get(ticket).await.unwrap(), None);
        // It is worth trying again, and succeeds once the booking is taken on.
        claim(&store, ticket, "forwards").await;
        assert!(store.call_off(ticket, None, CallOff::PaymentRefunded, "back").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_claim_repeated_because_its_answer_was_lost_does_not_undo_a_call_off() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "forwards").await;
        store.call_off(ticket, None, CallOff::BookingCancelled, "back").await.unwrap();
        claim(&store, ticket, "forwards").await;
        let saga = store.get(ticket).await.unwrap().unwrap();
        assert!(saga.called_off_at.is_some(), "the repeated claim forgot that the booking was called off");
        let other = store.call_off(ticket, None, CallOff::PaymentRefunded, "another").await.unwrap();
        assert_eq!(other, None, "a second execution took over the compensation");
    })
    .await;
}

#[tokio::test]
async fn the_journal_shows_each_steps_last_run_and_the_status_follows() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        let status = async || store.get(ticket).await.unwrap().unwrap().status();

        let failed = Entry {
            error_code: Some("Transient".into()),
            error_message: Some("no answer".into()),
            ..entry(StepStatus::Failed)
        };
        journal.record(ticket, Step::InitiatePayment, &failed).await.unwrap();
        assert_eq!(status().await, Status::InProgress);
        let succeeded = Entry { attempt: 2, ..entry(StepStatus::Completed) };
        journal.record(ticket, Step::InitiatePayment, &succeeded).await.unwrap();
        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!(saga.steps[&Step::InitiatePayment], succeeded);

        journal.record(ticket, Step::ConfirmTicket, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!(status().await, Status::Completed);
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_turned_back_is_compensated_when_its_ticket_is_cancelled() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        let undone = Entry { reason: Some("PaymentDeclined".into()), ..entry(StepStatus::Compensated) };
        for (step, entry, status) in [
            (Step::InitiatePayment, entry(StepStatus::Failed), Status::InProgress),
            (Step::ReversePayment, undone.clone(), Status::Compensating),
            (Step::ReleaseHold, entry(StepStatus::Failed), Status::Compensating),
            (Step::RecordStuckBooking, entry(StepStatus::Completed), Status::NeedsAttention),
            (Step::ReleaseHold, undone.clone(), Status::NeedsAttention),
            (Step::CancelTicket, undone.clone(), Status::Compensated),
        ] {
            journal.record(ticket, step, &entry).await.unwrap();
            assert_eq!(store.get(ticket).await.unwrap().unwrap().status(), status, "{step}");
        }
        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!(saga.compensation_reason(), Some("PaymentDeclined"));
        assert_eq!(saga.completed_at(), Some(undone.executed_at));
    })
    .await;
}

#[tokio::test]
async fn steps_recorded_at_once_are_all_there() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        let mut running = JoinSet::new();
        for step in Step::ALL {
            let journal = journal(&database);
            running.spawn(async move { journal.record(ticket, step, &entry(StepStatus::Completed)).await.unwrap() });
        }
        running.join_all().await;
        let steps: Vec<Step> = store.get(ticket).await.unwrap().unwrap().steps.into_keys().collect();
        assert_eq!(steps, Step::ALL);
    })
    .await;
}
