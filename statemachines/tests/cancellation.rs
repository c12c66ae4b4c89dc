//! The walk over a cancelled event's bookings goes on until the function says that it is over, and stops loudly.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: what is missing shall fail the test")]

use boxoffice_statemachines::EVENT_CANCELLATION;
use boxoffice_tickets::handlers::walk_cancellation::Outcome;
use serde_json::Value;
use std::collections::BTreeSet;

const WALK: &str = "Walk Cancellation";

fn states() -> serde_json::Map<String, Value> {
    let machine: Value = serde_json::from_str(EVENT_CANCELLATION).unwrap();
    assert_eq!(machine["StartAt"], WALK);
    machine["States"].as_object().unwrap().clone()
}

/// The state that follows an outcome of a step.
fn after(outcome: Outcome) -> String {
    let (states, outcome) = (states(), serde_json::to_value(outcome).unwrap());
    let choice = &states["Choose Next Step"];
    let condition = format!("{{% $outcome = '{}' %}}", outcome.as_str().unwrap());
    let branches = choice["Choices"].as_array().unwrap();
    let chosen = branches.iter().find(|branch| branch["Condition"] == condition.as_str());
    chosen.map_or(&choice["Default"], |branch| &branch["Next"]).as_str().unwrap().to_owned()
}

#[test]
fn the_walk_goes_on_while_bookings_are_under_way_and_ends_well_otherwise() {
    assert_eq!(after(Outcome::Walking), "Pause");
    assert_eq!(after(Outcome::Done), "All At Rest");
    for outcome in [Outcome::HandedOver, Outcome::Overtaken] {
        assert_eq!(after(outcome), "Left To Another");
    }
    let states = states();
    assert_eq!((&states["Pause"]["Type"], &states["Pause"]["Next"]), (&Value::from("Wait"), &Value::from(WALK)));
    for end in ["All At Rest", "Left To Another"] {
        assert_eq!(states[end]["Type"], "Succeed");
    }
}

#[test]
fn the_walk_names_no_outcome_that_the_function_does_not_have() {
    let known: BTreeSet<String> = [Outcome::Walking, Outcome::Done, Outcome::HandedOver, Outcome::Overtaken]
        .map(|outcome| format!("{{% $outcome = '{}' %}}", serde_json::to_value(outcome).unwrap().as_str().unwrap()))
        .into();
    let states = states();
    for branch in states["Choose Next Step"]["Choices"].as_array().unwrap() {
        assert!(known.contains(branch["Condition"].as_str().unwrap()), "{branch}");
    }
}

#[test]
fn a_step_is_tried_for_an_hour_and_then_the_execution_fails() {
    let states = states();
    let walk = &states[WALK];
    let retry = &walk["Retry"][0];
    assert_eq!(
        (&retry["ErrorEquals"][0], &retry["JitterStrategy"]),
        (&Value::from("States.ALL"), &Value::from("FULL"))
    );
    // With full jitter the mean of a pause is half of it.
    let (tries, longest) = (retry["MaxAttempts"].as_u64().unwrap(), retry["MaxDelaySeconds"].as_u64().unwrap());
    assert!(tries * longest / 2 > 3600 && longest <= 60, "{retry}");
    let caught = &walk["Catch"][0];
    assert_eq!(
        (&caught["ErrorEquals"][0], &caught["Next"]),
        (&Value::from("States.ALL"), &Value::from("Walk Stopped"))
    );
    assert_eq!(states["Walk Stopped"]["Type"], "Fail");
    // The input stays what it was, for the next step reads it too.
    assert_eq!(walk["Output"], "{% $states.input %}");
}

#[test]
fn a_step_has_more_time_than_its_function() {
    let template = include_str!("../../template.yaml");
    let (_, function) = template.split_once("\n  WalkCancellationFunction:\n").unwrap();
    let timeout = function.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).unwrap();
    assert!(states()[WALK]["TimeoutSeconds"].as_u64().unwrap() > timeout.parse().unwrap());
}

#[test]
fn the_template_fills_the_one_placeholder() {
    let placeholders: BTreeSet<&str> =
        EVENT_CANCELLATION.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect();
    assert_eq!(placeholders, BTreeSet::from(["WalkCancellationFunctionArn"]));
    let template = include_str!("../../template.yaml");
    let (_, section) = template.split_once("DefinitionUri: statemachines/event-cancellation.asl.json\n").unwrap();
    assert!(
        section.trim_start().starts_with("DefinitionSubstitutions:\n        WalkCancellationFunctionArn:"),
        "{section}"
    );
}
