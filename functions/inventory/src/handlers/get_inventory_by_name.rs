//! Shows the event on sale that has this name.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/event/{eventName}` |
//! | reads | the name (AP-11), then terms and shards (AP-10) |

use super::answer::{InventoryView, by_name, not_found};
use crate::App;
use boxoffice_runtime::{Problem, http::Answer};
use lambda_http::Request;

/// Answers 200 with the inventory.
///
/// # Errors
/// When there is none.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let id = by_name(app, &request).await?;
    let inventory = app.store.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&InventoryView::from(&inventory))
}
