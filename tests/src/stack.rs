//! Where the running stack is, as `make up` wrote it down.

use crate::{Failure, Outcome};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The running stack: `.local/stack.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// The API's base URL, stage included.
    pub api_url: String,
    /// Where AWS's APIs are answered; absent when that is AWS.
    pub aws_endpoint: Option<String>,
    /// The AWS region.
    pub region: String,
    /// The local payment provider; absent where payments go to Stripe.
    pub payments_url: Option<String>,
    /// The stack's name in `CloudFormation`.
    pub stack_name: String,
    /// The service that answers AWS's APIs: `embedded`, `localstack`, or AWS itself where it is absent.
    pub target: Option<String>,
    /// The template's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The folder of the file this was read from, which has the stack's pid files beside it.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// The checkout.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A number that a variable of the environment sets for a test.
///
/// # Errors
/// When it is none.
pub fn setting<T>(name: &str, otherwise: T) -> Outcome<T>
where
    T: FromStr<Err: std::error::Error>,
{
    let Ok(value) = std::env::var(name) else { return Ok(otherwise) };
    value.parse().map_err(|error| Failure::of(format_args!("{name} is {value:?}"), &error))
}

impl Stack {
    /// The stack that `BOXOFFICE_STACK` names, or `.local/stack.json` of this checkout.
    ///
    /// # Errors
    /// When there is none. A test without a stack fails; it is never skipped.
    pub fn load() -> Outcome<Self> {
        let path = std::env::var_os("BOXOFFICE_STACK")
            .map_or_else(|| workspace().join(".local").join("stack.json"), PathBuf::from);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(format!("there is no running stack ({}: {error}); run `make up` first", path.display()))
        })?;
        let stack: Self = serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("{} cannot be read ({error}); run `make up` to write it anew", path.display()))
        })?;
        Ok(Self { folder: path.parent().map(Path::to_path_buf).unwrap_or_default(), ..stack })
    }

    /// An output of the template.
    ///
    /// # Errors
    /// When the stack has no such output.
    pub fn output(&self, name: &str) -> Outcome<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<_> = self.outputs.keys().map(String::as_str).collect();
            Failure::new(format!(
                "the stack has no output {name} (it has {}); run `make up` to deploy the current template",
                known.join(", ")
            ))
        })
    }
}
