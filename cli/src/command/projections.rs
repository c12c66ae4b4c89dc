//! `boxoffice projections`: the read models.

use crate::outcome::{Done, Failure};
use aws_sdk_lambda::Client;
use boxoffice_aws::{StoreError, client};
use boxoffice_reporting::{
    Projector, ViewStore,
    projector::{Rebuilding, Rebuilt},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    io::{self, Write},
    iter,
    time::Duration,
};

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
        let [views, events] = tables(&Client::new(&sdk), &rebuild.stack).await?;
        let dynamodb = client::dynamodb(&sdk);
        let projector = Projector::new(ViewStore::new(dynamodb.clone(), views));
        let grace = Duration::from_secs(rebuild.grace_seconds);
        Ok(done(projector.rebuild(&dynamodb, &events, grace, tell).await?))
    }
}

/// The tables of the stack's own projector: its read models, and the event store.
async fn tables(lambda: &Client, stack: &str) -> Result<[String; 2], Failure> {
    let function = format!("{stack}-project-events");
    let asked = lambda.get_function_configuration().function_name(&function).send();
    let configuration = asked.await.map_err(StoreError::from_sdk)?;
    let variables = configuration.environment.and_then(|environment| environment.variables).unwrap_or_default();
    let table = |name: &str| {
        let missing = || Failure::Refused(format!("{function} has no {name}; is it of this version?"));
        variables.get(name).cloned().ok_or_else(missing)
    };
    Ok([table("VIEWS_TABLE")?, table("EVENTS_TABLE")?])
}

/// A rebuild may take its time: what it has read goes to where it is in nobody's way.
fn tell(Rebuilding { read, .. }: Rebuilding) {
    let _ = writeln!(io::stderr(), "{read} events read");
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
