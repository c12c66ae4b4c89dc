//! Lists the check-in lists of an event, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/{id}/check-in-lists?limit=&next=` |
//! | reads | a page of lists (AP-512) |

use super::door_answer::{ListView, list_example};
use crate::doors::DoorStore;
use boxoffice_aws::Page;
use boxoffice_kernel::InventoryId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the check-in lists of an event, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/inventory/{id}/check-in-lists",
    operation_id = "list-check-in-lists",
    tag = "admissions",
    params(("id" = inline(InventoryId), Path, description = "The event"), Paging),
    responses((
        status = 200,
        description = "A page of lists",
        body = inline(Page<ListView>),
        example = json!({ "items": [list_example()] })
    ))
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let event: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&doors.lists(event, limit, cursor).await?.map(ListView::from))
}
