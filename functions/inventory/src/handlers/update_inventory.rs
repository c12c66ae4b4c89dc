//! Changes what an event is sold under.
//!
//! | | |
//! |---|---|
//! | trigger | `PUT /inventory/{id}` |
//! | reads | terms and shards (AP-10) |
//! | writes | terms, shards and names, in one transaction (AP-15) |
//! | emits | `InventoryUpdated` |
//! | safe to repeat | it says what shall be, not what to add; with `version`, only once |

use super::answer::{InventoryView, example, refine};
use crate::{App, domain::Revision};
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Changes what an event is sold under.
///
/// Absent fields keep their values. A new price applies to bookings from now on.
///
/// # Errors
/// When the body breaks a rule, there are fewer seats than are taken, or someone else changed it.
#[utoipa::path(
    put,
    path = "/inventory/{id}",
    operation_id = "update-inventory",
    tag = "inventory",
    params(("id" = inline(InventoryId), Path, description = "The event on sale")),
    request_body(content = Revision, example = json!({"totalSeats": 600, "price": 54.9, "version": 1})),
    responses(
        (status = 200, description = "The event as it is now", body = InventoryView, example = json!(example())),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no such event on sale"),
        (
            status = 409,
            description = "`INVENTORY_ALREADY_EXISTS`: another event on sale has the new name. `INVALID_INVENTORY`: more seats are taken \
                           than there would be. `VERSION_CONFLICT`: someone else changed it. `EVENT_CANCELLED`: its organiser cancelled it"
        )
    )
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    let revision: Revision = http::body(&request, refine)?;
    let inventory = app.store.update(id, &revision, &http::trace(&request)).await?;
    Answer::ok(&InventoryView::from(&inventory))
}
