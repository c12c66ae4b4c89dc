//! Metrics of a sale, counted from its events as they pass. No I/O.
//!
//! An event is the one thing that is said once of what happened, however often a step was tried; so what is counted from it is counted
//! once, and nothing that a buyer waits for counts.

use boxoffice_runtime::{
    metrics::{About, Metric, Metrics},
    stream::StoredEvent,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// As much of an event as is counted.
#[derive(Debug, Deserialize)]
struct Detail {
    data: Data,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    quantity: usize,
    #[serde(default)]
    cancellation_reason: Option<String>,
}

/// Numbers that belong in one line: what one request led to, and of a booking that was taken back, why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    correlation_id: String,
    cause: Option<String>,
}

/// The metric that one event counts for.
#[derive(Debug)]
struct Counted {
    line: Line,
    metric: &'static str,
    value: usize,
}

/// The metrics of a batch, in the order of the stream.
#[derive(Debug, Default)]
pub struct Tally {
    places: Vec<(String, Option<Counted>)>,
}

impl Tally {
    /// Notes an event.
    pub fn note(&mut self, event: &StoredEvent) {
        self.places.push((event.sequence_number.clone(), count(event)));
    }

    /// Notes a record of which there is nothing to count.
    pub fn note_record(&mut self, sequence_number: &str) {
        self.places.push((sequence_number.to_owned(), None));
    }

    /// Writes what the batch comes to, but for what is delivered again: everything from the first place that is not done.
    pub fn write(self, metrics: &Metrics, undelivered: &[String]) {
        for (line, counts) in self.lines(undelivered) {
            let about = About {
                by: line.cause.as_deref().map(|cause| ("Cause", cause)),
                found_by: Some(("correlation_id", &line.correlation_id)),
            };
            let counts: Vec<Metric> = counts.into_iter().map(|(name, value)| Metric::count(name, value)).collect();
            metrics.write_about(&counts, about);
        }
    }

    fn lines(self, undelivered: &[String]) -> BTreeMap<Line, BTreeMap<&'static str, usize>> {
        let undelivered: BTreeSet<&String> = undelivered.iter().collect();
        let mut lines: BTreeMap<Line, BTreeMap<&'static str, usize>> = BTreeMap::new();
        let done = self.places.into_iter().take_while(|(place, _)| !undelivered.contains(place));
        for Counted { line, metric, value } in done.filter_map(|(_, counted)| counted) {
            let sum = lines.entry(line).or_default().entry(metric).or_default();
            *sum = sum.saturating_add(value);
        }
        lines
    }
}

/// The metric that one event counts for, if any. An unreadable event fails its contract's tests, and does not stop the others here.
fn count(event: &StoredEvent) -> Option<Counted> {
    let metric = match event.event_type.as_str() {
        "TicketCreated" => "BookingsCreated",
        "TicketConfirmed" => "BookingsConfirmed",
        "TicketCancelled" => "BookingsCompensated",
        "InventoryReserved" => "SeatsHeld",
        "InventorySold" => "SeatsSold",
        "InventoryReleased" => "SeatsReleased",
        _ => return None,
    };
    let Detail { data } = serde_json::from_str(&event.detail).ok()?;
    let value = if metric.starts_with("Seats") { data.quantity } else { 1 };
    let cause = data.cancellation_reason.filter(|_| event.event_type == "TicketCancelled");
    Some(Counted { line: Line { correlation_id: event.correlation_id.clone(), cause }, metric, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(place: usize, event_type: &str, sample: &str, correlation_id: &str) -> StoredEvent {
        StoredEvent {
            sequence_number: place.to_string(),
            aggregate_id: "tkt_1".into(),
            event_type: event_type.into(),
            source: "boxoffice.tickets".into(),
            detail: sample.into(),
            occurred_at: "2030-01-01T00:00:00Z".parse().unwrap(),
            correlation_id: correlation_id.into(),
        }
    }

    macro_rules! sample {
        ($place:expr, $name:literal, $correlation:expr) => {
            event($place, $name, include_str!(concat!("../../../events/", $name, ".sample.json")), $correlation)
        };
    }

    /// Correlation id, cause, and the numbers of a line.
    type Said = (String, Option<String>, Vec<(&'static str, usize)>);

    fn tally(events: &[StoredEvent], undelivered: &[&str]) -> Vec<Said> {
        let mut tally = Tally::default();
        for event in events {
            tally.note(event);
        }
        let undelivered: Vec<String> = undelivered.iter().map(|place| (*place).to_owned()).collect();
        let lines = tally.lines(&undelivered).into_iter();
        lines.map(|(line, counts)| (line.correlation_id, line.cause, counts.into_iter().collect())).collect()
    }

    #[test]
    fn a_booking_is_one_line_and_its_end_another() {
        let bought = [sample!(1, "TicketCreated", "a"), sample!(2, "InventoryReserved", "a")];
        assert_eq!(tally(&bought, &[]), [("a".into(), None, vec![("BookingsCreated", 1), ("SeatsHeld", 2)])]);
        let sold = [sample!(3, "InventorySold", "a"), sample!(4, "TicketConfirmed", "a")];
        assert_eq!(tally(&sold, &[]), [("a".into(), None, vec![("BookingsConfirmed", 1), ("SeatsSold", 2)])]);
        let back = [sample!(5, "InventoryReleased", "b"), sample!(6, "TicketCancelled", "b")];
        assert_eq!(
            tally(&back, &[]),
            [
                ("b".into(), None, vec![("SeatsReleased", 2)]),
                ("b".into(), Some("CANCELLED_BY_BUYER".into()), vec![("BookingsCompensated", 1)])
            ]
        );
    }

    #[test]
    fn a_redelivered_event_is_counted_on_redelivery() {
        let events =
            [sample!(1, "TicketCreated", "a"), sample!(2, "TicketCreated", "b"), sample!(3, "TicketCreated", "c")];
        assert_eq!(tally(&events, &["2"]), [("a".into(), None, vec![("BookingsCreated", 1)])]);
        assert_eq!(tally(&events[1..], &[]).len(), 2);
    }

    #[test]
    fn unrelated_and_unreadable_events_count_as_nothing() {
        let events = [sample!(1, "UserCreated", "a"), event(2, "TicketCreated", "no JSON", "a")];
        assert!(tally(&events, &[]).is_empty());
    }
}
