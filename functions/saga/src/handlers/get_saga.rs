//! Shows a booking's saga: its status, and each step with its times and errors.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /sagas/{ticketId}` |
//! | reads | the saga (AP-72) |

use super::answer::SagaView;
use crate::SagaStore;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

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
            body = inline(SagaView),
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
            "This ticket has no saga yet. A saga starts within a moment of the booking: retry shortly.",
        )
    })?;
    http::caller(&request)?.may_act_for(saga.user_id)?;
    Answer::ok(&SagaView::from(&saga))
}
