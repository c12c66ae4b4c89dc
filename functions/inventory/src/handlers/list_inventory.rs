//! Lists events, newest first, those that have begun too.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory?limit=&next=` |
//! | reads | a page of an index (AP-12), the terms (AP-281) and the summaries (AP-540) of its events; of one without a summary the shards (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, page};
use crate::App;
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists events, newest first.
///
/// An event that has begun is listed until it is deleted, with `onSale` false. Counts of seats are up to a few seconds old, everything else is current;
/// `GET /inventory/{id}` has current counts.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/inventory",
    operation_id = "list-inventory",
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
    Ok(Answer::ok(&page(&app.store.list(limit, cursor).await?))?.cached(CACHED_SECONDS))
}
