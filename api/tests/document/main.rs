//! The document is current, whole, and true to itself.
//!
//! `openapi-3.1.schema.json` is the OpenAPI Initiative's own schema of such documents (<https://spec.openapis.org/oas/3.1/schema/2022-10-07>,
//! Apache-2.0).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: what is missing shall fail the test")]

mod migrating;

use boxoffice_runtime::routes::{PAGES, ROUTES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn document() -> Value {
    boxoffice_api::document().unwrap()
}

/// Every operation by its method and path, such as `POST /tickets`.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()));
            methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        })
        .collect()
}

/// Every media type of a call that has a body: where it is, and what it is.
fn bodies<'a>(name: &str, operation: &'a Value) -> Vec<(String, &'a Value)> {
    let responses = operation["responses"].as_object().unwrap().iter();
    let parts = responses.map(|(status, response)| (status.as_str(), response));
    let parts = parts.chain([("request", &operation["requestBody"])]);
    parts
        .flat_map(|(part, body)| {
            let content = body["content"].as_object().into_iter().flatten();
            content.map(move |(media_type, content)| (format!("{name}, {part}, {media_type}"), content))
        })
        .collect()
}

/// A schema of the document, with everything it may refer to.
fn standing_alone(document: &Value, schema: &Value) -> Value {
    json!({ "allOf": [schema], "components": document["components"] })
}

fn faults(schema: &Value, instance: &Value) -> Vec<String> {
    let validator = match jsonschema::draft202012::options().should_validate_formats(true).build(schema) {
        Ok(validator) => validator,
        Err(error) => return vec![format!("the schema itself: {error}")],
    };
    validator.iter_errors(instance).map(|error| format!("{error} (at {})", error.instance_path())).collect()
}

/// Fails with every line, rather than with the first.
#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn the_file_is_what_the_code_says() {
    let kept: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert!(
        kept == document(),
        "api/openapi.json is not current: run `cargo run -p boxoffice-api`, and look at what changed"
    );
}

#[test]
fn its_calls_are_the_routes() {
    let document = document();
    let documented: BTreeSet<String> = operations(&document).into_keys().collect();
    let routes: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    none("routes without documentation", routes.difference(&documented).cloned().collect());
    none("documented, but no route", documented.difference(&routes).cloned().collect());
}

// The shop's pages answer a browser in its own terms, and a program would learn nothing from them (ADR 47).
#[test]
fn pages_are_not_in_the_document() {
    let paths = document()["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    none("pages that the document calls", paths.into_iter().filter(|path| path.starts_with("/shop")).collect());
    assert!(PAGES.iter().all(|page| page.path.starts_with("/shop")));
}

#[test]
fn it_is_openapi_3_1() {
    let schema: Value = serde_json::from_str(include_str!("openapi-3.1.schema.json")).unwrap();
    none("what OpenAPI 3.1 does not allow", faults(&schema, &document()));
}

#[test]
fn a_name_means_one_schema() {
    none("name these apart with #[schema(as = …)]", boxoffice_api::ambiguous_schemas());
}

#[test]
fn everything_referred_to_is_there() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let missing = found.into_iter().filter(|reference| document.pointer(reference.trim_start_matches('#')).is_none());
    none("referred to, but not there", missing.map(ToOwned::to_owned).collect());
}

#[test]
fn every_call_has_a_name_a_summary_and_a_known_tag() {
    let document = document();
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeMap::new();
    let mut faults = Vec::new();
    for (call, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        if operation["summary"].as_str().is_none_or(str::is_empty) {
            faults.push(format!("{call} has no summary"));
        }
        if operation["tags"].as_array().is_none_or(|own| own.len() != 1 || !own.iter().all(|tag| tags.contains(&tag))) {
            faults.push(format!("{call} has tags that are not one of lib.rs: {}", operation["tags"]));
        }
        if let Some(other) = names.insert(name.clone(), call.clone()) {
            faults.push(format!("{call} and {other} share the name {name:?}"));
        }
    }
    none("calls", faults);
}

#[test]
fn every_body_and_every_success_has_an_example() {
    let document = document();
    let mut missing = Vec::new();
    for (call, operation) in operations(&document) {
        let wanted = bodies(&call, operation).into_iter().filter(|(name, _)| {
            let part = name.split(", ").nth(1).unwrap();
            part == "request" || part.starts_with('2')
        });
        missing.extend(wanted.filter(|(_, content)| examples(content).is_empty()).map(|(name, _)| name));
    }
    none("without an example", missing);
}

fn examples(content: &Value) -> Vec<&Value> {
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    content.get("example").into_iter().chain(named).collect()
}

#[test]
fn every_example_is_what_its_schema_asks_for() {
    let document = document();
    let mut wrong = Vec::new();
    let mut check = |name: &str, content: &Value| {
        for example in examples(content) {
            let found = faults(&standing_alone(&document, &content["schema"]), example);
            wrong.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    };
    for (call, operation) in operations(&document) {
        for (name, content) in bodies(&call, operation) {
            check(&name, content);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            check(&format!("{call}, parameter {}", parameter["name"]), parameter);
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        for content in response["content"].as_object().unwrap().values() {
            check(name, content);
        }
    }
    none("examples that break their schema", wrong);
}

#[test]
fn an_order_is_valid_with_and_without_an_expected_total() {
    let document = document();
    let schema = standing_alone(&document, &json!({ "$ref": "#/components/schemas/NewTicket" }));
    let plain = json!({ "eventName": "Late Show at the Ferris Wheel", "quantity": 2 });
    let mut expecting = plain.clone();
    expecting["expectedTotal"] = json!(99.8);
    expecting["currency"] = json!("EUR");
    none("a plain order", faults(&schema, &plain));
    none("an order with an expected total", faults(&schema, &expecting));
    expecting["currency"] = json!("euros");
    assert!(!faults(&schema, &expecting).is_empty());
}

#[test]
fn every_call_declares_its_callers() {
    let document = document();
    let operations = operations(&document);
    let mut wrong = Vec::new();
    for route in ROUTES {
        let call = format!("{} {}", route.method, route.path);
        let Some(operation) = operations.get(&call) else { continue };
        let public = operation["security"] == json!([]);
        if public != (route.access == boxoffice_runtime::auth::Access::Public) {
            wrong.push(call.clone());
        }
        if !public && (operation["responses"].get("401").is_none() || operation["responses"].get("403").is_none()) {
            wrong.push(format!("{call} without 401 or 403"));
        }
    }
    none("calls whose security is not the route's", wrong);
}
