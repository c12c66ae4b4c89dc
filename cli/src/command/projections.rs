//! `boxoffice projections`: the read models.

use super::stack::{Configuration, progress};
use crate::outcome::{Done, Failure};
use boxoffice_aws::client;
use boxoffice_reporting::{
    Projector, ViewStore,
    projector::{Rebuilding, Rebuilt},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{iter, time::Duration};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the read models again from the event store, and show them in place of those that were.
    ///
    /// Sales go on meanwhile. One that was broken off is taken up by calling it again.
    Rebuild(Rebuild),
}

#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// The stack, as it was deployed.
    #[arg(long, default_value = "boxoffice")]
    stack: String,
    /// After how many seconds to delete what was shown before: until then functions that are at work may go on with it.
    #[arg(long, default_value_t = Projector::GRACE.as_secs())]
    grace_seconds: u64,
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let Self::Rebuild(rebuild) = self;
        let sdk = client::sdk_config();
        // The stack's own projector knows its read models, and the event store.
        let configuration = Configuration::of(&sdk, &rebuild.stack, "project-events").await?;
        let (views, events) = (configuration.variable("VIEWS_TABLE")?, configuration.variable("EVENTS_TABLE")?);
        let dynamodb = client::dynamodb(&sdk);
        let projector = Projector::new(ViewStore::new(dynamodb.clone(), views));
        let grace = Duration::from_secs(rebuild.grace_seconds);
        Ok(done(projector.rebuild(&dynamodb, &events, grace, tell).await?))
    }
}

fn tell(Rebuilding { read, .. }: Rebuilding) {
    progress(&format!("{read} events read"));
}

fn done(Rebuilt { events, malformed, swept }: Rebuilt) -> Done {
    let Rebuilding { read, told } = events;
    let summary =
        format!("rebuilt from {read} events, {told} of which a read model is about; {swept} old items deleted");
    let not_understood = malformed.iter().map(|item| format!("not understood: {item}"));
    let lines: Vec<String> = iter::once(summary).chain(not_understood).collect();
    Done {
        words: lines.join("\n"),
        facts: json!({ "read": read, "told": told, "malformed": malformed, "deleted": swept }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_understood_is_not_passed_over() {
        let events = Rebuilding { read: 9, told: 5 };
        let malformed = vec!["tkt_1, version 3: it is no event".to_owned()];
        let told = done(Rebuilt { events, malformed: malformed.clone(), swept: 3 });
        assert!(told.words.ends_with("\nnot understood: tkt_1, version 3: it is no event"), "{}", told.words);
        assert_eq!(told.facts, json!({ "read": 9, "told": 5, "malformed": malformed, "deleted": 3 }));
    }
}
