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

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Saga)]
struct SagaView<'a> {
    saga_id: SagaId,
    ticket_id: TicketId,
    status: Status,
    started_at: Timestamp,
    /// When it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    completed_at: Option<Timestamp>,
    /// The error, or the wish, that made it turn back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "PaymentDeclined")]
    compensation_reason: Option<&'a str>,
    /// The last run of each step that ran, in the order they began.
    steps: Vec<StepView<'a>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SagaStepRun)]
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

/// Shows the saga of a booking.
///
/// It is what gets a ticket paid and confirmed, or takes it back: its status, and the last run of each of its steps.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/sagas/{ticketId}",
    operation_id = "get-saga",
    tag = "sagas",
    params(("ticketId" = inline(TicketId), Path, description = "The ticket")),
    responses(
        (
            status = 200,
            description = "The saga",
            body = inline(SagaView<'_>),
            example = json!({
                "sagaId": "saga_01970000000070008000000000000001",
                "ticketId": "tkt_01970000000070008000000000000001",
                "status": "IN_PROGRESS",
                "startedAt": "2030-05-01T10:00:00.400Z",
                "steps": [
                    {
                        "stepName": "claim-saga",
                        "status": "COMPLETED",
                        "attempt": 1,
                        "startedAt": "2030-05-01T10:00:00.400Z",
                        "executedAt": "2030-05-01T10:00:00.430Z"
                    },
                    {
                        "stepName": "verify-hold",
                        "status": "COMPLETED",
                        "attempt": 1,
                        "startedAt": "2030-05-01T10:00:00.500Z",
                        "executedAt": "2030-05-01T10:00:00.520Z"
                    }
                ]
            })
        ),
        (status = 404, description = "`SAGA_NOT_FOUND`: there is none; one starts a moment after booking"),
    )
)]
pub async fn handle(store: &SagaStore, request: Request) -> Result<Answer, Problem> {
    let ticket: TicketId = http::path(&request, "ticketId", Code::InvalidId)?;
    let saga = store.get(ticket).await?.ok_or_else(|| {
        Problem::new(
            Code::SagaNotFound,
            "This ticket has no saga. One starts a moment after booking: try again shortly.",
        )
    })?;
    http::caller(&request)?.may_act_for(saga.user_id)?;
    Answer::ok(&SagaView::from(&saga))
}
