//! Request and response types that these handlers share.

use crate::{casework::CaseError, domain::Refusal};
use boxoffice_kernel::{ActId, Operator, Reason, TicketId, Trace};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Serialize};

/// Why an operator does something.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// In words; it is kept with the act.
    pub(crate) reason: Reason,
}

/// An act about a saga, recorded: it goes on without the caller.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SagaAct)]
pub(crate) struct SagaActView {
    /// The act; its event in the event store has this aggregate.
    pub(crate) act_id: ActId,
    /// The ticket of the saga.
    pub(crate) ticket_id: TicketId,
    /// The operator.
    pub(crate) requested_by: Operator,
    /// The reason.
    pub(crate) reason: Reason,
}

/// The caller, as acts record them.
///
/// # Errors
/// 500 on a public route: a bug.
pub(crate) fn operator(request: &Request) -> Result<Operator, Problem> {
    Ok(Operator::User(http::caller(request)?.user_id))
}

/// Answers 202 to a caller who wants something done about the saga in the path.
///
/// # Errors
/// When the request is not that, or what is wanted is refused.
pub(crate) async fn requested(
    request: &Request,
    act: impl AsyncFnOnce(TicketId, Operator, Reason, &Trace) -> Result<ActId, CaseError>,
) -> Result<Answer, Problem> {
    let ticket_id: TicketId = http::path(request, "ticketId", Code::InvalidId)?;
    let Wish { reason } = http::body(request, |_| None)?;
    let requested_by = operator(request)?;
    let act_id = act(ticket_id, requested_by.clone(), reason.clone(), &http::trace(request)).await?;
    Answer::accepted(&SagaActView { act_id, ticket_id, requested_by, reason })
}

impl From<CaseError> for Problem {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::NoSaga => {
                let detail =
                    "This ticket has no saga. Where its TicketCreated waits in a dead-letter queue, redrive that.";
                Self::new(Code::SagaNotFound, detail)
            }
            CaseError::Refused(refusal @ Refusal::NotStuck(_)) => Self::new(Code::SagaNotStuck, format!("{refusal}.")),
            CaseError::Refused(refusal @ Refusal::Compensated) => {
                Self::new(Code::SagaAlreadyCompensated, format!("{refusal}."))
            }
            CaseError::Store(error) => error.into(),
        }
    }
}
