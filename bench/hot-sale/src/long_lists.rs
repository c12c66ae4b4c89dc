//! `long-lists`: what a page of a list costs as more is stored. See [`boxoffice_hot_sale::lists`].

use boxoffice_aws::Limit;
use boxoffice_hot_sale::{
    lists::{Cost, FAR, measure},
    report,
};
use clap::Parser;
use std::{error::Error, fmt::Write, path::PathBuf, process::ExitCode};

/// Measures what a page of all tickets costs as more are stored: the product's own list, over a model of DynamoDB that counts what is read.
///
/// Writes long-lists.md and long-lists.json, and fails when a page costs more than another.
#[derive(Debug, Parser)]
#[command(name = "long-lists")]
struct Arguments {
    /// Numbers of tickets to go over
    #[arg(long, value_delimiter = ',', default_value = "100,10000,1000000")]
    tickets: Vec<u32>,
    /// Tickets on a page, 1 to 100
    #[arg(long, default_value = "10")]
    limit: Limit,
    /// Where the report goes
    #[arg(long, default_value = ".local/reports")]
    reports: PathBuf,
}

fn cell(cost: Option<Cost>) -> String {
    cost.map_or(String::new(), |Cost { units, requests, .. }| format!("{units} read units, {requests} requests"))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut text = format!(
        "# What a page costs\n\nPages of {}.\n\n| Tickets stored | Page 1 | Page {FAR} |\n|---:|---|---|\n",
        arguments.limit.get()
    );
    let mut lengths = Vec::new();
    for stored in arguments.tickets {
        let length = measure(stored, arguments.limit)?;
        writeln!(text, "| {stored} | {} | {} |", cell(Some(length.first)), cell(length.far))?;
        lengths.push(length);
    }
    report::publish(&arguments.reports, "long-lists", &text, &lengths)?;
    let costs: Vec<_> = lengths.iter().flat_map(|length| [Some(length.first), length.far]).flatten().collect();
    let alike = costs.windows(2).all(|pair| pair.first() == pair.last());
    if !alike {
        eprintln!("Pages cost more the more is stored.");
    }
    Ok(if alike { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
