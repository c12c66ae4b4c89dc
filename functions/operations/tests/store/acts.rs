//! Records of operators' acts, and replays.

use crate::fixture::{acts, ada, everything_of, store};
use boxoffice_kernel::{ActId, Operator, Timestamp, UserId};
use boxoffice_operations::{
    OperationsStore,
    domain::{Queue, Selector},
    events::{DeadLettersRedriven, EventsReplayed, ReconciliationRequested, stated},
    letters::EventKey,
};
use boxoffice_testing::{for_each_dynamodb, trace};

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

/// An instant after all that happened so far: times are kept in milliseconds.
fn a_moment_later() -> Timestamp {
    let now = Timestamp::now();
    std::iter::repeat_with(Timestamp::now).find(|later| *later > now).unwrap()
}

#[tokio::test]
async fn events_are_read_again_by_aggregate_by_type_and_by_time() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let before = acts(&store, 4).await;
        let then = a_moment_later();
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
