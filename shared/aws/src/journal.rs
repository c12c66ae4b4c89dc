//! The saga's journal: which step of which booking ran, when, and how it went.
//!
//! Like the event store it is infrastructure that every context writes to, each only its own steps' entries; only `booking` creates
//! and reads sagas. A saga's status is not stored but follows from its steps, so that steps that finish in any order, or twice, cannot leave a
//! status that contradicts them.

use crate::{StoreError, transaction::built};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_kernel::{TicketId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The steps of the booking saga, by the names they have in the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SagaStep)]
pub enum Step {
    /// Takes the booking on, once.
    ClaimSaga,
    /// Checks that the seats are still held.
    VerifyHold,
    /// Creates the payment, and charges it when the booking named a payment method.
    InitiatePayment,
    /// Leaves word where to report the buyer's payment.
    AwaitPayment,
    /// Ends a payment that did not come in time, or finds that it did.
    ExpirePayment,
    /// Takes the seats back for a payment that came late.
    RenewHold,
    /// Sells the seats and confirms the ticket.
    ConfirmTicket,
    /// Undo of the payment, whatever became of it: voids or refunds it.
    ReversePayment,
    /// Undo of the hold and of the sale: gives the seats back.
    ReleaseHold,
    /// Undo of the ticket.
    CancelTicket,
    /// Hands a booking that cannot be undone to an operator.
    RecordStuckBooking,
}

impl Step {
    /// Every step, in the order a booking meets them.
    pub const ALL: [Self; 11] = [
        Self::ClaimSaga,
        Self::VerifyHold,
        Self::InitiatePayment,
        Self::AwaitPayment,
        Self::ExpirePayment,
        Self::RenewHold,
        Self::ConfirmTicket,
        Self::ReversePayment,
        Self::ReleaseHold,
        Self::CancelTicket,
        Self::RecordStuckBooking,
    ];

    /// The step's name: that of its function, and in Title Case of its state.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaimSaga => "claim-saga",
            Self::VerifyHold => "verify-hold",
            Self::InitiatePayment => "initiate-payment",
            Self::AwaitPayment => "await-payment",
            Self::ExpirePayment => "expire-payment",
            Self::RenewHold => "renew-hold",
            Self::ConfirmTicket => "confirm-ticket",
            Self::ReversePayment => "reverse-payment",
            Self::ReleaseHold => "release-hold",
            Self::CancelTicket => "cancel-ticket",
            Self::RecordStuckBooking => "record-stuck-booking",
        }
    }

    /// Whether the step takes something back.
    pub fn is_undo(self) -> bool {
        matches!(self, Self::ReversePayment | Self::ReleaseHold | Self::CancelTicket)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = SagaStepStatus)]
pub enum StepStatus {
    /// It did its work.
    Completed,
    /// It refused or failed; the saga's next step says what came of that.
    Failed,
    /// It took back what had been done.
    Compensated,
}

impl StepStatus {
    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Compensated => "COMPENSATED",
        }
    }
}

/// One step's last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SagaStepEntry)]
pub struct Entry {
    /// How it went.
    pub status: StepStatus,
    /// Which try this was, from 1.
    #[schema(minimum = 1)]
    pub attempt: u32,
    /// When the try began.
    pub started_at: Timestamp,
    /// When it ended.
    pub executed_at: Timestamp,
    /// Of an undo: the error that made the saga turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The error's name in the state machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The error in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Where steps are written.
#[derive(Debug, Clone)]
pub struct Journal {
    client: Client,
    table: String,
}

impl Journal {
    /// The journal in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The attribute that holds a step's entry.
    pub fn attribute(step: Step) -> String {
        format!("step:{step}")
    }

    /// The partition key of a booking's saga.
    pub fn partition(ticket: TicketId) -> String {
        format!("SAGA#{ticket}")
    }

    /// AP-02 record step: the last run of a step replaces the one before.
    ///
    /// # Errors
    /// When the store does.
    pub async fn record(&self, ticket: TicketId, step: Step, entry: &Entry) -> Result<(), StoreError> {
        let entry: AttributeValue = built(serde_dynamo::to_attribute_value(entry))?;
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(Self::partition(ticket)))
            .key("sk", AttributeValue::S("SAGA".into()))
            .update_expression("SET #step = :entry, updatedAt = :now")
            .expression_attribute_names("#step", Self::attribute(step))
            .expression_attribute_values(":entry", entry)
            .expression_attribute_values(":now", AttributeValue::S(Timestamp::now().to_string()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::from_sdk)
    }
}
