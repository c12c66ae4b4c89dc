//! Puts events on the bus again: of an aggregate, a type, a time.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /operations/replays` |
//! | reads | a page of the event store (AP-152, AP-153) |
//! | writes | the bus; the act (AP-150) |
//! | emits | `EventsReplayed`, unless nothing was |
//! | safe to repeat | consumers handle an event once |

use super::answer::operator;
use crate::{
    Replayer,
    domain::{AggregateId, EventType, Selector},
    replayer::{ReplayError, Replayed},
};
use boxoffice_aws::Cursor;
use boxoffice_kernel::{Timestamp, whole};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Deserializer, Serialize, de};

/// How many items of the event store a page reads.
#[derive(Debug, Clone, Copy)]
pub struct PageSize(usize);

impl PageSize {
    const MAX: usize = 1000;
}

impl Default for PageSize {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for PageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let size = usize::try_from(whole::from_json(deserializer)?).ok();
        let size = size.filter(|size| (1..=Self::MAX).contains(size));
        size.map(Self).ok_or_else(|| de::Error::custom("must be a whole number from 1 to 1000"))
    }
}

/// The events to replay, and whether to replay or only to count them.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// Only events of this aggregate.
    #[schema(nullable = false)]
    aggregate_id: Option<AggregateId>,
    /// Only events of this type.
    #[schema(nullable = false)]
    event_type: Option<EventType>,
    /// Not before this instant.
    #[schema(nullable = false)]
    from: Option<Timestamp>,
    /// Before this one.
    #[schema(nullable = false)]
    to: Option<Timestamp>,
    /// Whether only to count them.
    dry_run: bool,
    /// How many items of the event store to read, at most; 100 unless given.
    #[serde(default)]
    #[schema(value_type = u16, minimum = 1, maximum = 1000)]
    limit: PageSize,
    /// Where to go on: the `next` of the page before, of the same selector.
    #[schema(nullable = false)]
    next: Option<Cursor>,
}

/// The result of a page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReplayedPage)]
pub(crate) struct ReplayedView {
    /// How many items were read.
    read: usize,
    /// How many of them are meant.
    matched: usize,
    /// How many of those are on the bus again.
    published: usize,
    /// Where to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<Cursor>,
}

impl From<Replayed> for ReplayedView {
    fn from(Replayed { read, matched, published, next }: Replayed) -> Self {
        Self { read, matched, published, next }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Cursor(error) => error.into(),
            ReplayError::Store(error) => error.into(),
        }
    }
}

/// Puts events on the bus again, a page of them.
///
/// Those that are all of what is given, and something must be: of an aggregate, of a type, from an instant on, before another. `dryRun` only counts.
/// Call again with `next` until there is none.
///
/// # Errors
/// When nothing is selected, the cursor is of another selector, or the bus does not take all of the page.
#[utoipa::path(
    post,
    path = "/operations/replays",
    operation_id = "replay-events",
    tag = "operations",
    request_body(content = Replay, example = json!({"eventType": "TicketConfirmed", "from": "2030-05-01T00:00:00.000Z", "dryRun": true})),
    responses((
        status = 200,
        description = "How many events of the page were published again, and where the next begins",
        body = inline(ReplayedView),
        example = json!({ "read": 100, "matched": 7, "published": 0 })
    ))
)]
pub async fn handle(replayer: &Replayer, request: Request) -> Result<Answer, Problem> {
    let Replay { aggregate_id, event_type, from, to, dry_run, limit: PageSize(most), next } =
        http::body(&request, |field| (field == "next").then_some(Code::InvalidCursor))?;
    let selector = Selector { aggregate_id, event_type, from, to }.checked();
    let selector = selector.map_err(|error| Problem::new(Code::InvalidSelector, format!("{error}.")))?;
    let page = if dry_run {
        replayer.rehearse(&selector, most, next).await?
    } else {
        replayer.replay(&selector, most, next, operator(&request)?, &http::trace(&request)).await?
    };
    Answer::ok(&ReplayedView::from(page))
}
