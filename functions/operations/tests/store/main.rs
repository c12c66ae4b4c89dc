//! Acts and events on a real event store, and cases on real sagas. Each act is held against its contract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use boxoffice_aws::{
    Journal,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_booking::SagaStore;
use boxoffice_kernel::{ActId, TicketId, Timestamp, Trace, UserId};
use boxoffice_operations::{
    Casework, OperationsStore,
    casework::CaseError,
    domain::{Operator, Queue, Refusal, Selector},
    events::{DeadLettersRedriven, EventsReplayed, ReconciliationRequested, stated},
    letters::EventKey,
};
use boxoffice_testing::{Database, Table, for_each_dynamodb};
use serde_json::json;

fn store(database: &Database) -> OperationsStore {
    OperationsStore::new(database.client(), database.table(Table::Events))
}

fn sagas(database: &Database) -> SagaStore {
    SagaStore::new(database.client(), database.table(Table::Sagas))
}

fn casework(database: &Database) -> Casework {
    Casework::new(sagas(database), store(database))
}

fn trace() -> Trace {
    Trace { correlation_id: "c".parse().unwrap(), causation_id: "r".into() }
}

fn ada() -> Operator {
    Operator::Terminal("ada".parse().unwrap())
}

fn everything_of(event_type: &str) -> Selector {
    Selector { aggregate_id: None, event_type: event_type.parse().ok(), from: None, to: None }
}

fn entry(status: StepStatus) -> Entry {
    let now = Timestamp::now();
    let (reason, error_code, error_message) = (None, None, None);
    Entry { status, attempt: 1, started_at: now, executed_at: now, reason, error_code, error_message }
}

async fn saga(database: &Database, steps: &[(Step, StepStatus)]) -> TicketId {
    let ticket = TicketId::generate();
    let booking = json!({ "ticketId": ticket, "userId": UserId::generate() }).as_object().unwrap().clone();
    sagas(database).claim(ticket, &booking, "one", &entry(StepStatus::Completed)).await.unwrap();
    let journal = Journal::new(database.client(), database.table(Table::Sagas));
    for (step, status) in steps {
        journal.record(ticket, *step, &entry(*status)).await.unwrap();
    }
    ticket
}

#[tokio::test]
async fn every_act_is_recorded_with_who_did_it() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let [redriven, replayed, reconciled] = [(); 3].map(|()| ActId::generate());
        let queue = Queue::SagaStartDeadLetters;
        let act = DeadLettersRedriven { act_id: redriven, requested_by: ada(), queue, moved: 3, failed: 1 };
        store.record(&stated(act, &trace())).await.unwrap();
        let selector = Selector { from: Some(Timestamp::now()), ..everything_of("TicketCreated") };
        let act = EventsReplayed { act_id: replayed, requested_by: ada(), selector, published: 2 };
        let act = stated(act, &trace());
        // Again, as when an answer was lost.
        for _ in 0..2 {
            store.record(&act).await.unwrap();
        }
        let requested_by = Operator::User(UserId::generate());
        let act = ReconciliationRequested { act_id: reconciled, requested_by: requested_by.clone() };
        store.record(&stated(act, &trace())).await.unwrap();

        assert_eq!(database.history(redriven).await.len(), 1);
        assert_eq!(database.events_of(redriven).await[0].data()["requestedBy"], "cli:ada");
        assert_eq!(database.history(replayed).await.len(), 1);
        assert_eq!(database.events_of(reconciled).await[0].data()["requestedBy"], requested_by.to_string());
    })
    .await;
}

#[tokio::test]
async fn only_a_stuck_saga_is_redriven_and_the_wish_is_on_its_way_to_the_bus() {
    for_each_dynamodb(|database| async move {
        let casework = casework(&database);
        let stuck = [(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)];
        let (stuck, running) = (saga(&database, &stuck).await, saga(&database, &[]).await);
        let redrive = async |ticket| casework.redrive(ticket, ada(), "repaired".parse().unwrap(), &trace()).await;

        let act = redrive(stuck).await.unwrap();
        let event = database.events_of(act).await.remove(0);
        assert_eq!(
            event.data(),
            json!({ "actId": act, "requestedBy": "cli:ada", "ticketId": stuck, "reason": "repaired" })
        );
        let refused = redrive(running).await;
        assert!(matches!(refused, Err(CaseError::Refused(Refusal::NotStuck(_)))), "{refused:?}");
        let refused = redrive(TicketId::generate()).await;
        assert!(matches!(refused, Err(CaseError::NoSaga)), "{refused:?}");
        assert_eq!(database.events().await.len(), 1, "a refusal leaves no act");
    })
    .await;
}

