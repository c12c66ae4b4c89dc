//! What these handlers answer in common: the inventory as JSON, and this context's refusals as problems.

use crate::{
    App, EventName,
    domain::{Inventory, NotForSale, Unchangeable},
    store::{CreateError, DeleteError, RequestKey, SeatsError, UpdateError},
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Amount, Currency, InventoryId, Quantity, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::{Request, RequestExt as _};
use serde::Serialize;

/// For how many seconds anybody may keep what is on sale. A count of seats is out of date when it arrives, since only the hold decides; two seconds make it
/// hardly more so, and let a browser or a CDN ask once where a crowd reloads.
pub(crate) const CACHED_SECONDS: u32 = 2;

/// An event on sale.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Inventory)]
pub(crate) struct InventoryView {
    id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    total_seats: u32,
    /// Seats that can be booked.
    available_seats: u32,
    /// Seats of tickets that are not paid yet, and seats reserved by hand.
    held_seats: u32,
    /// Seats of confirmed tickets.
    sold_seats: u32,
    price: Amount,
    currency: Currency,
    location: String,
    /// How often the terms have been written.
    #[schema(minimum = 1)]
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Inventory> for InventoryView {
    fn from(inventory: &Inventory) -> Self {
        let terms = &inventory.terms;
        Self {
            id: inventory.id,
            event_name: terms.event_name.clone(),
            event_date: terms.event_date,
            total_seats: terms.total_seats.get(),
            available_seats: inventory.available(),
            held_seats: inventory.held(),
            sold_seats: inventory.sold(),
            price: terms.price.amount,
            currency: terms.price.currency,
            location: terms.location.to_string(),
            version: inventory.version,
            created_at: inventory.created_at,
            updated_at: inventory.updated_at,
        }
    }
}

/// An event on sale, for the API's document.
pub(crate) fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "inv_01970000000070008000000000000001",
        "eventName": "Late Show at the Ferris Wheel",
        "eventDate": "2030-06-01T20:00:00.000Z",
        "totalSeats": 500,
        "availableSeats": 486,
        "heldSeats": 4,
        "soldSeats": 10,
        "price": 49.9,
        "currency": "EUR",
        "location": "Prater, Vienna",
        "version": 1,
        "createdAt": "2030-01-01T09:00:00.000Z",
        "updatedAt": "2030-01-01T09:00:00.000Z"
    })
}

/// A page of them.
pub(crate) fn page(page: &Page<Inventory>) -> Page<InventoryView> {
    Page { items: page.items.iter().map(InventoryView::from).collect(), next: page.next.clone() }
}

/// The code for a bad value of a field, where the reference has one.
pub(crate) fn refine(field: &str) -> Option<Code> {
    match field {
        "price" => Some(Code::InvalidPrice),
        "totalSeats" => Some(Code::InvalidQuantity),
        "eventDate" => Some(Code::InvalidEventDate),
        _ => None,
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::InventoryNotFound, "No event on sale has this id or name.")
}

/// Whether the path names the event by its name, and not by its id.
pub(crate) fn is_by_name(request: &Request) -> bool {
    request.path_parameters_ref().is_some_and(|parameters| parameters.first("eventName").is_some())
}

/// The inventory whose id is in the path.
pub(crate) fn id(request: &Request) -> Result<InventoryId, Problem> {
    http::path(request, "id", Code::InvalidId)
}

/// The inventory whose name is in the path.
pub(crate) async fn id_by_name(app: &App, request: &Request) -> Result<InventoryId, Problem> {
    let names: Vec<EventName> = http::spellings(request, "eventName", Code::ValidationError)?;
    for name in &names {
        if let Some(id) = app.store.find(name).await? {
            return Ok(id);
        }
    }
    Err(not_found())
}

/// What this request to move seats by hand is known by, where the caller gave it a key.
///
/// # Errors
/// When the key is not one.
pub(crate) fn request_key(request: &Request) -> Result<Option<RequestKey>, Problem> {
    if !request.headers().contains_key("Idempotency-Key") {
        return Ok(None);
    }
    let (user_id, key) = (http::caller(request)?.user_id, http::idempotency_key(request)?);
    Ok(Some(RequestKey { user_id, key }))
}

/// The answer, marked when an earlier request under its key did the work.
pub(crate) fn replayed(answer: Answer, replayed: bool) -> Answer {
    if replayed { answer.with_header("idempotent-replayed", "true".into()) } else { answer }
}

fn name_taken() -> Problem {
    Problem::new(Code::InventoryAlreadyExists, "Another event on sale has this name.").at("eventName")
}

impl From<NotForSale> for Problem {
    fn from(error: NotForSale) -> Self {
        match error {
            NotForSale::SoldOut { .. } => Self::new(Code::InventoryUnavailable, format!("{error}.")).at("quantity"),
            NotForSale::Begun(_) => Self::new(Code::SalesClosed, format!("{error}.")),
        }
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::NameTaken => name_taken(),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::NotFound => not_found(),
            UpdateError::NameTaken => name_taken(),
            UpdateError::Unchangeable(error) => match error {
                Unchangeable::SeatsTaken { .. } => {
                    Self::new(Code::InvalidInventory, format!("{error}.")).at("totalSeats")
                }
                Unchangeable::PastDate => Self::new(Code::InvalidEventDate, format!("{error}.")).at("eventDate"),
                Unchangeable::Stale { .. } => Self::new(Code::VersionConflict, format!("{error}.")).at("version"),
            },
            UpdateError::Store(error) => error.into(),
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound => not_found(),
            DeleteError::InUse => {
                Self::new(Code::InventoryInUse, "Seats of this event are held or sold. Cancel their tickets first.")
            }
            DeleteError::Store(error) => error.into(),
        }
    }
}

impl From<SeatsError> for Problem {
    fn from(error: SeatsError) -> Self {
        match error {
            SeatsError::NotFound => not_found(),
            SeatsError::NotForSale(error) => error.into(),
            SeatsError::NotReserved(_) => Self::new(Code::InvalidInventory, format!("{error}.")).at("quantity"),
            SeatsError::KeyReused => Self::new(Code::IdempotencyKeyReused, format!("{error}.")).at("Idempotency-Key"),
            SeatsError::Store(error) => error.into(),
        }
    }
}

/// How many seats are moved by hand, for the API's document.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "for the API's document: the calls read it themselves")]
pub(crate) struct Moving {
    /// How many seats.
    #[param(inline)]
    quantity: Quantity,
}

/// The key of a request that moves seats by hand, for the API's document; [`request_key`] reads it.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "for the API's document")]
pub(crate) struct MovingKey {
    /// The caller's own name for this request, the same when it is tried again: the seats are then moved once.
    #[param(
        rename = "Idempotency-Key", value_type = String, required = false, min_length = 1, max_length = 255,
        pattern = "^[!-~]+$", example = "7d2e0c1a-4f6b-4a57-9a0e-1c5a4b7f3e21"
    )]
    key: String,
}
