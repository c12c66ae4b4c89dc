//! Each machine keeps its contract, and one that does not is noticed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: what is missing shall fail the test")]

use boxoffice_aws::journal::Step;
use boxoffice_statemachines::{BOOKING, BOOKING_SAGA, Machine, NOTIFICATION, NOTIFYING, read, title};
use serde_json::Value;
use std::collections::BTreeSet;

fn machine(edit: impl Fn(&mut Value)) -> Machine {
    let mut definition: Value = serde_json::from_str(&BOOKING_SAGA.replace("${HoldSeconds}", "600")).unwrap();
    edit(&mut definition);
    read(&definition.to_string()).unwrap()
}

fn violations_after(edit: impl Fn(&mut Value)) -> Vec<String> {
    machine(edit).violations(&BOOKING)
}

fn notifying_after(edit: impl Fn(&mut Value)) -> Vec<String> {
    let mut definition: Value = serde_json::from_str(NOTIFICATION).unwrap();
    edit(&mut definition);
    read(&definition.to_string()).unwrap().violations(&NOTIFYING)
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
fn the_notification_machine_keeps_its_contract() {
    assert_eq!(notifying_after(|_| ()), Vec::<String>::new());
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
fn the_notification_machine_runs_the_functions_of_its_states() {
    let definition: Value = serde_json::from_str(NOTIFICATION).unwrap();
    for state in ["Record Notification", "Send Notification", "Fail Notification"] {
        let arn = format!("${{{}FunctionArn}}", state.replace(' ', ""));
        assert_eq!(definition["States"][state]["Resource"], Value::String(arn));
    }
}

#[test]
fn the_template_fills_every_placeholder_and_no_other() {
    for (file, machine) in [("booking-saga", BOOKING_SAGA), ("notification", NOTIFICATION)] {
        let template = include_str!("../../template.yaml");
        let (_, section) = template.split_once(&format!("DefinitionUri: statemachines/{file}.asl.json\n")).unwrap();
        let (_, section) = section.split_once("DefinitionSubstitutions:\n").unwrap();
        let filled: BTreeSet<&str> = section
            .lines()
            .take_while(|line| line.starts_with("        "))
            .filter_map(|line| line.trim().split_once(':').map(|(name, _)| name))
            .collect();
        let used: BTreeSet<&str> =
            machine.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect();
        assert_eq!(used, filled, "{file}");
    }
}

/// Each entry breaks one rule of the contract; the checker must say so of that very state.
#[test]
fn a_machine_that_breaks_a_rule_is_noticed() {
    type Edit = fn(&mut Value);
    let broken: [(&str, &str, Edit); 13] = [
        ("a task without a timeout", "Confirm Ticket", |m| drop(remove(m, "Confirm Ticket", "TimeoutSeconds"))),
        ("a refund that is not retried", "Reverse Payment", |m| {
            m["States"]["Reverse Payment"]["Retry"] = serde_json::json!([]);
        }),
        ("retries in step with each other", "Verify Hold", |m| {
            m["States"]["Verify Hold"]["Retry"][1]["JitterStrategy"] = "NONE".into();
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
        ("an undo that just dies", "Release Hold", |m| {
            m["States"]["Release Hold"]["Catch"][0]["Next"] = "Compensated".into();
        }),
        ("a step without an undo", "Renew Hold", |m| {
            m["States"]["Renew Hold"]["Comment"] = "Holds the seats again.".into();
        }),
        ("a way that leads nowhere", "Verify Hold", |m| m["States"]["Verify Hold"]["Next"] = "Charge Card".into()),
        ("a state that nothing leads to", "Already Taken On", |m| {
            m["States"]["Choose Direction"]["Default"] = "Verify Hold".into();
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

/// The same of the notification machine, for the rules that only it has or that only it can break like this.
#[test]
fn a_notification_machine_that_breaks_a_rule_is_noticed() {
    type Edit = fn(&mut Value);
    let broken: [(&str, &str, Edit); 7] = [
        ("a refusal that is retried", "Send Notification", |m| {
            m["States"]["Send Notification"]["Retry"].as_array_mut().unwrap().remove(0);
        }),
        ("a message that is tried once", "Send Notification", |m| {
            m["States"]["Send Notification"]["Retry"].as_array_mut().unwrap().pop();
        }),
        ("an error that passes for a success", "Send Notification", |m| {
            m["States"]["Send Notification"]["Catch"][0]["Next"] = "Done".into();
        }),
        ("a failure that nobody hears of", "Fail Notification", |m| {
            m["States"]["Fail Notification"]["Catch"] = serde_json::json!([]);
        }),
        ("more tries than there is time for", "Record Notification", |m| {
            m["States"]["Record Notification"]["Retry"][0]["MaxAttempts"] = 10.into();
        }),
        ("a circle", "Record Notification", |m| m["States"]["Send Notification"]["Next"] = "Choose Message".into()),
        ("an end that is none", "Gone", |m| {
            m["States"]["Gone"] = serde_json::json!({ "Type": "Succeed", "Comment": "Just gone." });
            m["States"]["Choose Message"]["Default"] = "Gone".into();
        }),
    ];
    for (what, state, edit) in broken {
        noticed(&notifying_after(edit), state, what);
    }
}

fn remove(machine: &mut Value, state: &str, field: &str) -> Option<Value> {
    machine["States"][state].as_object_mut().unwrap().remove(field)
}
