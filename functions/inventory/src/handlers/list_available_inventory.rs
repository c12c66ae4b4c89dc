//! Lists what can still be booked, soonest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/available?limit=&next=` |
//! | reads | pages of terms from now on (AP-13), and the shards of each (AP-10) |

use super::answer::{CACHED_SECONDS, InventoryView, example, page};
use crate::App;
use boxoffice_aws::Page;
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// How many pages one call looks through for events that are not sold out. After that it answers with what it has found and a
/// cursor, so that a season of sold-out events costs the caller another call and nobody a timeout.
const PAGES: usize = 5;

/// Lists what can still be booked, soonest first.
///
/// A page may be short, even empty, while `next` says that there is more.
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
    let (limit, mut next) = http::paging(&request)?;
    let now = Timestamp::now();
    let mut items = Vec::new();
    for _ in 0..PAGES {
        let found = app.store.list_by_date(now, None, limit, next).await?;
        items.extend(found.items.into_iter().filter(|inventory| inventory.available() > 0));
        next = found.next;
        // A page is taken whole or not at all: the cursor stands behind all of it.
        if next.is_none() || items.len() * 2 > limit.get() {
            break;
        }
    }
    Ok(Answer::ok(&page(&Page { items, next }))?.cached(CACHED_SECONDS))
}
