//! `boxoffice sagas`: bookings on their way, and those that got stuck.

use super::stack::{Asker, Configuration, Stack, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::{
    Cursor, Limit, ListError, client,
    journal::{Entry, Step, Unfinished},
};
use boxoffice_kernel::{Reason, TicketId};
use boxoffice_operations::{Casework, casework::CaseError};
use boxoffice_saga::{domain::Saga, handlers::answer::SagaView};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::fmt::Write;

const LIST: &str = "Examples:
  boxoffice sagas list --status needs-attention
  boxoffice sagas list --status running --limit 100 --json";

const SHOW: &str = "Example:
  boxoffice sagas show tkt_01a2089d219e737bb4e23d79e9d77e1a";

const ACT: &str = "Example, with the verb in place:
  boxoffice sagas redrive tkt_01a2089d219e737bb4e23d79e9d77e1a --reason 'the provider answers again'";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List unfinished sagas, newest first.
    #[command(after_help = LIST)]
    List(List),
    /// Show a saga as a tree of its steps.
    #[command(after_help = SHOW)]
    Show(Show),
    /// Retry a stuck booking's compensation after fixing the cause.
    #[command(after_help = ACT)]
    Redrive(Act),
    /// Force the compensation of a booking in any state: refund the payment, release the seats, cancel the ticket.
    #[command(after_help = ACT)]
    Compensate(Act),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Running,
    NeedsAttention,
}

impl From<Which> for Unfinished {
    fn from(which: Which) -> Self {
        match which {
            Which::Running => Self::Running,
            Which::NeedsAttention => Self::NeedsAttention,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only sagas with this status.
    #[arg(long, value_enum, default_value = "needs-attention")]
    status: Which,
    /// Page size: 1 to 100.
    #[arg(long, default_value = "20")]
    limit: Limit,
    /// Continue after the previous page: the value it printed as `next`.
    #[arg(long)]
    next: Option<Cursor>,
    #[command(flatten)]
    stack: Stack,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The ticket's id, tkt_…
    ticket: TicketId,
    #[command(flatten)]
    stack: Stack,
}

#[derive(Debug, Args)]
pub(crate) struct Act {
    /// The ticket's id, tkt_…
    ticket: TicketId,
    /// The reason, 1 to 300 characters; recorded with the act.
    #[arg(long)]
    reason: Reason,
    #[command(flatten)]
    asker: Asker,
    #[command(flatten)]
    stack: Stack,
}

impl From<ListError> for Failure {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(error) => Self::Refused(format!("next {error}")),
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<CaseError> for Failure {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::NoSaga | CaseError::Refused(_) => Self::Refused(error.to_string()),
            CaseError::Store(error) => error.into(),
        }
    }
}

async fn casework(stack: &Stack) -> Result<Casework, Failure> {
    let sdk = client::sdk_config();
    let configuration = Configuration::of(&sdk, &stack.stack, "redrive-saga").await?;
    Casework::from_source(&client::dynamodb(&sdk), |name| configuration.variable(name))
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self {
            Self::List(List { status, limit, next, stack }) => {
                let page = casework(&stack).await?.sagas().list(status.into(), limit, next).await?;
                let lines: Vec<String> = page.items.iter().map(line).collect();
                let more = page.next.as_ref().map(|next| format!("more: --next {next}"));
                let words = lines.into_iter().chain(more).collect::<Vec<_>>().join("\n");
                let items: Vec<SagaView> = page.items.iter().map(SagaView::from).collect();
                let words = if words.is_empty() { "none".to_owned() } else { words };
                Ok(Done { words, facts: json!({ "items": items, "next": page.next }) })
            }
            Self::Show(Show { ticket, stack }) => {
                let saga = casework(&stack).await?.sagas().get(ticket).await?.ok_or(CaseError::NoSaga)?;
                Ok(Done { words: tree(&saga), facts: json!(SagaView::from(&saga)) })
            }
            Self::Redrive(Act { ticket, reason, asker, stack }) => {
                let operator = asker.operator()?;
                let trace = trace(&operator);
                let act = casework(&stack).await?.redrive(ticket, operator.clone(), reason, &trace).await?;
                let words = format!("the redrive of {ticket} is requested ({act}, by {operator})");
                Ok(Done { words, facts: json!({ "actId": act, "ticketId": ticket, "requestedBy": operator }) })
            }
            Self::Compensate(Act { ticket, reason, asker, stack }) => {
                let operator = asker.operator()?;
                let trace = trace(&operator);
                let act = casework(&stack).await?.compensate(ticket, operator.clone(), reason, &trace).await?;
                let words = format!("{ticket} is to be taken back ({act}, by {operator})");
                Ok(Done { words, facts: json!({ "actId": act, "ticketId": ticket, "requestedBy": operator }) })
            }
        }
    }
}

