//! Lists what is on sale, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory?limit=&next=` |
//! | reads | a page of terms (AP-12), and the shards of each (AP-10) |

use super::answer::page;
use crate::App;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 200 with a page.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(&app.store.list(limit, cursor).await?))
}
