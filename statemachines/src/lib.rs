//! The booking saga as data, and the contract it keeps.
//!
//! The machine is deployed from its ASL file alone; nothing here runs. This crate reads that file and says where it breaks its
//! contract, so that a machine that could leave a booking half done fails the build. `tests/contract.rs` runs it on the
//! real machine, and on broken copies of it to show that it would notice.

use boxoffice_aws::journal::Step;
pub use boxoffice_aws::journal::title;
use boxoffice_kernel::Refusal;
use boxoffice_runtime::StepFailure;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A state machine in Amazon States Language (<https://states-language.net>).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Machine {
    /// Where it begins.
    pub start_at: String,
    /// Its states by name.
    pub states: BTreeMap<String, State>,
}

/// One state, as far as the contract looks at it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// Its type: `Task`, `Choice`, `Succeed`, `Fail`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Why it is there.
    #[serde(default)]
    pub comment: String,
    /// The function or service call of a task.
    #[serde(default)]
    pub resource: String,
    /// How long a task may take.
    pub timeout_seconds: Option<serde_json::Value>,
    /// The retry policies.
    #[serde(default)]
    pub retry: Vec<Retry>,
    /// Where errors lead.
    #[serde(default)]
    pub catch: Vec<Catch>,
    /// A choice's branches.
    #[serde(default)]
    pub choices: Vec<Branch>,
    /// A choice's other branch.
    pub default: Option<String>,
    /// The next state.
    pub next: Option<String>,
}

/// A retry policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Retry {
    /// On which errors.
    pub error_equals: Vec<String>,
    /// How often.
    pub max_attempts: u32,
    /// After how long, at first.
    #[serde(default)]
    pub interval_seconds: u32,
    /// How much longer each time.
    #[serde(default)]
    pub backoff_rate: u32,
    /// But never longer than this.
    pub max_delay_seconds: Option<u32>,
    /// How the waits are spread.
    pub jitter_strategy: Option<String>,
}

/// Where errors lead.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Catch {
    /// The errors it catches.
    pub error_equals: Vec<String>,
    /// Where to.
    pub next: String,
}

/// One branch of a choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Branch {
    /// Where to.
    pub next: String,
}

/// Where the saga may end: well, taken back, with an operator, or not begun.
pub const ENDS: [&str; 4] = ["Completed", "Compensated", "Needs Attention", "Already Taken On"];

/// Errors that pass by themselves, so that no good booking is undone for them: our own name for one, and what Lambda answers in place of a function that it
/// cannot run now (<https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html>). A crash and a defect are not among them.
pub const BUSY: [&str; 6] = [
    StepFailure::TRANSIENT,
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
];

/// How long seats are held unless the deployment says otherwise: the default of the parameter `HoldSeconds`.
pub const HOLD_SECONDS: u64 = 600;

/// The longest pause between two tries: somebody waits for the booking.
const LONGEST_PAUSE_SECONDS: u32 = 60;

/// Where a booking goes that cannot be undone.
pub const STUCK: &str = "Record Stuck Booking";

/// The text of the booking saga, with its placeholders.
pub const BOOKING_SAGA: &str = include_str!("../booking-saga.asl.json");

/// The text of the event cancellation, with its placeholder.
pub const EVENT_CANCELLATION: &str = include_str!("../event-cancellation.asl.json");

/// The machine that a definition describes. Placeholders that stand where a number must are filled with one.
///
/// # Errors
/// When the definition is not a machine's.
pub fn read(definition: &str) -> Result<Machine, serde_json::Error> {
    serde_json::from_str(&definition.replace("${HoldSeconds}", &HOLD_SECONDS.to_string()))
}

/// The names the tasks' functions refuse with: what `ErrorEquals` may match, besides the names of Step Functions' own.
pub fn refusals(state: &str) -> &'static [Refusal] {
    use boxoffice_inventory::handlers::{renew_hold, verify_hold};
    use boxoffice_payments::handlers::initiate_payment;
    use boxoffice_tickets::handlers::confirm_ticket;
    match state {
        "Verify Hold" => &verify_hold::REFUSALS,
        // A waiting payment is reported by the same names that charging at once fails with.
        "Initiate Payment" | "Await Payment" => &initiate_payment::REFUSALS,
        "Renew Hold" => &renew_hold::REFUSALS,
        "Confirm Ticket" => &confirm_ticket::REFUSALS,
        _ => &[],
    }
}

