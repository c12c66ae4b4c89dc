//! `boxoffice projections`: the read models.

use super::stack::{Configuration, progress};
use crate::outcome::{Done, Failure};
use boxoffice_aws::client;
use boxoffice_kernel::Timestamp;
use boxoffice_reporting::{
    Projector, ViewStore,
    projector::{Rebuilding, Rebuilt},
    store::SweepError,
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::iter;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Rebuild the read models from the event store, then switch to the rebuilt ones.
    ///
    /// Sales continue during a rebuild. Run the command again to resume an interrupted rebuild. The previous read models stay until `sweep`
    /// deletes them.
    Rebuild(Of),
    /// Delete read models that a rebuild has replaced.
    ///
    /// Refuses for one minute after a switch, because running functions may still use the previous read models.
    Sweep(Of),
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The name of the CloudFormation stack.
    #[arg(long, default_value = "boxoffice")]
    stack: String,
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let (Self::Rebuild(Of { stack }) | Self::Sweep(Of { stack })) = &self;
        let sdk = client::sdk_config();
        // The stack's own projector knows its read models, and the event store.
        let configuration = Configuration::of(&sdk, stack, "project-events").await?;
        let dynamodb = client::dynamodb(&sdk);
        let views = ViewStore::new(dynamodb.clone(), configuration.variable("VIEWS_TABLE")?);
        match &self {
            Self::Rebuild(_) => {
                let events = configuration.variable("EVENTS_TABLE")?;
                Ok(rebuilt(Projector::new(views).rebuild(&dynamodb, &events, tell).await?, stack))
            }
            Self::Sweep(_) => match views.sweep(Timestamp::now()).await {
                Ok(deleted) => Ok(swept(deleted)),
                Err(SweepError::Store(error)) => Err(error.into()),
                Err(early @ SweepError::TooEarly(_)) => Err(Failure::Refused(format!("{early}; sweep again then"))),
            },
        }
    }
}

fn tell(Rebuilding { read, .. }: Rebuilding) {
    progress(&format!("{read} events read"));
}

fn rebuilt(Rebuilt { events, malformed, settled_at }: Rebuilt, stack: &str) -> Done {
    let Rebuilding { read, told } = events;
    let summary = format!("rebuilt from {read} events, {told} of which a read model is about");
    let sweep = settled_at.map(|at| {
        format!(
            "what was shown before stays until it is deleted, from {at} on: boxoffice projections sweep --stack {stack}"
        )
    });
    let not_understood = malformed.iter().map(|item| format!("not understood: {item}"));
    let lines: Vec<String> = iter::once(summary).chain(sweep).chain(not_understood).collect();
    Done {
        words: lines.join("\n"),
        facts: json!({ "read": read, "told": told, "malformed": malformed, "sweepFrom": settled_at }),
    }
}

fn swept(deleted: usize) -> Done {
    Done { words: format!("{deleted} old items deleted"), facts: json!({ "deleted": deleted }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_reports_unreadable_events_and_remaining_work() {
        let events = Rebuilding { read: 9, told: 5 };
        let malformed = vec!["tkt_1, version 3: it is no event".to_owned()];
        let settled_at = "2030-01-01T12:00:00Z".parse().ok();
        let told = rebuilt(Rebuilt { events, malformed: malformed.clone(), settled_at }, "boxoffice-dev");
        assert!(told.words.ends_with("\nnot understood: tkt_1, version 3: it is no event"), "{}", told.words);
        let sweep = "from 2030-01-01T12:00:00.000Z on: boxoffice projections sweep --stack boxoffice-dev";
        assert!(told.words.contains(sweep), "{}", told.words);
        let facts = json!({ "read": 9, "told": 5, "malformed": malformed, "sweepFrom": "2030-01-01T12:00:00.000Z" });
        assert_eq!(told.facts, facts);
    }
}
