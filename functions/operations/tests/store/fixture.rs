//! What every test here begins with.

use boxoffice_aws::{
    Journal,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_booking::SagaStore;
use boxoffice_kernel::{ActId, TicketId, Timestamp, Trace, UserId};
use boxoffice_operations::{
    Casework, OperationsStore,
    domain::{Operator, Selector},
    events::{ReconciliationRequested, stated},
};
use boxoffice_testing::{Database, Table};
use serde_json::json;

pub(crate) fn store(database: &Database) -> OperationsStore {
    OperationsStore::new(database.client(), database.table(Table::Events))
}

pub(crate) fn sagas(database: &Database) -> SagaStore {
    SagaStore::new(database.client(), database.table(Table::Sagas))
}

pub(crate) fn casework(database: &Database) -> Casework {
    Casework::new(sagas(database), store(database))
}

pub(crate) fn trace() -> Trace {
    Trace { correlation_id: "c".parse().unwrap(), causation_id: "r".into() }
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
