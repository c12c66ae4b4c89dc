//! Puts an event on sale.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory` |
//! | writes | terms, shards, summary and name, in one transaction (AP-14) |
//! | emits | `InventoryCreated` |
//! | safe to repeat | the name is unique: the second call answers 409 |

use super::answer::{InventoryView, example, refine};
use crate::{
    App,
    domain::{EventName, Inventory, Location, OrderLimit, PurchaseLimits, Terms},
};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Quantity, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The terms of the new event.
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
    /// The most seats of one order; 10 by default.
    max_per_order: Option<OrderLimit>,
    /// The most seats that one buyer holds at one time without having paid; 10 by default.
    max_held_per_buyer: Option<Quantity>,
    /// The most seats that one buyer has, paid or not; 20 by default.
    max_per_buyer: Option<Quantity>,
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
    let price = Money { amount: new.price, currency: new.currency }
        .chargeable()
        .map_err(|error| Problem::new(Code::InvalidPrice, format!("The price {error}.")).at("price"))?;
    let usual = PurchaseLimits::default();
    let limits = PurchaseLimits {
        max_per_order: new.max_per_order.unwrap_or(usual.max_per_order),
        max_held_per_buyer: new.max_held_per_buyer.unwrap_or(usual.max_held_per_buyer),
        max_per_buyer: new.max_per_buyer.unwrap_or(usual.max_per_buyer),
    };
    let terms = Terms {
        event_name: new.event_name,
        event_date: new.event_date,
        total_seats: new.total_seats,
        price,
        location: new.location,
        limits,
    };
    let inventory = Inventory::open(InventoryId::generate(), terms, now);
    app.store.create(&inventory, &http::trace(&request)).await?;
    Answer::created(&InventoryView::from(&inventory), format!("/inventory/{}", inventory.id))
}
