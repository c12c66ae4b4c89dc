//! Shows how far the cancellation of an event is, and its account when it is over.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/{id}/cancellation` |
//! | reads | the cancellation (AP-471) |

use super::answer::{CancellationView, cancellation_example, id};
use crate::App;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{Code, Problem, http::Answer};
use lambda_http::Request;

/// Shows the cancellation of an event.
///
/// The counts are those of the first pass over its bookings so far, then of the last complete one. At the end every booking is cancelled or a case.
///
/// # Errors
/// When the event was not cancelled.
#[utoipa::path(
    get,
    path = "/inventory/{id}/cancellation",
    operation_id = "get-cancellation",
    tag = "inventory",
    params(("id" = inline(InventoryId), Path, description = "The event on sale")),
    responses(
        (status = 200, description = "How far it is", body = CancellationView, example = json!(cancellation_example())),
        (status = 404, description = "`CANCELLATION_NOT_FOUND`: the event was not cancelled")
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let walk = app.store.cancellation(id(&request)?).await?;
    let walk = walk.ok_or_else(|| Problem::new(Code::CancellationNotFound, "No event with this id was cancelled."))?;
    Answer::ok(&CancellationView::from(&walk))
}
