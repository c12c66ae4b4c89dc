//! Says what this stack depends on, and how each of it answered.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /health` |
//! | reads | whether the tables, the bus, the state machine and the queues are there |

use aws_sdk_dynamodb::types::TableStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use boxoffice_aws::client;
use boxoffice_runtime::{
    Problem,
    config::{self, ConfigError},
    http::Answer,
};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use serde::Serialize;
use std::time::Instant;

/// How something that the stack depends on is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = HealthStatus)]
pub enum Status {
    /// As it should be.
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
    /// What was looked at.
    name: String,
    status: Status,
    /// How long the look took, in milliseconds.
    latency_ms: u64,
    /// What there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How the stack is: as its worst part.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Health {
    status: Status,
    /// Each thing looked at.
    checks: Vec<Check>,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct Checkup {
    dynamodb: aws_sdk_dynamodb::Client,
    bus: aws_sdk_eventbridge::Client,
    saga: aws_sdk_sfn::Client,
    queue: aws_sdk_sqs::Client,
    tables: Vec<(&'static str, String)>,
    bus_name: String,
    state_machine: String,
    queues: Vec<(&'static str, String)>,
}

/// What a look at one thing finds: how it is, and what there is to say.
type Finding = (Status, Option<String>);

impl Checkup {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        const TABLES: [(&str, &str); 9] = [
            ("inventory-table", "INVENTORY_TABLE"),
            ("tickets-table", "TICKETS_TABLE"),
            ("payments-table", "PAYMENTS_TABLE"),
            ("sagas-table", "SAGAS_TABLE"),
            ("users-table", "USERS_TABLE"),
            ("sessions-table", "SESSIONS_TABLE"),
            ("notifications-table", "NOTIFICATIONS_TABLE"),
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
            Err(error) => unreachable(aws_sdk_dynamodb::error::DisplayErrorContext(error)),
        }
    }

    async fn bus(&self) -> Finding {
        match self.bus.describe_event_bus().name(&self.bus_name).send().await {
            Ok(_) => (Status::Up, None),
            Err(error) => unreachable(aws_sdk_eventbridge::error::DisplayErrorContext(error)),
        }
    }

    async fn saga(&self) -> Finding {
        match self.saga.describe_state_machine().state_machine_arn(&self.state_machine).send().await {
            Ok(_) => (Status::Up, None),
            Err(error) => unreachable(aws_sdk_sfn::error::DisplayErrorContext(error)),
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
            Err(error) => unreachable(aws_sdk_sqs::error::DisplayErrorContext(error)),
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
        let checks = join_all(looks).await;
        Health { status: checks.iter().map(|check| check.status).max().unwrap_or(Status::Up), checks }
    }
}

/// The cause goes to the log; a stranger learns that it is down and no more.
fn unreachable(error: impl std::fmt::Display) -> Finding {
    tracing::warn!(%error, "a check failed");
    (Status::Down, Some("no answer".into()))
}

async fn timed(name: &str, look: impl Future<Output = Finding> + Send) -> Check {
    let started = Instant::now();
    let (status, detail) = look.await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Check { name: name.to_owned(), status, latency_ms, detail }
}

/// Says what the stack depends on, and how each of it answered.
///
/// `DEGRADED` works: somebody left a case in a queue that an operator looks at.
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
            body = Health,
            example = json!({
                "status": "UP",
                "checks": [{"name": "tickets-table", "status": "UP", "latencyMs": 4}]
            })
        ),
        (
            status = 503,
            description = "It does not work",
            body = Health,
            example = json!({
                "status": "DOWN",
                "checks": [{"name": "event-bus", "status": "DOWN", "latencyMs": 2000, "detail": "no answer"}]
            })
        )
    )
)]
pub async fn handle(checkup: &Checkup) -> Result<Answer, Problem> {
    let health = checkup.look().await;
    if health.status == Status::Down { Answer::unavailable(&health) } else { Answer::ok(&health) }
}
