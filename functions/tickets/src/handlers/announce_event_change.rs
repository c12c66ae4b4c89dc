//! Tells the buyers of an event that it was renamed or moved: each live ticket, one by one.
//!
//! | | |
//! |---|---|
//! | trigger | `InventoryUpdated` on the bus, where name, date or place changed |
//! | reads | the event as it is now (AP-281), every page of its tickets (AP-59) |
//! | writes | each live ticket's copy of the event (AP-282) |
//! | emits | `TicketEventChanged`, once a ticket and change |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | a ticket that was told is passed over: a walk that broke off goes on where it stopped |
//!
//! It tells the event's *current* details and not those in its trigger, so late and repeated triggers change nothing. Two changes in quick succession may
//! reach a buyer as one.

use crate::store::Sale;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{StepFailure, event::Delivered};
use serde::{Deserialize, Serialize};

/// The event that changed, and its changes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    inventory_id: InventoryId,
    changed: Vec<String>,
}

/// How many tickets were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Announced {
    /// The tickets.
    pub tickets: usize,
}

/// The fields that buyers are told about. Price and number of seats concern later buyers only.
const TOLD: [&str; 3] = ["eventName", "eventDate", "location"];

/// Succeeds when every live ticket has been told.
///
/// # Errors
/// See the table above.
pub async fn run(sale: &Sale, delivered: Delivered) -> Result<Announced, StepFailure> {
    let event = delivered.detail;
    let Changed { inventory_id, changed } = event.data()?;
    if !changed.iter().any(|field| TOLD.contains(&field.as_str())) {
        return Ok(Announced { tickets: 0 });
    }
    let tickets = sale.tell_of_change(inventory_id, &event.cause()).await?;
    tracing::info!(%inventory_id, tickets, correlation_id = %event.correlation_id(), "event change announced");
    Ok(Announced { tickets })
}
