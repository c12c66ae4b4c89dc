//! Many sales: what is measured, its tables and its plot.

use crate::{
    dynamodb::Settings,
    limits::{Limits, Partition},
    sale::{self, Crowd, Outcome, Plan, Unmeasured},
};
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Prints a report, and writes it into this folder as `<name>.md` and, with all that was measured, `<name>.json`.
///
/// # Errors
/// When the folder cannot be written.
pub fn publish(folder: &Path, name: &str, text: &str, measured: &impl Serialize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{name}.md")), text)?;
    fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(measured)?)?;
    println!("{text}");
    Ok(())
}

/// The parameters of the sweep.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Numbers of shards.
    pub shards: Vec<u32>,
    /// Seats for each shard.
    pub seats_per_shard: u32,
    /// The fewest seats of a sale.
    pub fewest_seats: u32,
    /// Buyers at once.
    pub buyers: u32,
    /// The most instances of a function.
    pub instances: usize,
    /// The assumed DynamoDB.
    pub settings: Settings,
    /// How many runs go on at once.
    pub threads: usize,
}

/// A sale, and what it was to show.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The variation.
    pub what: String,
    /// Its result.
    pub outcome: Outcome,
}

/// Everything measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// As many buyers at once, over shards.
    pub closed: Vec<Outcome>,
    /// Half as many again as were served there, over shards.
    pub open: Vec<Outcome>,
    /// The largest sale under other assumptions.
    pub variants: Vec<Row>,
    /// The same product on a DynamoDB that evaluates no condition. It must be noticed.
    pub control: Outcome,
}

enum Job {
    Curve(u32),
    Variant(String, Plan),
    Control(Plan),
}

enum Done {
    Curve(Box<(Outcome, Outcome)>),
    Variant(Box<Row>),
    Control(Box<Outcome>),
}

impl Sweep {
    fn plan(&self, shards: u32) -> Plan {
        Plan {
            seats: (shards * self.seats_per_shard).max(self.fewest_seats),
            shards,
            crowd: Crowd::Closed(self.buyers),
            paid: false,
            instances: self.instances,
            settings: self.settings,
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let most = self.shards.iter().copied().max().unwrap_or(1);
        let (plan, settings) = (self.plan(most), self.settings);
        let slower = |factor: f64| Settings {
            reads: settings.reads.times(factor),
            transactions: settings.transactions.times(factor),
            ..settings
        };
        let limits = |limits: Limits| Settings { limits, ..settings };
        let variant = |what: &str, plan: Plan| Job::Variant(what.to_owned(), plan);
        let mut jobs = vec![
            variant("four times the crowd", Plan { crowd: Crowd::Closed(self.buyers * 4), ..plan }),
            variant(
                "paid a second later, so sold while others hold",
                Plan { paid: true, seats: plan.seats * 2, ..plan },
            ),
            variant("half the latency", Plan { settings: slower(0.5), ..plan }),
            variant("twice the latency", Plan { settings: slower(2.0), ..plan }),
            variant(
                "twice the latency, twice the crowd",
                Plan { settings: slower(2.0), crowd: Crowd::Closed(self.buyers * 2), ..plan },
            ),
            variant(
                "partitions with 300 s of unused units",
                Plan { settings: limits(Limits { saved_seconds: 300.0, ..settings.limits }), ..plan },
            ),
            variant(
                "each item a partition (split for heat)",
                Plan { settings: limits(Limits { partition: Partition::Item, ..settings.limits }), ..plan },
            ),
        ];
        let mut shards = self.shards.clone();
        shards.sort_unstable_by(|a, b| b.cmp(a));
        jobs.extend(shards.into_iter().map(Job::Curve));
        let blind = Settings { conditions: false, ..settings };
        jobs.push(Job::Control(Plan { settings: blind, ..self.plan(8) }));
        // The longest first: taken from the end.
        jobs.reverse();
        jobs
    }

    /// Measures everything.
    ///
    /// # Errors
    /// When a sale has no outcome.
    pub fn run(&self, progress: impl Fn(&Outcome) + Sync) -> Result<Report, Unmeasured> {
        let jobs = Mutex::new(self.jobs());
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let measure = |plan| sale::run(plan).inspect(&progress);
        let work = || -> Result<Vec<Done>, Unmeasured> {
            let mut done = Vec::new();
            while let Some(job) = next() {
                done.push(match job {
                    Job::Curve(shards) => {
                        let closed = measure(self.plan(shards))?;
                        let rate = closed.bookings_per_second * 1.5;
                        let open = measure(Plan { crowd: Crowd::Open(rate), ..self.plan(shards) })?;
                        Done::Curve(Box::new((closed, open)))
                    }
                    Job::Variant(what, plan) => Done::Variant(Box::new(Row { what, outcome: measure(plan)? })),
                    Job::Control(plan) => Done::Control(Box::new(measure(plan)?)),
                });
            }
            Ok(done)
        };
        let all = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads.max(1)).map(|_| scope.spawn(work)).collect();
            let mut all = Vec::new();
            for worker in workers {
                let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                all.extend(done?);
            }
            Ok::<_, Unmeasured>(all)
        })?;
        let (mut curves, mut variants, mut control) = (Vec::new(), Vec::new(), None);
        for done in all {
            match done {
                Done::Curve(both) => curves.push(*both),
                Done::Variant(row) => variants.push(*row),
                Done::Control(outcome) => control = Some(*outcome),
            }
        }
        curves.sort_by_key(|(closed, _)| closed.plan.shards);
        variants.sort_by(|a, b| a.what.cmp(&b.what));
        let (closed, open) = curves.into_iter().unzip();
        let control = control.ok_or_else(|| Unmeasured::NotOnSale("the control did not run".to_owned()))?;
        Ok(Report { closed, open, variants, control })
    }
}

