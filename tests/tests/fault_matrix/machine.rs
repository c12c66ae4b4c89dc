//! The deployed machine as data.

use crate::plan::Folder;
use boxoffice_e2e::{Failure, Outcome};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, sync::Arc};

/// The state that an error leads to at the end of the way back when nothing else helps.
pub(crate) const STUCK: &str = "Record Stuck Booking";

/// The booking saga as it is deployed.
#[derive(Debug, Clone)]
pub(crate) struct Machine(Arc<Definition>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    start_at: String,
    states: BTreeMap<String, State>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    retry: Vec<Retry>,
    #[serde(default)]
    catch: Vec<Catch>,
    #[serde(default)]
    choices: Vec<Catch>,
    default: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retry {
    error_equals: Vec<String>,
    max_attempts: u32,
}

/// Where an error or a choice leads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Catch {
    next: String,
}

impl Machine {
    /// The deployed machine, as it is without the injectors.
    pub(crate) fn read(folder: &Folder) -> Outcome<Self> {
        let path = folder.path().join("original.asl.json");
        let text = fs::read_to_string(&path).map_err(|error| Failure::of(path.display(), &error))?;
        let definition = serde_json::from_str(&text).map_err(|error| Failure::of("the deployed machine", &error))?;
        Ok(Self(Arc::new(definition)))
    }

    fn state(&self, name: &str) -> Outcome<&State> {
        self.0.states.get(name).ok_or_else(|| Failure::new(format!("the machine has no state {name}")))
    }

    /// Its tasks, in the order a booking meets them: the forward path, then the way back.
    pub(crate) fn tasks(&self) -> Vec<&str> {
        self.in_order().into_iter().filter(|name| self.is(name, "Task")).collect()
    }

    /// States that call nothing, where nothing can go wrong from outside.
    pub(crate) fn others(&self) -> Vec<&str> {
        self.in_order().into_iter().filter(|name| !self.is(name, "Task")).collect()
    }

    fn is(&self, name: &str, kind: &str) -> bool {
        self.0.states.get(name).is_some_and(|state| state.kind == kind)
    }

    fn in_order(&self) -> Vec<&str> {
        let (mut met, mut ahead) = (Vec::new(), vec![self.0.start_at.as_str()]);
        while !ahead.is_empty() {
            let mut later = Vec::new();
            for name in ahead {
                if met.contains(&name) {
                    continue;
                }
                met.push(name);
                let Some(state) = self.0.states.get(name) else { continue };
                let chosen = state.choices.iter().map(|choice| choice.next.as_str());
                let caught = state.catch.iter().map(|catch| catch.next.as_str());
                later.extend(state.next.as_deref().into_iter().chain(chosen).chain(state.default.as_deref()));
                later.extend(caught);
            }
            ahead = later;
        }
        met
    }

    /// The refusals of its function: the errors that are never retried.
    pub(crate) fn refusal(&self, name: &str) -> Outcome<String> {
        let never = self.state(name)?.retry.iter().filter(|retry| retry.max_attempts == 0);
        let refusal = never.flat_map(|retry| &retry.error_equals).find(|error| !error.starts_with("States."));
        // A function that never refuses may still fail in a way that nobody has thought of.
        Ok(refusal.cloned().unwrap_or_else(|| "Unthought".to_owned()))
    }

    /// Whether somebody else than its function says how it went: then its function cannot refuse.
    pub(crate) fn waits_for_a_call(&self, name: &str) -> bool {
        self.0.states.get(name).is_some_and(|state| state.resource.ends_with(".waitForTaskToken"))
    }

    /// Where any error of this task leads, and what follows there when nothing else fails.
    pub(crate) fn way_back(&self, name: &str) -> Outcome<Vec<&str>> {
        let mut at = self.state(name)?.catch.last().map(|catch| catch.next.as_str());
        let mut way = Vec::new();
        while let Some(name) = at.filter(|name| !way.contains(name)) {
            way.push(name);
            let state = self.state(name)?;
            at = state.next.as_deref().or_else(|| state.choices.first().map(|choice| choice.next.as_str()));
        }
        Ok(way.into_iter().filter(|name| self.is(name, "Task")).collect())
    }

    /// Whether it says that it has no undo, and why.
    pub(crate) fn has_no_undo(&self, name: &str) -> bool {
        self.0.states.get(name).is_some_and(|state| state.comment.contains("Undo: none"))
    }

    /// Whether its own failure is an operator's case: an undo's is, and that of a task without one.
    pub(crate) fn fails_to_an_operator(&self, name: &str) -> bool {
        let is_undo = |state: &State| state.comment.contains("Is the undo of");
        self.has_no_undo(name) || self.0.states.get(name).is_some_and(is_undo)
    }
}
