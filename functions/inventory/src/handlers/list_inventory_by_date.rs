//! Lists what takes place between two dates, soonest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/date-range?start=&end=&limit=&next=` |
//! | reads | a page of an index (AP-13), the terms (AP-281) and the summaries (AP-540) of its events; of one without a summary the shards (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, page};
use crate::App;
use boxoffice_aws::Page;
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists what takes place between two dates, soonest first.
///
/// Counts of seats are up to a few seconds old, everything else is current; `GET /inventory/{id}` has current counts.
///
/// # Errors
/// When a date, `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/inventory/date-range",
    operation_id = "list-inventory-by-date",
    tag = "inventory",
    params(
        ("start" = inline(Timestamp), Query, description = "From when, inclusive"),
        ("end" = inline(Timestamp), Query, description = "Until when, inclusive; not before `start`"),
        Paging
    ),
    responses((
        status = 200,
        description = "A page",
        body = inline(Page<InventoryView>),
        example = json!({"items": [example()]})
    ))
)]
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let start: Timestamp = http::required_query(&request, "start", Code::InvalidEventDate)?;
    let end: Timestamp = http::required_query(&request, "end", Code::InvalidEventDate)?;
    if end < start {
        return Err(Problem::new(Code::InvalidEventDate, "end must not be before start.").at("end"));
    }
    let (limit, cursor) = http::paging(&request)?;
    let found = app.store.list_by_date(start, Some(end), limit, cursor).await?;
    Ok(Answer::ok(&page(&found))?.cached(CACHED_SECONDS))
}
