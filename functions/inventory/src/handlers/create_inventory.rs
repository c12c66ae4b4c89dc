//! Puts an event on sale.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory` |
//! | writes | terms, shards and name, in one transaction (AP-14) |
//! | emits | `InventoryCreated` |
//! | safe to repeat | the name is unique: the second call answers 409 |

use super::answer::{InventoryView, example, refine};
use crate::{
    App,
    domain::{EventName, Inventory, Location, Terms},
};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Quantity, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// What to put on sale.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewInventory {
    event_name: EventName,
    /// In the future.
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

/// Puts an event on sale.
///
/// All of its seats can be booked at once. Its name is unique among those on sale.
///
/// # Errors
/// When the body breaks a rule, or the name is taken.
#[utoipa::path(
    post,
    path = "/inventory",
    operation_id = "create-inventory",
    tag = "inventory",
    request_body(content = NewInventory, example = json!({
        "eventName": "Late Show at the Ferris Wheel",
        "eventDate": "2030-06-01T20:00:00Z",
        "totalSeats": 500,
        "price": 49.9,
        "currency": "EUR",
        "location": "Prater, Vienna"
    })),
    responses(
        (
            status = 201,
            description = "The event, on sale",
            body = InventoryView,
            headers(("Location" = String, description = "Where it is")),
            example = json!(example())
        ),
        (status = 409, description = "`INVENTORY_ALREADY_EXISTS`: another event on sale has this name")
    )
)]
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
