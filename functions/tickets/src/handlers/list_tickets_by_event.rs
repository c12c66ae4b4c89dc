//! Lists the tickets to an event, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/event/{eventName}?limit=&next=` |
//! | reads | a page of a list, and its tickets (AP-59) |

use super::answer::{TicketView, example_page, page};
use crate::{
    TicketStore,
    domain::{Status, Ticket},
};
use boxoffice_aws::{Cursor, Limit, ListError, Page, page::InvalidCursor};
use boxoffice_inventory::EventName;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the tickets to an event, newest first.
///
/// The event goes by the name it had when they were booked.
///
/// # Errors
/// When a parameter is not what it should be.
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
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let names = http::spellings(&request, "eventName", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(listed(store, &names, limit, cursor).await?))
}

/// The list of the first of these names that has one; an empty page when none has.
async fn listed(
    store: &TicketStore,
    names: &[EventName],
    limit: Limit,
    cursor: Option<Cursor>,
) -> Result<Page<Ticket>, ListError> {
    let mut outcome = Err(ListError::Cursor(InvalidCursor));
    for name in names {
        match store.list_by_event(name, limit, cursor.clone()).await {
            Ok(page) if page.items.is_empty() && page.next.is_none() => outcome = Ok(page),
            // Of the list of another of these names, perhaps.
            Err(ListError::Cursor(_)) => {}
            found => return found,
        }
    }
    outcome
}
