//! The state machines of Box Office as data, and the contract they keep.
//!
//! A machine is deployed from its ASL file alone; nothing here runs. What is here reads that file and says where it breaks its
//! [`Contract`], so that a machine that could leave a booking half done, or a user untold, fails the build. `tests/contract.rs` runs it on the
//! real machines, and on broken copies of them to show that it would notice.

use boxoffice_aws::journal::Step;
pub use boxoffice_aws::journal::title;
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
    /// What a task calls.
    #[serde(default)]
    pub resource: String,
    /// How long a task may take.
    pub timeout_seconds: Option<serde_json::Value>,
    /// What to try again.
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
    /// What follows.
    pub next: Option<String>,
}

/// What to try again.
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
    /// Which errors.
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

/// What a machine promises beyond what every machine does.
#[derive(Debug, Clone, Copy)]
pub struct Contract {
    /// Where it may end.
    pub ends: &'static [&'static str],
    /// The names that a state's function refuses with.
    pub refusals: fn(&str) -> &'static [&'static str],
    /// Where errors lead.
    pub errors: Errors,
    /// How long it may take at worst, where it may not take as long as it likes.
    pub longest_seconds: Option<u64>,
}

/// Where the error of a task must lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// Past the task's undo, named in its comment, and backwards from there.
    Backwards,
    /// To an end that is a failure: what has been done stays.
    ToFailure,
}

/// Of the booking saga. It ends well, taken back, with an operator, or not begun.
pub const BOOKING: Contract = Contract {
    ends: &["Completed", "Compensated", "Needs Attention", "Already Taken On"],
    refusals,
    errors: Errors::Backwards,
    longest_seconds: None,
};
/// Of the notification machine. It ends with nothing left to send, with a notification given up, or with an operator; and before AWS ends it,
/// as it does with an express workflow after five minutes (<https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>).
pub const NOTIFYING: Contract = Contract {
    ends: &["Done", "Failed", "Needs Attention"],
    refusals,
    errors: Errors::ToFailure,
    longest_seconds: Some(300),
};

/// Where a booking goes that cannot be undone.
pub const STUCK: &str = "Record Stuck Booking";

/// The text of the booking saga, with its placeholders.
pub const BOOKING_SAGA: &str = include_str!("../booking-saga.asl.json");
/// The text of the notification machine, with its placeholders.
pub const NOTIFICATION: &str = include_str!("../notification.asl.json");

/// The machine that a definition describes. Placeholders that stand where a number must are filled with one.
///
/// # Errors
/// When the definition is not a machine's.
pub fn read(definition: &str) -> Result<Machine, serde_json::Error> {
    serde_json::from_str(&definition.replace("${HoldSeconds}", "600"))
}

/// The names the tasks' functions refuse with: what `ErrorEquals` may match, besides the names of Step Functions' own.
pub fn refusals(state: &str) -> &'static [&'static str] {
    use boxoffice_inventory::handlers::{renew_hold, verify_hold};
    use boxoffice_notifications::handlers::send_notification;
    use boxoffice_payments::handlers::initiate_payment;
    use boxoffice_tickets::handlers::confirm_ticket;
    match state {
        "Verify Hold" => &verify_hold::REFUSALS,
        // A waiting payment is reported by the same names that charging at once fails with.
        "Initiate Payment" | "Await Payment" => &initiate_payment::REFUSALS,
        "Renew Hold" => &renew_hold::REFUSALS,
        "Confirm Ticket" => &confirm_ticket::REFUSALS,
        "Send Notification" => &send_notification::REFUSALS,
        _ => &[],
    }
}

impl State {
    fn successors(&self) -> impl Iterator<Item = &str> {
        let caught = self.catch.iter().map(|catch| catch.next.as_str());
        let chosen = self.choices.iter().map(|branch| branch.next.as_str());
        caught.chain(chosen).chain(self.default.as_deref()).chain(self.next.as_deref())
    }

