//! Takes a booking on, once: the first state of every execution, whatever event started it.
//!
//! | | |
//! |---|---|
//! | trigger | state `Claim Saga` of the booking saga |
//! | reads | of a redrive: what turned the saga (AP-72) |
//! | writes | the saga, on condition that no other execution has it (AP-70, AP-71) |
//! | fails with | `DeadlineExceeded`, `Transient`, `Defect` |
//! | undo | `record-stuck-booking`: it takes a booking back that nobody could take on |
//! | safe to repeat | the execution that has the claim gets it again |

use crate::{
    SagaStore,
    store::{CallOff, TicketFacts},
};
use boxoffice_aws::journal::{Entry, Step, StepStatus};
use boxoffice_kernel::{Correlation, TicketId, Timestamp};
use boxoffice_runtime::{StepFailure, task::Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The input from the state machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    event_type: String,
    correlation_id: Correlation,
    data: TicketFacts,
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

/// The way that this execution goes.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Forward: get the booking paid and confirmed.
    Book,
    /// Backward: take the booking back.
    Undo,
    /// Nowhere: another execution has it, or it is over.
    Nothing,
}

/// The output to the state machine.
#[derive(Debug, Serialize)]
pub struct Claim {
    direction: Direction,
    booking: TicketFacts,
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
    if start.event_type == CREATED {
        let entry = Entry {
            status: StepStatus::Completed,
            attempt: start.retries.saturating_add(1),
            started_at,
            executed_at: Timestamp::now(),
            reason: None,
            error_code: None,
            error_message: None,
        };
        let claimed = store.claim(ticket, &start.data, &start.execution_arn, &entry).await;
        let mine = claimed.map_err(|error| {
            let hold_expires_at = start.data.get("holdExpiresAt").and_then(Value::as_str);
            let hold_expires_at = hold_expires_at.and_then(|text| text.parse().ok());
            StepFailure::from(error).until(Step::ClaimSaga, hold_expires_at, start.retries, Timestamp::now())
        })?;
        let direction = if mine { Direction::Book } else { Direction::Nothing };
        return Ok(claim(direction, start.data.clone(), turned("")));
    }
    let because = called_off_by(&start.event_type, &start.data)?;
    match take_back(store, ticket, because, &start.data, &start.execution_arn).await? {
        Some((booking, failure)) => Ok(claim(Direction::Undo, booking, failure)),
        None => Ok(claim(Direction::Nothing, start.data.clone(), turned(because.name()))),
    }
}

/// The event that takes a booking forward; each other one that starts an execution calls it off.
pub(crate) const CREATED: &str = "TicketCreated";

/// Why an event calls its booking off.
///
/// # Errors
/// When it does not.
pub(crate) fn called_off_by(event_type: &str, data: &TicketFacts) -> Result<CallOff, StepFailure> {
    let event_cancelled = data.get("eventCancelled").and_then(Value::as_bool).unwrap_or_default();
    match event_type {
        "TicketCancellationRequested" if event_cancelled => Ok(CallOff::EventCancelled),
        "TicketCancellationRequested" => Ok(CallOff::BookingCancelled),
        "TicketExpiryRequested" => Ok(CallOff::HoldExpired),
        "PaymentRefunded" => Ok(CallOff::PaymentRefunded),
        "SagaRedriveRequested" => Ok(CallOff::RedriveRequested),
        "SagaCompensationRequested" => Ok(CallOff::CompensationRequested),
        other => Err(StepFailure::Defect(format!("{other} starts no saga"))),
    }
}

/// Takes a booking back: its facts, and why it turns, when the compensation is now this execution's.
///
/// # Errors
/// When nobody knows the booking, or the store fails.
pub(crate) async fn take_back(
    store: &SagaStore,
    ticket: TicketId,
    because: CallOff,
    data: &TicketFacts,
    execution: &str,
) -> Result<Option<(TicketFacts, Failure)>, StepFailure> {
    let facts = match because {
        CallOff::BookingCancelled | CallOff::EventCancelled | CallOff::HoldExpired | CallOff::NobodyTookItOn => {
            Some(data)
        }
        // These are stated of a payment or an act, not of the booking: that is with the saga, which there must be.
        CallOff::PaymentRefunded | CallOff::RedriveRequested | CallOff::CompensationRequested => None,
    };
    let Some(booking) = store.call_off(ticket, facts, because, execution).await? else { return Ok(None) };
    // A redrive undoes the booking for the reason it had.
    let saga = if because == CallOff::RedriveRequested { store.get(ticket).await? } else { None };
    let failure = match saga.as_ref().and_then(|saga| Some((saga.turned_at(), saga.compensation_reason()?))) {
        Some((step, error)) => Failure { step: step.unwrap_or(Step::ClaimSaga).title(), ..turned(error) },
        None => turned(because.name()),
    };
    Ok(Some((booking, failure)))
}

/// The failure that turns the saga at its claim, as the state machine would have caught it.
fn turned(error: &str) -> Failure {
    Failure { step: Step::ClaimSaga.title(), error: error.to_owned(), cause: String::new() }
}
