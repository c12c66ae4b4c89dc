//! The machine keeps its contract, and one that does not is noticed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: what is missing shall fail the test")]

use boxoffice_aws::journal::Step;
use boxoffice_statemachines::{BOOKING_SAGA, HOLD_SECONDS, Machine, read, title};
use serde_json::Value;
use std::collections::BTreeSet;

fn machine(edit: impl Fn(&mut Value)) -> Machine {
    let mut definition: Value = serde_json::from_str(&BOOKING_SAGA.replace("${HoldSeconds}", "600")).unwrap();
    edit(&mut definition);
    read(&definition.to_string()).unwrap()
}

fn violations_after(edit: impl Fn(&mut Value)) -> Vec<String> {
    machine(edit).violations()
}

fn noticed(violations: &[String], state: &str, what: &str) {
    let found = violations.iter().any(|violation| violation.starts_with(state));
    assert!(found, "{what} was not noticed: {violations:?}");
}

#[test]
fn the_booking_saga_keeps_the_contract() {
    assert_eq!(violations_after(|_| ()), Vec::<String>::new());
}

#[test]
fn patience_is_measured_by_the_hold_that_the_template_gives_by_default() {
    let template = include_str!("../../template.yaml");
    let (_, parameter) = template.split_once("\n  HoldSeconds:\n").unwrap();
    let default = parameter.lines().find_map(|line| line.trim().strip_prefix("Default: ")).unwrap();
    assert_eq!(default.trim_matches(['"', '\'']).parse(), Ok(HOLD_SECONDS));
}

#[test]
fn every_state_that_runs_a_function_is_a_step_of_the_journal() {
    let states: BTreeSet<String> =
        machine(|_| ()).states.into_iter().filter(|(_, state)| state.kind == "Task").map(|(name, _)| name).collect();
    let mut steps: BTreeSet<String> = Step::ALL.into_iter().map(|step| title(step.name())).collect();
    // The one task that runs no function: a direct integration with SQS.
    steps.insert("Alert Operator".into());
    assert_eq!(states, steps);
}

#[test]
fn every_state_runs_the_function_of_its_own_name() {
    let definition: Value = serde_json::from_str(&BOOKING_SAGA.replace("${HoldSeconds}", "600")).unwrap();
    for step in Step::ALL {
        let state = &definition["States"][title(step.name())];
        let arn = format!("${{{}FunctionArn}}", title(step.name()).replace(' ', ""));
        let called = if step == Step::AwaitPayment { &state["Arguments"]["FunctionName"] } else { &state["Resource"] };
        assert_eq!(called, &Value::String(arn));
    }
}

#[test]
fn the_template_fills_every_placeholder_and_no_other() {
    let template = include_str!("../../template.yaml");
    let (_, section) = template.split_once("DefinitionUri: statemachines/booking-saga.asl.json\n").unwrap();
    let (_, section) = section.split_once("DefinitionSubstitutions:\n").unwrap();
    let filled: BTreeSet<&str> = section
        .lines()
        .take_while(|line| line.starts_with("        "))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.trim().split_once(':').map(|(name, _)| name))
        .collect();
    let used: BTreeSet<&str> =
        BOOKING_SAGA.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect();
    assert_eq!(used, filled);
}

