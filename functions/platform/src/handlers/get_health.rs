//! Reports whether the stack works, and tells an ADMIN how each of its parts answered.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /health` |
//! | reads | whether the tables, the bus, the state machine and the queues are there |
//!
//! The route is public and a report costs sixteen calls of control planes, whose rates are low (`DescribeStateMachine`: 20 a second), so a report is kept for
//! [`KEPT`] in each instance, and a call that AWS throttles says nothing about the part it asked for.

use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::TableStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use boxoffice_aws::client;
use boxoffice_runtime::{
    Problem,
    auth::{Access, Gate},
    config::{self, ConfigError},
    http::Answer,
};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use lambda_http::Request;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long an instance repeats a report before it looks again.
pub const KEPT: Duration = Duration::from_secs(10);

/// Whether a part of the stack works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = HealthStatus)]
pub enum Status {
    /// It works.
    Up,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Down,
}

/// One thing looked at.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HealthCheck)]
struct Check {
    /// The things checked.
    name: String,
    status: Status,
    /// How long the look took, in milliseconds.
    latency_ms: u64,
    /// The details.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whether the stack works. It is as well as its worst part.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Health)]
struct Report {
    /// `DEGRADED` is told to an ADMIN only; for everybody else a stack that works is `UP`.
    status: Status,
    /// Each part that was looked at: for an ADMIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Check>>)]
    checks: Option<Arc<[Check]>>,
}

impl Report {
    /// The whole of it, or what anybody may know: up or down.
    fn of(health: &Health, whole: bool) -> Self {
        let (worst, checks) = (health.worst(), whole.then(|| Arc::clone(&health.checks)));
        Self { status: if whole || worst == Status::Down { worst } else { Status::Up }, checks }
    }
}

/// The last look at every part.
#[derive(Debug, Clone)]
struct Health {
    checks: Arc<[Check]>,
}

impl Health {
    fn worst(&self) -> Status {
        self.checks.iter().map(|check| check.status).max().unwrap_or(Status::Up)
    }
}

/// A look that is repeated for [`KEPT`].
#[derive(Debug, Default)]
struct Kept {
    last: Mutex<Option<(Instant, Health)>>,
}

impl Kept {
    /// The last look, or another when it is too old. Callers who come while one is under way wait for it.
    async fn or_look<Fut: Future<Output = Health>>(&self, now: Instant, look: impl FnOnce() -> Fut) -> Health {
        let mut last = self.last.lock().await;
        if let Some((_, health)) = last.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < KEPT) {
            return health.clone();
        }
        let health = look().await;
        *last = Some((now, health.clone()));
        health
    }
}

