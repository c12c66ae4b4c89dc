//! Reserves seats by hand, for a sponsor or a broken row: held until they are released by hand.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/reserve?quantity=`, `POST /inventory/event/{eventName}/reserve?quantity=` |
//! | reads | by name, the name (AP-11); terms and shards (AP-10); when refused, the key (AP-24) |
//! | writes | shards and key (AP-22) |
//! | emits | `InventoryReserved` |
//! | safe to repeat | with an `Idempotency-Key`, which is written with the seats; without one each call reserves |

use super::answer::{InventoryView, Moving, MovingKey, example, id, id_by_name, is_by_name, replayed, request_key};
use crate::{App, EventName, store::Origin};
use boxoffice_kernel::{InventoryId, Quantity, ReservationId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Serialize;

/// An event on sale, and the seats just reserved.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reserved {
    #[serde(flatten)]
    inventory: InventoryView,
    /// The reservation id of the seats' events.
    reservation_id: ReservationId,
}

/// The answer, for the API's document.
fn reserved_example() -> serde_json::Value {
    let mut reserved = example();
    if let Some(fields) = reserved.as_object_mut() {
        fields.insert("reservationId".into(), "rsv_01970000000070008000000000000009".into());
    }
    reserved
}

/// Answers 200 with the inventory as it is now, and the reservation's id.
///
/// # Errors
/// When too few seats are available, or the key was used for another request.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    if is_by_name(&request) { by_name(app, request).await } else { by_id(app, request).await }
}

/// Reserves seats by hand.
///
/// For a sponsor or a broken row: held until they are released by hand.
#[utoipa::path(
    post,
    path = "/inventory/{id}/reserve",
    operation_id = "reserve-seats",
    tag = "inventory",
    params(
        ("id" = inline(InventoryId), Path, description = "The event on sale"),
        Moving,
        MovingKey
    ),
    responses(
        (
            status = 200,
            description = "The event as it is now, and the reservation's id",
            body = Reserved,
            headers(("Idempotent-Replayed" = String, description = "`true` when an earlier call with this key moved the seats")),
            example = json!(reserved_example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (status = 409, description = "`INVENTORY_UNAVAILABLE`: not that many seats are left. `SALES_CLOSED`: the event has begun. `EVENT_CANCELLED`: its organiser cancelled it"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the caller used this key for another request")
    )
)]
pub(crate) async fn by_id(app: &App, request: Request) -> Result<Answer, Problem> {
    reserve(app, id(&request)?, request).await
}

/// Reserves seats by hand, of the event that has this name.
///
/// For a sponsor or a broken row: held until they are released by hand.
#[utoipa::path(
    post,
    path = "/inventory/event/{eventName}/reserve",
    operation_id = "reserve-seats-by-name",
    tag = "inventory",
    params(
        ("eventName" = inline(EventName), Path, description = "The event's name"),
        Moving,
        MovingKey
    ),
    responses(
        (
            status = 200,
            description = "The event as it is now, and the reservation's id",
            body = Reserved,
            headers(("Idempotent-Replayed" = String, description = "`true` when an earlier call with this key moved the seats")),
            example = json!(reserved_example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (status = 409, description = "`INVENTORY_UNAVAILABLE`: not that many seats are left. `SALES_CLOSED`: the event has begun. `EVENT_CANCELLED`: its organiser cancelled it"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the caller used this key for another request")
    )
)]
pub(crate) async fn by_name(app: &App, request: Request) -> Result<Answer, Problem> {
    reserve(app, id_by_name(app, &request).await?, request).await
}

async fn reserve(app: &App, id: InventoryId, request: Request) -> Result<Answer, Problem> {
    let quantity: Quantity = http::required_query(&request, "quantity", Code::InvalidQuantity)?;
    let (trace, key) = (http::trace(&request), request_key(&request)?);
    let moved = app.store.reserve_by_hand(id, quantity, Origin { trace: &trace, key: key.as_ref() }).await?;
    let reserved = Reserved { inventory: InventoryView::from(&moved.inventory), reservation_id: moved.reservation_id };
    Ok(replayed(Answer::ok(&reserved)?, moved.replayed))
}
