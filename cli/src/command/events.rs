//! `boxoffice events`: replays of stored events.

use super::stack::{Asker, Configuration, Stack, progress, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::client;
use boxoffice_kernel::Timestamp;
use boxoffice_operations::{
    Replayer,
    domain::{AggregateId, EventType, Selector},
    replayer::ReplayError,
};
use clap::{Args, Subcommand};
use serde_json::json;

const REPLAY: &str = "Examples:
  boxoffice events replay --aggregate tkt_01a2089d219e737bb4e23d79e9d77e1a
  boxoffice events replay --type TicketConfirmed --from 2030-05-01T00:00:00Z --to 2030-05-02T00:00:00Z --dry-run

By aggregate is one query. By type or time the whole event store is read, a page at a time.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay the stored events that match every given filter. Consumers handle each event once, so a replay has no effect on those that
    /// already did.
    #[command(after_help = REPLAY)]
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Only events of this aggregate, such as tkt_…
    #[arg(long)]
    aggregate: Option<AggregateId>,
    /// Only events of this type, such as `TicketCreated`.
    #[arg(long = "type")]
    event_type: Option<EventType>,
    /// Only events at or after this time (RFC 3339).
    #[arg(long)]
    from: Option<Timestamp>,
    /// Only events before this time (RFC 3339).
    #[arg(long)]
    to: Option<Timestamp>,
    /// Count the matching events without replaying them.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asker: Asker,
    #[command(flatten)]
    stack: Stack,
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Cursor(error) => Self::Refused(error.to_string()),
            ReplayError::Store(error) => error.into(),
        }
    }
}

/// Items of the event store read per request.
const PAGE: usize = 1000;

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let Self::Replay(Replay { aggregate, event_type, from, to, dry_run, asker, stack }) = self;
        let selector = Selector { aggregate_id: aggregate, event_type, from, to }.checked();
        let selector = selector.map_err(|error| Failure::Refused(error.to_string()))?;
        let operator = asker.operator()?;
        let (sdk, trace) = (client::sdk_config(), trace(&operator));
        let configuration = Configuration::of(&sdk, &stack.stack, "replay-events").await?;
        let replayer = Replayer::from_source(&sdk, |name| configuration.variable(name))?;
        let (mut read, mut matched, mut published, mut next) = (0, 0, 0, None);
        loop {
            let page = if dry_run {
                replayer.rehearse(&selector, PAGE, next).await?
            } else {
                replayer.replay(&selector, PAGE, next, operator.clone(), &trace).await?
            };
            (read, matched, published) = (read + page.read, matched + page.matched, published + page.published);
            progress(&format!("{read} read, {matched} matched, {published} published"));
            next = page.next;
            if next.is_none() {
                return Ok(done(read, matched, published, dry_run));
            }
        }
    }
}

fn done(read: usize, matched: usize, published: usize, dry_run: bool) -> Done {
    let words = if dry_run {
        format!("{matched} of {read} events read would be put on the bus again")
    } else {
        format!("{published} of {read} events read are on the bus again")
    };
    Done { words, facts: json!({ "read": read, "matched": matched, "published": published, "dryRun": dry_run }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_does_not_claim_to_have_done_anything() {
        assert!(done(9, 2, 0, true).words.contains("would"));
        assert_eq!(done(9, 2, 2, false).facts["published"], 2);
    }
}
