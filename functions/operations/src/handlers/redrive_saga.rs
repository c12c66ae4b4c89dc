//! Retries a stuck booking's compensation.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/sagas/{ticketId}/redrive` |
//! | reads | the saga (AP-72) |
//! | writes | the act (AP-150) |
//! | emits | `SagaRedriveRequested`, which starts the saga that undoes |
//! | safe to repeat | each call is an act; one execution takes a stuck saga over |

use super::answer::{SagaActView, Wish, requested};
use crate::Casework;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// Retries a stuck booking's compensation.
///
/// Allowed for a saga that is `NEEDS_ATTENTION`. Fix the cause first. Every step is safe to repeat.
///
/// # Errors
/// Unless there is such a saga and it is stuck.
#[utoipa::path(
    post,
    path = "/operations/sagas/{ticketId}/redrive",
    operation_id = "redrive-saga",
    tag = "operations",
    params(("ticketId" = inline(TicketId), Path, description = "The saga's ticket")),
    request_body(content = Wish, example = json!({"reason": "The provider answers again"})),
    responses(
        (
            status = 202,
            description = "It is requested, and goes on without the caller",
            body = inline(SagaActView),
            example = json!({
                "actId": "act_01970000000070008000000000000001",
                "ticketId": "tkt_01970000000070008000000000000001",
                "requestedBy": "usr_01970000000070008000000000000001",
                "reason": "The provider answers again"
            })
        ),
        (status = 404, description = "`SAGA_NOT_FOUND`: this ticket has no saga"),
        (status = 409, description = "`SAGA_NOT_STUCK`: it is not `NEEDS_ATTENTION`")
    )
)]
pub async fn handle(casework: &Casework, request: Request) -> Result<Answer, Problem> {
    requested(&request, async |ticket, operator, reason, trace| casework.redrive(ticket, operator, reason, trace).await)
        .await
}
