//! Proves what always holds from the tables of every context, repairs what is safe, and says the rest.
//!
//! | | |
//! |---|---|
//! | trigger | a schedule; an operator's `boxoffice reconcile`; itself, to go on where time was up |
//! | reads | counters and reservations (AP-25 to AP-28), every ticket (AP-63) with its payment (AP-44); of what looks wrong AP-50, AP-30, AP-19, AP-72 |
//! | writes | counters (AP-29), a ticket (AP-64), a payment in doubt or wanted back (AP-34, having asked the provider); the findings' queue, metrics |
//! | emits | `InventoryReconciled`; `TicketExpiryRequested` or `TicketCancellationRequested`; `PaymentExpired`, `PaymentCompleted` or `PaymentRefunded` |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | a repair is written on condition that nothing has moved since it was decided; what was just repaired has just moved, and is not looked at |

use crate::{
    App,
    reconciler::{Found, Outcome, Run},
};
use boxoffice_aws::{Cursor, ListError};
use boxoffice_inventory::events::RequestedBy;
use boxoffice_kernel::{EventId, Timestamp, Trace};
use boxoffice_payments::gateway::PaymentGateway;
use boxoffice_runtime::{
    StepFailure,
    metrics::{Metric, Unit},
};
use serde::{Deserialize, Serialize};

/// What is left of an invocation's time when no new page is begun: longer than a page of bookings takes that are all wrong.
const SPARE_SECONDS: u32 = 60;
/// How many findings an answer shows. All are in the log, and all that are left in the queue.
const SHOWN: usize = 500;

/// What to do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// On whose word; the schedule's unless it is said.
    #[serde(default)]
    pub requested_by: Option<RequestedBy>,
    /// Where to go on; everything from the beginning unless it is said.
    #[serde(default)]
    pub next: Option<String>,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Events on sale whose seats were counted; none by an invocation that goes on with bookings.
    pub events: usize,
    /// Bookings.
    pub bookings: usize,
}

/// What a run came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// On whose word.
    pub requested_by: RequestedBy,
    /// What its repairs and log lines can be found by.
    pub correlation_id: String,
    /// What was looked at.
    pub checked: Checked,
    /// What was found, as far as an answer has room.
    pub findings: Vec<Found>,
    /// How many of all that were found were repaired.
    pub repaired: usize,
    /// How many are left.
    pub left: usize,
    /// Where the next invocation goes on, which has been asked for; nowhere when all is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

impl Summary {
    fn of(run: &Run) -> Self {
        Self {
            requested_by: run.requested_by.clone(),
            correlation_id: run.trace.correlation_id.to_string(),
            checked: Checked::default(),
            findings: Vec::new(),
            repaired: 0,
            left: 0,
            next: None,
        }
    }

    fn add(&mut self, found: Found) {
        match found.outcome {
            Outcome::Repaired => self.repaired += 1,
            Outcome::Postponed(_) | Outcome::Left => self.left += 1,
        }
        if self.findings.len() < SHOWN {
            self.findings.push(found);
        }
    }
}

/// Goes through everything, or as far as it comes before `deadline`; then another invocation goes on.
///
/// # Errors
/// When a store or the queue does not answer, or the cursor is none.
pub async fn run<G: PaymentGateway>(
    app: &App<G>,
    request: Request,
    deadline: Timestamp,
) -> Result<Summary, StepFailure> {
    let started = Timestamp::now();
    let stop = deadline.minus_seconds(SPARE_SECONDS);
    let run = Run { requested_by: requested_by(&request)?, trace: trace() };
    let mut cursor = start(&request)?;
    let mut summary = Summary::of(&run);
    if cursor.is_none() {
        let seats = app.reconciler.seats(&run, halfway(started, stop)).await?;
        summary.checked.events = seats.events;
        say(app, seats.found, &run, &mut summary).await?;
    }
    loop {
        let page = app.reconciler.bookings(cursor, &run, Timestamp::now()).await.map_err(unread)?;
        summary.checked.bookings += page.checked;
        say(app, page.found, &run, &mut summary).await?;
        cursor = page.next;
        if cursor.is_none() || Timestamp::now() >= stop {
            break;
        }
    }
    if let Some(next) = &cursor {
        app.successor.go_on(next, &run).await?;
    }
    summary.next = cursor;
    count(app, &summary, started);
    Ok(summary)
}

fn requested_by(request: &Request) -> Result<RequestedBy, StepFailure> {
    let schedule = || "schedule".parse().map_err(|error| StepFailure::Defect(format!("schedule: {error}")));
    request.requested_by.clone().map_or_else(schedule, Ok)
}

fn start(request: &Request) -> Result<Option<Cursor>, StepFailure> {
    let cursor = request.next.as_deref().map(str::parse).transpose();
    cursor.map_err(|error| StepFailure::Defect(format!("next {error}")))
}

fn trace() -> Trace {
    Trace { correlation_id: EventId::generate().into(), causation_id: "reconcile".into() }
}

fn halfway(from: Timestamp, to: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(i64::midpoint(from.unix_millis(), to.unix_millis())).unwrap_or(from)
}

fn unread(error: ListError) -> StepFailure {
    match error {
        ListError::Store(error) => error.into(),
        ListError::Cursor(error) => StepFailure::Defect(format!("next {error}")),
    }
}

async fn say<G>(app: &App<G>, found: Vec<Found>, run: &Run, summary: &mut Summary) -> Result<(), StepFailure> {
    for found in found {
        app.findings.say(&found, run).await?;
        summary.add(found);
    }
    Ok(())
}

fn count<G>(app: &App<G>, summary: &Summary, started: Timestamp) {
    let Checked { events, bookings } = summary.checked;
    let (repaired, left) = (summary.repaired, summary.left);
    let millis = Timestamp::now().unix_millis().saturating_sub(started.unix_millis());
    let millis = u64::try_from(millis).unwrap_or_default();
    app.metrics.write(&[
        Metric::count("ReconcileViolations", left),
        Metric::count("ReconcileRepairs", repaired),
        Metric::count("ReconcileEventsChecked", events),
        Metric::count("ReconcileBookingsChecked", bookings),
        Metric { name: "ReconcileTime", unit: Unit::Milliseconds, value: millis },
    ]);
    tracing::info!(
        function = "reconcile",
        requested_by = %summary.requested_by,
        correlation_id = summary.correlation_id,
        events,
        bookings,
        repaired,
        left,
        more = summary.next.is_some(),
        millis,
        "reconciled"
    );
}
