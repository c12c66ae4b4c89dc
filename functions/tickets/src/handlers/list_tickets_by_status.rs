//! Lists the tickets of a status, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/status/{status}?limit=&next=` |
//! | reads | a page of a list, and its tickets (AP-58) |

use super::answer::{TicketView, example_page, page};
use crate::{TicketStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the tickets of a status, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/tickets/status/{status}",
    operation_id = "list-tickets-by-status",
    tag = "tickets",
    params(("status" = inline(Status), Path, description = "The status"), Paging),
    responses((
        status = 200,
        description = "A page of tickets",
        body = inline(Page<TicketView>),
        example = json!(example_page(Status::Pending))
    ))
)]
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let status: Status = http::path(&request, "status", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list_by_status(status, limit, cursor).await?))
}
