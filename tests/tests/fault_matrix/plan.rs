//! The plan of faults, as the injectors read it, and their report afterwards.

use boxoffice_e2e::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where plans are left, and attempts are noted.
#[derive(Debug, Clone)]
pub(crate) struct Folder(Arc<PathBuf>);

/// An injector's act on the attempts of one state. `tests/faults/injector.py` has the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The number of attempts it acts on; all of them without one.
    pub(crate) times: Option<u32>,
    /// A refusal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// At which write a program is killed, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The function answers with an error, and does nothing.
    Refusal,
    /// AWS answers its program with errors.
    Outage,
    /// Its program is stopped at its first write, and goes on when nobody waits any more.
    Freeze,
    /// Its program is killed when it is about to write.
    CrashBefore,
    /// Its program is killed when it has written, and before it knows.
    CrashAfter,
    /// It is called twice.
    Duplicate,
    /// The function answers that it is done, and does nothing.
    Unheard,
}

impl Fault {
    pub(crate) fn refusal(error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..Self::always(Kind::Refusal) }
    }

    pub(crate) fn always(kind: Kind) -> Self {
        Self { kind, times: None, error: None, write: None }
    }

    pub(crate) fn once(kind: Kind) -> Self {
        Self { times: Some(1), ..Self::always(kind) }
    }

    pub(crate) fn at_write(self, write: usize) -> Self {
        Self { write: Some(write), ..self }
    }
}

/// Faults by state; of several at one state the first that is not used up.
pub(crate) type Plan = BTreeMap<String, Vec<Fault>>;

/// The report of an injector.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    pub(crate) state: String,
    pub(crate) fault: Option<Kind>,
    pub(crate) happened: bool,
    pub(crate) writes: Vec<String>,
    pub(crate) execution_arn: Option<String>,
}

impl Folder {
    /// The folder that `scripts/fault_matrix.py` names.
    pub(crate) fn of_the_injectors() -> Outcome<Self> {
        let missing = "no injectors are in place (BOXOFFICE_FAULTS names no folder): run `make fault-matrix`";
        let path = env::var_os("BOXOFFICE_FAULTS").ok_or_else(|| Failure::new(missing))?;
        Ok(Self(Arc::new(path.into())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves a plan for the booking of this correlation id, which must not have begun.
    pub(crate) fn leave(&self, correlation_id: &str, plan: &Plan) -> Outcome<()> {
        let text = serde_json::to_string(plan).map_err(|error| Failure::of("a plan", &error))?;
        let path = self.0.join(format!("{correlation_id}.json"));
        fs::write(&path, text).map_err(|error| Failure::of(path.display(), &error))
    }

    /// Every attempt so far, oldest first.
    pub(crate) fn attempts(&self, correlation_id: &str) -> Outcome<Vec<Attempt>> {
        let text = fs::read_to_string(self.0.join(format!("{correlation_id}.jsonl"))).unwrap_or_default();
        let attempts = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        attempts.map_err(|error| Failure::of(format_args!("the attempts of {correlation_id}"), &error))
    }

    /// How often each state wrote in its last attempt.
    pub(crate) fn writes_by_state(&self, correlation_id: &str) -> Outcome<BTreeMap<String, usize>> {
        let attempts = self.attempts(correlation_id)?;
        Ok(attempts.into_iter().map(|attempt| (attempt.state, attempt.writes.len())).collect())
    }
}