/// The parts to look at.
#[derive(Debug)]
pub struct Checkup {
    kept: Kept,
    dynamodb: aws_sdk_dynamodb::Client,
    bus: aws_sdk_eventbridge::Client,
    saga: aws_sdk_sfn::Client,
    queue: aws_sdk_sqs::Client,
    tables: Vec<(&'static str, String)>,
    bus_name: String,
    state_machine: String,
    queues: Vec<(&'static str, String)>,
}

/// The result of one check: a status and details.
type Finding = (Status, Option<String>);

impl Checkup {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        const TABLES: [(&str, &str); 10] = [
            ("inventory-table", "INVENTORY_TABLE"),
            ("tickets-table", "TICKETS_TABLE"),
            ("payments-table", "PAYMENTS_TABLE"),
            ("sagas-table", "SAGAS_TABLE"),
            ("users-table", "USERS_TABLE"),
            ("sessions-table", "SESSIONS_TABLE"),
            ("notifications-table", "NOTIFICATIONS_TABLE"),
            ("admissions-table", "ADMISSIONS_TABLE"),
            ("views-table", "VIEWS_TABLE"),
            ("events-table", "EVENTS_TABLE"),
        ];
        const QUEUES: [(&str, &str); 5] = [
            ("stuck-bookings", "STUCK_BOOKINGS_QUEUE_URL"),
            ("relay-dead-letters", "DEAD_LETTER_QUEUE_URL"),
            ("saga-start-dead-letters", "SAGA_START_DEAD_LETTER_QUEUE_URL"),
            ("notification-dead-letters", "NOTIFICATION_DEAD_LETTER_QUEUE_URL"),
            ("projection-dead-letters", "PROJECTION_DEAD_LETTER_QUEUE_URL"),
        ];
        let named = |names: &[(&'static str, &'static str)]| -> Result<Vec<(&'static str, String)>, ConfigError> {
            names.iter().map(|(name, variable)| Ok((*name, config::required(variable)?))).collect()
        };
        let sdk = client::sdk_config();
        Ok(Self {
            kept: Kept::default(),
            dynamodb: client::dynamodb(&sdk),
            bus: aws_sdk_eventbridge::Client::new(&sdk),
            saga: aws_sdk_sfn::Client::new(&sdk),
            queue: aws_sdk_sqs::Client::new(&sdk),
            tables: named(&TABLES)?,
            bus_name: config::required("EVENT_BUS")?,
            state_machine: config::required("BOOKING_SAGA_ARN")?,
            queues: named(&QUEUES)?,
        })
    }

    async fn table(&self, name: &str) -> Finding {
        match self.dynamodb.describe_table().table_name(name).send().await {
            Ok(found) => match found.table.and_then(|table| table.table_status) {
                Some(TableStatus::Active | TableStatus::Updating) => (Status::Up, None),
                other => (Status::Down, other.map(|status| status.as_str().to_owned())),
            },
            Err(error) => unanswered(error.code(), aws_sdk_dynamodb::error::DisplayErrorContext(&error)),
        }
    }

    async fn bus(&self) -> Finding {
        match self.bus.describe_event_bus().name(&self.bus_name).send().await {
            Ok(_) => (Status::Up, None),
            Err(error) => unanswered(error.code(), aws_sdk_eventbridge::error::DisplayErrorContext(&error)),
        }
    }

    async fn saga(&self) -> Finding {
        match self.saga.describe_state_machine().state_machine_arn(&self.state_machine).send().await {
            Ok(_) => (Status::Up, None),
            Err(error) => unanswered(error.code(), aws_sdk_sfn::error::DisplayErrorContext(&error)),
        }
    }

    /// A queue whose every message is somebody's case: that it has one is no outage, and not well either.
    async fn case_queue(&self, url: &str) -> Finding {
        let depth = QueueAttributeName::ApproximateNumberOfMessages;
        match self.queue.get_queue_attributes().queue_url(url).attribute_names(depth.clone()).send().await {
            Ok(found) => match found.attributes.and_then(|attributes| attributes.get(&depth).cloned()).as_deref() {
                Some("0") | None => (Status::Up, None),
                Some(count) => (Status::Degraded, Some(format!("{count} messages wait for an operator"))),
            },
            Err(error) => unanswered(error.code(), aws_sdk_sqs::error::DisplayErrorContext(&error)),
        }
    }

    async fn look(&self) -> Health {
        let mut looks: Vec<BoxFuture<'_, Check>> = Vec::new();
        for (name, table) in &self.tables {
            looks.push(timed(name, self.table(table)).boxed());
        }
        for (name, url) in &self.queues {
            looks.push(timed(name, self.case_queue(url)).boxed());
        }
        looks.push(timed("event-bus", self.bus()).boxed());
        looks.push(timed("booking-saga", self.saga()).boxed());
        Health { checks: join_all(looks).await.into() }
    }
}

/// The part's status after a call that failed. The cause goes to the log.
///
/// Throttling limits whoever asks: it says nothing about the part. Were it an outage, anybody could make one by asking often.
fn unanswered(code: Option<&str>, error: impl std::fmt::Display) -> Finding {
    const THROTTLED: [&str; 5] =
        ["Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "TooManyRequestsException"];
    if code.is_some_and(|code| THROTTLED.contains(&code)) {
        tracing::warn!(%error, "a check was throttled");
        return (Status::Up, Some("throttled: nothing is known".into()));
    }
    tracing::warn!(%error, "a check failed");
    (Status::Down, Some("no answer".into()))
}

async fn timed(name: &str, look: impl Future<Output = Finding> + Send) -> Check {
    let started = Instant::now();
    let (status, detail) = look.await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Check { name: name.to_owned(), status, latency_ms, detail }
}

/// Reports whether the stack works; to an ADMIN also how each part answered.
///
/// `DEGRADED` works: a message in a queue waits for an operator. A report may be ten seconds old.
///
/// # Errors
/// When the answer does not serialize.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "get-health",
    tag = "platform",
    responses(
        (
            status = 200,
            description = "It works",
            body = Report,
            example = json!({"status": "UP"})
        ),
        (
            status = 503,
            description = "It does not work",
            body = Report,
            example = json!({
                "status": "DOWN",
                "checks": [{"name": "event-bus", "status": "DOWN", "latencyMs": 2000, "detail": "no answer"}]
            })
        )
    )
)]
pub async fn handle(checkup: &Checkup, gate: &Gate, request: &Request) -> Result<Answer, Problem> {
    let caller = gate.recognize(request).await;
    let health = checkup.kept.or_look(Instant::now(), || checkup.look()).await;
    let report = Report::of(&health, caller.is_some_and(|caller| Access::Admin.admits(caller.role)));
    if report.status == Status::Down { Answer::unavailable(&report) } else { Answer::ok(&report) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn health(statuses: &[Status]) -> Health {
        let check = |status: &Status| Check { name: "part".into(), status: *status, latency_ms: 1, detail: None };
        Health { checks: statuses.iter().map(check).collect() }
    }

    #[tokio::test]
    async fn a_report_is_repeated_until_it_is_too_old() {
        let (kept, looks, start) = (Kept::default(), AtomicU32::new(0), Instant::now());
        let look = || async {
            looks.fetch_add(1, Ordering::Relaxed);
            health(&[Status::Up])
        };
        for seconds in [0, 1, KEPT.as_secs() - 1] {
            kept.or_look(start + Duration::from_secs(seconds), look).await;
            assert_eq!(looks.load(Ordering::Relaxed), 1, "after {seconds} s");
        }
        kept.or_look(start + KEPT, look).await;
        assert_eq!(looks.load(Ordering::Relaxed), 2, "a report too old");
    }

    #[test]
    fn throttling_of_a_check_is_no_outage() {
        for code in ["ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException"] {
            assert_eq!(unanswered(Some(code), code).0, Status::Up, "{code}");
        }
        for code in [Some("ResourceNotFoundException"), Some("StateMachineDoesNotExist"), None] {
            assert_eq!(unanswered(code, "no answer").0, Status::Down, "{code:?}");
        }
    }

    #[test]
    fn strangers_learn_up_or_down_and_an_admin_the_detail() {
        for (worst, told) in [(Status::Up, "UP"), (Status::Degraded, "UP"), (Status::Down, "DOWN")] {
            let health = health(&[Status::Up, worst]);
            let stranger = serde_json::to_value(Report::of(&health, false)).unwrap();
            assert_eq!(stranger, serde_json::json!({ "status": told }));
            let admin = serde_json::to_value(Report::of(&health, true)).unwrap();
            assert_eq!(admin["status"], serde_json::to_value(worst).unwrap());
            assert_eq!(admin["checks"].as_array().map(Vec::len), Some(2), "{admin}");
        }
    }
}
