//! Takes an event off sale.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /inventory/{id}` |
//! | reads | terms and shards (AP-10) |
//! | writes | marks the terms, frees the name, removes the shards, in one transaction (AP-16) |
//! | emits | `InventoryDeleted` |
//! | safe to repeat | the second call answers 404 |

use crate::App;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Takes an event off sale.
///
/// Its name is free again; its history stays.
///
/// # Errors
/// When there is no such event, or its seats are held or sold.
#[utoipa::path(
    delete,
    path = "/inventory/{id}",
    operation_id = "delete-inventory",
    tag = "inventory",
    params(("id" = inline(InventoryId), Path, description = "The event on sale")),
    responses(
        (status = 204, description = "It is off sale"),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (status = 409, description = "`INVENTORY_IN_USE`: seats are held or sold")
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    app.store.delete(id, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
