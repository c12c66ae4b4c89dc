//! Looking twice, and repairing what is safe, over the other contexts' stores.
//!
//! A first look is cheap: pages of items as they were a moment ago. What looks wrong is looked at again, one by one and as it is now. Only what is
//! wrong both times counts, and is repaired by the context it belongs to, on condition that it is still as the second look saw it.

use crate::domain::{Booking, Grace, Remedy, Violation, confirmed};
use boxoffice_aws::{Cursor, Freshness, ListError, Page, StoreError, transaction::Written};
use boxoffice_booking::{SagaStore, domain::Saga};
use boxoffice_inventory::{
    InventoryStore,
    counters::{Counters, Discrepancy, Holdings},
    events::RequestedBy,
};
use boxoffice_kernel::{InventoryId, TicketId, Timestamp, Trace};
use boxoffice_payments::{
    PaymentStore,
    cashier::{Cashier, CashierError},
    domain::Payment,
    gateway::PaymentGateway,
};
use boxoffice_tickets::{TicketStore, domain::Ticket};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::collections::BTreeMap;

/// The stores of every context, and the cashier who can ask the payment provider.
#[derive(Debug, Clone)]
pub struct Reconciler<G> {
    /// Seats.
    pub inventory: InventoryStore,
    /// Tickets.
    pub tickets: TicketStore,
    /// Payments.
    pub payments: PaymentStore,
    /// Sagas.
    pub sagas: SagaStore,
    /// Settles payments.
    pub cashier: Cashier<G>,
    /// How long a booking must rest before anything is said of it.
    pub grace: Grace,
}

/// One run of all this.
#[derive(Debug, Clone)]
pub struct Run {
    /// On whose word.
    pub requested_by: RequestedBy,
    /// What its repairs are stated under.
    pub trace: Trace,
}

/// What became of a violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "because", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It is put right, or what puts it right was started.
    Repaired,
    /// It was not, this time: it moved, or something did not answer. The next run looks again.
    Postponed(String),
    /// It is a person's to put right.
    Left,
}

/// A violation, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What must not be.
    #[serde(flatten)]
    pub violation: Violation,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of going through the seats.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    /// How many events were checked.
    pub events: usize,
    /// What was found.
    pub found: Vec<Found>,
}

/// What came of a page of bookings.
#[derive(Debug, Clone, Default)]
pub struct Bookings {
    /// How many were checked.
    pub checked: usize,
    /// What was found.
    pub found: Vec<Found>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

/// How many events' counters are read at once.
const AT_ONCE: usize = 16;

/// What adds up, as far as it was read.
struct Read {
    holdings: Holdings,
    reservations: usize,
    to_the_end: bool,
}

/// A store that failed while a list was read; its cursors are its own.
fn unlisted(error: ListError) -> StoreError {
    match error {
        ListError::Store(error) => error,
        ListError::Cursor(error) => StoreError::malformed("cursor", error),
    }
}

impl<G: PaymentGateway> Reconciler<G> {
    /// Goes through the seats of every event on sale, and makes counters right that are not. All reservations are read in one go, since shards that
    /// move meanwhile are passed over; what is not read by `until` is said to be unread.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn seats(&self, run: &Run, until: Timestamp) -> Result<Seats, StoreError> {
        let on_sale = self.on_sale().await?;
        let events = on_sale.len();
        let mut suspects = on_sale;
        let mut found = Vec::new();
        for freshness in [Freshness::Eventual, Freshness::Consistent] {
            if suspects.is_empty() {
                break;
            }
            let before = self.counters(suspects).await?;
            let read = self.holdings(freshness, until).await?;
            if !read.to_the_end {
                let violation = Violation::SeatsUnread { reservations: read.reservations };
                return Ok(Seats { events: 0, found: vec![Found { violation, outcome: Outcome::Left }] });
            }
            let now = self.counters(before.keys().copied().collect()).await?;
            let disagreeing = |(id, now): (_, &Counters)| now.discrepancy(before.get(id)?, &read.holdings);
            found = now.iter().filter_map(disagreeing).collect();
            suspects = found.iter().map(|found| found.seen.inventory_id).collect();
        }
        let mut seats = Seats { events, found: Vec::new() };
        for discrepancy in &found {
            seats.found.push(self.recount(discrepancy, run).await);
        }
        Ok(seats)
    }

