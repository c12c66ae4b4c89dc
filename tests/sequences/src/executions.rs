//! The executions of a play: each about one booking, begun by an event, and told when a payment settles.

use crate::{
    house::House,
    machine::{AWAIT_PAYMENT, Execution},
    model::Call,
};
use boxoffice_kernel::TicketId;
use boxoffice_runtime::StepFailure;
use serde_json::Value;

const CLAIM_SAGA: &str = "Claim Saga";
/// A message to an operator, which is not for the house to send.
const ALERT_OPERATOR: &str = "Alert Operator";
/// Where an execution ends whose compensation failed for good.
pub(crate) const NEEDS_ATTENTION: &str = "Needs Attention";

/// An execution and what it is about.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) booking: usize,
    /// The name of the event that began it.
    pub(crate) event: &'static str,
    pub(crate) execution: Execution,
}

/// All of a play's executions.
#[derive(Debug)]
pub(crate) struct Executions {
    pub(crate) all: Vec<Running>,
    heard: usize,
}

impl Executions {
    /// None yet; of what the house was told before, nobody here hears.
    pub(crate) fn none(house: &House) -> Self {
        Self { all: Vec::new(), heard: house.listener.heard().len() }
    }

    pub(crate) fn running(&self, number: usize) -> &Running {
        self.all.get(number).expect("an execution that began")
    }

    /// Those that have not ended.
    pub(crate) fn open(&self, house: &House) -> Vec<usize> {
        let open = |(_, running): &(usize, &Running)| !house.machine.has_ended(&running.execution);
        self.all.iter().enumerate().filter(open).map(|(number, _)| number).collect()
    }

    /// Whether an execution waits for its buyer.
    pub(crate) fn waits(&self, number: usize) -> bool {
        let execution = &self.running(number).execution;
        execution.state == AWAIT_PAYMENT && execution.waits_for.is_some()
    }

    /// Whether its claim was put off, because nobody knows its booking yet.
    pub(crate) fn claims_again(&self, number: usize) -> bool {
        let execution = &self.running(number).execution;
        execution.state == CLAIM_SAGA && execution.retries > 0
    }

    /// Whether some execution has gone beyond its claim of this booking.
    pub(crate) fn is_claimed(&self, booking: usize) -> bool {
        let claimed = |running: &Running| running.booking == booking && running.execution.state != CLAIM_SAGA;
        self.all.iter().any(claimed)
    }

    /// An event begins an execution.
    pub(crate) fn begin(
        &mut self,
        house: &House,
        booking: usize,
        ticket: TicketId,
        event: &'static str,
        detail: Value,
    ) -> usize {
        let name = format!("execution-{}-of-{ticket}", self.all.len());
        self.all.push(Running { booking, event, execution: house.machine.start(name, detail) });
        self.all.len() - 1
    }

    /// The next step of an execution that neither waits nor has ended.
    pub(crate) fn next_step(&mut self, house: &House, number: usize) -> Option<Call> {
        let running = self.all.get_mut(number)?;
        if running.execution.state == ALERT_OPERATOR {
            house.machine.succeeded(&mut running.execution, &Value::Null);
        }
        if self.waits(number) || house.machine.has_ended(&self.running(number).execution) {
            return None;
        }
        let running = self.all.get_mut(number)?;
        house.machine.invoke(&mut running.execution);
        let invocation = running.execution.invocations.len() - 1;
        Some(self.invocation(number, invocation))
    }

    /// A step that an execution has begun.
    pub(crate) fn invocation(&self, number: usize, invocation: usize) -> Call {
        let Running { booking, event, execution } = self.running(number);
        let (state, _) = execution.invocations.get(invocation).expect("an invocation that began");
        Call::Step {
            booking: *booking,
            execution: number,
            arn: execution.arn.clone(),
            state: state.clone(),
            event,
            invocation,
        }
    }

    /// The input of such a step.
    pub(crate) fn input(&self, call: &Call) -> Value {
        let Call::Step { execution, invocation, .. } = call else { return Value::Null };
        let invocations = &self.running(*execution).execution.invocations;
        invocations.get(*invocation).expect("an invocation that began").1.clone()
    }

    /// The wait for the buyer is over.
    pub(crate) fn time_is_up(&mut self, house: &House, number: usize) {
        let running = self.all.get_mut(number).expect("an execution that began");
        house.machine.failed(&mut running.execution, "States.Timeout", false);
    }

    /// Nobody hears what the house was told.
    pub(crate) fn hear_nothing(&mut self, house: &House) {
        self.heard = house.listener.heard().len();
    }

    /// The messages to the executions: the outcome of the payment that each waits for.
    pub(crate) fn hear(&mut self, house: &House) {
        let told: Vec<_> = house.listener.heard().into_iter().skip(self.heard).collect();
        self.heard += told.len();
        for (operation, said) in told {
            let token = said.get("taskToken").and_then(Value::as_str);
            let waits = |running: &&mut Running| {
                running.execution.state == AWAIT_PAYMENT && running.execution.waits_for.as_deref() == token
            };
            // Nobody waits under an old token.
            let Some(running) = self.all.iter_mut().find(waits) else { continue };
            match operation.as_str() {
                "SendTaskSuccess" => {
                    let output = said.get("output").and_then(Value::as_str).unwrap_or_default();
                    let output = serde_json::from_str(output).unwrap_or_default();
                    house.machine.succeeded(&mut running.execution, &output);
                }
                "SendTaskFailure" => {
                    let error = said.get("error").and_then(Value::as_str).unwrap_or_default();
                    house.machine.failed(&mut running.execution, error, false);
                }
                other => panic!("the saga was told {other}"),
            }
        }
    }

    /// The outcome of a step. Where it failed and the try was the last, the execution turns back.
    pub(crate) fn answered(
        &mut self,
        house: &House,
        call: &Call,
        outcome: Result<Value, StepFailure>,
        is_last: impl Fn(&str) -> bool,
    ) {
        let Call::Step { execution, state, invocation, .. } = call else { return };
        let execution = &mut self.all.get_mut(*execution).expect("an execution that began").execution;
        // Nobody listens to the answer of an invocation that the execution has gone on from.
        if execution.state != *state || execution.invocations.len() != invocation + 1 {
            return;
        }
        match outcome {
            // It has stored its task token, and continues when the token is answered.
            Ok(_) if state == AWAIT_PAYMENT => {}
            Ok(result) => house.machine.succeeded(execution, &result),
            Err(failure) => house.machine.failed(execution, failure.name(), is_last(state)),
        }
    }
}

/// The state machine's view of a step whose process died.
pub(crate) fn died() -> Result<Value, StepFailure> {
    Err(StepFailure::Transient("the process died".into()))
}
