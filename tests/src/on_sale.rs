//! A sale that everybody comes to: who asked when and got what, the judge of it, and its figures.

use crate::{Failure, Outcome, ensure, stack::workspace};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// An instant by the machine's clock, in milliseconds.
pub type Millis = i64;

/// Now.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// A seat that was sold or held.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The order's key.
    pub order: String,
    /// The ticket.
    pub ticket: String,
    /// When it was asked for.
    pub asked: Millis,
    /// When it was promised.
    pub answered: Millis,
    /// When its way back into the sale began; it was not back before.
    pub returning: Option<Millis>,
    /// When it surely was back.
    pub back: Option<Millis>,
}

/// An order that was refused for want of seats.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// When it was sent.
    pub asked: Millis,
    /// When it was refused.
    pub answered: Millis,
}

/// The judge of a sale in which everybody wants one seat, and seats come back while it goes on: no seat was promised to two at one moment, nobody was
/// refused while a seat was surely there, and no order made two tickets.
///
/// # Errors
/// With what is wrong.
pub fn judge(seats: usize, taken: &[Taken], refused: &[Refused]) -> Outcome<()> {
    let mut tickets = BTreeMap::new();
    for seat in taken {
        let ticket = tickets.entry(&seat.order).or_insert(&seat.ticket);
        ensure!(*ticket == &seat.ticket, "booked twice: one order made {ticket} and {}", seat.ticket);
    }
    // From the promise until its way back began a seat was its buyer's; the promise may have been made within the millisecond.
    let mut moments: Vec<(Millis, i64)> = Vec::new();
    for seat in unique(taken) {
        let until = seat.returning.unwrap_or(Millis::MAX);
        if seat.answered + 1 < until {
            moments.extend([(seat.answered + 1, 1), (until, -1)]);
        }
    }
    moments.sort_unstable();
    let mut promised = 0;
    for (_, change) in moments {
        promised += change;
        ensure!(
            usize::try_from(promised).unwrap_or(0) <= seats,
            "oversold: {promised} seats were promised at one moment, and there are {seats}"
        );
    }
    for refusal in refused {
        let may_have_been = unique(taken)
            .filter(|seat| seat.asked <= refusal.answered && seat.back.is_none_or(|back| back + 1 >= refusal.asked));
        let at_most = may_have_been.count();
        ensure!(
            at_most >= seats,
            "refused although at most {at_most} of {seats} seats can have been taken at the time"
        );
    }
    Ok(())
}

/// Each ticket once, as it was promised first: an order that is sent again gets it again.
fn unique(taken: &[Taken]) -> impl Iterator<Item = &Taken> {
    let mut first: BTreeMap<&str, &Taken> = BTreeMap::new();
    for seat in taken {
        let known = first.entry(&seat.ticket).or_insert(seat);
        if seat.answered < known.answered {
            *known = seat;
        }
    }
    first.into_values()
}

/// How long calls took.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// How many calls.
    pub calls: usize,
    /// Half of them took no longer.
    pub p50_ms: u128,
    /// All but one in a hundred took no longer.
    pub p99_ms: u128,
}

impl Latency {
    /// Those of them that were replays.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let place = (durations.len() * percent).div_ceil(100).saturating_sub(1);
            durations.get(place).map_or(0, Duration::as_millis)
        };
        Self { calls: durations.len(), p50_ms: at(50), p99_ms: at(99) }
    }
}

/// The measurements of a sale.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of the report's lines")]
pub struct Figures {
    pub buyers: usize,
    pub seats: usize,
    pub at_once: usize,
    pub accepted: Latency,
    pub refused: Latency,
    pub sold: usize,
    pub cancelled: usize,
    pub seconds_of_sale: f64,
    pub seconds_until_settled: f64,
    pub orders_per_second: f64,
    pub raw_transactions_per_second: f64,
    pub raw_transactions_for_each_order: f64,
}

impl Figures {
    fn markdown(&self) -> String {
        let Self { buyers, seats, at_once, accepted, refused, .. } = self;
        format!(
            "# On-sale: {buyers} buyers, {seats} seats, {at_once} at once\n\n\
             | | calls | p50 | p99 |\n|---|---|---|---|\n\
             | accepted | {} | {} ms | {} ms |\n| refused | {} | {} ms | {} ms |\n\n\
             | | |\n|---|---|\n| confirmed and paid | {} |\n| cancelled, seats back | {} |\n| sale | {:.1} s |\n\
             | until all was settled | {:.1} s |\n| orders | {:.1} /s |\n| raw transactions of the same store, as many clients | {:.1} /s |\n\
             | ratio | {:.1} raw transactions for an order |\n",
            accepted.calls,
            accepted.p50_ms,
            accepted.p99_ms,
            refused.calls,
            refused.p50_ms,
            refused.p99_ms,
            self.sold,
            self.cancelled,
            self.seconds_of_sale,
            self.seconds_until_settled,
            self.orders_per_second,
            self.raw_transactions_per_second,
            self.raw_transactions_for_each_order,
        )
    }

    /// Prints the figures, and leaves them in `.local/reports/on-sale.json` and `.md`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn report(&self) -> Outcome<()> {
        let folder = workspace().join(".local").join("reports");
        let failed = |error: &dyn std::error::Error| Failure::of("the report of the sale", error);
        let json = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        fs::write(folder.join("on-sale.json"), json + "\n").map_err(|error| failed(&error))?;
        fs::write(folder.join("on-sale.md"), self.markdown()).map_err(|error| failed(&error))?;
        println!("{}", self.markdown());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ticket: &str, asked: Millis, answered: Millis) -> Taken {
        let (order, ticket) = (format!("order of {ticket}"), ticket.to_owned());
        Taken { order, ticket, asked, answered, returning: None, back: None }
    }

    fn until(seat: Taken, returning: Millis, back: Millis) -> Taken {
        Taken { returning: Some(returning), back: Some(back), ..seat }
    }

    #[test]
    fn a_seat_may_be_sold_again_once_it_is_on_its_way_back() {
        let first = until(taken("a", 0, 10), 100, 110);
        assert_eq!(judge(1, &[first.clone(), taken("b", 95, 105)], &[]), Ok(()));
        assert!(judge(1, &[first, taken("b", 50, 60)], &[]).is_err_and(|it| it.to_string().contains("oversold")));
    }

    #[test]
    fn a_refusal_needs_a_moment_at_which_all_seats_may_have_been_taken() {
        let seat = until(taken("a", 10, 20), 100, 110);
        for (asked, answered, right) in
            [(0, 5, false), (5, 12, true), (50, 60, true), (105, 120, true), (112, 120, false)]
        {
            let verdict = judge(1, std::slice::from_ref(&seat), &[Refused { asked, answered }]);
            assert_eq!(verdict.is_ok(), right, "{asked} to {answered}: {verdict:?}");
        }
    }

    #[test]
    fn an_order_sent_twice_gets_its_one_ticket_twice() {
        let again = Taken { asked: 30, answered: 40, ..taken("a", 0, 10) };
        assert_eq!(judge(1, &[taken("a", 0, 10), again.clone()], &[]), Ok(()));
        let another = Taken { ticket: "b".into(), ..again };
        assert!(judge(2, &[taken("a", 0, 10), another], &[]).is_err_and(|it| it.to_string().contains("booked twice")));
    }

    #[test]
    fn one_in_a_hundred_took_longer() {
        let latency = Latency::of((1..=200).map(Duration::from_millis).collect());
        assert_eq!((latency.calls, latency.p50_ms, latency.p99_ms), (200, 100, 198));
    }
}
