//! Has a booking taken back by force.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/sagas/{ticketId}/compensate` |
//! | reads | the saga (AP-72) |
//! | writes | the act (AP-150) |
//! | emits | `SagaCompensationRequested`, which starts the saga that undoes |
//! | safe to repeat | each call is an act; every step of the compensation is safe to repeat |

use super::answer::{SagaActView, Wish, requested};
use crate::Casework;
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// Has a booking taken back by force: refunded, its seats released, its ticket cancelled.
///
/// Allowed for every saga that is not `COMPENSATED`: confirmed, running or stuck.
///
/// # Errors
/// Unless there is such a saga and there is something left to take back.
#[utoipa::path(
    post,
    path = "/operations/sagas/{ticketId}/compensate",
    operation_id = "compensate-saga",
    tag = "operations",
    params(("ticketId" = inline(TicketId), Path, description = "The saga's ticket")),
    request_body(content = Wish, example = json!({"reason": "The hall is closed"})),
    responses(
        (
            status = 202,
            description = "It is requested, and goes on without the caller",
            body = inline(SagaActView),
            example = json!({
                "actId": "act_01970000000070008000000000000001",
                "ticketId": "tkt_01970000000070008000000000000001",
                "requestedBy": "usr_01970000000070008000000000000001",
                "reason": "The hall is closed"
            })
        ),
        (status = 404, description = "`SAGA_NOT_FOUND`: this ticket has no saga"),
        (status = 409, description = "`SAGA_ALREADY_COMPENSATED`: there is nothing left to take back")
    )
)]
pub async fn handle(casework: &Casework, request: Request) -> Result<Answer, Problem> {
    requested(&request, async |ticket, operator, reason, trace| {
        casework.compensate(ticket, operator, reason, trace).await
    })
    .await
}
