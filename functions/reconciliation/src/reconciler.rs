//! Looking twice, and repairing what is safe, over the other contexts' stores.
//!
//! A first look is cheap: pages of items as they were a moment ago. Suspects are read again, one by one and consistently. Only what is
//! wrong both times counts, and is repaired by the context it belongs to, on condition that it is still as the second look saw it.
//!
//! A booking that looks settled and right is looked at again too, once: then it is proven, and left alone until it is written again. So a run by schedule reads what is open or has
//! moved since the last one, and no history; an audit reads everything ([`Scope`], `docs/adr/0037-reconcile-what-moved.md`).

use crate::domain::{Booking, Grace, Remedy, Violation, confirmed};
use boxoffice_aws::{Cursor, Freshness, Limit, ListError, Page, StoreError, journal::Unfinished, transaction::Written};
use boxoffice_inventory::{
    InventoryStore,
    counters::{Counters, Discrepancy, Holdings},
    events::RequestedBy,
};
use boxoffice_kernel::{InventoryId, TicketId, Timestamp, Trace};
use boxoffice_payments::{
    PaymentStore,
    cashier::{Cashier, CashierError, Caught, Compared, Comparison},
    domain::Payment,
    gateway::PaymentGateway,
    store::Reading,
};
use boxoffice_reporting::{
    ViewStore,
    ledger::{Balances, Kind, Period},
};
use boxoffice_saga::{SagaStore, domain::Saga};
use boxoffice_tickets::{TicketStore, domain::Ticket};
use futures_util::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// The ledger, among the read models.
    pub views: ViewStore,
    /// Settles payments.
    pub cashier: Cashier<G>,
    /// How long a booking must rest before anything is said of it.
    pub grace: Grace,
}

/// One run of all this.
#[derive(Debug, Clone)]
pub struct Run {
    /// The initiator.
    pub requested_by: RequestedBy,
    /// The trace of its repairs.
    pub trace: Trace,
}

/// How much a run reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scope {
    /// Open bookings, and those written since they were proven.
    #[default]
    Moved,
    /// Everything there is.
    All,
}

/// A part of the bookings, gone through as one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Part {
    /// Those whose saga is under way.
    Running,
    /// Those whose saga waits for an operator.
    Stuck,
    /// Those whose payment moved after it was made: refunds.
    Refunded,
    /// Those whose ticket was written since it was proven.
    Unproven,
    /// All there are.
    Every,
}

impl Part {
    /// Where a run of this scope begins.
    pub fn first(scope: Scope) -> Self {
        match scope {
            Scope::Moved => Self::Running,
            Scope::All => Self::Every,
        }
    }

    /// The part after this one.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Running => Some(Self::Stuck),
            Self::Stuck => Some(Self::Refunded),
            Self::Refunded => Some(Self::Unproven),
            Self::Unproven | Self::Every => None,
        }
    }
}

/// The outcome of a violation.
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
    /// The violation.
    #[serde(flatten)]
    pub violation: Violation,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of checking the seats.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    /// How many events were checked.
    pub events: usize,
    /// The findings.
    pub found: Vec<Found>,
}

/// The result of a page of bookings.
#[derive(Debug, Clone, Default)]
pub struct Bookings {
    /// How many were checked.
    pub checked: usize,
    /// How many of them were proven, and are left alone from now on.
    pub proven: usize,
    /// The findings.
    pub found: Vec<Found>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

/// How many events' counters, or bookings, are read at once.
const AT_ONCE: usize = 16;
/// For how many seconds after it began an event's seats are counted still: refunds of those who did not come move seats.
const BEGUN_SECONDS: u32 = 172_800;

/// The result of a second look at a booking that looked right.
#[derive(Debug, Default)]
struct Proof {
    proven: bool,
    found: Option<Found>,
}

/// The state of a pool or of the ledger that was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Right,
    /// It moved too lately to be compared.
    Unsure,
}

/// The result of a part of the account's statement.
#[derive(Debug, Clone, Default)]
pub struct OfStatement {
    /// The findings.
    pub found: Vec<Found>,
    /// Up to when it was compared; nowhere when it must be compared again.
    pub through: Option<Timestamp>,
    /// Whether another part may be compared already.
    pub more: bool,
}

