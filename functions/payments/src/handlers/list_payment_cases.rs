//! Lists the payments that wait for an operator, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /payments/cases?limit=&next=` |
//! | reads | a page of the list (AP-432), and the payments on it |

use super::answer::{PaymentView, example};
use crate::{PaymentStore, domain::Status};
use boxoffice_aws::Page;
use boxoffice_runtime::{
    Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the payments that wait for an operator, newest first.
///
/// Those with a refund that failed: `retry-refund` makes it again, `settle-refund` says how else the buyer got the money. And those that are disputed:
/// whoever sold answers at the payment provider.
///
/// # Errors
/// When `limit` or `next` is not what it should be.
#[utoipa::path(
    get,
    path = "/payments/cases",
    operation_id = "list-payment-cases",
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
    Answer::ok(&store.list_cases(limit, cursor).await?.map(PaymentView::from))
}