    async fn on_sale(&self) -> Result<Vec<InventoryId>, StoreError> {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.inventory.on_sale(cursor).await.map_err(unlisted)?;
            ids.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(ids),
            }
        }
    }

    /// The counters of these events, of those that are on sale still.
    async fn counters(&self, ids: Vec<InventoryId>) -> Result<BTreeMap<InventoryId, Counters>, StoreError> {
        let mut all = BTreeMap::new();
        for some in ids.chunks(AT_ONCE) {
            let counters = try_join_all(some.iter().map(|id| self.inventory.counters(*id))).await?;
            all.extend(counters.into_iter().flatten().map(|counters| (counters.inventory_id, counters)));
        }
        Ok(all)
    }

    async fn holdings(&self, freshness: Freshness, until: Timestamp) -> Result<Read, StoreError> {
        let mut read = Read { holdings: Holdings::default(), reservations: 0, to_the_end: false };
        let mut cursor = None;
        while Timestamp::now() < until {
            let page = self.inventory.walk_reservations(freshness, cursor).await.map_err(unlisted)?;
            read.reservations += page.items.len();
            page.items.iter().for_each(|reservation| read.holdings.add(reservation));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(Read { to_the_end: true, ..read }),
            }
        }
        Ok(read)
    }

    async fn recount(&self, discrepancy: &Discrepancy, run: &Run) -> Found {
        let violation = Violation::from(discrepancy);
        let outcome = match violation.remedy() {
            Remedy::Recount => {
                let Run { requested_by, trace } = run;
                written(self.inventory.reconcile(discrepancy, requested_by, Timestamp::now(), trace).await)
            }
            _ => Outcome::Left,
        };
        Found { violation, outcome }
    }

    /// Goes through a page of bookings as of this instant, and repairs what is safe.
    ///
    /// # Errors
    /// When the cursor is not of this walk, or a store does not answer.
    pub async fn bookings(&self, cursor: Option<Cursor>, run: &Run, now: Timestamp) -> Result<Bookings, ListError> {
        let Page { items, next } = self.tickets.walk(cursor).await?;
        let mut page = Bookings { checked: items.len(), found: Vec::new(), next };
        for booking in self.at_first_sight(items).await? {
            let first = booking.violations(now, self.grace);
            if !first.is_empty() {
                page.found.extend(self.look_again(booking.ticket.id, &first, run, now).await?);
            }
        }
        Ok(page)
    }

    /// The bookings of these tickets as they were a moment ago, without their sagas.
    async fn at_first_sight(&self, tickets: Vec<Ticket>) -> Result<Vec<Booking>, StoreError> {
        let ids: Vec<TicketId> = tickets.iter().map(|ticket| ticket.id).collect();
        let (payments, reservations) =
            tokio::try_join!(self.payments.of_tickets(&ids), self.inventory.reservations(&ids))?;
        let mut payments: BTreeMap<_, _> = payments.into_iter().map(|payment| (payment.ticket_id, payment)).collect();
        let mut reservations: BTreeMap<_, _> =
            reservations.into_iter().map(|reservation| (reservation.ticket_id, reservation)).collect();
        let booking = |ticket: Ticket| Booking {
            payment: payments.remove(&ticket.id),
            reservation: reservations.remove(&ticket.id),
            saga: None,
            ticket,
        };
        Ok(tickets.into_iter().map(booking).collect())
    }

    /// The second look, at one booking as it is now; and the repair of what it finds again.
    async fn look_again(
        &self,
        id: TicketId,
        first: &[Violation],
        run: &Run,
        now: Timestamp,
    ) -> Result<Vec<Found>, StoreError> {
        let Some(ticket) = self.tickets.even_deleted(id).await? else { return Ok(Vec::new()) };
        let booking = Booking {
            ticket,
            payment: self.payments.get(id.payment()).await?,
            reservation: self.inventory.reservation(id).await?,
            saga: self.saga(id).await?,
        };
        let mut found = Vec::new();
        for violation in confirmed(first, booking.violations(now, self.grace)) {
            let outcome = self.repair(&violation, &booking, run, now).await;
            found.push(Found { violation, outcome });
        }
        Ok(found)
    }

    /// The saga, where somebody took the booking on. Steps may be noted of a booking whose claim failed: nobody has taken that on.
    async fn saga(&self, id: TicketId) -> Result<Option<Saga>, StoreError> {
        match self.sagas.get(id).await {
            Err(StoreError::Broken(cause)) => {
                tracing::warn!(ticket_id = %id, cause, "a saga cannot be read; its booking counts as not taken on");
                Ok(None)
            }
            outcome => outcome,
        }
    }

    async fn repair(&self, violation: &Violation, booking: &Booking, run: &Run, now: Timestamp) -> Outcome {
        match (violation.remedy(), violation) {
            (Remedy::TakeBack, _) => written(self.tickets.take_back(&booking.ticket, now, &run.trace).await),
            (Remedy::Settle, Violation::PaymentInDoubt { payment_id, .. }) => {
                settled(self.cashier.expire(*payment_id, &run.trace).await)
            }
            (Remedy::Settle, Violation::RefundUnfinished { payment_id, reason, .. }) => {
                settled(self.cashier.refund(*payment_id, reason, &run.trace).await)
            }
            _ => Outcome::Left,
        }
    }
}

fn settled(outcome: Result<Payment, CashierError>) -> Outcome {
    outcome.map_or_else(|error| Outcome::Postponed(error.to_string()), |_| Outcome::Repaired)
}

fn written(outcome: Result<Written, StoreError>) -> Outcome {
    match outcome {
        Ok(Written::Yes) => Outcome::Repaired,
        Ok(Written::Stale) => Outcome::Postponed("it moved meanwhile".into()),
        Err(error) => Outcome::Postponed(error.to_string()),
    }
}
