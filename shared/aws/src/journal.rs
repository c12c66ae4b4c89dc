//! The saga's journal: which step of which booking ran, when, and how it went.
//!
//! Like the event store it is infrastructure that every context writes to, each only its own steps' entries; only `booking` creates
//! and reads sagas. A saga's status is not stored but follows from its steps, so that steps that finish in any order, or twice, cannot leave a
//! status that contradicts them.
//!
//! A saga that is not over is on a list ([`Unfinished`]), which an operator reads. The entry is kept in the very write that changes the status, and follows
//! the same rules: what a write cannot know of the other steps is its condition.

use crate::{
    List, StoreError,
    listing::GSI1,
    transaction::{Written, built, conditional},
};
use aws_sdk_dynamodb::{Client, operation::update_item::builders::UpdateItemFluentBuilder, types::AttributeValue};
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
    /// Charges the payment when the booking named what to charge.
    InitiatePayment,
    /// Leaves word where to report the buyer's payment.
    AwaitPayment,
    /// Ends a payment that did not come in time, or finds that it did.
    ExpirePayment,
    /// Takes the seats back for a payment that came late.
    RenewHold,
    /// Sells the seats and confirms the ticket.
    ConfirmTicket,
    /// Undo of the issue of admissions.
    RevokeAdmissions,
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
    pub const ALL: [Self; 12] = [
        Self::ClaimSaga,
        Self::VerifyHold,
        Self::InitiatePayment,
        Self::AwaitPayment,
        Self::ExpirePayment,
        Self::RenewHold,
        Self::ConfirmTicket,
        Self::RevokeAdmissions,
        Self::ReversePayment,
        Self::ReleaseHold,
        Self::CancelTicket,
        Self::RecordStuckBooking,
    ];

    /// The step's name: that of its function.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaimSaga => "claim-saga",
            Self::VerifyHold => "verify-hold",
            Self::InitiatePayment => "initiate-payment",
            Self::AwaitPayment => "await-payment",
            Self::ExpirePayment => "expire-payment",
            Self::RenewHold => "renew-hold",
            Self::ConfirmTicket => "confirm-ticket",
            Self::RevokeAdmissions => "revoke-admissions",
            Self::ReversePayment => "reverse-payment",
            Self::ReleaseHold => "release-hold",
            Self::CancelTicket => "cancel-ticket",
            Self::RecordStuckBooking => "record-stuck-booking",
        }
    }

    /// The same in Title Case: the name of its state.
    pub fn title(self) -> String {
        title(self.name())
    }

    /// Whether the step takes the booking on towards its confirmation.
    pub fn is_forward(self) -> bool {
        match self {
            Self::ClaimSaga
            | Self::VerifyHold
            | Self::InitiatePayment
            | Self::AwaitPayment
            | Self::ExpirePayment
            | Self::RenewHold
            | Self::ConfirmTicket => true,
            Self::RevokeAdmissions
            | Self::ReversePayment
            | Self::ReleaseHold
            | Self::CancelTicket
            | Self::RecordStuckBooking => false,
        }
    }

    /// Whether the step takes something back.
    pub fn is_undo(self) -> bool {
        matches!(self, Self::RevokeAdmissions | Self::ReversePayment | Self::ReleaseHold | Self::CancelTicket)
    }
}

/// `verify-hold` as `Verify Hold`.
pub fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join(" ")
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
    /// The number of this try, from 1.
    #[schema(minimum = 1)]
    pub attempt: u32,
    /// When the try began.
    pub started_at: Timestamp,
    /// When it ended.
    pub executed_at: Timestamp,
    /// For an undo step: the error that started the compensation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The error's name in the state machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The error in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// The lists of sagas that are not over. None of a saga that is completed or compensated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// On their way, forward or back.
    Running,
    /// An operator's cases.
    NeedsAttention,
}

impl Unfinished {
    /// Its name, as callers say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::NeedsAttention => "NEEDS_ATTENTION",
        }
    }

    /// The list; its entries are sorted by ticket.
    pub fn list(self) -> List {
        List::spread(GSI1, format_args!("SAGA#{}", self.name()))
    }
}

/// The saga's place on the lists after a step's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// It stays where it is.
    AsIs,
    /// It is on this list, unless a step that counts for more says otherwise.
    On(Unfinished),
    /// It is on none, unless somebody wants it back.
    OffUnlessUndoing,
    /// It is on none.
    Off,
}

