//! A saga as the API shows it.

use crate::domain::{Saga, Status};
use boxoffice_aws::journal::{Entry, Step};
use boxoffice_kernel::{SagaId, TicketId, Timestamp};
use serde::Serialize;

/// A saga, with its steps.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Saga)]
pub struct SagaView {
    saga_id: SagaId,
    ticket_id: TicketId,
    status: Status,
    started_at: Timestamp,
    /// When it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    completed_at: Option<Timestamp>,
    /// When an operator last had its undoing begun again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redriven_at: Option<Timestamp>,
    /// The error, or the wish, that made it turn back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "PaymentDeclined")]
    compensation_reason: Option<String>,
    /// The last run of each step that ran, in the order they began.
    steps: Vec<StepView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SagaStepRun)]
struct StepView {
    step_name: Step,
    #[serde(flatten)]
    entry: Entry,
}

impl From<&Saga> for SagaView {
    fn from(saga: &Saga) -> Self {
        let runs = saga.steps.iter().map(|(step, entry)| StepView { step_name: *step, entry: entry.clone() });
        let mut steps: Vec<_> = runs.collect();
        steps.sort_by_key(|step| (step.entry.started_at, step.step_name));
        Self {
            saga_id: saga.ticket_id.saga(),
            ticket_id: saga.ticket_id,
            status: saga.status(),
            started_at: saga.started_at,
            completed_at: saga.completed_at(),
            redriven_at: saga.redriven_at,
            compensation_reason: saga.compensation_reason().map(ToOwned::to_owned),
            steps,
        }
    }
}
