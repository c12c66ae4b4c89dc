//! A saga as its journal shows it. No I/O.

use boxoffice_aws::journal::{Entry, Step, StepStatus, Unfinished};
use boxoffice_kernel::{TicketId, Timestamp, UserId};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Where a saga is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = SagaStatus)]
pub enum Status {
    /// Claimed, and no more.
    Started,
    /// On its way.
    InProgress,
    /// The ticket is confirmed.
    Completed,
    /// On its way back.
    Compensating,
    /// Everything is taken back.
    Compensated,
    /// It can go neither way: an operator's case.
    NeedsAttention,
}

impl Status {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Compensating => "COMPENSATING",
            Self::Compensated => "COMPENSATED",
            Self::NeedsAttention => "NEEDS_ATTENTION",
        }
    }

    /// The list such a saga is on.
    pub fn list(self) -> Option<Unfinished> {
        match self {
            Self::Started | Self::InProgress | Self::Compensating => Some(Unfinished::Running),
            Self::NeedsAttention => Some(Unfinished::NeedsAttention),
            Self::Completed | Self::Compensated => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A booking's saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saga {
    /// The ticket it is about.
    pub ticket_id: TicketId,
    /// The user who booked.
    pub user_id: UserId,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// When somebody called the booking off.
    pub called_off_at: Option<Timestamp>,
    /// Why, if somebody did.
    pub called_off_because: Option<String>,
    /// The time of an operator's last redrive.
    pub redriven_at: Option<Timestamp>,
    /// The last run of each step that ran.
    pub steps: BTreeMap<Step, Entry>,
}

impl Saga {
    fn done(&self, step: Step) -> Option<&Entry> {
        self.steps.get(&step).filter(|entry| entry.status != StepStatus::Failed)
    }

    /// Whether somebody called it off, or an undo has run.
    fn is_undoing(&self) -> bool {
        self.called_off_at.is_some() || self.steps.keys().any(|step| step.is_undo())
    }

    /// Whether the ticket was confirmed, and nobody called the booking off or began to undo it. Such a saga is not stuck, whatever a step of it says.
    pub fn is_confirmed_for_good(&self) -> bool {
        self.done(Step::ConfirmTicket).is_some() && !self.is_undoing()
    }

    /// Where it is, as follows from its steps. The later a rule, the earlier in a saga's life: a saga that was compensated after it was stuck is
    /// compensated.
    pub fn status(&self) -> Status {
        if self.done(Step::CancelTicket).is_some() {
            Status::Compensated
        } else if self.steps.contains_key(&Step::RecordStuckBooking) {
            Status::NeedsAttention
        } else if self.is_undoing() {
            Status::Compensating
        } else if self.done(Step::ConfirmTicket).is_some() {
            Status::Completed
        } else if self.steps.keys().any(|step| *step != Step::ClaimSaga) {
            Status::InProgress
        } else {
            Status::Started
        }
    }

    /// When it last showed a sign of life. A saga that is at work, be it in vain, shows one at every try of every step.
    pub fn last_active(&self) -> Timestamp {
        let steps = self.steps.values().map(|entry| entry.executed_at);
        steps.chain(self.called_off_at).fold(self.started_at, Timestamp::max)
    }

    /// When it ended, if it has.
    pub fn completed_at(&self) -> Option<Timestamp> {
        let last = match self.status() {
            Status::Completed => Step::ConfirmTicket,
            Status::Compensated => Step::CancelTicket,
            _ => return None,
        };
        self.steps.get(&last).map(|entry| entry.executed_at)
    }

    /// The cause of the compensation, if there is one.
    pub fn compensation_reason(&self) -> Option<&str> {
        let of_undo =
            || self.steps.iter().filter(|(step, _)| step.is_undo()).find_map(|(_, entry)| entry.reason.as_deref());
        self.called_off_because.as_deref().or_else(of_undo)
    }

    /// The step that made it turn back: of those forward the last that failed.
    pub fn turned_at(&self) -> Option<Step> {
        let failed = self.steps.iter().filter(|(step, entry)| !step.is_undo() && entry.status == StepStatus::Failed);
        failed.max_by_key(|(_, entry)| entry.executed_at).map(|(step, _)| *step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saga(steps: &[(Step, StepStatus)]) -> Saga {
        let now = Timestamp::now();
        let entry = |status| Entry {
            status,
            attempt: 1,
            started_at: now,
            executed_at: now,
            reason: Some("PaymentDeclined".into()),
            error_code: None,
            error_message: None,
        };
        Saga {
            ticket_id: TicketId::generate(),
            user_id: UserId::generate(),
            started_at: now,
            called_off_at: None,
            called_off_because: None,
            redriven_at: None,
            steps: steps.iter().map(|(step, status)| (*step, entry(*status))).collect(),
        }
    }

    #[test]
    fn the_status_follows_from_the_steps() {
        use Step::{CancelTicket, ClaimSaga, ConfirmTicket, InitiatePayment, RecordStuckBooking, ReversePayment};
        use StepStatus::{Compensated, Completed, Failed};
        for (steps, status) in [
            (&[(ClaimSaga, Completed)][..], Status::Started),
            (&[(ClaimSaga, Completed), (InitiatePayment, Failed)], Status::InProgress),
            (&[(ConfirmTicket, Completed)], Status::Completed),
            (&[(ConfirmTicket, Failed)], Status::InProgress),
            (&[(ConfirmTicket, Failed), (ReversePayment, Compensated)], Status::Compensating),
            (&[(ReversePayment, Compensated), (CancelTicket, Failed)], Status::Compensating),
            (&[(ReversePayment, Failed), (RecordStuckBooking, Completed)], Status::NeedsAttention),
            (&[(RecordStuckBooking, Completed), (CancelTicket, Compensated)], Status::Compensated),
            (&[(ConfirmTicket, Completed), (RecordStuckBooking, Completed)], Status::NeedsAttention),
            (
                &[(ConfirmTicket, Completed), (ReversePayment, Failed), (RecordStuckBooking, Completed)],
                Status::NeedsAttention,
            ),
        ] {
            assert_eq!(saga(steps).status(), status, "{steps:?}");
        }
    }

    #[test]
    fn a_confirmed_booking_that_is_called_off_is_on_its_way_back() {
        let mut saga = saga(&[(Step::ConfirmTicket, StepStatus::Completed)]);
        assert!(saga.completed_at().is_some());
        saga.called_off_at = Some(Timestamp::now());
        assert_eq!((saga.status(), saga.completed_at()), (Status::Compensating, None));
    }

    #[test]
    fn a_saga_is_on_a_list_until_it_is_over() {
        assert_eq!(Status::Started.list(), Some(Unfinished::Running));
        assert_eq!(Status::Compensating.list(), Some(Unfinished::Running));
        assert_eq!(Status::NeedsAttention.list(), Some(Unfinished::NeedsAttention));
        assert_eq!((Status::Completed.list(), Status::Compensated.list()), (None, None));
    }

    #[test]
    fn it_turned_at_the_step_forward_that_failed() {
        use Step::{InitiatePayment, ReversePayment, VerifyHold};
        let steps = [
            (VerifyHold, StepStatus::Completed),
            (InitiatePayment, StepStatus::Failed),
            (ReversePayment, StepStatus::Failed),
        ];
        assert_eq!(saga(&steps).turned_at(), Some(InitiatePayment));
        assert_eq!(saga(&[(VerifyHold, StepStatus::Completed)]).turned_at(), None);
    }

    #[test]
    fn the_reason_is_the_error_that_turned_it() {
        assert_eq!(
            saga(&[(Step::ReversePayment, StepStatus::Compensated)]).compensation_reason(),
            Some("PaymentDeclined")
        );
        assert_eq!(saga(&[(Step::ConfirmTicket, StepStatus::Completed)]).compensation_reason(), None);
    }

    #[test]
    fn a_status_has_one_spelling() {
        use Status::{Compensated, Compensating, Completed, InProgress, NeedsAttention, Started};
        for status in [Started, InProgress, Completed, Compensating, Compensated, NeedsAttention] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
            assert_eq!(status.to_string(), status.name());
        }
    }

    #[test]
    fn a_booking_that_is_taken_back_ends_with_its_ticket() {
        let saga = saga(&[(Step::CancelTicket, StepStatus::Compensated)]);
        assert_eq!(saga.completed_at(), Some(saga.started_at));
    }
}
