//! Replays onto a bus that records them, and reconciliations started on request.

use crate::fixture::{acts, ada, bus, everything_of, of_type, store, variable};
use boxoffice_kernel::ActId;
use boxoffice_operations::{
    Reconciler, Replayer,
    domain::Selector,
    reconciler::Scope,
    replayer::{ReplayError, Replayed},
};
use boxoffice_testing::{Database, Listener, Recorded, for_each_dynamodb, trace};
use serde_json::{Value, json};

/// A bus that takes all but the events of one aggregate.
fn bus_without(unwanted: Option<ActId>) -> Listener {
    let unwanted = unwanted.map(|act| act.to_string());
    Listener::answering(move |_, asked| {
        bus(asked, |entry| {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            unwanted.as_deref() != detail["metadata"]["aggregateId"].as_str()
        })
    })
}

fn replayer(database: &Database, bus: &Listener) -> Replayer {
    let sdk = bus.in_front_of(database.sdk_config(), &["PutEvents"]);
    Replayer::from_source(&sdk, |name| variable(database, name)).unwrap()
}

fn reconciler(database: &Database, lambda: &Listener) -> Reconciler {
    let sdk = lambda.in_front_of(database.sdk_config(), &["invocations"]);
    Reconciler::from_source(&sdk, |name| variable(database, name)).unwrap()
}

fn reconciliations() -> Selector {
    everything_of("ReconciliationRequested")
}

async fn replay(replayer: &Replayer, most: usize, page: Option<&Replayed>) -> Result<Replayed, ReplayError> {
    replayer.replay(&reconciliations(), most, page.and_then(|page| page.next.clone()), ada(), &trace()).await
}

fn heard(bus: &Listener) -> usize {
    bus.heard().iter().map(|(_, asked)| asked["Entries"].as_array().unwrap().len()).sum()
}

#[tokio::test]
async fn page_by_page_each_event_is_said_again_once() {
    for_each_dynamodb(|database| async move {
        let bus = bus_without(None);
        let replayer = replayer(&database, &bus);
        acts(&store(&database), 5).await;
        let first = replay(&replayer, 3, None).await.unwrap();
        assert_eq!((first.read, first.published), (3, 3));
        let mut page = first;
        while page.next.is_some() {
            page = replay(&replayer, 3, Some(&page)).await.unwrap();
        }
        assert_eq!(heard(&bus), 5);
        let said = of_type(&database, "EventsReplayed").await;
        assert_eq!(said.iter().map(Recorded::data).map(|act| act["published"].as_u64().unwrap()).sum::<u64>(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_rehearsal_counts_and_says_nothing() {
    for_each_dynamodb(|database| async move {
        let bus = bus_without(None);
        let replayer = replayer(&database, &bus);
        acts(&store(&database), 4).await;
        let page = replayer.rehearse(&reconciliations(), 3, None).await.unwrap();
        assert_eq!((page.read, page.matched, page.published), (3, 3, 0));
        let rest = replayer.rehearse(&reconciliations(), 100, page.next).await.unwrap();
        assert_eq!((rest.read, rest.matched, rest.next), (1, 1, None));
        assert_eq!((heard(&bus), database.events().await.len()), (0, 4));
    })
    .await;
}

#[tokio::test]
async fn events_that_the_bus_refuses_are_retried() {
    for_each_dynamodb(|database| async move {
        let acts = acts(&store(&database), 3).await;
        let bus = bus_without(Some(acts[1]));
        let outcome = replay(&replayer(&database, &bus), 100, None).await;
        let Err(ReplayError::Store(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("the bus did not take 1 of 3 events"), "{error}");
        let said = of_type(&database, "EventsReplayed").await;
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].data()["published"], 2, "the record counts the events that were replayed");
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_is_begun_and_who_began_it_is_on_record() {
    for_each_dynamodb(|database| async move {
        let lambda = Listener::default();
        let act = reconciler(&database, &lambda).start(Scope::All, ada(), &trace()).await.unwrap();
        let asked = json!({ "requestedBy": "cli:ada", "scope": "ALL" });
        assert_eq!(lambda.heard(), [("invocations".to_owned(), asked)]);
        assert_eq!(database.history(act).await, ["ReconciliationRequested"]);
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_that_cannot_be_begun_is_not_on_record() {
    for_each_dynamodb(|database| async move {
        let lambda = Listener::answering(|_, _| (400, json!({ "Type": "User", "message": "no such function" })));
        assert!(reconciler(&database, &lambda).start(Scope::Moved, ada(), &trace()).await.is_err());
        assert!(database.events().await.is_empty());
    })
    .await;
}
