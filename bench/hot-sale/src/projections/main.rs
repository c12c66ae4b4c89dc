//! `projections`: how far the read models of one hot event fall behind. See [`boxoffice_hot_sale::projections`].

use boxoffice_hot_sale::{
    burst::template::deployed,
    projections::{Outcome, Plan, measure},
    report,
};
use clap::Parser;
use std::{error::Error, fmt::Write, path::PathBuf, process::ExitCode};

/// How far the read models of one hot event fall behind its sale: the product's own projector, over a model of DynamoDB with its conflicts.
///
/// Writes projections.md and projections.json, and fails when a seat is not counted once.
#[derive(Debug, Parser)]
#[command(name = "projections")]
struct Arguments {
    /// Bookings of the event
    #[arg(long, default_value_t = 4000)]
    bookings: u32,
    /// Rates of bookings to go over, a second
    #[arg(long, value_delimiter = ',', default_value = "25,100,300,1000")]
    per_second: Vec<f64>,
    /// Shards of the event store's stream
    #[arg(long, default_value_t = 4)]
    shards: u32,
    /// Where the report goes
    #[arg(long, default_value = ".local/reports")]
    reports: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let readers = deployed()?.readers;
    let reader = readers.iter().find(|reader| reader.function == "project-events");
    let reader = reader.ok_or("nothing projects events")?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for per_second in &arguments.per_second {
        outcomes.push(measure(Plan::of(reader, arguments.bookings, *per_second, arguments.shards))?);
    }
    let mut text = String::from(
        "| Bookings a second | Bookings | Batches | Failed and repeated | Transactions | In conflict | Behind, p50 | p99 | Most | After the last event |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for outcome in &outcomes {
        let Outcome { plan, tally, .. } = outcome;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} s | {:.1} s | {:.1} s | {:.1} s |",
            plan.per_second,
            plan.bookings,
            outcome.batches,
            outcome.failed,
            tally.transactions,
            tally.conflicts,
            outcome.lag_p50,
            outcome.lag_p99,
            outcome.lag_most,
            outcome.seconds_behind,
        )?;
    }
    report::publish(&arguments.reports, "projections", &text, &outcomes)?;
    let sound = outcomes.iter().all(Outcome::is_sound);
    if !sound {
        eprintln!("A seat is missing in the sales, or counted twice.");
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
