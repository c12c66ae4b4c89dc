//! `boxoffice`: what an operator does from a terminal, and a deployment from a script.
//!
//! | Module | Holds |
//! |---|---|
//! | [`command`] | one file a command |
//! | [`outcome`] | what a command came to: how it is told, and the exit code |
//!
//! A command talks to AWS as the functions do: region, credentials and endpoint come from the standard environment variables, so that it works on
//! AWS and on a laptop alike.

mod command;
mod outcome;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Box Office, from a terminal.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = ENVIRONMENT)]
struct Arguments {
    /// Answer in JSON, one object on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "\
AWS is reached by the standard environment variables: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and, for another \
endpoint, AWS_ENDPOINT_URL. For a profile: eval \"$(aws configure export-credentials --format env)\".

Exit codes: 0 done, or so already; 1 AWS did not do it, and trying again may help; 2 not understood; 3 a rule says no.";

#[derive(Debug, Subcommand)]
enum Command {
    /// The keys that access tokens are signed and verified with.
    #[command(subcommand)]
    Keys(command::keys::Command),
    /// Users who may do everything.
    #[command(subcommand)]
    Admin(command::admin::Command),
    /// The read models: sales, and users' bookings.
    #[command(subcommand)]
    Projections(command::projections::Command),
    /// Bookings on their way, and those that got stuck.
    #[command(subcommand)]
    Sagas(command::sagas::Command),
    /// What did not get where it should.
    #[command(subcommand)]
    DeadLetters(command::dead_letters::Command),
    /// What happened, said again.
    #[command(subcommand)]
    Events(command::events::Command),
    /// Run the reconciliation now.
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
    fn the_set_up_of_a_laptop_is_understood() {
        let keys = ["boxoffice", "keys", "create", "--environment", "local"];
        let admin = "boxoffice admin create --stack boxoffice-local --password-stdin --username admin --email a@example.org \
                     --first-name Ada --last-name Admin";
        assert!(Arguments::try_parse_from(keys).is_ok());
        assert!(Arguments::try_parse_from(admin.split_whitespace()).is_ok());
        assert!(Arguments::try_parse_from(["boxoffice", "keys", "create", "--environment", "no/slash"]).is_err());
    }

    #[test]
    fn what_an_operator_types_is_understood() {
        let ticket = "tkt_01970000000070008000000000000001";
        for words in [
            "sagas list".to_owned(),
            "sagas list --status running --limit 100 --json".to_owned(),
            format!("sagas show {ticket}"),
            format!("sagas redrive {ticket} --reason repaired --as ada"),
            format!("sagas compensate {ticket} --reason closed --stack boxoffice-local"),
            "dead-letters list".to_owned(),
            "dead-letters redrive saga-start-dead-letters".to_owned(),
            format!("events replay --aggregate {ticket} --dry-run"),
            "events replay --type TicketCreated --from 2030-01-01T00:00:00Z --to 2030-01-02T00:00:00Z".to_owned(),
            "reconcile --as ada".to_owned(),
            "projections rebuild --stack boxoffice-local".to_owned(),
            "projections sweep --stack boxoffice-local --json".to_owned(),
        ] {
            let parsed = Arguments::try_parse_from(["boxoffice"].into_iter().chain(words.split_whitespace()));
            assert!(parsed.is_ok(), "{words}: {parsed:?}");
        }
        for words in [
            format!("sagas redrive {ticket}"),
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
