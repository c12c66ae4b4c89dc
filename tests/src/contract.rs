//! `events/<EventType>.schema.json`: what consumers rely on, and whether an event keeps to it.

use crate::{Failure, Outcome, ensure, stack::workspace, tables::StoredEvent};
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// The contracts, each read when an event of its type is first met.
#[derive(Debug, Clone)]
pub struct Contracts {
    folder: PathBuf,
    read: Arc<Mutex<BTreeMap<String, Arc<Validator>>>>,
}

/// Finds what a schema refers to beside it, whatever host its `$id` names: a test of a contract must not fetch one.
#[derive(Debug)]
struct Beside(PathBuf);

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(serde_json::from_str(&std::fs::read_to_string(self.0.join(name))?)?)
    }
}

impl Contracts {
    /// Those of this checkout.
    pub fn of_this_checkout() -> Self {
        Self { folder: workspace().join("events"), read: Arc::default() }
    }

    /// Every type of event that has a contract.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn types(&self) -> Outcome<BTreeSet<String>> {
        let files = std::fs::read_dir(&self.folder).map_err(|error| Failure::of(self.folder.display(), &error))?;
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| Some(name.strip_suffix(".schema.json")?.to_owned())).collect())
    }

    /// Fails unless the event keeps to the contract of its type, and the contract is one that could be broken.
    ///
    /// # Errors
    /// When it does not, when there is no contract, or when the contract accepts anything.
    pub fn check(&self, stored: &StoredEvent) -> Outcome<()> {
        let detail: Value = serde_json::from_str(&stored.detail).map_err(|e| Failure::of("an event's detail", &e))?;
        self.check_detail(&stored.event.metadata.event_type, &detail)
    }

    /// The same of an event as it came from the bus.
    ///
    /// # Errors
    /// As [`Contracts::check`].
    pub fn check_detail(&self, event_type: &str, detail: &Value) -> Outcome<()> {
        let contract = self.contract(event_type)?;
        let broken: Vec<String> =
            contract.iter_errors(detail).map(|error| format!("{}: {error}", error.instance_path())).collect();
        ensure!(broken.is_empty(), "this {event_type} breaks its contract ({}): {detail}", broken.join("; "));
        for part in ["metadata", "data"] {
            let mut without = detail.clone();
            if let Some(event) = without.as_object_mut() {
                event.remove(part);
            }
            ensure!(
                !contract.is_valid(&without),
                "the contract of {event_type} accepts an event without {part}: it proves nothing"
            );
        }
        Ok(())
    }

    fn contract(&self, event_type: &str) -> Outcome<Arc<Validator>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(contract) = read.get(event_type) {
            return Ok(contract.clone());
        }
        let path = self.folder.join(format!("{event_type}.schema.json"));
        let failed =
            |error: &dyn Error| Failure::of(format_args!("{event_type} needs a contract, {}", path.display()), error);
        let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
        let schema = serde_json::from_str(&text).map_err(|e| failed(&e))?;
        let contract = jsonschema::options()
            .with_retriever(Beside(self.folder.clone()))
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|e| failed(&e))?;
        let contract = Arc::new(contract);
        read.insert(event_type.to_owned(), contract.clone());
        Ok(contract)
    }
}
