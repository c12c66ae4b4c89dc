//! Reserves seats by hand, for a sponsor or a broken row: held until they are released by hand.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/reserve?quantity=`, `POST /inventory/event/{eventName}/reserve?quantity=` |
//! | reads | by name, the name (AP-11); terms and shards (AP-10) |
//! | writes | shards (AP-22) |
//! | emits | `InventoryReserved` |
//! | safe to repeat | no: each call reserves. Its answer shows the counts |

use super::answer::{InventoryView, named};
use crate::App;
use boxoffice_kernel::{Quantity, ReservationId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reserved {
    #[serde(flatten)]
    inventory: InventoryView,
    reservation_id: ReservationId,
}

/// Answers 200 with the inventory as it is now, and the reservation's id.
///
/// # Errors
/// When too few seats are available.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let quantity: Quantity = http::required_query(&request, "quantity", Code::InvalidQuantity)?;
    let id = named(app, &request).await?;
    let (inventory, reservation_id) = app.store.reserve_by_hand(id, quantity, &http::trace(&request)).await?;
    Answer::ok(&Reserved { inventory: InventoryView::from(&inventory), reservation_id })
}
