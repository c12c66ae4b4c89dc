//! Shows an event on sale.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/{id}` |
//! | reads | terms and shards (AP-10) |

use super::answer::{InventoryView, not_found};
use crate::App;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the inventory.
///
/// # Errors
/// When there is none.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id = http::path(&request, "id", Code::InvalidId)?;
    let inventory = app.store.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&InventoryView::from(&inventory))
}