/// The step that a state runs, where it runs one of the saga.
fn step(state: &str) -> Option<Step> {
    Step::ALL.into_iter().find(|step| title(step.name()) == state)
}

impl Retry {
    fn matches(&self, error: &str) -> bool {
        self.error_equals.iter().any(|name| name == error || name == "States.ALL")
    }

    /// How long the pauses between its tries are together, on average: with full jitter each is half as long as it may be.
    fn patience_seconds(&self) -> u64 {
        let most = |attempt| {
            let grown =
                u64::from(self.interval_seconds).saturating_mul(u64::from(self.backoff_rate).saturating_pow(attempt));
            self.max_delay_seconds.map_or(grown, |most| grown.min(u64::from(most)))
        };
        (0..self.max_attempts).map(most).sum::<u64>() / 2
    }
}

impl State {
    /// The first retrier that names this error.
    fn retrier(&self, error: &str) -> Option<&Retry> {
        self.retry.iter().find(|retry| retry.matches(error))
    }

    fn successors(&self) -> impl Iterator<Item = &str> {
        let caught = self.catch.iter().map(|catch| catch.next.as_str());
        let chosen = self.choices.iter().map(|branch| branch.next.as_str());
        caught.chain(chosen).chain(self.default.as_deref()).chain(self.next.as_deref())
    }

    /// Where this error leads when it is tried no more.
    fn catches(&self, error: &str) -> Option<&str> {
        let named = |catch: &&Catch| catch.error_equals.iter().any(|name| name == error || name == "States.ALL");
        self.catch.iter().find(named).map(|catch| catch.next.as_str())
    }

    fn catches_all(&self) -> Option<&str> {
        let last = self.catch.last()?;
        (last.error_equals == ["States.ALL"]).then_some(last.next.as_str())
    }
}

impl Machine {
    /// Every state that can follow from this one, itself included.
    fn reachable_from<'a>(&'a self, start: &'a str) -> BTreeSet<&'a str> {
        let (mut reached, mut ahead) = (BTreeSet::new(), vec![start]);
        while let Some(name) = ahead.pop() {
            if reached.insert(name) {
                ahead.extend(self.states.get(name).into_iter().flat_map(State::successors));
            }
        }
        reached
    }

    fn ends_at(&self, name: &str) -> bool {
        let kind = self.states.get(name).map(|state| state.kind.as_str());
        ENDS.contains(&name) && matches!(kind, Some("Succeed" | "Fail"))
    }

    /// The states one after the other along `Next`, and along the first branch of a choice, from this one: the way back that a caught error takes when
    /// nothing else fails.
    fn straight_from<'a>(&'a self, start: &'a str) -> Vec<&'a str> {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(name) = at.filter(|name| !way.contains(name)) {
            way.push(name);
            let chosen = |state: &'a State| state.choices.first().map(|branch| branch.next.as_str());
            at = self.states.get(name).and_then(|state| state.next.as_deref().or_else(|| chosen(state)));
        }
        way
    }

