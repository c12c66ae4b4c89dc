//! A saga step in, a result or an error name of the state machine's contract out.
//!
//! Lambda hands a failed function's error type to Step Functions, whose `Retry` and `Catch` match on it by name. So each step's
//! error is an enum with stated names, and `statemachines/` has a test that those are the names the machine knows.

use boxoffice_aws::{
    Journal, StoreError,
    journal::{Entry, Step, StepStatus},
};
use boxoffice_kernel::{Correlation, Refusal, TicketId, Timestamp, Trace};
use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::future::Future;

/// The input of every step.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaInput<B> {
    /// The booking's facts, from the event that started the saga.
    pub booking: B,
    /// Where the saga comes from.
    pub trace: Trace,
    /// How often Step Functions has retried this step: 0 at first.
    #[serde(default)]
    pub retries: u32,
    /// On the way back: what made the saga turn.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// For a step that waits: the task token.
    #[serde(default)]
    pub task_token: Option<String>,
    /// This execution of the state machine.
    #[serde(default)]
    pub execution_arn: String,
}

/// The cause of the compensation: a step's error, as the state machine caught it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, by its name in the state machine.
    pub step: String,
    /// The error's name.
    pub error: String,
    /// The cause that Lambda reported with it.
    #[serde(default)]
    pub cause: String,
}

/// The least every step knows of its booking.
pub trait OfTicket {
    /// The ticket the saga is about.
    fn ticket_id(&self) -> TicketId;
    /// Until when the seats are held for the payment, where the step knows.
    fn hold_expires_at(&self) -> Option<Timestamp>;
}

/// How often a step forward is tried at least before the end of the hold makes it give up: as often as an undo, two and a half minutes on average. A
/// payment that comes at the end of the hold is confirmed through an outage as long as that.
const TRIES_AFTER_THE_HOLD: u32 = 10;

/// Why a step did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepFailure {
    /// A rule says no. The state machine matches the refusal's name and never retries.
    #[error("{detail}")]
    Refused {
        /// The rule.
        refusal: Refusal,
        /// This occurrence, for people.
        detail: String,
    },
    /// An operator's input breaks a rule. The command that invoked the function prints the name.
    #[error("{detail}")]
    Rejected {
        /// The rule's name.
        name: &'static str,
        /// This occurrence, for people.
        detail: String,
    },
    /// It may work later: the state machine tries again.
    #[error("{0}")]
    Transient(String),
    /// It will not work by trying again: a bug or a wrong deployment. The state machine tries all the same (`docs/adr/0008-retry-everything-but-refusals.md`).
    #[error("{0}")]
    Defect(String),
}

impl StepFailure {
    /// The name of [`StepFailure::Transient`] in the state machine.
    pub const TRANSIENT: &'static str = "Transient";
    /// The name of [`StepFailure::Defect`] in the state machine.
    pub const DEFECT: &'static str = "Defect";

    /// The error's name in the state machine.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.name(),
            Self::Rejected { name, .. } => name,
            Self::Transient(_) => Self::TRANSIENT,
            Self::Defect(_) => Self::DEFECT,
        }
    }
}

impl StepFailure {
    /// The failure of a step that the state machine has tried so often again: final once the hold is over. The state machine tries what is transient
    /// for as long as a hold of the default length, and does not know when this booking's ends.
    #[must_use]
    pub fn until(self, step: Step, hold_expires_at: Option<Timestamp>, retries: u32, now: Timestamp) -> Self {
        match self {
            Self::Transient(cause)
                if step.is_forward()
                    && retries >= TRIES_AFTER_THE_HOLD
                    && hold_expires_at.is_some_and(|ends| ends <= now) =>
            {
                Self::Refused { refusal: Refusal::DeadlineExceeded, detail: cause }
            }
            other => other,
        }
    }
}

impl From<StoreError> for StepFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Transient(error.to_string()),
            StoreError::Broken(_) => Self::Defect(error.to_string()),
        }
    }
}

impl From<StepFailure> for Diagnostic {
    fn from(failure: StepFailure) -> Self {
        Self { error_type: failure.name().to_owned(), error_message: failure.to_string() }
    }
}

/// Serves invocations that are not journaled steps until Lambda ends the environment. Logs failures; what a success means, the
/// handler logs.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_plain<I, T, F, Fut>(function: &str, run: F) -> Result<(), Error>
where
    I: DeserializeOwned,
    T: Serialize,
    F: Fn(I) -> Fut,
    Fut: Future<Output = Result<T, StepFailure>>,
{
    serve_in_time(function, |input, _| run(input)).await
}

