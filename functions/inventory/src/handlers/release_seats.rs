//! Releases seats that were reserved by hand.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/release?quantity=`, `POST /inventory/event/{eventName}/release?quantity=` |
//! | reads | by name, the name (AP-11); terms and shards (AP-10) |
//! | writes | shards (AP-23) |
//! | emits | `InventoryReleased` |
//! | safe to repeat | no: each call releases, but never more than was reserved by hand |

use super::answer::{InventoryView, named};
use crate::App;
use boxoffice_kernel::Quantity;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with the inventory as it is now.
///
/// # Errors
/// When fewer seats are reserved by hand.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let quantity: Quantity = http::required_query(&request, "quantity", Code::InvalidQuantity)?;
    let id = named(app, &request).await?;
    let inventory = app.store.return_by_hand(id, quantity, &http::trace(&request)).await?;
    Answer::ok(&InventoryView::from(&inventory))
}