    /// How long it takes when every try takes as long as it may and the last one fails.
    fn longest_seconds(&self) -> u64 {
        let timeout = self.timeout_seconds.as_ref().and_then(serde_json::Value::as_u64).unwrap_or(0);
        let Some(retry) = self.retry.last() else { return timeout };
        let mut wait = u64::from(retry.interval_seconds);
        let mut all = timeout;
        for _ in 0..retry.max_attempts {
            all += timeout + retry.max_delay_seconds.map_or(wait, |most| wait.min(u64::from(most)));
            wait *= u64::from(retry.backoff_rate);
        }
        all
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

    fn ends_at(&self, name: &str, contract: &Contract) -> bool {
        let kind = self.states.get(name).map(|state| state.kind.as_str());
        contract.ends.contains(&name) && matches!(kind, Some("Succeed" | "Fail"))
    }

    /// How long the longest way from this state takes; nothing where it goes round in circles.
    fn longest_from(&self, name: &str, behind: &[&str]) -> Option<u64> {
        if behind.contains(&name) {
            return None;
        }
        let behind = [behind, &[name]].concat();
        let Some(state) = self.states.get(name) else { return Some(0) };
        let ahead: Option<Vec<u64>> = state.successors().map(|next| self.longest_from(next, &behind)).collect();
        Some(state.longest_seconds() + ahead?.into_iter().max().unwrap_or(0))
    }

    /// The states one after the other along `Next`, from this one: the way back that a caught error takes when nothing else fails.
    fn straight_from<'a>(&'a self, start: &'a str) -> Vec<&'a str> {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(name) = at.filter(|name| !way.contains(name)) {
            way.push(name);
            at = self.states.get(name).and_then(|state| state.next.as_deref());
        }
        way
    }

    /// Where the machine breaks its contract; nowhere, if all is well.
    pub fn violations(&self, contract: &Contract) -> Vec<String> {
        let mut found = Vec::new();
        let reachable = self.reachable_from(&self.start_at);
        if let Some(most) = contract.longest_seconds
            && self.longest_from(&self.start_at, &[]).is_none_or(|longest| longest >= most)
        {
            found.push(format!("{}: it may take longer from here than the {most} s it has", self.start_at));
        }
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
                "Succeed" | "Fail" if contract.ends.contains(&name.as_str()) => {}
                "Succeed" | "Fail" => breach("the machine must not end here"),
                "Choice" if state.default.is_none() => breach("a choice must have a default"),
                "Choice" => {}
                "Task" => self.task_violations(name, state, contract, &mut breach),
                other => breach(&format!("{other} states are not part of the contract")),
            }
            if !self.reachable_from(name).iter().any(|reached| self.ends_at(reached, contract)) {
                breach("no end can be reached from here");
            }
        }
        found
    }

    fn task_violations(&self, name: &str, state: &State, contract: &Contract, breach: &mut impl FnMut(&str)) {
        let refusals = (contract.refusals)(name);
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
        if never_retried != refusals.iter().copied().collect() {
            breach("what it never retries is not what its function refuses with");
        }
        let known = |error: &String| error.starts_with("States.") || refusals.contains(&error.as_str());
        if !state.catch.iter().flat_map(|catch| &catch.error_equals).all(known) {
            breach("it catches an error that its function never raises");
        }
        let Some(way_back) = state.catches_all() else {
            breach("it does not catch States.ALL, last");
            return;
        };
        let way_back = self.straight_from(way_back);
        match contract.errors {
            Errors::Backwards => self.undo_violations(name, state, &way_back, breach),
            Errors::ToFailure => {
                let end = way_back.last().and_then(|end| self.states.get(*end));
                if end.is_none_or(|end| end.kind != "Fail") {
                    breach("its errors do not end as a failure");
                }
            }
        }
    }

    /// A task names its undo, or says why it has none; and the error that it catches takes the way past that undo.
    fn undo_violations(&self, name: &str, state: &State, way_back: &[&str], breach: &mut impl FnMut(&str)) {
        let step = Step::ALL.into_iter().find(|step| title(step.name()) == name);
        if step.is_some_and(Step::is_undo) {
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
