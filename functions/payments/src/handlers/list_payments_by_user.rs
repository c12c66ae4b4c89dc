//! Lists a user's payments, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/user/{userId}?limit=&next=` |
//! | reads | a page of the list (AP-40), and the payments on it |

use super::answer::{PaymentView, example, page};
use crate::{PaymentStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_kernel::UserId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists a user's payments, newest first.
///
/// Every one but those that were deleted.
///
/// # Errors
/// When they are not the caller's, or `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/payments/user/{userId}",
    operation_id = "list-payments-by-user",
    tag = "payments",
    params(("userId" = inline(UserId), Path, description = "The user"), Paging),
    responses((
        status = 200,
        description = "A page",
        body = inline(Page<PaymentView>),
        example = json!({"items": [example(Status::Success)]})
    ))
)]
pub async fn handle(store: &PaymentStore, request: Request) -> Result<Answer, Problem> {
    let user: UserId = http::path(&request, "userId", Code::InvalidId)?;
    http::caller(&request)?.may_act_for(user)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list_by_user(user, limit, cursor).await?))
}
