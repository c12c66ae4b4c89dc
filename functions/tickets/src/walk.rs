//! The walk over the bookings of a cancelled event: it requests the cancellation of each, and counts what became of them.
//!
//! A request is AP-473, a conditional write of the booking's own item with the event that starts its saga, so a booking that is met twice is asked for once. The
//! undo is the saga's: admissions revoked, money back, seats back, ticket cancelled. How the walk goes on, and when it is over, `boxoffice_inventory` decides
//! ([`Cancellation`]).

use crate::{
    domain::{Status, Ticket, Unchanged},
    store::{ChangeError, Sale, unlisted},
};
use boxoffice_aws::{
    Limit, StoreError,
    transaction::{self, Attempt, Written},
};
use boxoffice_inventory::{
    Cancellation,
    cancellation::{CaseCode, Fate, State, batch},
    domain::ReservationState,
};
use boxoffice_kernel::{InventoryId, Quantity, TicketId, Timestamp, Trace};
use boxoffice_payments::{PaymentStore, domain::Status as PaymentStatus};
use boxoffice_saga::{SagaStore, domain::Status as SagaStatus};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// How many pages a step reads at most: once all is requested, a step looks at many bookings and asks for none.
const PAGES: usize = 10;
/// How many bookings are written at once.
const AT_ONCE: usize = 10;

/// Walks over the bookings of a cancelled event.
#[derive(Debug, Clone)]
pub struct Walk {
    sale: Sale,
    payments: PaymentStore,
    sagas: SagaStore,
    per_step: usize,
}

/// A run of the walk, and the execution that takes it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The event.
    pub inventory_id: InventoryId,
    /// The number of the run.
    pub run: u32,
    /// The execution of the state machine.
    pub execution: String,
}

/// How a step left the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do, after so many seconds.
    Walking(u32),
    /// Every booking is at rest.
    Done,
    /// The next execution goes on.
    HandedOver,
    /// Another execution has the walk, or it was over.
    Overtaken,
}

impl Walk {
    /// Over these bookings, requesting so many cancellations a second.
    pub fn new(sale: Sale, payments: PaymentStore, sagas: SagaStore, per_second: Quantity) -> Self {
        Self { sale, payments, sagas, per_step: batch(per_second) }
    }

    /// Takes a step: as many bookings as the rate allows, a page at a time, each page with its progress.
    ///
    /// # Errors
    /// When a store fails. A page that was begun is walked again.
    pub async fn step(&self, run: &Run, trace: &Trace) -> Result<Progress, StoreError> {
        let Some(mut walk) = self.begin(run, trace).await? else { return Ok(Progress::Overtaken) };
        let mut requested = 0;
        for _ in 0..PAGES {
            let room = self.per_step.saturating_sub(requested);
            if room == 0 {
                break;
            }
            let (limit, cursor) = (Limit::at_most(room), walk.cursor.clone());
            let page = self.sale.tickets.list_by_event(run.inventory_id, limit, cursor).await.map_err(unlisted)?;
            let (fates, asked) = self.meet(&page.items, &walk, trace).await?;
            requested += asked;
            let now = Timestamp::now();
            let is_last = page.next.is_none();
            let mut after = walk.after_page(&fates, page.next, now);
            if is_last {
                let event = self.sale.inventory.get(run.inventory_id).await?;
                after = after.after_pass(event.map_or(0, |event| event.booked()), now);
            }
            if self.sale.inventory.save_cancellation(&walk, &after, trace).await? == Written::Stale {
                return Ok(Progress::Walking(after.pause_seconds()));
            }
            walk = after;
            if is_last {
                break;
            }
        }
        self.end(walk, trace).await
    }

    /// The walk with this step begun, should this execution have it.
    async fn begin(&self, run: &Run, trace: &Trace) -> Result<Option<Cancellation>, StoreError> {
        let inventory = &self.sale.inventory;
        transaction::until_current(|| async {
            let Some(seen) = inventory.cancellation(run.inventory_id).await? else { return Ok(Attempt::Done(None)) };
            let Ok(begun) = seen.step(run.run, &run.execution, Timestamp::now()) else {
                return Ok(Attempt::Done(None));
            };
            let written = inventory.save_cancellation(&seen, &begun, trace).await?;
            Ok::<_, StoreError>(Attempt::when(written, Some(begun)))
        })
        .await
    }

    async fn end(&self, walk: Cancellation, trace: &Trace) -> Result<Progress, StoreError> {
        if walk.state() == State::Done {
            return Ok(Progress::Done);
        }
        if let Some(next) = walk.hand_over(Timestamp::now()) {
            self.sale.inventory.save_cancellation(&walk, &next, trace).await?;
            return Ok(Progress::HandedOver);
        }
        Ok(Progress::Walking(walk.pause_seconds()))
    }

