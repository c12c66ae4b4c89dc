//! What these handlers answer in common: the inventory as JSON, and this context's refusals as problems.

use crate::{
    App, EventName,
    domain::{Inventory, NotForSale, Unchangeable},
    store::{CreateError, DeleteError, ListError, SeatsError, UpdateError},
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Amount, Currency, InventoryId, Timestamp};
use boxoffice_runtime::{Code, Problem, http};
use lambda_http::Request;
use serde::Serialize;

/// An event on sale, as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InventoryView {
    id: InventoryId,
    event_name: EventName,
    event_date: Timestamp,
    total_seats: u32,
    available_seats: u32,
    held_seats: u32,
    sold_seats: u32,
    price: Amount,
    currency: Currency,
    location: String,
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

/// The inventory the path names, by `{id}` or by `{eventName}`.
pub(crate) async fn named(app: &App, request: &Request) -> Result<InventoryId, Problem> {
    use lambda_http::RequestExt as _;
    if request.path_parameters_ref().is_some_and(|parameters| parameters.first("eventName").is_some()) {
        by_name(app, request).await
    } else {
        http::path(request, "id", Code::InvalidId)
    }
}

/// The inventory whose name is in the path. Gateways differ in whether they decode path parameters, so the name is looked up as it came,
/// and decoded should that find nothing.
pub(crate) async fn by_name(app: &App, request: &Request) -> Result<InventoryId, Problem> {
    let name: EventName = http::path(request, "eventName", Code::ValidationError)?;
    if let Some(id) = app.store.find(&name).await? {
        return Ok(id);
    }
    let decoded = percent_encoding::percent_decode_str(name.as_str()).decode_utf8().ok();
    let decoded: Option<EventName> = decoded.filter(|text| *text != name.as_str()).and_then(|text| text.parse().ok());
    match decoded {
        Some(name) => app.store.find(&name).await?.ok_or_else(not_found),
        None => Err(not_found()),
    }
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
            SeatsError::Store(error) => error.into(),
        }
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(error) => error.into(),
            ListError::Store(error) => error.into(),
        }
    }
}