#[tokio::test]
async fn by_force_any_saga_is_taken_back_but_one_that_is() {
    for_each_dynamodb(|database| async move {
        let casework = casework(&database);
        let confirmed = saga(&database, &[(Step::ConfirmTicket, StepStatus::Completed)]).await;
        let over = saga(&database, &[(Step::CancelTicket, StepStatus::Compensated)]).await;
        let compensate = async |ticket| casework.compensate(ticket, ada(), "closed".parse().unwrap(), &trace()).await;
        let act = compensate(confirmed).await.unwrap();
        assert_eq!(database.events_of(act).await[0].data()["ticketId"], confirmed.to_string());
        let refused = compensate(over).await;
        assert!(matches!(refused, Err(CaseError::Refused(Refusal::Compensated))), "{refused:?}");
    })
    .await;
}

/// So many acts, in order.
async fn acts(store: &OperationsStore, count: usize) -> Vec<ActId> {
    let mut acts = Vec::new();
    for _ in 0..count {
        let act_id = ActId::generate();
        store.record(&stated(ReconciliationRequested { act_id, requested_by: ada() }, &trace())).await.unwrap();
        acts.push(act_id);
    }
    acts
}

/// Everything that is meant, read in pages of this size, and how many pages that took.
async fn read_all(store: &OperationsStore, meant: &Selector, most: usize) -> (Vec<String>, usize) {
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let reading = store.read(meant, most, after).await.unwrap();
        assert!(reading.read <= most, "a page read more than it may");
        pages += 1;
        found.extend(reading.events.into_iter().map(|event| event.aggregate_id));
        after = reading.after;
        if after.is_none() {
            found.sort();
            return (found, pages);
        }
    }
}

#[tokio::test]
async fn events_are_read_again_by_aggregate_by_type_and_by_time() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let before = acts(&store, 4).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let then = Timestamp::now();
        let after = acts(&store, 3).await;
        let other = ActId::generate();
        let queue = Queue::StuckBookings;
        let act = DeadLettersRedriven { act_id: other, requested_by: ada(), queue, moved: 0, failed: 0 };
        store.record(&stated(act, &trace())).await.unwrap();

        let texts = |acts: &[ActId]| {
            let mut texts: Vec<String> = acts.iter().map(ToString::to_string).collect();
            texts.sort();
            texts
        };
        let (by_type, pages) = read_all(&store, &everything_of("ReconciliationRequested"), 3).await;
        assert_eq!(by_type, texts(&[before.clone(), after.clone()].concat()));
        assert!(pages >= 3, "it took {pages} pages");
        let since = Selector { from: Some(then), ..everything_of("ReconciliationRequested") };
        assert_eq!(read_all(&store, &since, 100).await.0, texts(&after));
        let until = Selector { to: Some(then), event_type: None, ..since.clone() };
        let until = Selector { from: None, ..until };
        assert_eq!(read_all(&store, &until, 100).await.0, texts(&before));
        let one = Selector { aggregate_id: other.to_string().parse().ok(), event_type: None, from: None, to: None };
        assert_eq!(read_all(&store, &one, 100).await.0, texts(&[other]));
    })
    .await;
}

#[tokio::test]
async fn an_event_is_found_by_its_key_and_what_is_none_says_why() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let act = acts(&store, 1).await.remove(0);
        let key = |aggregate: &str, version| EventKey { aggregate_id: aggregate.to_owned(), version };
        let event = store.event(&key(&act.to_string(), 1)).await.unwrap().unwrap().unwrap();
        assert_eq!(event.event_type, "ReconciliationRequested");
        assert_eq!(event.sequence_number, format!("{act}/1"), "its place is its key");
        assert!(store.event(&key(&act.to_string(), 2)).await.unwrap().is_none());
    })
    .await;
}
