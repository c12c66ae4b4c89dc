//! `boxoffice dead-letters`: what did not get where it should.

use super::stack::{Asker, Configuration, Stack, progress, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::{Limit, client};
use boxoffice_operations::{
    Redriver,
    domain::Queue,
    redriver::{Order, QueueDepth, Stayed},
};
use clap::{Args, Subcommand};
use serde_json::json;

const REDRIVE: &str = "Examples:
  boxoffice dead-letters redrive saga-start-dead-letters
  boxoffice dead-letters redrive stuck-bookings --as ada";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the queues and the number of messages in each.
    List(Stack),
    /// Redrive every message of a queue to where it was going. A message that cannot be redriven stays in the queue and is printed with the
    /// reason.
    #[command(after_help = REDRIVE)]
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// The queue's name, as `list` prints it.
    queue: Queue,
    #[command(flatten)]
    asker: Asker,
    #[command(flatten)]
    stack: Stack,
}

async fn redriver(stack: &Stack) -> Result<Redriver, Failure> {
    let sdk = client::sdk_config();
    let configuration = Configuration::of(&sdk, &stack.stack, "redrive-queue").await?;
    Redriver::from_source(&sdk, |name| configuration.variable(name))
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self {
            Self::List(stack) => {
                let queues = redriver(&stack).await?.queues().await?;
                let words = queues.iter().map(line).collect::<Vec<_>>().join("\n");
                Ok(Done { words, facts: json!({ "items": queues }) })
            }
            Self::Redrive(redrive) => redrive.run().await,
        }
    }
}

fn line(QueueDepth { name, depth, holds, .. }: &QueueDepth) -> String {
    format!("{depth:>7}  {:<26}  {holds}", name.name())
}

impl Redrive {
    async fn run(self) -> Result<Done, Failure> {
        let (queue, requested_by) = (self.queue, self.asker.operator()?);
        let redriver = redriver(&self.stack).await?;
        let trace = trace(&requested_by);
        let order = Order { requested_by, trace, most: Limit::LARGEST, until: None };
        let waiting = redriver.queues().await?.into_iter().find(|depth| depth.name == queue);
        let waiting = waiting.map_or(0, |waiting| waiting.depth);
        let (mut moved, mut failed): (usize, Vec<Stayed>) = (0, Vec::new());
        loop {
            let batch = redriver.redrive(queue, &order).await?;
            let looked_at = batch.moved + batch.failed.len();
            moved += batch.moved;
            failed.extend(batch.failed);
            progress(&format!("{moved} sent on, {} stay, {} left", failed.len(), batch.left));
            // A letter sent on may come back, so this reads as many as there were at the start.
            let all = u64::try_from(moved + failed.len()).is_ok_and(|seen| seen >= waiting);
            if looked_at == 0 || batch.left == 0 || all {
                return Ok(done(queue, moved, &failed, batch.left));
            }
        }
    }
}

fn done(queue: Queue, moved: usize, failed: &[Stayed], left: u64) -> Done {
    let summary = format!("{queue}: {moved} sent on, {} stay, {left} left", failed.len());
    let stay = failed.iter().map(|Stayed { message_id, reason }| format!("stays: {message_id}: {reason}"));
    let words = std::iter::once(summary).chain(stay).collect::<Vec<_>>().join("\n");
    Done { words, facts: json!({ "queue": queue, "moved": moved, "failed": failed, "left": left }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remaining_message_is_named_with_its_reason() {
        let stays = Stayed { message_id: "m-1".into(), reason: "it is no JSON".into() };
        let told = done(Queue::RelayDeadLetters, 3, &[stays], 0);
        assert_eq!(told.words, "relay-dead-letters: 3 sent on, 1 stay, 0 left\nstays: m-1: it is no JSON");
        assert_eq!(told.facts["failed"][0]["reason"], "it is no JSON");
    }
}
