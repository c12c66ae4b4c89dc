//! The events a booking left behind, as text to compare with what it should be.

use crate::{BoxOffice, Outcome, tables::StoredEvent};
use std::fmt;

/// The stored events of one booking, each aggregate's in order.
#[derive(Debug, Clone)]
pub struct History {
    /// The ticket's.
    pub ticket: Vec<StoredEvent>,
    /// The reservation's.
    pub seats: Vec<StoredEvent>,
    /// The payment's.
    pub payment: Vec<StoredEvent>,
}

impl History {
    /// Reads it, and holds every event to its contract.
    pub(crate) async fn read(house: &BoxOffice, ticket: &str, reservation: &str, payment: &str) -> Outcome<Self> {
        let history = Self {
            ticket: house.tables.events_of(ticket).await?,
            seats: house.tables.events_of(reservation).await?,
            payment: house.tables.events_of(payment).await?,
        };
        history.all().iter().try_for_each(|event| house.contracts.check(event))?;
        Ok(history)
    }

    /// All events in the order in which they happened.
    pub fn all(&self) -> Vec<StoredEvent> {
        let mut all: Vec<_> = [&self.ticket, &self.seats, &self.payment].into_iter().flatten().cloned().collect();
        all.sort_by(|one, other| one.event.metadata.occurred_at.cmp(&other.event.metadata.occurred_at));
        all
    }
}

/// One line an aggregate, one word an event: what golden transcripts in tests are compared with.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (aggregate, events) in [("ticket", &self.ticket), ("seats", &self.seats), ("payment", &self.payment)] {
            let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
            writeln!(f, "{}", format!("{aggregate}: {}", types.join(" ")).trim_end())?;
        }
        Ok(())
    }
}
