//! Lists the tickets of a user, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/user/{userId}?limit=&next=` |
//! | reads | a page of a list, and its tickets (AP-56) |

use super::answer::{TicketView, example_page, page};
use crate::{TicketStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the tickets of a user, newest first.
///
/// # Errors
/// When they are somebody else's, or a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/tickets/user/{userId}",
    operation_id = "list-tickets-by-user",
    tag = "tickets",
    params(("userId" = inline(UserId), Path, description = "The user"), Paging),
    responses((
        status = 200,
        description = "A page of tickets",
        body = inline(Page<TicketView>),
        example = json!(example_page(Status::Confirmed))
    ))
)]
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let user: UserId = http::path(&request, "userId", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(user)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list_by_user(user, limit, cursor).await?))
}
