//! Takes a booking on, once: the first state of every execution, whatever event started it.
//!
//! | | |
//! |---|---|
//! | trigger | state `Claim Saga` of the booking saga |
//! | reads | of a redrive: what turned the saga (AP-72) |
//! | writes | the saga, on condition that no other execution has it (AP-70, AP-71) |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: the claim is what tells a later start that there is nothing to do |
//! | safe to repeat | the execution that has the claim gets it again |

use crate::{
    SagaStore,
    store::{Booking, CallOff},
};
use boxoffice_aws::journal::{Entry, Step, StepStatus};
use boxoffice_kernel::{Correlation, TicketId, Timestamp};
use boxoffice_runtime::{StepFailure, task::Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the state machine passes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    event_type: String,
    correlation_id: Correlation,
    data: Booking,
    #[serde(default)]
    retries: u32,
    execution_arn: String,
}

impl Start {
    /// The ticket that the event is about.
    ///
    /// # Errors
    /// [`StepFailure::Defect`] when it names none.
    pub fn ticket(&self) -> Result<TicketId, StepFailure> {
        let ticket = self.data.get("ticketId").and_then(Value::as_str).and_then(|text| text.parse().ok());
        ticket.ok_or_else(|| StepFailure::Defect("the event names no ticket".into()))
    }
}

/// Which way this execution goes.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Forward: get the booking paid and confirmed.
    Book,
    /// Backward: take the booking back.
    Undo,
    /// Nowhere: another execution has it.
    Nothing,
}

/// What the state machine goes on with.
#[derive(Debug, Serialize)]
pub struct Claim {
    direction: Direction,
    booking: Booking,
    failure: Failure,
}

/// Succeeds with the direction to go.
///
/// # Errors
/// See the table above.
pub async fn run(store: &SagaStore, start: Start) -> Result<Claim, StepFailure> {
    let started_at = Timestamp::now();
    let ticket = start.ticket()?;
    let claim = |direction, booking, failure| {
        let (event, correlation_id) = (&start.event_type, &start.correlation_id);
        tracing::info!(ticket_id = %ticket, %correlation_id, event, ?direction, "claim");
        Claim { direction, booking, failure }
    };
    let (because, facts) = match start.event_type.as_str() {
        "TicketCreated" => {
            let entry = Entry {
                status: StepStatus::Completed,
                attempt: start.retries.saturating_add(1),
                started_at,
                executed_at: Timestamp::now(),
                reason: None,
                error_code: None,
                error_message: None,
            };
            let mine = store.claim(ticket, &start.data, &start.execution_arn, &entry).await?;
            let direction = if mine { Direction::Book } else { Direction::Nothing };
            return Ok(claim(direction, start.data.clone(), turned(Step::ClaimSaga, "")));
        }
        "TicketCancellationRequested" => (CallOff::BookingCancelled, Some(&start.data)),
        "TicketExpiryRequested" => (CallOff::HoldExpired, Some(&start.data)),
        // These state a payment or an act, not the booking: that is with the saga, which there must be.
        "PaymentRefunded" => (CallOff::PaymentRefunded, None),
        "SagaRedriveRequested" => (CallOff::RedriveRequested, None),
        "SagaCompensationRequested" => (CallOff::CompensationRequested, None),
        other => return Err(StepFailure::Defect(format!("{other} starts no saga"))),
    };
    let Some(booking) = store.call_off(ticket, facts, because, &start.execution_arn).await? else {
        return Ok(claim(Direction::Nothing, start.data.clone(), turned(Step::ClaimSaga, because.name())));
    };
    // What is tried again is still undone for the reason it was.
    let saga = if because == CallOff::RedriveRequested { store.get(ticket).await? } else { None };
    let failure = match saga.as_ref().and_then(|saga| Some((saga.turned_at(), saga.compensation_reason()?))) {
        Some((step, error)) => turned(step.unwrap_or(Step::ClaimSaga), error),
        None => turned(Step::ClaimSaga, because.name()),
    };
    Ok(claim(Direction::Undo, booking, failure))
}

/// What makes the saga turn, as the state machine would have caught it.
fn turned(step: Step, error: &str) -> Failure {
    Failure { step: step.title(), error: error.to_owned(), cause: String::new() }
}
