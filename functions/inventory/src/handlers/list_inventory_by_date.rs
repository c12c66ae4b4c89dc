//! Lists what takes place between two dates, soonest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/date-range?start=&end=&limit=&next=` |
//! | reads | a page of terms (AP-13), and the shards of each (AP-10) |

use super::answer::page;
use crate::App;
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with a page.
///
/// # Errors
/// When a date, `limit` or `next` is not what it should be.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let start: Timestamp = http::required_query(&request, "start", Code::InvalidEventDate)?;
    let end: Timestamp = http::required_query(&request, "end", Code::InvalidEventDate)?;
    if end < start {
        return Err(Problem::new(Code::InvalidEventDate, "end must not be before start.").at("end"));
    }
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(&app.store.list_by_date(start, Some(end), limit, cursor).await?))
}