/// The same for work that is as long as there is time: it is told when Lambda will end the invocation.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_in_time<I, T, F, Fut>(function: &str, run: F) -> Result<(), Error>
where
    I: DeserializeOwned,
    T: Serialize,
    F: Fn(I, Timestamp) -> Fut,
    Fut: Future<Output = Result<T, StepFailure>>,
{
    let run = &run;
    lambda_runtime::run(lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| async move {
        let deadline = i64::try_from(event.context.deadline).ok().and_then(Timestamp::from_unix_millis);
        let input = serde_json::from_value(event.payload)
            .map_err(|error| StepFailure::Defect(format!("{function} does not understand its input: {error}")))?;
        let outcome = Box::pin(run(input, deadline.unwrap_or_else(Timestamp::now))).await;
        if let Err(failure) = &outcome {
            tracing::warn!(function, error = failure.name(), cause = %failure, "invocation failed");
        }
        outcome
    }))
    .await
}

/// Serves a step of the saga until Lambda ends the environment: runs it, writes the journal, and reports the outcome by its contract name.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve<B, T, F, Fut>(step: Step, journal: Journal, run: F) -> Result<(), Error>
where
    B: OfTicket + DeserializeOwned,
    T: Serialize,
    F: Fn(SagaInput<B>) -> Fut,
    Fut: Future<Output = Result<T, StepFailure>>,
{
    let (journal, run) = (&journal, &run);
    lambda_runtime::run(lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| async move {
        let input: SagaInput<B> = serde_json::from_value(event.payload)
            .map_err(|error| StepFailure::Defect(format!("{step} does not understand its input: {error}")))?;
        // Boxed, or the compiler's layout of all that a step may await nests deeper than it allows.
        Box::pin(journaled(step, journal, input, run)).await
    }))
    .await
}

