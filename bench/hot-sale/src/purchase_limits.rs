//! `purchase-limits`: what the limit of seats for each buyer costs the honest ones. See [`boxoffice_hot_sale::sale`].

use boxoffice_hot_sale::{
    dynamodb::Settings,
    report,
    sale::{self, Crowd, Outcome, Plan},
};
use clap::Parser;
use serde_json::json;
use std::{error::Error, fmt::Write, path::PathBuf, process::ExitCode};

/// Sells the same event to the same crowd with and without purchase limits, and says what the limits cost: the real booking path, against a
/// model of DynamoDB's limits, in virtual time.
///
/// Writes purchase-limits.md and purchase-limits.json, and fails when an honest buyer was refused, a seat was sold twice or left unsold, or the
/// limits cost 5 % of the rate or more.
#[derive(Debug, Parser)]
#[command(name = "purchase-limits")]
struct Arguments {
    /// Buyers at once, each for one to four seats
    #[arg(long, default_value_t = 1000)]
    buyers: u32,
    /// Seats on sale
    #[arg(long, default_value_t = 10_000)]
    seats: u32,
    /// Numbers of shards to go over
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,90")]
    shards: Vec<u32>,
    /// Sources of randomness, each for one pair of sales; the rates are summed
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Where the report goes
    #[arg(long, default_value = ".local/reports")]
    reports: PathBuf,
}

/// The largest share of their rate that honest buyers may lose.
const MOST_LOST: f64 = 0.05;

impl Arguments {
    fn sell(&self, shards: u32, pools: bool) -> Result<Vec<Outcome>, sale::Unmeasured> {
        let sales = self.seeds.iter().map(|&seed| {
            sale::run(Plan {
                seats: self.seats,
                shards,
                crowd: Crowd::Closed(self.buyers),
                paid: true,
                instances: 1000,
                settings: Settings { pools, seed, ..Settings::default() },
            })
        });
        sales.collect()
    }
}

fn rate(sales: &[Outcome]) -> f64 {
    sales.iter().map(|sale| sale.most_seats_per_second).sum()
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut text = format!(
        "# What purchase limits cost\n\n{} honest buyers at once, {} seats.\n\n| Shards | Seats/s without limits | with | Lost | Write units of a booking, without and with |\n|---:|---:|---:|---:|---|\n",
        arguments.buyers, arguments.seats
    );
    let (mut rows, mut sound) = (Vec::new(), true);
    for &shards in &arguments.shards {
        let (free, limited) = (arguments.sell(shards, false)?, arguments.sell(shards, true)?);
        let lost = 1.0 - rate(&limited) / rate(&free);
        let runs = f64::from(u32::try_from(arguments.seeds.len())?);
        let units = |sales: &[Outcome]| sales.iter().map(|sale| sale.write_units).sum::<f64>() / runs;
        writeln!(
            text,
            "| {shards} | {:.0} | {:.0} | {:.1} % | {:.1}, {:.1} |",
            rate(&free) / runs,
            rate(&limited) / runs,
            lost * 100.0,
            units(&free),
            units(&limited),
        )?;
        sound &= lost < MOST_LOST && free.iter().chain(&limited).all(Outcome::is_sound);
        rows.push(json!({ "shards": shards, "lost": lost, "without": free, "with": limited }));
    }
    report::publish(&arguments.reports, "purchase-limits", &text, &rows)?;
    if !sound {
        eprintln!("An honest buyer was refused, a seat was sold twice or left, or the limits cost too much.");
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
