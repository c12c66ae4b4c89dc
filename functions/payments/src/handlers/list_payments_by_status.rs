//! Lists the payments of a status, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/status/{status}?limit=&next=` |
//! | reads | a page of the list (AP-42), and the payments on it |

use super::answer::{PaymentView, example, page};
use crate::{PaymentStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the payments of a status, newest first.
///
/// As the status is now: a page may be shorter than asked for when payments leave it meanwhile.
///
/// # Errors
/// When `status`, `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/payments/status/{status}",
    operation_id = "list-payments-by-status",
    tag = "payments",
    params(("status" = inline(Status), Path, description = "The status"), Paging),
    responses((
        status = 200,
        description = "A page",
        body = inline(Page<PaymentView>),
        example = json!({"items": [example(Status::Success)]})
    ))
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let status: Status = http::path(&request, "status", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list_by_status(status, limit, cursor).await?))
}