/// The sums, as far as they were read.
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
    /// Goes through the seats of events on sale, and makes counters right that are not. All reservations are read in one go, since shards that
    /// move meanwhile are passed over; what is not read by `until` is said to be unread.
    ///
    /// An audit counts the reservations of every event. A run of what moved counts those of an event alone, where its counters are not as they were proven, twice; only what
    /// disagrees both times is worth reading all reservations for.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn seats(&self, run: &Run, scope: Scope, until: Timestamp) -> Result<Seats, StoreError> {
        let (events, mut suspects, looks) = match scope {
            Scope::All => {
                let on_sale = self.on_sale().await?;
                (on_sale.len(), on_sale, [Freshness::Eventual, Freshness::Consistent].as_slice())
            }
            Scope::Moved => {
                let moved = self.moved().await?;
                let mut suspects = Vec::new();
                for event in &moved {
                    if !self.adds_up(*event).await? && !self.adds_up(*event).await? {
                        suspects.push(*event);
                    }
                }
                (moved.len(), suspects, [Freshness::Consistent].as_slice())
            }
        };
        let mut found = Vec::new();
        for freshness in looks.iter().copied() {
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

    /// The events to come, or begun a short while ago, whose counters are not as they were proven.
    async fn moved(&self) -> Result<Vec<InventoryId>, StoreError> {
        let (start, mut moved, mut cursor) = (Timestamp::now().minus_seconds(BEGUN_SECONDS), Vec::new(), None);
        loop {
            let page = self.inventory.beginning_after(start, cursor).await.map_err(unlisted)?;
            let proofs = self.inventory.proofs(&page.items).await?;
            let summaries = self.inventory.summaries(&page.items).await?;
            let counters = self.counters(page.items).await?;
            let is_summed_up =
                |(id, counters): &(&InventoryId, &Counters)| summaries.get(id) == Some(&counters.counts().into());
            let others: Vec<_> = counters.iter().filter(|event| !is_summed_up(event)).map(|(id, _)| *id).collect();
            for some in others.chunks(AT_ONCE) {
                join_all(some.iter().map(|id| self.sum_up(*id))).await;
            }
            let is_proven = |(id, counters): &(InventoryId, Counters)| proofs.get(id) == Some(&counters.fingerprint());
            moved.extend(counters.into_iter().filter(|event| !is_proven(event)).map(|(id, _)| id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(moved),
            }
        }
    }

    /// Writes the summary of an event anew: the stream has given up a change of it, or has yet to bring one. Lists alone read it, so a run goes on without.
    async fn sum_up(&self, event: InventoryId) {
        if let Err(error) = self.inventory.summarise(event).await {
            tracing::warn!(inventory_id = %event, %error, "an event is not summed up; the next run tries again");
        }
    }

    /// Whether an event's counters are what its tickets' reservations add up to, as far as anything can be said while they move. Proves counters that were still meanwhile.
    async fn adds_up(&self, event: InventoryId) -> Result<bool, StoreError> {
        let Some(before) = self.inventory.counters(event).await? else { return Ok(true) };
        let (mut holdings, mut cursor) = (Holdings::default(), None);
        loop {
            let page = self.tickets.ids_by_event(event, cursor).await.map_err(unlisted)?;
            let reservations = self.inventory.reservations(&page.items).await?;
            for reservation in &reservations {
                holdings.add(reservation);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let Some(now) = self.inventory.counters(event).await? else { return Ok(true) };
        let adds_up = now.discrepancy(&before, &holdings).is_none();
        if adds_up && now == before {
            self.inventory.prove(&now).await?;
        }
        Ok(adds_up)
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

    /// Takes in refunds and disputes that the provider has recorded and no webhook told of, as many as there is time for.
    pub async fn record(&self, run: &Run, until: Timestamp) -> Vec<Found> {
        let Caught { changed, unread } = match self.cashier.read_record(until, &run.trace).await {
            Ok(caught) => caught,
            Err(error) => Caught { unread: Some(error.to_string()), ..Caught::default() },
        };
        let violation = |it: Payment| Violation::MoveUnheard { payment_id: it.id, ticket_id: it.ticket_id };
        let changed = changed.into_iter().map(|it| Found { violation: violation(it), outcome: Outcome::Repaired });
        changed.chain(unread.map(unread_because)).collect()
    }

    /// Compares the next part of the account's statement with the payments that it is about, and looks for charges of the ledger that are on no statement. The
    /// findings, and up to when nothing more is to be found: to be noted once they are said.
    pub async fn statement(&self, now: Timestamp, until: Timestamp) -> OfStatement {
        self.balance(now, until).await.unwrap_or_else(|error| OfStatement {
            found: vec![unread_because(error.to_string())],
            ..OfStatement::default()
        })
    }

    async fn balance(&self, now: Timestamp, until: Timestamp) -> Result<OfStatement, CashierError> {
        let Some(compared) = self.cashier.read_statement(now, until).await? else { return Ok(OfStatement::default()) };
        let Compared { from, to, more, is_whole, payments, differing } = compared;
        let mut found: Vec<_> = differing.iter().map(wrong_balance).collect();
        let Some(period) = Period::between(from, to).ok().filter(|_| is_whole) else {
            found.push(unread_because("time was up".to_owned()));
            return Ok(OfStatement { found, ..OfStatement::default() });
        };
        let mut cursor = None;
        loop {
            let page = self.views.ledger(None, period, Limit::LARGEST, cursor).await.map_err(unlisted)?;
            for charged in page.items.iter().filter(|posted| posted.entry.kind == Kind::Charged) {
                let id = charged.ticket_id.payment();
                if !payments.contains(&id) {
                    found.extend(self.cashier.uncharged(id).await?.as_ref().map(wrong_balance));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(OfStatement { found, through: Some(to), more });
            }
            if Timestamp::now() >= until {
                found.push(unread_because("time was up".to_owned()));
                return Ok(OfStatement { found, ..OfStatement::default() });
            }
        }
    }

    /// Notes that the statement was compared up to there, and the findings said.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn note_compared(&self, through: Timestamp) -> Result<(), StoreError> {
        self.payments.note_read(Reading::Statement, through).await.map(|_| ())
    }

    /// Goes through a page of bookings as of this instant, repairs what is safe, and proves what is settled.
    ///
    /// # Errors
    /// When the cursor is not of this part, or a store does not answer.
    pub async fn bookings(
        &self,
        part: Part,
        cursor: Option<Cursor>,
        run: &Run,
        now: Timestamp,
    ) -> Result<Bookings, ListError> {
        let Page { items, next } = self.page(part, cursor).await?;
        let mut page = Bookings { checked: items.len(), next, ..Bookings::default() };
        let mut settled = Vec::new();
        for booking in self.at_first_sight(items).await? {
            let first = booking.violations(now, self.grace);
            if !first.is_empty() {
                page.found.extend(self.look_again(booking.ticket.id, &first, run, now).await?);
            } else if booking.is_settled(now, self.grace) {
                settled.push(booking.ticket.id);
            }
        }
        for some in settled.chunks(AT_ONCE) {
            for proof in try_join_all(some.iter().map(|id| self.prove(*id, now))).await? {
                page.proven += usize::from(proof.proven);
                page.found.extend(proof.found);
            }
        }
        Ok(page)
    }

    async fn page(&self, part: Part, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        let (ids, next): (BTreeSet<TicketId>, _) = match part {
            Part::Every => return self.tickets.walk(cursor).await,
            Part::Unproven => return self.tickets.list_unproven(cursor).await,
            Part::Refunded => {
                let page = self.payments.list_unproven(cursor).await?;
                (page.items.iter().map(|payment| payment.ticket_id).collect(), page.next)
            }
            Part::Running | Part::Stuck => {
                let list = if part == Part::Stuck { Unfinished::NeedsAttention } else { Unfinished::Running };
                let page = self.sagas.list(list, Limit::LARGEST, cursor).await?;
                (page.items.iter().map(|saga| saga.ticket_id).collect(), page.next)
            }
        };
        Ok(Page { items: self.tickets.of(&ids.into_iter().collect::<Vec<_>>()).await?, next })
    }

    /// A second look at a booking that is settled and right at first sight. If it is so as it is now, with its saga over and its buyer's pool right, it is left alone until
    /// it is written again.
    async fn prove(&self, id: TicketId, now: Timestamp) -> Result<Proof, StoreError> {
        let Some(booking) = self.booking(id).await? else { return Ok(Proof::default()) };
        if !booking.violations(now, self.grace).is_empty() || !booking.is_over(now, self.grace) {
            return Ok(Proof::default());
        }
        let Booking { ticket, payment, .. } = &booking;
        let (pool, found) = self.pool(ticket, now).await?;
        if pool == Counted::Unsure {
            return Ok(Proof { found, proven: false });
        }
        let (ledger, wrong) = self.ledger(ticket, payment.as_ref()).await?;
        if ledger == Counted::Unsure {
            return Ok(Proof { found: wrong.or(found), proven: false });
        }
        // One that waits for an operator stays on the list, which is theirs too.
        if let Some(payment) = payment.as_ref().filter(|payment| !payment.is_a_case()) {
            self.payments.prove(payment).await?;
        }
        Ok(Proof { found, proven: self.tickets.prove(ticket).await? == Written::Yes })
    }

    /// Counts the pool of a ticket's buyer, twice where it is wrong, and makes it right.
    async fn pool(&self, ticket: &Ticket, now: Timestamp) -> Result<(Counted, Option<Found>), StoreError> {
        let (buyer, event) = (ticket.user_id, ticket.inventory_id);
        let mut wrong = None;
        for _ in 0..2 {
            let before = self.tickets.pool(buyer, event).await?;
            let due = self.tickets.recount(buyer, event).await?;
            let seen = self.tickets.pool(buyer, event).await?;
            if (seen.held, seen.taken) == (due.held, due.taken) {
                return Ok((Counted::Right, None));
            }
            // The list of a buyer's tickets is written after the table: nothing is said of a pool that moved a moment ago.
            if before.moves != seen.moves || seen.updated_at.is_some_and(|moved| !self.grace.is_over(moved, now)) {
                return Ok((Counted::Unsure, None));
            }
            wrong = Some((seen, due));
        }
        let Some((seen, due)) = wrong else { return Ok((Counted::Right, None)) };
        let violation = Violation::PoolWrong {
            user_id: buyer,
            inventory_id: event,
            held: seen.held,
            taken: seen.taken,
            held_due: due.held,
            taken_due: due.taken,
        };
        let outcome = written(self.tickets.correct_pool(buyer, event, &seen, &due).await);
        let counted = if outcome == Outcome::Repaired { Counted::Right } else { Counted::Unsure };
        Ok((counted, Some(Found { violation, outcome })))
    }

    /// Compares the ledger of a booking at rest with its payment's state: the one follows from events, the other from the payment's item. What does not agree is a
    /// person's to judge, since either may be right.
    async fn ledger(&self, ticket: &Ticket, payment: Option<&Payment>) -> Result<(Counted, Option<Found>), StoreError> {
        let due = payment.map_or_else(Balances::default, Balances::due);
        let seen = self.views.balances(ticket.user_id, ticket.id).await?;
        let Some(payment) = payment.filter(|_| seen != due) else { return Ok((Counted::Right, None)) };
        // Read models that lag have not heard of it.
        let heard = self.views.progress().await?.is_some_and(|progress| progress.occurred_at >= payment.updated_at);
        let violation = Violation::LedgerWrong { payment_id: payment.id, ticket_id: ticket.id, seen, due };
        Ok((Counted::Unsure, heard.then_some(Found { violation, outcome: Outcome::Left })))
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
        let Some(booking) = self.booking(id).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for violation in confirmed(first, booking.violations(now, self.grace)) {
            let outcome = self.repair(&violation, &booking, run, now).await;
            found.push(Found { violation, outcome });
        }
        Ok(found)
    }

    /// A booking as it is now.
    async fn booking(&self, id: TicketId) -> Result<Option<Booking>, StoreError> {
        let Some(ticket) = self.tickets.even_deleted(id).await? else { return Ok(None) };
        Ok(Some(Booking {
            ticket,
            payment: self.payments.get(id.payment()).await?,
            reservation: self.inventory.reservation(id).await?,
            saga: self.saga(id).await?,
        }))
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
            (Remedy::Settle, Violation::RefundUnfinished { payment_id, .. }) => {
                settled(self.cashier.finish_refunds(*payment_id, &run.trace).await)
            }
            _ => Outcome::Left,
        }
    }
}

fn unread_because(why: String) -> Found {
    Found { violation: Violation::RecordUnread, outcome: Outcome::Postponed(why) }
}

/// Either may be right, so that a person must judge.
fn wrong_balance(Comparison { payment, provider }: &Comparison) -> Found {
    let (payment_id, ticket_id, due) = (payment.id, payment.ticket_id, payment.at_provider());
    Found {
        violation: Violation::BalanceWrong { payment_id, ticket_id, provider: *provider, due },
        outcome: Outcome::Left,
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
