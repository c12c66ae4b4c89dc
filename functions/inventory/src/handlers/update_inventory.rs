//! Changes what an event is sold under.
//!
//! | | |
//! |---|---|
//! | trigger | `PUT /inventory/{id}` |
//! | reads | terms and shards (AP-10) |
//! | writes | terms, shards and names, in one transaction (AP-15) |
//! | emits | `InventoryUpdated` |
//! | safe to repeat | it says what shall be, not what to add; with `version`, only once |

use super::answer::{InventoryView, refine};
use crate::{App, domain::Revision};
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the inventory as it is now.
///
/// # Errors
/// When the body breaks a rule, there are fewer seats than are taken, or someone else changed it.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    let revision: Revision = http::body(&request, refine)?;
    let inventory = app.store.update(id, &revision, &http::trace(&request)).await?;
    Answer::ok(&InventoryView::from(&inventory))
}
