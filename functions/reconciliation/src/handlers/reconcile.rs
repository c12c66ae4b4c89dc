//! Proves what always holds from the tables of every context, repairs what is safe, and says the rest.
//!
//! | | |
//! |---|---|
//! | trigger | a schedule; an operator's `boxoffice reconcile`; itself, to go on where time was up |
//! | reads | of what moved: counters (AP-26, AP-383, AP-384) and summaries (AP-540), their event's reservations (AP-380, AP-28), bookings that are open or yet to be proven (AP-377, AP-381, AP-73, AP-379) with AP-44; in an audit everything (AP-25 to AP-28, AP-63); of what looks wrong, or is to be proven, AP-50, AP-30, AP-19, AP-72, AP-372, AP-375, AP-564, AP-126; the provider's record of refunds and disputes, and the account's statement (AP-580), with the ledger (AP-561) |
//! | writes | proofs (AP-378, AP-382, AP-385); summaries that are behind (AP-541); counters (AP-29), a pool (AP-376), a ticket (AP-64), a payment in doubt, wanted back, or changed by the provider (AP-34, AP-431, having asked it); how far these were read (AP-581); the findings' queue, metrics |
//! | emits | `InventoryReconciled`; `TicketExpiryRequested` or `TicketCancellationRequested`; `PaymentExpired`, `PaymentCompleted` or `PaymentRefunded` |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | a repair is written on condition that nothing has moved since it was decided; what was just repaired has just moved, and is not looked at |

use crate::{
    App,
    reconciler::{Found, Outcome, Part, Run, Scope},
};
use boxoffice_aws::{Cursor, ListError};
use boxoffice_inventory::events::RequestedBy;
use boxoffice_kernel::{Actor, Timestamp, Trace};
use boxoffice_payments::gateway::PaymentGateway;
use boxoffice_runtime::{
    StepFailure,
    metrics::{Metric, Unit},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// The remaining time under which no new page begins: longer than a page takes on which every booking is wrong.
const SPARE_SECONDS: u32 = 60;
/// How many findings an answer shows. All are in the log, and all that are left in the queue.
const SHOWN: usize = 500;

/// The action.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The initiator; the schedule by default.
    #[serde(default)]
    pub requested_by: Option<RequestedBy>,
    /// How much to read.
    #[serde(default)]
    pub scope: Scope,
    /// Where to go on; from the beginning unless it is said.
    #[serde(default)]
    pub next: Option<Place>,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The bookings it is going through.
    pub part: Part,
    /// After which of them; from the first unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// The things checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Events on sale whose seats were counted; none by an invocation that goes on with bookings.
    pub events: usize,
    /// Bookings.
    pub bookings: usize,
}

/// The result of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The initiator.
    pub requested_by: RequestedBy,
    /// The correlation id of its repairs and log lines.
    pub correlation_id: String,
    /// How much it reads.
    pub scope: Scope,
    /// The things checked.
    pub checked: Checked,
    /// Bookings that were proven, and are not read again until they are written.
    pub proven: usize,
    /// The findings, as many as the answer has room for.
    pub findings: Vec<Found>,
    /// How many of all that were found were repaired.
    pub repaired: usize,
    /// How many are left.
    pub left: usize,
    /// Where the next invocation goes on, which has been asked for; nowhere when all is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Place>,
}

impl Summary {
    fn of(run: &Run, scope: Scope) -> Self {
        Self {
            requested_by: run.requested_by.clone(),
            correlation_id: run.trace.correlation_id.to_string(),
            scope,
            checked: Checked::default(),
            proven: 0,
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

/// Goes through what the request asks for, or as far as it comes before `deadline`; then another invocation goes on.
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
    let Request { scope, next, .. } = request;
    let mut summary = Summary::of(&run, scope);
    if next.is_none() {
        let seats = app.reconciler.seats(&run, scope, halfway(started, stop)).await?;
        summary.checked.events = seats.events;
        say(app, seats.found, &run, &mut summary).await?;
        let found = app.reconciler.record(&run, halfway(Timestamp::now(), stop)).await;
        say(app, found, &run, &mut summary).await?;
        let until = halfway(Timestamp::now(), stop);
        loop {
            let part = app.reconciler.statement(Timestamp::now(), until).await;
            say(app, part.found, &run, &mut summary).await?;
            let Some(through) = part.through else { break };
            // Not before: a finding that nobody was told of is found again.
            app.reconciler.note_compared(through).await?;
            if !part.more {
                break;
            }
        }
    }
    let mut place = Some(next.unwrap_or(Place { part: Part::first(scope), after: None }));
    let mut said = BTreeSet::new();
    while let Some(Place { part, after }) = place {
        let mut page = app.reconciler.bookings(part, after, &run, Timestamp::now()).await.map_err(unread)?;
        summary.checked.bookings += page.checked;
        summary.proven += page.proven;
        // A booking may be in several parts.
        page.found.retain(|found| said.insert(json!(found).to_string()));
        say(app, page.found, &run, &mut summary).await?;
        place = match page.next {
            Some(after) => Some(Place { part, after: Some(after) }),
            None => part.next().map(|part| Place { part, after: None }),
        };
        if Timestamp::now() >= stop {
            break;
        }
    }
    if let Some(next) = &place {
        app.successor.go_on(scope, next, &run).await?;
    }
    summary.next = place;
    count(app, &summary, started);
    Ok(summary)
}

fn requested_by(request: &Request) -> Result<RequestedBy, StepFailure> {
    let schedule = || "schedule".parse().map_err(|error| StepFailure::Defect(format!("schedule: {error}")));
    request.requested_by.clone().map_or_else(schedule, Ok)
}

fn trace() -> Trace {
    Trace::begun("reconcile", Actor::System)
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
        proven = summary.proven,
        repaired,
        left,
        more = summary.next.is_some(),
        millis,
        "reconciled"
    );
}
