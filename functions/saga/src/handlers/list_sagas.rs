//! Lists the sagas that are not over: those on their way, or those that need an operator.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /operations/sagas?status=&limit=&next=` |
//! | reads | a page of a list, and its sagas (AP-73) |

use super::answer::SagaView;
use crate::SagaStore;
use boxoffice_aws::{Page, journal::Unfinished};
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;
use std::str::FromStr;

/// The sagas that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum UnfinishedStatus {
    /// On their way, forward or back.
    Running,
    /// An operator's cases.
    NeedsAttention,
}

/// Why a string is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be RUNNING or NEEDS_ATTENTION")]
pub(crate) struct InvalidUnfinishedStatus;

impl From<UnfinishedStatus> for Unfinished {
    fn from(status: UnfinishedStatus) -> Self {
        match status {
            UnfinishedStatus::Running => Self::Running,
            UnfinishedStatus::NeedsAttention => Self::NeedsAttention,
        }
    }
}

impl FromStr for UnfinishedStatus {
    type Err = InvalidUnfinishedStatus;
    fn from_str(text: &str) -> Result<Self, InvalidUnfinishedStatus> {
        let named = |status: &Self| Unfinished::from(*status).name() == text;
        [Self::Running, Self::NeedsAttention].into_iter().find(named).ok_or(InvalidUnfinishedStatus)
    }
}

/// Lists the sagas that are not over, newest first.
///
/// `RUNNING` are those on their way, forward or back; `NEEDS_ATTENTION` those that can go neither way until an operator acts.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/operations/sagas",
    operation_id = "list-sagas",
    tag = "operations",
    params(("status" = inline(UnfinishedStatus), Query, description = "Which of them"), Paging),
    responses((
        status = 200,
        description = "A page of sagas",
        body = inline(Page<SagaView>),
        example = json!({ "items": [{
            "sagaId": "saga_01970000000070008000000000000001",
            "ticketId": "tkt_01970000000070008000000000000001",
            "status": "STARTED",
            "startedAt": "2030-05-01T10:00:00.400Z",
            "steps": [{
                "stepName": "claim-saga",
                "status": "COMPLETED",
                "attempt": 1,
                "startedAt": "2030-05-01T10:00:00.400Z",
                "executedAt": "2030-05-01T10:00:00.430Z"
            }]
        }] })
    ))
)]
pub async fn handle(store: &SagaStore, request: Request) -> Result<Answer, Problem> {
    let status: UnfinishedStatus = http::required_query(&request, "status", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&store.list(status.into(), limit, cursor).await?.map(|saga| SagaView::from(&saga)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_spelling() {
        assert_eq!("NEEDS_ATTENTION".parse(), Ok(UnfinishedStatus::NeedsAttention));
        assert_eq!("RUNNING".parse(), Ok(UnfinishedStatus::Running));
        assert!("running".parse::<UnfinishedStatus>().is_err());
    }
}