impl Listed {
    fn after(step: Step, status: StepStatus) -> Self {
        match (step, status) {
            (Step::CancelTicket, StepStatus::Completed | StepStatus::Compensated) => Self::Off,
            (Step::RecordStuckBooking, _) => Self::On(Unfinished::NeedsAttention),
            (Step::ConfirmTicket, StepStatus::Completed | StepStatus::Compensated) => Self::OffUnlessUndoing,
            // It may have been confirmed before, by a run whose answer was lost.
            (Step::ConfirmTicket, StepStatus::Failed) => Self::On(Unfinished::Running),
            (Step::RevokeAdmissions | Step::ReversePayment | Step::ReleaseHold | Step::CancelTicket, _) => {
                Self::On(Unfinished::Running)
            }
            _ => Self::AsIs,
        }
    }
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

    /// The condition that the ticket has not been cancelled: an item's own names are `#cancel`, `#status` and `:failed`, which
    /// [`Journal::not_cancelled`] adds.
    pub const NOT_CANCELLED: &str = "(attribute_not_exists(#cancel) OR #cancel.#status = :failed)";

    /// The update with what [`Journal::NOT_CANCELLED`] names.
    #[must_use]
    pub fn not_cancelled(update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        update
            .expression_attribute_names("#cancel", Self::attribute(Step::CancelTicket))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":failed", AttributeValue::S(StepStatus::Failed.name().into()))
    }

    /// AP-02 record step: the last run of a step replaces the one before, and the saga goes to the list that fits. A booking that was never claimed
    /// has no saga, and gets none here: a claim would take it for another's.
    pub async fn record(&self, ticket: TicketId, step: Step, entry: &Entry) -> Result<(), StoreError> {
        let listed = Listed::after(step, entry.status);
        if self.write(ticket, step, entry, listed).await? == Written::Yes {
            return Ok(());
        }
        // Another step counts for more, and has put the saga where it belongs. Only a booking that is called off after it was compensated comes
        // to a list anew, and leaves it again here.
        let otherwise = if step == Step::RecordStuckBooking { Listed::Off } else { Listed::AsIs };
        if self.write(ticket, step, entry, otherwise).await? == Written::Stale {
            tracing::warn!(ticket_id = %ticket, %step, "the booking was never claimed: there is no saga to write the step to");
        }
        Ok(())
    }

    async fn write(&self, ticket: TicketId, step: Step, entry: &Entry, listed: Listed) -> Result<Written, StoreError> {
        let [list, place] = Unfinished::Running.list().attributes();
        let entry: AttributeValue = built(serde_dynamo::to_attribute_value(entry))?;
        let on = format!("SET #step = :entry, updatedAt = :now, {list} = :list, {place} = :place");
        let off = format!("SET #step = :entry, updatedAt = :now REMOVE {list}, {place}");
        let (sets, condition) = match listed {
            Listed::AsIs => ("SET #step = :entry, updatedAt = :now".to_owned(), String::new()),
            Listed::Off => (off, String::new()),
            Listed::OffUnlessUndoing => {
                (off, " AND attribute_not_exists(calledOffAt) AND attribute_not_exists(#stuck) AND attribute_not_exists(#revoke) AND \
                       attribute_not_exists(#reverse) AND attribute_not_exists(#release) AND attribute_not_exists(#cancel)".to_owned())
            }
            Listed::On(Unfinished::NeedsAttention) => (on, format!(" AND {}", Self::NOT_CANCELLED)),
            Listed::On(Unfinished::Running) => {
                (on, format!(" AND {} AND attribute_not_exists(#stuck)", Self::NOT_CANCELLED))
            }
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(Self::partition(ticket)))
            .key("sk", AttributeValue::S("SAGA".into()))
            .update_expression(sets)
            .condition_expression(format!("attribute_exists(pk){condition}"))
            .expression_attribute_names("#step", Self::attribute(step))
            .expression_attribute_values(":entry", entry)
            .expression_attribute_values(":now", AttributeValue::S(Timestamp::now().to_string()));
        // DynamoDB refuses a name that no expression uses.
        if let Listed::On(list) = listed {
            update = Self::not_cancelled(update);
            for (name, (_, value)) in [":list", ":place"].into_iter().zip(list.list().entry(ticket)) {
                update = update.expression_attribute_values(name, value);
            }
        }
        if listed == Listed::OffUnlessUndoing {
            for (name, undo) in [
                ("#revoke", Step::RevokeAdmissions),
                ("#reverse", Step::ReversePayment),
                ("#release", Step::ReleaseHold),
                ("#cancel", Step::CancelTicket),
            ] {
                update = update.expression_attribute_names(name, Self::attribute(undo));
            }
        }
        if matches!(listed, Listed::OffUnlessUndoing | Listed::On(Unfinished::Running)) {
            update = update.expression_attribute_names("#stuck", Self::attribute(Step::RecordStuckBooking));
        }
        conditional(update.send().await)
    }
}
