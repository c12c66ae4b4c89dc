//! Lists payments, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments?limit=&next=` |
//! | reads | a page of the list (AP-41), and the payments on it |

use super::answer::{PaymentView, example, page};
use crate::{PaymentStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists payments, newest first.
///
/// Every one but those that were deleted.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/payments",
    operation_id = "list-payments",
    tag = "payments",
    params(Paging),
    responses((
        status = 200,
        description = "A page",
        body = inline(Page<PaymentView>),
        example = json!({"items": [example(Status::Success)]})
    ))
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(limit, cursor).await?))
}
