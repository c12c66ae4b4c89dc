//! The table of a burst.

use super::sale::Outcome;
use std::fmt::Write;

/// A burst's outcomes, as the tables of docs/performance.md.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| Account | Paid | Booked | Confirmed | Undone | Lost | Last booked | Last confirmed | Mails sent | Mails given up | Last mail | Lambda calls |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for outcome in outcomes {
        let lost = outcome.lost + outcome.stuck + outcome.dead_letters;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {lost} | {:.0} s | {:.0} s | {} | {} | {:.0} s | {} |",
            outcome.plan.quotas.name,
            paid(outcome),
            outcome.booked,
            outcome.confirmed,
            outcome.undone,
            outcome.last_booked,
            outcome.last_confirmed,
            outcome.mails,
            outcome.mails_failed,
            outcome.last_mail,
            outcome.invocations,
        );
    }
    text.push_str("\nRefused or delayed, how often:\n\n| Quota |");
    for outcome in outcomes {
        let _ = write!(text, " {}, {}, {} |", outcome.plan.quotas.name, outcome.plan.bookings, paid(outcome));
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(outcomes.len()));
    let mut services: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.throttles.keys().copied()).collect();
    services.sort_unstable();
    services.dedup();
    for service in services {
        let _ = write!(text, "\n| {service} |");
        for outcome in outcomes {
            let _ = write!(text, " {} |", outcome.throttles.get(service).copied().unwrap_or_default());
        }
    }
    text.push('\n');
    text
}

fn paid(outcome: &Outcome) -> String {
    outcome.plan.pay_after.map_or_else(|| "at once".to_owned(), |after| format!("{} s later", after.as_secs()))
}
