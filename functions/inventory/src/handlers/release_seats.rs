//! Releases seats that were reserved by hand.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/release?quantity=`, `POST /inventory/event/{eventName}/release?quantity=` |
//! | reads | by name, the name (AP-11); terms and shards (AP-10); when refused, the key (AP-24) |
//! | writes | shards and key (AP-23) |
//! | emits | `InventoryReleased` |
//! | safe to repeat | with an `Idempotency-Key`, which is written with the seats; without one each call releases, but never more than was reserved |

use super::answer::{InventoryView, Moving, MovingKey, example, id, id_by_name, is_by_name, replayed, request_key};
use crate::{App, EventName, store::Origin};
use boxoffice_kernel::{InventoryId, Quantity};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the inventory as it is now.
///
/// # Errors
/// When fewer seats are reserved by hand, or the key was used for another request.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    if is_by_name(&request) { by_name(app, request).await } else { by_id(app, request).await }
}

/// Releases seats that were reserved by hand.
///
/// Seats of tickets are never released this way: those come back with their ticket.
#[utoipa::path(
    post,
    path = "/inventory/{id}/release",
    operation_id = "release-seats",
    tag = "inventory",
    params(
        ("id" = inline(InventoryId), Path, description = "The event on sale"),
        Moving,
        MovingKey
    ),
    responses(
        (
            status = 200,
            description = "The event as it is now",
            body = InventoryView,
            headers(("Idempotent-Replayed" = String, description = "`true` when an earlier call with this key moved the seats")),
            example = json!(example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (status = 409, description = "`INVALID_INVENTORY`: fewer seats are reserved by hand"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the caller used this key for another request")
    )
)]
pub(crate) async fn by_id(app: &App, request: Request) -> Result<Answer, Problem> {
    release(app, id(&request)?, request).await
}

/// Releases seats that were reserved by hand, of the event that has this name.
///
/// Seats of tickets are never released this way: those come back with their ticket.
#[utoipa::path(
    post,
    path = "/inventory/event/{eventName}/release",
    operation_id = "release-seats-by-name",
    tag = "inventory",
    params(
        ("eventName" = inline(EventName), Path, description = "The event's name"),
        Moving,
        MovingKey
    ),
    responses(
        (
            status = 200,
            description = "The event as it is now",
            body = InventoryView,
            headers(("Idempotent-Replayed" = String, description = "`true` when an earlier call with this key moved the seats")),
            example = json!(example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (status = 409, description = "`INVALID_INVENTORY`: fewer seats are reserved by hand"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the caller used this key for another request")
    )
)]
pub(crate) async fn by_name(app: &App, request: Request) -> Result<Answer, Problem> {
    release(app, id_by_name(app, &request).await?, request).await
}

async fn release(app: &App, id: InventoryId, request: Request) -> Result<Answer, Problem> {
    let quantity: Quantity = http::required_query(&request, "quantity", Code::InvalidQuantity)?;
    let (trace, key) = (http::trace(&request), request_key(&request)?);
    let moved = app.store.return_by_hand(id, quantity, Origin { trace: &trace, key: key.as_ref() }).await?;
    Ok(replayed(Answer::ok(&InventoryView::from(&moved.inventory))?, moved.replayed))
}