    /// Where the machine breaks its contract; nowhere, if all is well.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let reachable = self.reachable_from(&self.start_at);
        for (name, state) in &self.states {
            let mut breach = |what: &str| found.push(format!("{name}: {what}"));
            if !reachable.contains(name.as_str()) {
                breach("nothing leads here");
            }
            if state.comment.is_empty() {
                breach("it does not say why it is there");
            }
            for next in state.successors().filter(|next| !self.states.contains_key(*next)) {
                breach(&format!("it leads to {next}, which is not there"));
            }
            match state.kind.as_str() {
                "Succeed" | "Fail" if ENDS.contains(&name.as_str()) => {}
                "Succeed" | "Fail" => breach("the machine must not end here"),
                "Choice" if state.default.is_none() => breach("a choice must have a default"),
                "Choice" => {}
                "Task" => self.task_violations(name, state, &mut breach),
                other => breach(&format!("{other} states are not part of the contract")),
            }
            if !self.reachable_from(name).iter().any(|reached| self.ends_at(reached)) {
                breach("no end can be reached from here");
            }
        }
        found
    }

    fn task_violations(&self, name: &str, state: &State, breach: &mut impl FnMut(&str)) {
        let mut refusals: BTreeSet<&str> = refusals(name).iter().map(|refusal| refusal.name()).collect();
        if step(name).is_some_and(Step::is_forward) {
            refusals.insert(Refusal::DeadlineExceeded.name());
        }
        if state.timeout_seconds.is_none() {
            breach("it has no timeout");
        }
        match state.retry.last() {
            Some(last)
                if last.error_equals == ["States.ALL"]
                    && last.max_attempts > 0
                    && last.jitter_strategy.as_deref() == Some("FULL") => {}
            _ => breach("it does not retry transient errors with full jitter"),
        }
        let never_retried: BTreeSet<&str> = state
            .retry
            .iter()
            .filter(|retry| retry.max_attempts == 0)
            .flat_map(|retry| retry.error_equals.iter().map(String::as_str))
            .filter(|error| !error.starts_with("States."))
            .collect();
        if never_retried != refusals {
            breach("what it never retries is not what its function refuses with");
        }
        Self::patience_violations(name, state, breach);
        // A refusal by time alone would give back the money of a buyer who paid in it.
        if refusals.contains(Refusal::HoldExpired.name())
            && state.catches(Refusal::HoldExpired.name()) != Some("Expire Payment")
        {
            breach("a payment that was made in time is taken back because the saga is late");
        }
        let known = |error: &String| error.starts_with("States.") || refusals.contains(error.as_str());
        if !state.catch.iter().flat_map(|catch| &catch.error_equals).all(known) {
            breach("it catches an error that its function never raises");
        }
        let Some(way_back) = state.catches_all() else {
            breach("it does not catch States.ALL, last");
            return;
        };
        self.undo_violations(name, state, &self.straight_from(way_back), breach);
    }

    /// A step forward outlasts what passes by itself for as long as seats are held, and gives up on a defect sooner.
    fn patience_violations(name: &str, state: &State, breach: &mut impl FnMut(&str)) {
        if !step(name).is_some_and(Step::is_forward) {
            return;
        }
        let retriers = || BUSY.iter().filter_map(|error| state.retrier(error));
        if retriers().count() < BUSY.len() || retriers().any(|retry| retry.patience_seconds() < HOLD_SECONDS) {
            breach("it gives up while the seats are still held, although AWS or the provider is only busy");
        }
        if retriers().any(|retry| retry.max_delay_seconds.is_none_or(|most| most > LONGEST_PAUSE_SECONDS)) {
            breach("it pauses for too long between two tries");
        }
        let longest = retriers().map(|retry| retry.max_attempts).max();
        if state.retrier(StepFailure::DEFECT).map(|retry| retry.max_attempts) >= longest {
            breach("it tries as often after a defect as after what passes by itself");
        }
    }

    /// A task names its undo, or says why it has none; and the error that it catches takes the way past that undo.
    fn undo_violations(&self, name: &str, state: &State, way_back: &[&str], breach: &mut impl FnMut(&str)) {
        if step(name).is_some_and(Step::is_undo) {
            if !state.comment.contains("Is the undo of ") {
                breach("an undo must say what it takes back");
            }
            if way_back.first() != Some(&STUCK) {
                breach("an undo that fails for good must lead to an operator");
            }
            return;
        }
        let Some((_, undo)) = state.comment.split_once("Undo: ") else {
            breach("it names no undo, and no reason for none");
            return;
        };
        if undo.starts_with("none, ") {
            return;
        }
        let named: Vec<&str> = self.states.keys().map(String::as_str).filter(|state| undo.contains(state)).collect();
        if named.is_empty() {
            breach("the undo it names is not there");
        }
        for missed in named.iter().filter(|undo| **undo != "Expire Payment" && !way_back.contains(undo)) {
            breach(&format!("its errors do not lead past its undo, {missed}"));
        }
    }
}
