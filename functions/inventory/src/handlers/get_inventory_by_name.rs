//! Shows the event on sale that has this name.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/event/{eventName}` |
//! | reads | the name (AP-11), then terms and shards (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, id_by_name, not_found};
use crate::{App, EventName};
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// Shows the event on sale that has this name.
///
/// # Errors
/// When there is none.
#[utoipa::path(
    get,
    path = "/inventory/event/{eventName}",
    operation_id = "get-inventory-by-name",
    tag = "inventory",
    params(("eventName" = inline(EventName), Path, description = "The event's name")),
    responses(
        (status = 200, description = "The event on sale", body = InventoryView, example = json!(example())),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no event on sale has this name")
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id = id_by_name(app, &request).await?;
    let inventory = app.store.get(id).await?.ok_or_else(not_found)?;
    Ok(Answer::ok(&InventoryView::from(&inventory))?.cached(CACHED_SECONDS))
}
