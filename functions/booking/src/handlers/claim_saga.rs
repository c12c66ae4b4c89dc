//! Takes a booking on, once: the first state of every execution, whatever event started it.
//!
//! | | |
//! |---|---|
//! | trigger | state `Claim Saga` of the booking saga |
//! | writes | the saga, on condition that no other execution has it (AP-70, AP-71) |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: the claim is what tells a later start that there is nothing to do |
//! | safe to repeat | the execution that has the claim gets it again |

use crate::{
    SagaStore,
    store::{Booking, CallOff},
};
use boxoffice_aws::journal::{Entry, StepStatus};
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
    let ticket = start.data.get("ticketId").and_then(Value::as_str).and_then(|text| text.parse::<TicketId>().ok());
    let ticket = ticket.ok_or_else(|| StepFailure::Defect("the event names no ticket".into()))?;
    let claim = |direction, booking, because: &str| {
        let (event, correlation_id) = (&start.event_type, &start.correlation_id);
        tracing::info!(ticket_id = %ticket, %correlation_id, event, ?direction, "claim");
        let failure = Failure { step: "Claim Saga".into(), error: because.to_owned(), cause: String::new() };
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
            return Ok(claim(if mine { Direction::Book } else { Direction::Nothing }, start.data.clone(), ""));
        }
        "TicketCancellationRequested" => (CallOff::BookingCancelled, Some(&start.data)),
        "TicketExpiryRequested" => (CallOff::HoldExpired, Some(&start.data)),
        // It states the payment, not the booking: that is with the saga, which there must be, or nothing was paid.
        "PaymentRefunded" => (CallOff::PaymentRefunded, None),
        other => return Err(StepFailure::Defect(format!("{other} starts no saga"))),
    };
    let booking = store.call_off(ticket, facts, because, &start.execution_arn).await?;
    Ok(match booking {
        Some(booking) => claim(Direction::Undo, booking, because.name()),
        None => claim(Direction::Nothing, start.data.clone(), because.name()),
    })
}
