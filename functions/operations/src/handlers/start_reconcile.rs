//! Has the reconciliation run now.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/reconcile` |
//! | writes | calls `reconcile`, which goes on by itself; the act (AP-150) |
//! | emits | `ReconciliationRequested` |
//! | safe to repeat | it runs once more |

use super::answer::operator;
use crate::{Reconciler, reconciler::Scope};
use boxoffice_kernel::{ActId, Operator};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Serialize;

/// A reconciliation, begun.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReconciliationAct)]
pub(crate) struct ReconciliationActView {
    /// The act; its event in the event store has this aggregate.
    act_id: ActId,
    /// The operator.
    requested_by: Operator,
}

/// Has the reconciliation run now.
///
/// It reads what the schedule's run reads, goes on by itself, and reports what it finds as that does. `boxoffice reconcile --all` audits everything.
///
/// # Errors
/// When it cannot be begun.
#[utoipa::path(
    post,
    path = "/operations/reconcile",
    operation_id = "start-reconcile",
    tag = "operations",
    responses((
        status = 202,
        description = "It is begun",
        body = inline(ReconciliationActView),
        example = json!({
            "actId": "act_01970000000070008000000000000001",
            "requestedBy": "usr_01970000000070008000000000000001"
        })
    ))
)]
pub async fn handle(reconciler: &Reconciler, request: Request) -> Result<Answer, Problem> {
    let requested_by = operator(&request)?;
    let act_id = reconciler.start(Scope::Moved, requested_by.clone(), &http::trace(&request)).await?;
    Answer::accepted(&ReconciliationActView { act_id, requested_by })
}
