//! Executions of the booking saga, one task at a time, as `statemachines/booking-saga.asl.json` has them go.
//!
//! The order of steps, retries and catches are read from the file, so that a changed machine is played as changed. It
//! understands the expressions that the file has; a new one fails the test, which must then learn it.

use serde_json::{Map, Value, json};

/// The state in which an execution waits for its buyer.
pub const AWAIT_PAYMENT: &str = "Await Payment";

/// The state machine.
#[derive(Debug, Clone)]
pub struct Machine(Value);

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its name, by which it claims.
    pub arn: String,
    /// The state it is in.
    pub state: String,
    /// The task token it waits under; none before it has stored one.
    pub waits_for: Option<String>,
    /// Every task it has begun, with its input: each may be handled again by somebody who is late.
    pub invocations: Vec<(String, Value)>,
    /// How often the state was retried.
    pub retries: u32,
    event: Value,
    variables: Map<String, Value>,
}

impl Machine {
    /// The machine of this checkout.
    pub fn of_this_checkout() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../statemachines/booking-saga.asl.json");
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // Numbers that the template fills in.
        let text = text.replace("${HoldSeconds}", "20");
        Self(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    fn state(&self, name: &str) -> &Value {
        self.0.get("States").and_then(|states| states.get(name)).unwrap_or_else(|| panic!("there is no state {name}"))
    }

    /// A new execution, started by this event.
    pub fn start(&self, arn: String, event: Value) -> Execution {
        let state = text(&self.0, "StartAt").to_owned();
        let known = [("trace", trace(&event)), ("event", metadata(&event, "eventType"))];
        let variables = known.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Execution { arn, state, waits_for: None, invocations: Vec::new(), event, retries: 0, variables }
    }

    /// Whether this execution has ended, however it did.
    pub fn has_ended(&self, execution: &Execution) -> bool {
        matches!(text(self.state(&execution.state), "Type"), "Succeed" | "Fail")
    }

    /// The input of the task an execution is at, which from now on it has begun.
    pub fn invoke(&self, execution: &mut Execution) -> Value {
        let arguments = self.state(&execution.state).get("Arguments").expect("a task has arguments");
        let arguments = arguments.get("Payload").unwrap_or(arguments).as_object().expect("arguments by name");
        let token = format!("{}#{}", execution.arn, execution.invocations.len());
        let mut input = Map::new();
        for name in arguments.keys() {
            let value = match name.as_str() {
                "eventType" => metadata(&execution.event, "eventType"),
                "correlationId" => metadata(&execution.event, "correlationId"),
                "clientCorrelationId" => metadata(&execution.event, "clientCorrelationId"),
                "data" => execution.event.get("data").cloned().unwrap_or_default(),
                "executionArn" => json!(execution.arn),
                "retries" => json!(execution.retries),
                "taskToken" => {
                    execution.waits_for = Some(token.clone());
                    json!(token)
                }
                variable => execution.variables.get(variable).cloned().unwrap_or_else(|| panic!("no ${variable} yet")),
            };
            input.insert(name.clone(), value);
        }
        let input = Value::Object(input);
        execution.invocations.push((execution.state.clone(), input.clone()));
        input
    }

    /// The task did its work.
    pub fn succeeded(&self, execution: &mut Execution, result: &Value) {
        let state = self.state(&execution.state);
        for (variable, expression) in state.get("Assign").and_then(Value::as_object).into_iter().flatten() {
            let value = match expression.as_str() {
                Some("{% $states.result.status = 'SUCCESS' %}") => {
                    json!(result.get("status") == Some(&json!("SUCCESS")))
                }
                Some("{% $states.input.detail.metadata.eventType %}") => metadata(&execution.event, "eventType"),
                Some("{% $states.result.booking %}") => result.get("booking").cloned().unwrap_or_default(),
                Some("{% $states.result.failure %}") => result.get("failure").cloned().unwrap_or_default(),
                Some("{% $states.result.direction %}") => result.get("direction").cloned().unwrap_or_default(),
                Some("{% $states.result.ending %}") => result.get("ending").cloned().unwrap_or_default(),
                Some("{% $states.result.late %}") => result.get("late").cloned().unwrap_or_default(),
                Some(
                    "{% $states.result.late ? {'step': 'Verify Hold', 'error': 'HoldExpired', 'cause': ''} : $failure %}",
                ) if result.get("late") == Some(&json!(true)) => {
                    json!({ "step": "Verify Hold", "error": "HoldExpired", "cause": "" })
                }
                Some(text) if text.ends_with(": $failure %}") => {
                    execution.variables.get("failure").cloned().unwrap_or_default()
                }
                None if variable == "trace" => trace(&execution.event),
                other => panic!("{}: the test does not know what {variable} becomes by {other:?}", execution.state),
            };
            execution.variables.insert(variable.clone(), value);
        }
        self.goes_to(execution, text(state, "Next"));
    }

    /// The task failed with an error of this name. It is tried again as often as the machine says, unless this try was the last.
    pub fn failed(&self, execution: &mut Execution, error: &str, last: bool) {
        let state = self.state(&execution.state);
        let retrier = matching(state, "Retry", error);
        let attempts = retrier.and_then(|retrier| retrier.get("MaxAttempts")?.as_u64()).unwrap_or(0);
        if !last && u64::from(execution.retries) < attempts {
            execution.retries += 1;
            execution.waits_for = None;
            return;
        }
        let catcher = matching(state, "Catch", error)
            .unwrap_or_else(|| panic!("{} does not catch {error}: the execution dies", execution.state));
        // A booking that could not be claimed is known by its event alone.
        if catcher.pointer("/Assign/booking") == Some(&json!("{% $states.input.detail.data %}")) {
            let data = execution.event.get("data").cloned().unwrap_or_default();
            execution.variables.insert("booking".to_owned(), data);
        }
        if let Some(failure) = catcher.get("Assign").and_then(|assign| assign.get("failure")) {
            // A name, or the error's own.
            let named = text(failure, "error");
            let error = if named.starts_with("{%") { error } else { named };
            let failure = json!({ "step": text(failure, "step"), "error": error, "cause": "" });
            execution.variables.insert("failure".to_owned(), failure);
        }
        self.goes_to(execution, text(catcher, "Next"));
    }

    fn goes_to(&self, execution: &mut Execution, name: &str) {
        let state = self.state(name);
        if text(state, "Type") == "Choice" {
            let choices = state.get("Choices").and_then(Value::as_array).into_iter().flatten();
            let holds = |choice: &&Value| {
                let direction = execution.variables.get("direction").and_then(Value::as_str);
                match text(choice, "Condition") {
                    "{% $direction = 'BOOK' %}" => direction == Some("BOOK"),
                    "{% $direction = 'UNDO' %}" => direction == Some("UNDO"),
                    "{% $ending = 'UNDO' %}" => execution.variables.get("ending") == Some(&json!("UNDO")),
                    "{% $ending = 'STUCK' %}" => execution.variables.get("ending") == Some(&json!("STUCK")),
                    "{% $paid %}" => execution.variables.get("paid") == Some(&json!(true)),
                    "{% $late %}" => execution.variables.get("late") == Some(&json!(true)),
                    other => panic!("{name}: the test does not know when {other} holds"),
                }
            };
            let next = choices.into_iter().find(holds).map_or_else(|| text(state, "Default"), |it| text(it, "Next"));
            return self.goes_to(execution, next);
        }
        (execution.state, execution.retries, execution.waits_for) = (name.to_owned(), 0, None);
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn metadata(event: &Value, name: &str) -> Value {
    event.get("metadata").and_then(|metadata| metadata.get(name)).cloned().unwrap_or_default()
}

fn trace(event: &Value) -> Value {
    json!({
        "correlationId": metadata(event, "correlationId"),
        "clientCorrelationId": metadata(event, "clientCorrelationId"),
        "causationId": metadata(event, "eventId"),
    })
}

/// The first of a state's retriers or catchers that an error of this name meets.
fn matching<'a>(state: &'a Value, kind: &str, error: &str) -> Option<&'a Value> {
    let named = |rule: &&Value| {
        let names = rule.get("ErrorEquals").and_then(Value::as_array).into_iter().flatten();
        names.into_iter().any(|name| name == error || name == "States.ALL")
    };
    state.get(kind).and_then(Value::as_array)?.iter().find(named)
}
