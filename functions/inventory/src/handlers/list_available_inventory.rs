//! Lists what can still be booked, soonest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/available?limit=&next=` |
//! | reads | an index from now on (AP-280), the terms (AP-281) and the summaries (AP-540) of its events; of one without a summary the shards (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, page};
use crate::App;
use boxoffice_aws::Page;
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists what can still be booked, soonest first.
///
/// Events that have begun or are sold out are passed over. A page may be shorter than `limit` while `next` says that there is more, but not
/// empty. Counts of seats are up to a few seconds old, everything else is current: an event whose last seat has just gone may still be listed, and one whose seat has
/// just come back may be missing. `GET /inventory/{id}` has current counts.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/inventory/available",
    operation_id = "list-available-inventory",
    tag = "inventory",
    params(Paging),
    responses((
        status = 200,
        description = "A page",
        body = inline(Page<InventoryView>),
        example = json!({"items": [example()]})
    ))
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    let found = app.store.list_bookable(Timestamp::now(), limit, cursor).await?;
    Ok(Answer::ok(&page(&found))?.cached(CACHED_SECONDS))
}