    /// Requests the cancellation of those bookings that may still be cancelled. Returns the outcome of each, and how many it asked for now.
    async fn meet(
        &self,
        tickets: &[Ticket],
        walk: &Cancellation,
        trace: &Trace,
    ) -> Result<(Vec<(TicketId, Fate)>, usize), StoreError> {
        let cancelled: Vec<_> = tickets.iter().filter(|it| it.status == Status::Cancelled).map(|it| it.id).collect();
        let paid = self.payments.of_tickets(&cancelled).await?;
        let paid: BTreeMap<TicketId, PaymentStatus> =
            paid.into_iter().map(|payment| (payment.id.ticket(), payment.status)).collect();
        let (mut fates, mut requested) = (Vec::new(), 0);
        for some in tickets.chunks(AT_ONCE) {
            let met = some.iter().map(|ticket| self.meet_one(ticket, paid.get(&ticket.id).copied(), walk, trace));
            for (ticket, (fate, asked)) in some.iter().zip(try_join_all(met).await?) {
                requested += usize::from(asked);
                fates.push((ticket.id, fate));
            }
        }
        self.add_seats(&mut fates).await?;
        Ok((fates, requested))
    }

    async fn meet_one(
        &self,
        ticket: &Ticket,
        payment: Option<PaymentStatus>,
        walk: &Cancellation,
        trace: &Trace,
    ) -> Result<(Fate, bool), StoreError> {
        let failed = |code| Fate::Failed { code, seats: 0 };
        let fate = match (ticket.status, ticket.cancellation_requested_at) {
            (Status::Cancelled, _) => match payment {
                Some(PaymentStatus::Refunded) => Fate::Cancelled { refunded: true },
                // It was read a moment ago, and the refund came before the cancellation.
                Some(PaymentStatus::Success | PaymentStatus::Processing) => Fate::Open,
                Some(PaymentStatus::Pending | PaymentStatus::Failed | PaymentStatus::Expired) | None => {
                    Fate::Cancelled { refunded: false }
                }
            },
            (Status::Completed, _) => failed(CaseCode::TicketCompleted),
            (Status::Pending | Status::Confirmed, Some(_)) => self.under_way(ticket.id, walk).await?,
            (Status::Pending | Status::Confirmed, None) => {
                match self.sale.withdraw(ticket.id, walk.requested_by, trace).await {
                    Ok(_) => return Ok((Fate::Open, true)),
                    Err(ChangeError::Used) => failed(CaseCode::AdmissionUsed),
                    Err(ChangeError::Unchanged(Unchanged::Never(_))) => failed(CaseCode::TicketCompleted),
                    Err(ChangeError::Store(error)) => return Err(error),
                    // Somebody moved it in between: the next pass sees what it became.
                    Err(
                        ChangeError::Unchanged(_)
                        | ChangeError::NotFound
                        | ChangeError::HoldLost
                        | ChangeError::TakenBack,
                    ) => Fate::Open,
                }
            }
        };
        Ok((fate, false))
    }

    /// A booking whose cancellation was requested: under way, or an operator's case. Nothing is stuck while the first pass is requesting.
    async fn under_way(&self, ticket: TicketId, walk: &Cancellation) -> Result<Fate, StoreError> {
        if walk.pass == 1 {
            return Ok(Fate::Open);
        }
        let saga = self.sagas.get(ticket).await?;
        let is_stuck = saga.is_some_and(|saga| saga.status() == SagaStatus::NeedsAttention);
        Ok(if is_stuck { Fate::Failed { code: CaseCode::SagaStuck, seats: 0 } } else { Fate::Open })
    }

    /// Adds the seats that the failed ones still have.
    async fn add_seats(&self, fates: &mut [(TicketId, Fate)]) -> Result<(), StoreError> {
        let is_failed = |fate: &Fate| matches!(fate, Fate::Failed { .. });
        let failed: Vec<_> = fates.iter().filter(|(_, fate)| is_failed(fate)).map(|(ticket, _)| *ticket).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let taken: BTreeMap<TicketId, u32> = self
            .sale
            .inventory
            .reservations(&failed)
            .await?
            .into_iter()
            .filter(|reservation| reservation.state != ReservationState::Released)
            .map(|reservation| (reservation.ticket_id, reservation.quantity.get()))
            .collect();
        for (ticket, fate) in fates {
            if let Fate::Failed { seats, .. } = fate {
                *seats = taken.get(ticket).copied().unwrap_or(0);
            }
        }
        Ok(())
    }
}
