//! The operator's command, as it was built beside these tests, run against the stack.

use crate::{Failure, Outcome, ensure, stack::Stack};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};
use tokio::task::spawn_blocking;

/// The operator, at a terminal.
#[derive(Debug, Clone)]
pub struct Terminal {
    stack: Arc<Stack>,
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Told {
    /// Its exit code.
    pub code: i32,
    /// The command's answer.
    pub answer: String,
}

impl Told {
    /// The answer in JSON of a command that did its work.
    ///
    /// # Errors
    /// When it did not.
    pub fn done(self) -> Outcome<Value> {
        ensure!(self.code == 0, "the command ended with {}: {}", self.code, self.answer);
        serde_json::from_str(&self.answer).map_err(|error| Failure::new(format!("{error}: {}", self.answer)))
    }
}

impl Terminal {
    pub(crate) fn new(stack: Arc<Stack>) -> Self {
        Self { stack }
    }

    /// `boxoffice <words> --stack <the stack> --json`, as somebody called `ada`.
    ///
    /// # Errors
    /// When there is no such command, or it cannot be run.
    pub async fn run(&self, words: &[&str]) -> Outcome<Told> {
        let mut command = std::process::Command::new(boxoffice()?);
        command.args(words).args(["--stack", &self.stack.stack_name, "--json"]);
        command.env("USER", "ada").env("AWS_REGION", &self.stack.region);
        if let Some(endpoint) = &self.stack.aws_endpoint {
            // An emulator asks for credentials and does not look at them; a developer's own must not go there.
            command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", "test");
            command.env("AWS_SECRET_ACCESS_KEY", "test").env_remove("AWS_SESSION_TOKEN");
        }
        let output = spawn_blocking(move || command.output()).await;
        let output = output.map_err(|error| Failure::of("running boxoffice", &error))?;
        let output = output.map_err(|error| Failure::of("running boxoffice", &error))?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Told { code: output.status.code().unwrap_or(-1), answer })
    }
}

/// Test programs are in `debug/deps/`; the command is in `release/`, as the functions are.
fn boxoffice() -> Outcome<PathBuf> {
    let here = std::env::current_exe().map_err(|error| Failure::of("where this test is", &error))?;
    let command = here.ancestors().nth(3).map(|folder| folder.join("release/boxoffice")).unwrap_or_default();
    ensure!(command.is_file(), "there is no {}; `make up` builds it", command.display());
    Ok(command)
}
