//! Shows an event on sale.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/{id}` |
//! | reads | terms and shards (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, id, not_found};
use crate::App;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// Shows an event on sale.
///
/// # Errors
/// When there is none.
#[utoipa::path(
    get,
    path = "/inventory/{id}",
    operation_id = "get-inventory",
    tag = "inventory",
    params(("id" = inline(InventoryId), Path, description = "The event on sale")),
    responses(
        (status = 200, description = "The event on sale", body = InventoryView, example = json!(example())),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale")
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let inventory = app.store.get(id(&request)?).await?.ok_or_else(not_found)?;
    Ok(Answer::ok(&InventoryView::from(&inventory))?.cached(CACHED_SECONDS))
}