async fn journaled<B, T, F, Fut>(step: Step, journal: &Journal, input: SagaInput<B>, run: F) -> Result<T, StepFailure>
where
    B: OfTicket,
    F: Fn(SagaInput<B>) -> Fut,
    Fut: Future<Output = Result<T, StepFailure>>,
{
    let started_at = Timestamp::now();
    let (ticket, hold_expires_at, retries) =
        (input.booking.ticket_id(), input.booking.hold_expires_at(), input.retries);
    let in_time = |failure: StepFailure| failure.until(step, hold_expires_at, retries, Timestamp::now());
    let attempt = retries.saturating_add(1);
    let reason = input.failure.as_ref().map(|failure| failure.error.clone());
    let correlation_id: Correlation = input.trace.correlation_id.clone();
    let outcome = run(input).await.map_err(in_time);
    let failure = outcome.as_ref().err();
    let entry = Entry {
        status: match (failure, step.is_undo()) {
            (Some(_), _) => StepStatus::Failed,
            (None, true) => StepStatus::Compensated,
            (None, false) => StepStatus::Completed,
        },
        attempt,
        started_at,
        executed_at: Timestamp::now(),
        reason,
        error_code: failure.map(|failure| failure.name().to_owned()),
        error_message: failure.map(ToString::to_string),
    };
    tracing::info!(
        %step,
        ticket_id = %ticket,
        %correlation_id,
        attempt,
        status = entry.status.name(),
        error = entry.error_code,
        cause = entry.error_message,
        "step"
    );
    let written = journal.record(ticket, step, &entry).await;
    match (outcome, written) {
        // The work is done, but its entry is not: running the step again does no work twice and writes the entry.
        (Ok(_), Err(error)) => Err(in_time(error.into())),
        (outcome, _) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_aws::client;
    use boxoffice_testing::Listener;
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Booked {
        ticket_id: TicketId,
        #[serde(default)]
        hold_expires_at: Option<Timestamp>,
    }

    impl OfTicket for Booked {
        fn ticket_id(&self) -> TicketId {
            self.ticket_id
        }

        fn hold_expires_at(&self) -> Option<Timestamp> {
            self.hold_expires_at
        }
    }

    fn journal(store: &Listener) -> Journal {
        Journal::new(client::dynamodb(&store.sdk_config()), "sagas")
    }

    fn input(ticket: TicketId) -> SagaInput<Booked> {
        let input = json!({
            "booking": { "ticketId": ticket }, "trace": { "correlationId": "order-7", "causationId": "r" }, "retries": 2,
            "failure": { "step": "InitiatePayment", "error": "PaymentDeclined", "cause": "card_declined" }
        });
        serde_json::from_value(input).unwrap()
    }

    /// The one entry that was written, and for which ticket.
    fn written(store: &Listener) -> (String, Value) {
        let [(operation, asked)] = store.heard().try_into().unwrap();
        assert_eq!(operation, "UpdateItem");
        let is_entry = |value: &&Value| value.pointer("/M/status").is_some();
        let entry = asked["ExpressionAttributeValues"].as_object().unwrap().values().find(is_entry).unwrap().clone();
        (asked["Key"]["pk"]["S"].as_str().unwrap().to_owned(), entry["M"].clone())
    }

    #[tokio::test]
    async fn a_step_that_did_its_work_is_on_record_with_its_attempt_and_why_it_ran() {
        for (step, status) in [(Step::VerifyHold, "COMPLETED"), (Step::ReleaseHold, "COMPENSATED")] {
            let (store, ticket) = (Listener::default(), TicketId::generate());
            let run = async |input: SagaInput<Booked>| Ok::<_, StepFailure>(input.retries);
            assert_eq!(journaled(step, &journal(&store), input(ticket), run).await, Ok(2));
            let (key, entry) = written(&store);
            assert!(key.ends_with(&ticket.to_string()), "{key}");
            assert_eq!((&entry["status"]["S"], &entry["attempt"]["N"]), (&json!(status), &json!("3")), "{step}");
            assert_eq!(entry["reason"]["S"], "PaymentDeclined");
        }
    }

    #[tokio::test]
    async fn a_step_that_failed_is_on_record_with_its_error_and_fails() {
        let (store, ticket) = (Listener::default(), TicketId::generate());
        let refused = StepFailure::Refused { refusal: Refusal::HoldLost, detail: "the seats are gone".into() };
        let run = async |_: SagaInput<Booked>| Err::<(), _>(refused.clone());
        assert_eq!(journaled(Step::VerifyHold, &journal(&store), input(ticket), run).await, Err(refused.clone()));
        let (_, entry) = written(&store);
        assert_eq!(entry["status"]["S"], "FAILED");
        assert_eq!(
            (&entry["errorCode"]["S"], &entry["errorMessage"]["S"]),
            (&json!("HoldLost"), &json!("the seats are gone"))
        );
    }

    #[tokio::test]
    async fn work_that_is_not_on_record_is_done_again() {
        let store = Listener::answering(|_, _| (400, json!({ "__type": "ResourceNotFoundException" })));
        let outcome = |work: Result<(), StepFailure>| {
            let (journal, work) = (journal(&store), move |_: SagaInput<Booked>| std::future::ready(work.clone()));
            async move { journaled(Step::VerifyHold, &journal, input(TicketId::generate()), work).await }
        };
        assert_eq!(outcome(Ok(())).await.map_err(|failure| failure.name()), Err(StepFailure::DEFECT));
        // The work's own failure takes precedence over the journal's.
        let refused = StepFailure::Refused { refusal: Refusal::HoldLost, detail: String::new() };
        assert_eq!(outcome(Err(refused.clone())).await, Err(refused));
    }

    #[test]
    fn a_step_forward_is_tried_until_the_hold_ends_and_an_undo_for_ever() {
        let now = Timestamp::now();
        let (over, running) = (Some(now), Some(now.plus_seconds(1)));
        let transient = || StepFailure::Transient("no answer".into());
        for step in Step::ALL {
            let fails = |ends, retries| transient().until(step, ends, retries, now);
            let given_up = fails(over, TRIES_AFTER_THE_HOLD);
            assert_eq!(given_up.name() == Refusal::DeadlineExceeded.name(), step.is_forward(), "{step}");
            assert_eq!(given_up.to_string(), "no answer");
            for (ends, retries) in [(running, 1000), (None, 1000), (over, TRIES_AFTER_THE_HOLD - 1)] {
                assert_eq!(fails(ends, retries), transient(), "{step} after {retries}");
            }
        }
    }

    #[test]
    fn only_what_is_transient_becomes_a_missed_deadline() {
        let refused = StepFailure::Refused { refusal: Refusal::HoldLost, detail: String::new() };
        for failure in [refused, StepFailure::Defect("a bug".into())] {
            let now = Timestamp::now();
            assert_eq!(failure.clone().until(Step::ConfirmTicket, Some(now), 1000, now), failure);
        }
    }

    #[tokio::test]
    async fn a_missed_deadline_is_on_record_and_final() {
        let (store, ticket) = (Listener::default(), TicketId::generate());
        let mut input = input(ticket);
        (input.booking.hold_expires_at, input.retries) = (Some(Timestamp::now()), TRIES_AFTER_THE_HOLD);
        let run = async |_: SagaInput<Booked>| Err::<(), _>(StepFailure::Transient("no answer".into()));
        let outcome = journaled(Step::InitiatePayment, &journal(&store), input, run).await;
        assert_eq!(outcome.map_err(|failure| failure.name()), Err(Refusal::DeadlineExceeded.name()));
        let (_, entry) = written(&store);
        assert_eq!(entry["errorCode"]["S"], Refusal::DeadlineExceeded.name());
    }

    #[test]
    fn a_failure_reaches_the_state_machine_under_its_contract_name() {
        let refused = StepFailure::Refused { refusal: Refusal::HoldLost, detail: "the seats are gone".into() };
        let diagnostic = Diagnostic::from(refused);
        assert_eq!(
            (diagnostic.error_type.as_str(), diagnostic.error_message.as_str()),
            ("HoldLost", "the seats are gone")
        );
        let unavailable = StepFailure::from(StoreError::Unavailable("throttled".into()));
        assert_eq!(Diagnostic::from(unavailable).error_type, "Transient");
        assert_eq!(StepFailure::from(StoreError::Broken("no table".into())).name(), "Defect");
    }
}
