//! Makes a booking that cannot be undone an operator's case, and takes one back that nobody could take on; the state machine's next state sends the message.
//!
//! | | |
//! |---|---|
//! | trigger | state `Record Stuck Booking` of the booking saga |
//! | writes | its entry, which makes the saga's status `NEEDS_ATTENTION` (AP-74); of a booking that could not be claimed, the compensation taken on (AP-71) |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: it takes nothing |
//! | safe to repeat | the execution that has the booking says the same again |
//!
//! A second start whose claim fails for good knows nothing of the booking: the first one may have confirmed it. So only the execution that has a booking makes a case of
//! it. A claim that failed is tried here once more, backwards: undoing is safe whoever had begun to claim, and seats do not wait for a person.

use super::claim_saga::{CREATED, called_off_by, take_back};
use crate::{
    SagaStore,
    store::{CallOff, TicketFacts},
};
use boxoffice_aws::{
    journal::{Entry, Step, StepStatus},
    transaction::Written,
};
use boxoffice_kernel::{TicketId, Timestamp, Trace};
use boxoffice_runtime::{StepFailure, task::Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state machine's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// The execution's facts of the booking: where it could not claim it, those of the event.
    booking: TicketFacts,
    trace: Trace,
    /// The event that started the execution.
    event: String,
    /// The error that stopped it.
    failure: Failure,
    #[serde(default)]
    retries: u32,
    execution_arn: String,
}

/// The next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ending {
    /// It is taken back after all.
    Undo,
    /// An operator is told.
    Stuck,
    /// Nothing: another execution has the booking, or it is over.
    Nothing,
}

/// The state machine's further input.
#[derive(Debug, Serialize)]
pub struct Recorded {
    ending: Ending,
    booking: TicketFacts,
    failure: Failure,
}

/// Succeeds with what follows; the log line is for the alarm.
///
/// # Errors
/// See the table above.
pub async fn run(store: &SagaStore, stuck: Stuck) -> Result<Recorded, StepFailure> {
    let started_at = Timestamp::now();
    let Stuck { booking, trace, event, failure, retries, execution_arn } = stuck;
    let ticket = booking.get("ticketId").and_then(Value::as_str).and_then(|text| text.parse::<TicketId>().ok());
    let ticket = ticket.ok_or_else(|| StepFailure::Defect("the booking names no ticket".into()))?;
    if failure.step == Step::ClaimSaga.title() {
        let because = if event == CREATED { CallOff::NobodyTookItOn } else { called_off_by(&event, &booking)? };
        return Ok(match take_back(store, ticket, because, &booking, &execution_arn).await? {
            Some((booking, turned)) => {
                let (correlation_id, error) = (&trace.correlation_id, &failure.error);
                tracing::warn!(ticket_id = %ticket, %correlation_id, event, error, "a booking that could not be claimed is taken back");
                Recorded { ending: Ending::Undo, booking, failure: turned }
            }
            None => Recorded { ending: Ending::Nothing, booking, failure },
        });
    }
    let entry = Entry {
        status: StepStatus::Completed,
        attempt: retries.saturating_add(1),
        started_at,
        executed_at: Timestamp::now(),
        reason: Some(failure.error.clone()),
        error_code: None,
        error_message: None,
    };
    if store.record_stuck(ticket, &execution_arn, &entry).await? == Written::Stale {
        let correlation_id = &trace.correlation_id;
        tracing::warn!(ticket_id = %ticket, %correlation_id, event, "another execution has the booking, or it is over: it is not stuck");
        return Ok(Recorded { ending: Ending::Nothing, booking, failure });
    }
    tracing::error!(
        ticket_id = %ticket,
        correlation_id = %trace.correlation_id,
        step = failure.step,
        error = failure.error,
        cause = failure.cause,
        "booking needs attention"
    );
    Ok(Recorded { ending: Ending::Stuck, booking, failure })
}