/// Each entry breaks one rule of the contract; the checker must say so of that very state.
#[test]
fn a_machine_that_breaks_a_rule_is_noticed() {
    type Edit = fn(&mut Value);
    let broken: [(&str, &str, Edit); 20] = [
        ("a good booking undone because Lambda was busy for fifteen seconds", "Confirm Ticket", |m| {
            patient(m, "Confirm Ticket")["MaxAttempts"] = 4.into();
        }),
        ("patience that falls a little short of the hold", "Initiate Payment", |m| {
            patient(m, "Initiate Payment")["MaxAttempts"] = 22.into();
        }),
        ("a throttled function that is not waited for", "Claim Saga", |m| {
            patient(m, "Claim Saga")["ErrorEquals"] = serde_json::json!(["Transient", "Lambda.ServiceException"]);
        }),
        ("a pause as long as a hold", "Renew Hold", |m| {
            patient(m, "Renew Hold")["MaxDelaySeconds"] = 600.into();
        }),
        ("a bug that is tried for as long as the seats are held", "Verify Hold", |m| {
            patient(m, "Verify Hold")["ErrorEquals"].as_array_mut().unwrap().push("Defect".into());
        }),
        ("a missed deadline that is tried again", "Expire Payment", |m| {
            m["States"]["Expire Payment"]["Retry"].as_array_mut().unwrap().remove(0);
        }),
        ("a task without a timeout", "Confirm Ticket", |m| drop(remove(m, "Confirm Ticket", "TimeoutSeconds"))),
        ("a refund that is not retried", "Reverse Payment", |m| {
            m["States"]["Reverse Payment"]["Retry"] = serde_json::json!([]);
        }),
        ("retries in step with each other", "Verify Hold", |m| {
            m["States"]["Verify Hold"]["Retry"][2]["JitterStrategy"] = "NONE".into();
        }),
        ("a refusal that is retried", "Confirm Ticket", |m| {
            m["States"]["Confirm Ticket"]["Retry"][0]["ErrorEquals"] = serde_json::json!(["HoldLost"]);
        }),
        ("a catch of less than everything", "Initiate Payment", |m| {
            m["States"]["Initiate Payment"]["Catch"][0]["ErrorEquals"] = serde_json::json!(["PaymentDeclined"]);
        }),
        ("a catch of what is never raised", "Verify Hold", |m| {
            let catch = serde_json::json!({ "ErrorEquals": ["HoldGone"], "Next": "Release Hold" });
            m["States"]["Verify Hold"]["Catch"].as_array_mut().unwrap().insert(0, catch);
        }),
        ("an error that skips the undo", "Initiate Payment", |m| {
            m["States"]["Initiate Payment"]["Catch"][0]["Next"] = "Release Hold".into();
        }),
        ("a payment made in time that goes back because the saga is late", "Verify Hold", |m| {
            m["States"]["Verify Hold"]["Catch"].as_array_mut().unwrap().remove(0);
        }),
        ("an undo that just dies", "Release Hold", |m| {
            m["States"]["Release Hold"]["Catch"][0]["Next"] = "Compensated".into();
        }),
        ("a step without an undo", "Renew Hold", |m| {
            m["States"]["Renew Hold"]["Comment"] = "Holds the seats again.".into();
        }),
        ("a way that leads nowhere", "Verify Hold", |m| m["States"]["Verify Hold"]["Next"] = "Charge Card".into()),
        ("a state that nothing leads to", "Already Taken On", |m| {
            m["States"]["Choose Direction"]["Default"] = "Verify Hold".into();
            m["States"]["Choose Ending"]["Default"] = "Alert Operator".into();
        }),
        ("an end that is none", "Gone", |m| {
            m["States"]["Gone"] = serde_json::json!({ "Type": "Succeed", "Comment": "Just gone." });
            m["States"]["Verify Hold"]["Next"] = "Gone".into();
        }),
        ("a loop without a way out", "Completed", |m| {
            m["States"]["Completed"] = serde_json::json!({
                "Type": "Choice", "Comment": "Round and round.", "Choices": [], "Default": "Completed"
            });
        }),
    ];
    for (what, state, edit) in broken {
        noticed(&violations_after(edit), state, what);
    }
}

/// The retriers of transient errors.
fn patient<'a>(machine: &'a mut Value, state: &str) -> &'a mut Value {
    let retriers = machine["States"][state]["Retry"].as_array_mut().unwrap();
    retriers.iter_mut().find(|retry| retry["ErrorEquals"][0] == "Transient").unwrap()
}

fn remove(machine: &mut Value, state: &str, field: &str) -> Option<Value> {
    machine["States"][state].as_object_mut().unwrap().remove(field)
}
