//! Shows a booking's saga: its status, and each step with its times and errors.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /sagas/{ticketId}` |
//! | reads | the saga (AP-72) |

use crate::{
    SagaStore,
    domain::{Saga, Status},
};
use boxoffice_aws::journal::{Entry, Step};
use boxoffice_kernel::{SagaId, TicketId, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SagaView<'a> {
    saga_id: SagaId,
    ticket_id: TicketId,
    status: Status,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compensation_reason: Option<&'a str>,
    steps: Vec<StepView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepView<'a> {
    step_name: Step,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl<'a> From<&'a Saga> for SagaView<'a> {
    fn from(saga: &'a Saga) -> Self {
        let mut steps: Vec<_> = saga.steps.iter().map(|(step, entry)| StepView { step_name: *step, entry }).collect();
        steps.sort_by_key(|step| (step.entry.started_at, step.step_name));
        Self {
            saga_id: saga.ticket_id.saga(),
            ticket_id: saga.ticket_id,
            status: saga.status(),
            started_at: saga.started_at,
            completed_at: saga.completed_at(),
            compensation_reason: saga.compensation_reason(),
            steps,
        }
    }
}

/// Answers 200 with the saga.
///
/// # Errors
/// When there is none.
pub async fn handle(store: &SagaStore, request: Request) -> Result<Answer, Problem> {
    let ticket: TicketId = http::path(&request, "ticketId", Code::InvalidId)?;
    let saga = store.get(ticket).await?.ok_or_else(|| {
        Problem::new(
            Code::SagaNotFound,
            "This ticket has no saga. One starts a moment after booking: try again shortly.",
        )
    })?;
    Answer::ok(&SagaView::from(&saga))
}
