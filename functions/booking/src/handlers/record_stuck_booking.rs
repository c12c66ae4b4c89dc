//! Records that a booking cannot be undone by itself; the state machine's next state sends the message.
//!
//! | | |
//! |---|---|
//! | trigger | state `Record Stuck Booking` of the booking saga |
//! | writes | the saga's facts, should nobody have been able to take it on (AP-74); its entry in the journal (AP-02), which makes the saga's status `NEEDS_ATTENTION` |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: it takes nothing |
//! | safe to repeat | it says the same again |

use crate::{SagaStore, store::Booking};
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{SagaInput, StepFailure, task};
use serde::Deserialize;
use serde_json::Value;

/// A booking, with all that the event which began its saga said of it: nobody else may have kept that.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Booking")]
pub struct StuckBooking {
    ticket_id: TicketId,
    facts: Booking,
}

impl TryFrom<Booking> for StuckBooking {
    type Error = &'static str;
    fn try_from(facts: Booking) -> Result<Self, Self::Error> {
        let ticket_id = facts.get("ticketId").and_then(Value::as_str).and_then(|text| text.parse().ok());
        Ok(Self { ticket_id: ticket_id.ok_or("it names no ticket")?, facts })
    }
}

impl task::Booking for StuckBooking {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }
}

/// Sees to it that there is a saga to show and to redrive; the log line is for the alarm.
///
/// # Errors
/// See the table above.
pub async fn run(store: &SagaStore, input: SagaInput<StuckBooking>) -> Result<(), StepFailure> {
    let StuckBooking { ticket_id, facts } = &input.booking;
    let failure = input.failure.as_ref();
    tracing::error!(
        %ticket_id,
        correlation_id = %input.trace.correlation_id,
        step = failure.map(|failure| failure.step.as_str()),
        error = failure.map(|failure| failure.error.as_str()),
        cause = failure.map(|failure| failure.cause.as_str()),
        "booking needs attention"
    );
    Ok(store.keep_facts(*ticket_id, facts).await?)
}
