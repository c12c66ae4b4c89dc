//! `hot-sale`: what one event sells a second under a model of DynamoDB's limits. See the library.

use boxoffice_hot_sale::{
    dynamodb::Settings,
    latency::Latency,
    limits::{Limits, Partition},
    report::{self, Report, Sweep},
};
use clap::Parser;
use std::{error::Error, fs, path::PathBuf, process::ExitCode, time::Instant};

/// Measures how many seats one event sells a second when DynamoDB is the limit: the real booking path, against a model of DynamoDB's limits, in virtual time.
///
/// Writes hot-sale.md, hot-sale.json and hot-sale.svg, and fails when a seat was sold twice or left unsold.
#[derive(Debug, Parser)]
#[command(name = "hot-sale")]
struct Arguments {
    /// Numbers of shards to go over
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32,64,90")]
    shards: Vec<u32>,
    /// Seats for each shard
    #[arg(long, default_value_t = 107)]
    seats_per_shard: u32,
    /// The fewest seats of a sale
    #[arg(long, default_value_t = 1000)]
    fewest_seats: u32,
    /// Buyers at once
    #[arg(long, default_value_t = 250)]
    buyers: u32,
    /// The most instances of a function (an account's default on Lambda)
    #[arg(long, default_value_t = 1000)]
    instances: usize,
    /// Median milliseconds of a transaction
    #[arg(long, default_value_t = 8.0)]
    transaction_p50: f64,
    /// 99th percentile of the same
    #[arg(long, default_value_t = 25.0)]
    transaction_p99: f64,
    /// Median milliseconds of a read
    #[arg(long, default_value_t = 3.0)]
    read_p50: f64,
    /// 99th percentile of the same
    #[arg(long, default_value_t = 10.0)]
    read_p99: f64,
    /// How many milliseconds old an eventually consistent read may be
    #[arg(long, default_value_t = 20.0)]
    staleness: f64,
    /// Write units a second of a partition
    #[arg(long, default_value_t = 1000.0)]
    write_units: f64,
    /// Read units a second of a partition
    #[arg(long, default_value_t = 3000.0)]
    read_units: f64,
    /// How many seconds' worth of unused units a partition keeps
    #[arg(long, default_value_t = 0.1)]
    saved_seconds: f64,
    /// The contents of one partition
    #[arg(long, value_enum, default_value_t = Partition::Key)]
    partition: Partition,
    /// The source of all randomness
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many sales are measured at once
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where the report goes
    #[arg(long, default_value = ".local/reports")]
    reports: PathBuf,
    /// Where the plot goes besides
    #[arg(long)]
    plot: Option<PathBuf>,
}

impl Arguments {
    fn sweep(&self) -> Sweep {
        Sweep {
            shards: self.shards.clone(),
            seats_per_shard: self.seats_per_shard,
            fewest_seats: self.fewest_seats,
            buyers: self.buyers,
            instances: self.instances,
            threads: self.threads,
            settings: Settings {
                limits: Limits {
                    writes: self.write_units,
                    reads: self.read_units,
                    saved_seconds: self.saved_seconds,
                    partition: self.partition,
                },
                reads: Latency { p50: self.read_p50, p99: self.read_p99 },
                transactions: Latency { p50: self.transaction_p50, p99: self.transaction_p99 },
                staleness: self.staleness,
                conditions: true,
                pools: true,
                seed: self.seed,
            },
        }
    }

    fn write(&self, report: &Report) -> Result<(), Box<dyn Error>> {
        report::publish(&self.reports, "hot-sale", &report.markdown(), report)?;
        fs::write(self.reports.join("hot-sale.svg"), report.plot())?;
        if let Some(plot) = &self.plot {
            if let Some(folder) = plot.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(plot, report.plot())?;
        }
        Ok(())
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let report = arguments.sweep().run(|outcome| {
        let (shards, rate) = (outcome.plan.shards, outcome.seats_per_second);
        eprintln!(
            "{:5.0} s: {shards} shards, {}: {rate:.0} seats/s",
            began.elapsed().as_secs_f64(),
            outcome.plan.crowd
        );
    })?;
    arguments.write(&report)?;
    let faults = report.faults();
    for fault in &faults {
        eprintln!("{fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
