//! Lists every ticket, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets?limit=&next=` |
//! | reads | a page of a list, and its tickets (AP-57) |

use super::answer::{TicketView, example_page, page};
use crate::{TicketStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists every ticket, newest first.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/tickets",
    operation_id = "list-tickets",
    tag = "tickets",
    params(Paging),
    responses((
        status = 200,
        description = "A page of tickets",
        body = inline(Page<TicketView>),
        example = json!(example_page(Status::Confirmed))
    ))
)]
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list_all(limit, cursor).await?))
}
