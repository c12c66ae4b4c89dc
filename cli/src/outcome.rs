//! A command's outcome: how it is told, and the exit code.

use boxoffice_aws::StoreError;
use serde_json::Value;
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

/// The result of a command that succeeded.
#[derive(Debug)]
pub(crate) struct Done {
    /// In words.
    pub(crate) words: String,
    /// For programs.
    pub(crate) facts: Value,
}

impl Done {
    /// This and the same for ticket codes.
    pub(crate) fn and(mut self, tickets: Self) -> Self {
        self.words = format!("{}\n{}", self.words, tickets.words);
        if let Some(facts) = self.facts.as_object_mut() {
            facts.insert("tickets".into(), tickets.facts);
        }
        self
    }
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// AWS did not do it.
    #[error("{0}")]
    Aws(String),
    /// A rule says no.
    #[error("{0}")]
    Refused(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) | StoreError::Broken(cause) => Self::Aws(cause),
        }
    }
}

impl Failure {
    /// AWS's message and its causes, in words.
    pub(crate) fn from_aws(error: &dyn Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string);
        Self::Aws(std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": "))
    }

    /// 2 is clap's, for what is not understood.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Aws(_) => 1,
            Self::Refused(_) => 3,
        }
    }
}

/// Tells what became of a command. A closed output is no failure of the command.
pub(crate) fn tell(outcome: Result<Done, Failure>, json: bool) -> ExitCode {
    match outcome {
        Ok(done) => {
            let text = if json { done.facts.to_string() } else { done.words };
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if json {
                let facts = serde_json::json!({ "error": failure.to_string(), "exitCode": failure.exit_code() });
                let _ = writeln!(io::stdout(), "{facts}");
            }
            let _ = writeln!(io::stderr(), "boxoffice: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
