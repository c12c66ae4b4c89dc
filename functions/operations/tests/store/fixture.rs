//! The fixture of these tests.

use boxoffice_aws::{
    Journal,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_kernel::{ActId, Operator, TicketId, Timestamp, UserId};
use boxoffice_operations::{
    Casework, OperationsStore,
    domain::Selector,
    events::{ReconciliationRequested, stated},
};
use boxoffice_saga::SagaStore;
use boxoffice_testing::{Database, Recorded, Table, listener::Reply, trace};
use serde_json::{Value, json};

pub(crate) fn store(database: &Database) -> OperationsStore {
    OperationsStore::new(database.client(), database.table(Table::Events))
}

pub(crate) fn sagas(database: &Database) -> SagaStore {
    SagaStore::new(database.client(), database.table(Table::Sagas))
}

pub(crate) fn casework(database: &Database) -> Casework {
    Casework::new(sagas(database), store(database))
}

/// The environment of the functions, without queue URLs.
pub(crate) fn variable(database: &Database, name: &'static str) -> Result<String, &'static str> {
    match name {
        "EVENTS_TABLE" => Ok(database.table(Table::Events).to_owned()),
        "SAGAS_TABLE" => Ok(database.table(Table::Sagas).to_owned()),
        "EVENT_BUS" => Ok("a-bus".to_owned()),
        "PROJECT_EVENTS_FUNCTION" => Ok("project-events".to_owned()),
        "RECONCILE_FUNCTION" => Ok("reconcile".to_owned()),
        other => Err(other),
    }
}

/// The answer of a bus that accepts these of the events.
pub(crate) fn bus(asked: &Value, takes: impl Fn(&Value) -> bool) -> Reply {
    let result = |entry: &Value| {
        if takes(entry) { json!({ "EventId": "1" }) } else { json!({ "ErrorCode": "InternalFailure" }) }
    };
    (200, json!({ "Entries": asked["Entries"].as_array().unwrap().iter().map(result).collect::<Vec<_>>() }))
}

/// The events of this type.
pub(crate) async fn of_type(database: &Database, event_type: &str) -> Vec<Recorded> {
    database.events().await.into_iter().filter(|event| event.event_type == event_type).collect()
}

pub(crate) fn ada() -> Operator {
    Operator::Terminal("ada".parse().unwrap())
}

pub(crate) fn everything_of(event_type: &str) -> Selector {
    Selector { aggregate_id: None, event_type: event_type.parse().ok(), from: None, to: None }
}

pub(crate) fn entry(status: StepStatus) -> Entry {
    let now = Timestamp::now();
    let (reason, error_code, error_message) = (None, None, None);
    Entry { status, attempt: 1, started_at: now, executed_at: now, reason, error_code, error_message }
}

pub(crate) async fn saga(database: &Database, steps: &[(Step, StepStatus)]) -> TicketId {
    let ticket = TicketId::generate();
    let booking = json!({ "ticketId": ticket, "userId": UserId::generate() }).as_object().unwrap().clone();
    sagas(database).claim(ticket, &booking, "one", &entry(StepStatus::Completed)).await.unwrap();
    let journal = Journal::new(database.client(), database.table(Table::Sagas));
    for (step, status) in steps {
        journal.record(ticket, *step, &entry(*status)).await.unwrap();
    }
    ticket
}

/// So many acts, in order.
pub(crate) async fn acts(store: &OperationsStore, count: usize) -> Vec<ActId> {
    let mut acts = Vec::new();
    for _ in 0..count {
        let act_id = ActId::generate();
        store.record(&stated(ReconciliationRequested { act_id, requested_by: ada() }, &trace())).await.unwrap();
        acts.push(act_id);
    }
    acts
}
