//! The material of inputs: the events' samples, the API's examples, and what earlier runs found worth keeping.

use crate::Target;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The checkout.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The API's document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| json(&checkout().join("api/openapi.json")));

/// One file of `events/`.
pub fn of_events(file: &str) -> Value {
    json(&checkout().join("events").join(file))
}

/// Every type of event.
pub static EVENT_TYPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = fs::read_dir(checkout().join("events")).expect("events/ is there");
    let names = files.map(|file| file.expect("a file of events/").file_name().into_string().expect("a name"));
    let mut types: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".sample.json")?.to_owned())).collect();
    types.sort();
    types
});

/// A sample of each type of event, in the order of [`EVENT_TYPES`].
pub static SAMPLES: LazyLock<Vec<Value>> =
    LazyLock::new(|| EVENT_TYPES.iter().map(|kind| of_events(&format!("{kind}.sample.json"))).collect());

/// The examples of every body that the API takes, each with the name of its schema.
pub fn example_bodies() -> Vec<(String, Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("the document has paths");
    let calls = paths.values().flat_map(|path| path.as_object().expect("a path has calls").values());
    let contents = calls.filter_map(|call| call.pointer("/requestBody/content/application~1json"));
    contents
        .map(|content| {
            let schema = content["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            (schema.expect("a body's schema has a name").to_owned(), content["example"].clone())
        })
        .collect()
}

/// Finds what a schema refers to beside it, whatever host its `$id` names.
#[derive(Debug)]
struct Beside;

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Ok(of_events(uri.path().as_str().rsplit('/').next().unwrap_or_default()))
    }
}

/// Says whether something keeps to this schema.
pub fn validator(schema: &Value) -> Validator {
    jsonschema::options().with_retriever(Beside).build(schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

/// The schema of the API's document with this name, whole.
pub fn schema_of_api(name: &str) -> Value {
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": DOCUMENT["components"],
    })
}

/// Where a target keeps the inputs worth keeping: a line each, in base64.
pub fn corpus_file(target: &Target) -> PathBuf {
    checkout().join("fuzz/corpus").join(format!("{}.txt", target.name))
}

/// Inputs that earlier runs found worth keeping.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let path = corpus_file(target);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let inputs = text.lines().filter(|line| !line.is_empty());
    inputs.map(|line| BASE64_STANDARD.decode(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Words that inputs know and chance does not find: names of fields, values of enumerations, prefixes, and what JSON is made of.
pub static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words = BTreeSet::new();
    collect(&DOCUMENT["components"]["schemas"], &mut words);
    SAMPLES.iter().for_each(|sample| collect(sample, &mut words));
    let more = [
        "{\"",
        "\":",
        "\",\"",
        "[",
        "]",
        "null",
        "true",
        "1e400",
        "-0",
        "0.01",
        "1e10",
        "\\u0000",
        "\\ud800",
        "\u{feff}",
        "%00",
        "%2F",
        "Bearer ",
        "application/json",
        "succeeded",
        "requires_payment_method",
        "card_declined",
        "idempotency_error",
        "alg",
        "EdDSA",
        "none",
    ];
    words.extend(more.map(ToOwned::to_owned));
    words.into_iter().collect()
});

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                words.insert(name.clone());
                // Prose is no word.
                if !matches!(name.as_str(), "description" | "title" | "pattern") {
                    collect(value, words);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::String(text) if text.len() < 40 => drop(words.insert(text.clone())),
        _ => {}
    }
}
