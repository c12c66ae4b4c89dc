//! `boxoffice`: the operator's command, for terminals and deployment scripts.
//!
//! | Module | Holds |
//! |---|---|
//! | [`command`] | one file a command |
//! | [`outcome`] | a command's result: its output and its exit code |
//!
//! Region, credentials and endpoint come from the standard AWS environment variables, so a command works on AWS and on a laptop alike.

mod command;
mod outcome;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Operate a Box Office deployment: keys, ADMINs, stuck bookings, dead letters, replays.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = ENVIRONMENT)]
struct Arguments {
    /// Print the result as one JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "\
Region and credentials come from the standard environment variables: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and, for another \
endpoint, AWS_ENDPOINT_URL. For a profile: eval \"$(aws configure export-credentials --format env)\".

Exit codes: 0 done, or already done; 1 an AWS call failed and a retry may help; 2 invalid arguments; 3 refused by a rule.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Create, rotate and retire the keys that sign access tokens.
    #[command(subcommand)]
    Keys(command::keys::Command),
    /// Create the first ADMIN.
    #[command(subcommand)]
    Admin(command::admin::Command),
    /// Rebuild the read models (sales, users' bookings) from the event store.
    #[command(subcommand)]
    Projections(command::projections::Command),
    /// List, inspect and repair bookings in progress or stuck.
    #[command(subcommand)]
    Sagas(command::sagas::Command),
    /// List messages to users, and resend those that failed.
    #[command(subcommand)]
    Notifications(command::notifications::Command),
    /// Inspect and redrive dead-letter queues.
    #[command(subcommand)]
    DeadLetters(command::dead_letters::Command),
    /// Replay stored events onto the event bus.
    #[command(subcommand)]
    Events(command::events::Command),
    /// Start a reconciliation of all tables now.
    Reconcile(command::reconcile::Reconcile),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Keys(command) => command.run().await,
        Command::Admin(command) => command.run().await,
        Command::Projections(command) => command.run().await,
        Command::Sagas(command) => command.run().await,
        Command::Notifications(command) => command.run().await,
        Command::DeadLetters(command) => command.run().await,
        Command::Events(command) => command.run().await,
        Command::Reconcile(command) => command.run().await,
    };
    outcome::tell(outcome, arguments.json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn setup_commands_of_the_local_stack_parse() {
        let keys = ["boxoffice", "keys", "create", "--environment", "local"];
        let admin = "boxoffice admin create --stack boxoffice-local --password-stdin --username admin --email a@example.org \
                     --first-name Ada --last-name Admin";
        assert!(Arguments::try_parse_from(keys).is_ok());
        assert!(Arguments::try_parse_from(admin.split_whitespace()).is_ok());
        assert!(Arguments::try_parse_from(["boxoffice", "keys", "create", "--environment", "no/slash"]).is_err());
    }

    #[test]
    fn documented_commands_parse_and_malformed_ones_do_not() {
        let ticket = "tkt_01970000000070008000000000000001";
        let message = "ntf_01970000000070008000000000000001";
        for words in [
            "sagas list".to_owned(),
            "sagas list --status running --limit 100 --json".to_owned(),
            format!("sagas show {ticket}"),
            format!("sagas redrive {ticket} --reason repaired --as ada"),
            format!("sagas compensate {ticket} --reason closed --stack boxoffice-local"),
            "notifications list".to_owned(),
            "notifications list --status PENDING --limit 100 --json".to_owned(),
            format!("notifications resend {message} --reason repaired --as ada"),
            "notifications resend --all-failed --reason repaired --stack boxoffice-local".to_owned(),
            "dead-letters list".to_owned(),
            "dead-letters redrive saga-start-dead-letters".to_owned(),
            format!("events replay --aggregate {ticket} --dry-run"),
            "events replay --type TicketCreated --from 2030-01-01T00:00:00Z --to 2030-01-02T00:00:00Z".to_owned(),
            "reconcile --as ada".to_owned(),
            "reconcile --all --as ada".to_owned(),
            "projections rebuild --stack boxoffice-local".to_owned(),
            "projections sweep --stack boxoffice-local --json".to_owned(),
        ] {
            let parsed = Arguments::try_parse_from(["boxoffice"].into_iter().chain(words.split_whitespace()));
            assert!(parsed.is_ok(), "{words}: {parsed:?}");
        }
        for words in [
            format!("sagas redrive {ticket}"),
            format!("notifications resend {message}"),
            "notifications resend --reason repaired".to_owned(),
            format!("notifications resend {message} --all-failed --reason repaired"),
            "notifications list --status LOST".to_owned(),
            "sagas show pay_01970000000070008000000000000001".to_owned(),
            "sagas list --limit 1000".to_owned(),
            "dead-letters redrive nowhere".to_owned(),
            "events replay --type ticket_created".to_owned(),
            "reconcile --as no/slash".to_owned(),
        ] {
            let parsed = Arguments::try_parse_from(["boxoffice"].into_iter().chain(words.split_whitespace()));
            assert!(parsed.is_err(), "{words} was understood");
        }
    }
}