fn line(saga: &Saga) -> String {
    let last = saga.steps.iter().max_by_key(|(_, entry)| entry.executed_at);
    let last = last.map(|(step, entry)| format!("{step} {}", entry.status.name())).unwrap_or_default();
    format!("{}  {:<15}  {}  {last}", saga.ticket_id, saga.status().name(), saga.started_at)
}

/// The steps as a tree: forward first, then its undoing, then what an operator is told.
fn tree(saga: &Saga) -> String {
    let mut text = format!("{}  {}  since {}\n", saga.ticket_id, saga.status(), saga.started_at);
    if let Some(reason) = saga.compensation_reason() {
        let _ = writeln!(text, "taken back because of {reason}");
    }
    let group = |is_in: fn(Step) -> bool| {
        let mut steps: Vec<_> = saga.steps.iter().filter(|(step, _)| is_in(**step)).collect();
        steps.sort_by_key(|(step, entry)| (entry.started_at, **step));
        steps
    };
    let stuck = |step: Step| step == Step::RecordStuckBooking;
    let groups = [
        ("forward", group(|step| !step.is_undo() && step != Step::RecordStuckBooking)),
        ("undo", group(Step::is_undo)),
        ("operator", group(stuck)),
    ];
    for (name, steps) in groups.into_iter().filter(|(_, steps)| !steps.is_empty()) {
        let _ = writeln!(text, "{name}");
        let last = steps.len() - 1;
        for (index, (step, entry)) in steps.into_iter().enumerate() {
            branch(&mut text, if index == last { "└─" } else { "├─" }, *step, entry);
        }
    }
    text.trim_end().to_owned()
}

fn branch(text: &mut String, joint: &str, step: Step, entry: &Entry) {
    let millis = entry.executed_at.unix_millis().saturating_sub(entry.started_at.unix_millis());
    let tries = if entry.attempt > 1 { format!(", attempt {}", entry.attempt) } else { String::new() };
    let _ = writeln!(text, "{joint} {:<20} {:<11} {millis} ms{tries}", step.name(), entry.status.name());
    if let Some(code) = &entry.error_code {
        let words = entry.error_message.as_deref().unwrap_or_default();
        let _ = writeln!(text, "   {code}: {words}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_aws::journal::StepStatus;
    use boxoffice_kernel::{Timestamp, UserId};

    fn saga() -> Saga {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let entry = |status, started: &str, ended: &str, attempt| Entry {
            status,
            attempt,
            started_at: at(started),
            executed_at: at(ended),
            reason: None,
            error_code: None,
            error_message: None,
        };
        let failed = |entry: Entry, code: &str, words: &str| Entry {
            error_code: Some(code.into()),
            error_message: Some(words.into()),
            ..entry
        };
        let declined = entry(StepStatus::Failed, "2030-01-01T12:00:01Z", "2030-01-01T12:00:01.250Z", 1);
        let reversal = entry(StepStatus::Failed, "2030-01-01T12:00:09Z", "2030-01-01T12:00:17Z", 11);
        let reversal = Entry { reason: Some("PaymentDeclined".into()), ..failed(reversal, "Transient", "no answer") };
        Saga {
            ticket_id: "tkt_01970000000070008000000000000001".parse().unwrap(),
            user_id: UserId::generate(),
            started_at: at("2030-01-01T12:00:00Z"),
            called_off_at: None,
            called_off_because: None,
            redriven_at: None,
            steps: [
                (Step::ClaimSaga, entry(StepStatus::Completed, "2030-01-01T12:00:00Z", "2030-01-01T12:00:00.030Z", 1)),
                (Step::InitiatePayment, failed(declined, "PaymentDeclined", "the card was declined")),
                (Step::ReversePayment, reversal),
                (
                    Step::RecordStuckBooking,
                    entry(StepStatus::Completed, "2030-01-01T12:00:18Z", "2030-01-01T12:00:18.010Z", 1),
                ),
            ]
            .into(),
        }
    }

    #[test]
    fn a_saga_is_drawn_forward_then_back() {
        assert_eq!(
            tree(&saga()),
            "tkt_01970000000070008000000000000001  NEEDS_ATTENTION  since 2030-01-01T12:00:00.000Z\n\
             taken back because of PaymentDeclined\n\
             forward\n\
             ├─ claim-saga           COMPLETED   30 ms\n\
             └─ initiate-payment     FAILED      250 ms\n   \
                PaymentDeclined: the card was declined\n\
             undo\n\
             └─ reverse-payment      FAILED      8000 ms, attempt 11\n   \
                Transient: no answer\n\
             operator\n\
             └─ record-stuck-booking COMPLETED   10 ms"
        );
    }

    #[test]
    fn a_line_says_what_came_last() {
        assert!(line(&saga()).ends_with("record-stuck-booking COMPLETED"), "{}", line(&saga()));
    }
}
