//! Cancels an event: closes its sale at once, and has every booking cancelled and refunded.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/cancellation` |
//! | reads | the cancellation there is (AP-471), terms and shards (AP-10) |
//! | writes | the mark, the version on every shard and the walk's first run, in one transaction (AP-470); of one that is cancelled a new run (AP-472) |
//! | emits | `InventoryCancelled`, `CancellationStarted`, which starts the walk |
//! | safe to repeat | the first reason stands, and a booking is cancelled once; the walk is resumed if it has stopped |

use super::answer::{CancellationView, cancellation_example, id};
use crate::App;
use boxoffice_kernel::{InventoryId, Reason};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// Why the event is cancelled.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventCancellation {
    /// For the record; buyers are told that the event is cancelled.
    reason: Reason,
}

/// Cancels an event.
///
/// Nobody can book it from now on. Each booking is cancelled and refunded by its own saga, at the configured rate, and its buyer gets one message. Called again,
/// it resumes a walk that has stopped, and walks again over one that ended with cases.
///
/// # Errors
/// When there is no such event, or the body breaks a rule.
#[utoipa::path(
    post,
    path = "/inventory/{id}/cancellation",
    operation_id = "cancel-inventory",
    tag = "inventory",
    params(("id" = inline(InventoryId), Path, description = "The event on sale")),
    request_body(content = EventCancellation, example = json!({"reason": "The headliner is ill"})),
    responses(
        (
            status = 202,
            description = "The sale is closed, and the bookings are being cancelled",
            body = CancellationView,
            example = json!(cancellation_example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale")
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id = id(&request)?;
    let EventCancellation { reason } = http::body(&request, |_| None)?;
    let caller = http::caller(&request)?.user_id;
    let walk = app.store.cancel(id, &reason, caller, &http::trace(&request)).await?;
    Answer::accepted(&CancellationView::from(&walk))
}
