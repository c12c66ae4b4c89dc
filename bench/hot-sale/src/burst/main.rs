//! `burst`: a sale of thousands of bookings at once, under AWS's and Stripe's quotas. See [`boxoffice_hot_sale::burst`].

use boxoffice_hot_sale::{
    burst::{
        account::Times,
        quotas::{EU_CENTRAL_1, NEW_ACCOUNT, Quotas, US_EAST_1},
        report::markdown,
        retry::{impatient, punctual},
        sale::{Plan, run},
        template::deployed,
    },
    report,
};
use clap::Parser;
use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

/// A sale of thousands of bookings at once: a model of AWS's and Stripe's quotas, in virtual time, under the retries that are deployed.
///
/// Writes burst.md and burst.json, and fails when a booking was lost, or undone although its buyer paid in time; the latter not where an account of 10
/// concurrent executions is given more than it can serve while seats are held.
#[derive(Debug, Parser)]
#[command(name = "burst")]
struct Arguments {
    /// Buyers
    #[arg(long, default_value_t = 4000)]
    bookings: u32,
    /// Over how many seconds they arrive
    #[arg(long, default_value_t = 4)]
    arrive_over: u64,
    /// How many seconds after booking the buyers of the second row pay, at the median
    #[arg(long, default_value_t = 60)]
    pay_after: u64,
    /// Run the saga with the retries it had at commit 8c810a0, which undo good bookings: the negative control
    #[arg(long)]
    impatient: bool,
    /// Run the saga as it was at commit e6654eb, which undid a booking when its hold was over before the saga began: the negative control
    #[arg(long)]
    punctual: bool,
    /// The source of all randomness
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the report goes
    #[arg(long, default_value = ".local/reports")]
    reports: PathBuf,
}

impl Arguments {
    fn plan(&self, quotas: Quotas, share: u32, pay_after: Option<Duration>) -> Plan {
        Plan {
            bookings: self.bookings / share,
            overload: share == 1 && quotas.concurrent_executions < US_EAST_1.concurrent_executions,
            arrive_over: Duration::from_secs(self.arrive_over),
            pay_after,
            quotas,
            times: Times::default(),
            seed: self.seed,
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut deployed = deployed()?;
    if arguments.impatient {
        deployed.saga = impatient(deployed.saga);
    }
    if arguments.punctual {
        deployed = punctual(deployed);
    }
    let mut outcomes = Vec::new();
    // A new account with a quarter of the buyers, which it can serve while the seats are held, and with all of them, which it cannot.
    for (quotas, share) in [(US_EAST_1, 1), (EU_CENTRAL_1, 1), (NEW_ACCOUNT, 4), (NEW_ACCOUNT, 1)] {
        for pay_after in [None, Some(Duration::from_secs(arguments.pay_after))] {
            outcomes.push(run(arguments.plan(quotas, share, pay_after), deployed.clone())?);
        }
    }
    let text = markdown(&outcomes);
    let name = match (arguments.impatient, arguments.punctual) {
        (false, false) => "burst",
        (true, _) => "burst-impatient",
        (false, true) => "burst-punctual",
    };
    report::publish(&arguments.reports, name, &text, &outcomes)?;
    let faults: Vec<_> = outcomes.iter().flat_map(boxoffice_hot_sale::burst::sale::Outcome::faults).collect();
    for fault in &faults {
        eprintln!("{fault}");
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.undone_by.is_empty()) {
        eprintln!("{}: undone by {:?}", outcome.plan.quotas.name, outcome.undone_by);
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
