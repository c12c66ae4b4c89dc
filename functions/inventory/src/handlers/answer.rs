//! The responses that these handlers share: the inventory as JSON, and this context's refusals as problems.

use crate::{
    App, Cancellation, EventName,
    cancellation::{Account, Case, State},
    domain::{Inventory, ListedInventory, NotForSale, Unchangeable},
    store::{CancelError, CreateError, DeleteError, RequestKey, SeatsError, UpdateError},
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Amount, Currency, InventoryId, Quantity, Reason, Timestamp, UserId};
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
    /// The most seats of one order.
    #[schema(minimum = 1, maximum = 60)]
    max_per_order: u32,
    /// The most seats that one buyer holds at one time without having paid.
    #[schema(minimum = 1)]
    max_held_per_buyer: u32,
    /// The most seats that one buyer has, paid or not.
    #[schema(minimum = 1)]
    max_per_buyer: u32,
    /// Whether it can be booked as far as its date and its organiser go: false once it has begun or is cancelled.
    on_sale: bool,
    /// When its organiser cancelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancelled_at: Option<Timestamp>,
    /// How often the terms have been written.
    #[schema(minimum = 1)]
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Inventory> for InventoryView {
    fn from(inventory: &Inventory) -> Self {
        Self::from(&inventory.listed())
    }
}

impl From<&ListedInventory> for InventoryView {
    fn from(inventory: &ListedInventory) -> Self {
        let terms = &inventory.terms;
        Self {
            id: inventory.id,
            event_name: terms.event_name.clone(),
            event_date: terms.event_date,
            total_seats: terms.total_seats.get(),
            available_seats: inventory.seats.available,
            held_seats: inventory.seats.held,
            sold_seats: inventory.seats.sold,
            price: terms.price.amount,
            currency: terms.price.currency,
            location: terms.location.to_string(),
            max_per_order: terms.limits.max_per_order.get(),
            max_held_per_buyer: terms.limits.max_held_per_buyer.get(),
            max_per_buyer: terms.limits.max_per_buyer.get(),
            on_sale: inventory.is_on_sale(Timestamp::now()),
            cancelled_at: inventory.cancelled_at,
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
        "maxPerOrder": 10,
        "maxHeldPerBuyer": 10,
        "maxPerBuyer": 20,
        "onSale": true,
        "version": 1,
        "createdAt": "2030-01-01T09:00:00.000Z",
        "updatedAt": "2030-01-01T09:00:00.000Z"
    })
}

/// The cancellation of an event, and how far the walk over its bookings is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cancellation)]
pub(crate) struct CancellationView {
    inventory_id: InventoryId,
    event_name: EventName,
    state: State,
    reason: Reason,
    requested_by: UserId,
    requested_at: Timestamp,
    /// When every booking had come to rest; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ended_at: Option<Timestamp>,
    /// When the walk last took a step.
    updated_at: Timestamp,
    /// How often the walk was begun or resumed.
    #[schema(minimum = 1)]
    run: u32,
    /// Bookings walked over: of the first pass so far, then of the last complete one, like the counts below. At rest it is `cancelled` and `failed`.
    #[schema(minimum = 0)]
    walked: u32,
    /// Bookings that are cancelled.
    #[schema(minimum = 0)]
    cancelled: u32,
    /// Those of them whose money was given back; the others had paid none.
    #[schema(minimum = 0)]
    refunded: u32,
    /// Bookings whose cancellation is under way.
    #[schema(minimum = 0)]
    open: u32,
    /// Bookings that were not cancelled.
    #[schema(minimum = 0)]
    failed: u32,
    /// The first hundred bookings that were not cancelled, and why.
    cases: Vec<Case>,
    /// At the end: seats that bookings have which the walk did not find.
    #[schema(minimum = 0)]
    unaccounted_seats: u32,
}

impl From<&Cancellation> for CancellationView {
    fn from(walk: &Cancellation) -> Self {
        let Account { tally, cases } = walk.account();
        Self {
            inventory_id: walk.inventory_id,
            event_name: walk.event_name.clone(),
            state: walk.state(),
            reason: walk.reason.clone(),
            requested_by: walk.requested_by,
            requested_at: walk.requested_at,
            ended_at: walk.ended_at,
            updated_at: walk.updated_at,
            run: walk.run,
            walked: tally.walked,
            cancelled: tally.cancelled,
            refunded: tally.refunded,
            open: tally.open,
            failed: tally.failed,
            cases: cases.clone(),
            unaccounted_seats: walk.unaccounted_seats,
        }
    }
}

/// A cancellation under way, for the API's document.
pub(crate) fn cancellation_example() -> serde_json::Value {
    serde_json::json!({
        "inventoryId": "inv_01970000000070008000000000000001",
        "eventName": "Late Show at the Ferris Wheel",
        "state": "CANCELLING",
        "reason": "The headliner is ill",
        "requestedBy": "usr_01970000000070008000000000000001",
        "requestedAt": "2030-05-30T09:00:00.000Z",
        "updatedAt": "2030-05-30T09:00:05.000Z",
        "run": 1,
        "walked": 50,
        "cancelled": 0,
        "refunded": 0,
        "open": 49,
        "failed": 1,
        "cases": [{ "ticketId": "tkt_01970000000070008000000000000001", "code": "ADMISSION_USED" }],
        "unaccountedSeats": 0
    })
}

/// A page of them.
pub(crate) fn page(page: &Page<ListedInventory>) -> Page<InventoryView> {
    Page { items: page.items.iter().map(InventoryView::from).collect(), next: page.next.clone() }
}

/// The code for a bad value of a field, where the reference has one.
pub(crate) fn refine(field: &str) -> Option<Code> {
    match field {
        "price" => Some(Code::InvalidPrice),
        "totalSeats" | "maxPerOrder" | "maxHeldPerBuyer" | "maxPerBuyer" => Some(Code::InvalidQuantity),
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

/// The idempotency key of a request to move seats by hand, if the caller sent one.
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
            NotForSale::Cancelled(_) => Self::new(Code::EventCancelled, format!("{error}.")),
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
                Unchangeable::Price(_) => Self::new(Code::InvalidPrice, format!("{error}.")).at("price"),
                Unchangeable::PastDate => Self::new(Code::InvalidEventDate, format!("{error}.")).at("eventDate"),
                Unchangeable::Cancelled(_) => Self::new(Code::EventCancelled, format!("{error}.")),
                Unchangeable::Stale { .. } => Self::new(Code::VersionConflict, format!("{error}.")).at("version"),
            },
            UpdateError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => not_found(),
            CancelError::Store(error) => error.into(),
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