const COLUMNS: &str = "shards | seats | crowd | seats/s | until 95 % | bookings/s | tries | conflicts | throttled | refused | 429, 503 | p50 ms | p99 ms | oversold | undersold";

fn cells(outcome: &Outcome) -> String {
    let Outcome { plan, tally, .. } = outcome;
    format!(
        "{} | {} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {} | {} | {} | {} | {:.0} | {:.0} | {} | {}",
        plan.shards,
        plan.seats,
        plan.crowd,
        outcome.seats_per_second,
        outcome.most_seats_per_second,
        outcome.bookings_per_second,
        outcome.tries,
        tally.conflicts,
        tally.throttled,
        tally.refused,
        u64::from(outcome.unavailable) + u64::from(outcome.turned_away),
        outcome.p50,
        outcome.p99,
        outcome.oversold,
        outcome.undersold
    )
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let rule = vec!["---"; head.split('|').count()].join("|");
    let rows: String = rows.fold(String::new(), |mut rows, row| {
        // Writing to a String cannot fail.
        let _ = writeln!(rows, "| {row} |");
        rows
    });
    format!("| {head} |\n|{rule}|\n{rows}\n")
}

impl Report {
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.closed.iter().chain(&self.open).chain(self.variants.iter().map(|row| &row.outcome))
    }

    /// The faults found: none, when every sale sold every seat once, and the control was noticed.
    pub fn faults(&self) -> Vec<String> {
        let unsound = self.outcomes().filter(|outcome| !outcome.is_sound());
        let mut faults: Vec<_> = unsound.map(|outcome| format!("unsound: {}", cells(outcome))).collect();
        if self.control.oversold == 0 {
            faults.push("without conditions nothing was oversold: this measurement notices nothing".to_owned());
        }
        faults
    }

    /// The report, to be read.
    pub fn markdown(&self) -> String {
        let variants = self.variants.iter().map(|row| format!("{} | {}", row.what, cells(&row.outcome)));
        let unit_cells = self.closed.iter().map(|outcome| {
            let heat = |hottest: &Option<(String, f64)>| {
                hottest.as_ref().map_or_else(String::new, |(name, rate)| format!("{name}: {rate:.0}"))
            };
            format!(
                "{} | {:.1} | {:.1} | {} | {}",
                outcome.plan.shards,
                outcome.write_units,
                outcome.read_units,
                heat(&outcome.hottest_write),
                heat(&outcome.hottest_read)
            )
        });
        format!(
            "# Hot sale\n\nThe product's booking path against a model of DynamoDB's limits, in virtual time. docs/performance.md says what is assumed.\n\n\
             ## A crowd of so many at once\n\n{}## Arrivals at one and a half times that rate\n\n{}## Other assumptions\n\n{}\
             ## Units\n\n{}## Control: a DynamoDB that evaluates no condition\n\n{}",
            table(COLUMNS, self.closed.iter().map(cells)),
            table(COLUMNS, self.open.iter().map(cells)),
            table(&format!("what | {COLUMNS}"), variants),
            table(
                "shards | write units a booking | read units a booking | hottest partition, write units/s | read units/s",
                unit_cells
            ),
            table(COLUMNS, std::iter::once(cells(&self.control))),
        )
    }

    /// Seats a second over shards.
    pub fn plot(&self) -> String {
        const GOAL: f64 = 5000.0;
        let (left, right, top, bottom) = (70.0, 620.0, 30.0, 320.0);
        let highest = self.closed.iter().chain(&self.open).map(|outcome| outcome.seats_per_second).fold(GOAL, f64::max);
        let highest = (highest / 1000.0).ceil() * 1000.0;
        let widest = self.closed.iter().map(|outcome| f64::from(outcome.plan.shards).log2()).fold(1.0, f64::max);
        let x = |shards: u32| left + (right - left) * f64::from(shards).log2() / widest;
        let y = |seats: f64| bottom - (bottom - top) * seats / highest;
        let mut svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 660 380\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"660\" height=\"380\" fill=\"white\"/>\n\
             <text x=\"70\" y=\"18\">Seats a second of one event, by its shards (model of DynamoDB's limits)</text>\n"
            .to_owned();
        let mut line = |text: String| {
            svg.push_str(&text);
            svg.push('\n');
        };
        let mut mark = 0.0;
        while mark <= highest {
            let at = y(mark);
            line(format!("<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"));
            line(format!("<text x=\"62\" y=\"{:.1}\" text-anchor=\"end\">{mark:.0}</text>", at + 4.0));
            mark += 1000.0;
        }
        for outcome in &self.closed {
            let at = x(outcome.plan.shards);
            line(format!("<text x=\"{at:.1}\" y=\"338\" text-anchor=\"middle\">{}</text>", outcome.plan.shards));
        }
        line("<text x=\"345\" y=\"356\" text-anchor=\"middle\">shards</text>".to_owned());
        let goal = y(GOAL);
        line(format!(
            "<line x1=\"{left}\" y1=\"{goal:.1}\" x2=\"{right}\" y2=\"{goal:.1}\" stroke=\"#b00\" stroke-dasharray=\"6 4\"/>\n\
             <text x=\"76\" y=\"{:.1}\" fill=\"#b00\">goal</text>",
            goal - 5.0
        ));
        let crowd = self.closed.first().map(|outcome| outcome.plan.crowd.to_string()).unwrap_or_default();
        let curves = [
            (&self.closed, "#06c", format!("a crowd of {crowd}")),
            (&self.open, "#e80", "arrivals at 1.5 times that rate".to_owned()),
        ];
        for ((curve, colour, name), at) in curves.into_iter().zip([60.0, 78.0]) {
            let points: Vec<_> = curve
                .iter()
                .map(|outcome| format!("{:.1},{:.1}", x(outcome.plan.shards), y(outcome.seats_per_second)))
                .collect();
            line(format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            ));
            for outcome in curve {
                let (cx, cy) = (x(outcome.plan.shards), y(outcome.seats_per_second));
                line(format!("<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3\" fill=\"{colour}\"/>"));
            }
            line(format!("<text x=\"90\" y=\"{at}\" fill=\"{colour}\">{name}</text>"));
        }
        svg.push_str("</svg>\n");
        svg
    }
}
