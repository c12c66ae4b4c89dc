//! Lists the tickets to an event, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/inventory/{inventoryId}?limit=&next=`, `GET /tickets/event/{eventName}?limit=&next=` |
//! | reads | by name, the event that has it now (AP-11); a page of the list of that event, and its tickets (AP-59) |

use super::answer::{TicketView, example_page, page};
use crate::{domain::Status, store::Sale};
use boxoffice_aws::{Page, page::InvalidCursor};
use boxoffice_inventory::EventName;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::{Request, RequestExt as _};

/// Answers 200 with a page of tickets.
///
/// # Errors
/// When a parameter is not what it should be.
pub async fn handle(sale: &Sale, request: Request) -> Result<Answer, Problem> {
    let by_name = request.path_parameters_ref().is_some_and(|parameters| parameters.first("eventName").is_some());
    if by_name { self::by_name(sale, request).await } else { by_id(sale, request).await }
}

/// Lists the tickets to an event, newest first.
///
/// Under whatever name it was booked, and also once it is off sale.
#[utoipa::path(
    get,
    path = "/tickets/inventory/{inventoryId}",
    operation_id = "list-tickets-by-event-id",
    tag = "tickets",
    params(("inventoryId" = inline(InventoryId), Path, description = "The event"), Paging),
    responses((
        status = 200,
        description = "A page of tickets",
        body = inline(Page<TicketView>),
        example = json!(example_page(Status::Confirmed))
    ))
)]
pub(crate) async fn by_id(sale: &Sale, request: Request) -> Result<Answer, Problem> {
    listed(sale, http::path(&request, "inventoryId", Code::InvalidId)?, &request).await
}

/// Lists the tickets to the event on sale that has this name, newest first.
///
/// The name it has now: tickets booked under an earlier one are listed, and tickets to another event that once had this name are not. The
/// page is empty when no event on sale has it.
#[utoipa::path(
    get,
    path = "/tickets/event/{eventName}",
    operation_id = "list-tickets-by-event",
    tag = "tickets",
    params(("eventName" = inline(EventName), Path, description = "The event's name"), Paging),
    responses((
        status = 200,
        description = "A page of tickets",
        body = inline(Page<TicketView>),
        example = json!(example_page(Status::Confirmed))
    ))
)]
pub(crate) async fn by_name(sale: &Sale, request: Request) -> Result<Answer, Problem> {
    let names: Vec<EventName> = http::spellings(&request, "eventName", Code::ValidationError)?;
    for name in &names {
        if let Some(event) = sale.event_named(name).await? {
            return listed(sale, event, &request).await;
        }
    }
    match http::paging(&request)? {
        (_, None) => Answer::ok(&page(Page { items: Vec::new(), next: None })),
        (_, Some(_)) => Err(InvalidCursor.into()),
    }
}

async fn listed(sale: &Sale, event: InventoryId, request: &Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(request)?;
    Answer::ok(&page(sale.tickets.list_by_event(event, limit, cursor).await?))
}
