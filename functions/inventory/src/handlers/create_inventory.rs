//! Puts an event on sale.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory` |
//! | writes | terms, shards and name, in one transaction (AP-14) |
//! | emits | `InventoryCreated` |
//! | safe to repeat | the name is unique: the second call answers 409 |

use super::answer::{InventoryView, refine};
use crate::{
    App,
    domain::{EventName, Inventory, Location, Terms},
};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Quantity, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInventory {
    event_name: EventName,
    event_date: Timestamp,
    total_seats: Quantity,
    price: Amount,
    #[serde(default = "usd")]
    currency: Currency,
    location: Location,
}

fn usd() -> Currency {
    Currency::Usd
}

/// Answers 201 with the inventory.
///
/// # Errors
/// When the body breaks a rule, or the name is taken.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let new: NewInventory = http::body(&request, refine)?;
    let now = Timestamp::now();
    if new.event_date <= now {
        return Err(Problem::new(Code::InvalidEventDate, "eventDate must be in the future.").at("eventDate"));
    }
    let terms = Terms {
        event_name: new.event_name,
        event_date: new.event_date,
        total_seats: new.total_seats,
        price: Money { amount: new.price, currency: new.currency },
        location: new.location,
    };
    let inventory = Inventory::open(InventoryId::generate(), terms, now);
    app.store.create(&inventory, &http::trace(&request)).await?;
    Answer::created(&InventoryView::from(&inventory), format!("/inventory/{}", inventory.id))
}
