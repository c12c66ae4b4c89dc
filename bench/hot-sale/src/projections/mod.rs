//! How far the read models of one hot event fall behind: the product's own projector over the model of DynamoDB, with its conflicts between transactions.
//!
//! Each booking tells four events, of two aggregates. An aggregate's events are in one lane of the stream, so a ticket's and its payment's are projected by different
//! invocations, and all lanes count the event's sales in the same few items.

use crate::{
    burst::{tasks::Tasks, template::Reader},
    clock::{Clock, Stuck},
    dynamodb::{DynamoDb, Settings, Tally},
    sale::sdk_config,
    schema,
};
use aws_lambda_events::event::dynamodb;
use aws_sdk_dynamodb::{Client, config::retry::RetryPartition};
use boxoffice_aws::client;
use boxoffice_reporting::{Projector, ViewStore};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

const VIEWS: &str = "ViewsTable";
/// Lambda polls a shard four times a second (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>).
const POLL: Duration = Duration::from_millis(250);
/// How long Lambda takes to hand a batch over and to take its answer: assumed.
const INVOCATION: Duration = Duration::from_millis(10);
/// Before a batch that failed comes again. AWS documents only that a reader backs off.
const BACKOFF: Duration = Duration::from_secs(1);
/// After so long a lane that never gets on is given up: its seats are missing in the outcome.
const LONGEST: Duration = Duration::from_hours(1);
/// Seats of each booking of the sample events.
const SEATS: u64 = 2;

/// The events of a booking that read models know, and how long after the booking each is stored.
const TOLD: [(&str, Duration); 4] = [
    (include_str!("../../../../events/TicketCreated.sample.json"), Duration::ZERO),
    (include_str!("../../../../events/PaymentInitiated.sample.json"), Duration::ZERO),
    (include_str!("../../../../events/PaymentCompleted.sample.json"), Duration::from_millis(1_500)),
    (include_str!("../../../../events/TicketConfirmed.sample.json"), Duration::from_secs(2)),
];
/// The id that all of a sample's ids end with.
const SAMPLE: &str = "01a2089d219e737bb4e23d79e9d77e1a";

/// A sale whose events are projected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Bookings of the one event.
    pub bookings: u32,
    /// How many a second.
    pub per_second: f64,
    /// Shards of the event store's stream.
    pub shards: u32,
    /// Batches of a shard that are projected at once.
    pub lanes: u32,
    /// The most records of a batch.
    pub batch: usize,
    /// The assumptions about DynamoDB.
    pub settings: Settings,
}

impl Plan {
    /// One whose batches are what this reader of the stream is given.
    pub fn of(reader: &Reader, bookings: u32, per_second: f64, shards: u32) -> Self {
        Self { bookings, per_second, shards, lanes: reader.lanes, batch: reader.batch, settings: Settings::default() }
    }
}

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The plan that was measured.
    pub plan: Plan,
    /// Invocations.
    pub batches: u32,
    /// Failed invocations, after each of which the batch came again.
    pub failed: u32,
    /// Transactions and conflicts.
    pub tally: Tally,
    /// Seconds from being stored to being projected: half of the events waited no longer.
    pub lag_p50: f64,
    /// The same of ninety-nine in a hundred.
    pub lag_p99: f64,
    /// The longest wait.
    pub lag_most: f64,
    /// From the last event's being stored to its being projected, all earlier ones included.
    pub seconds_behind: f64,
    /// Seats sold that the read models count.
    pub counted: u64,
}

impl Outcome {
    /// Whether every seat is counted once.
    pub fn is_sound(&self) -> bool {
        self.counted == u64::from(self.plan.bookings) * SEATS
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasured {
    /// The tables cannot be read from the template.
    #[error(transparent)]
    Schema(#[from] serde_saphyr::Error),
    /// A sample is no event.
    #[error("a sample of an event cannot be used: {0}")]
    Sample(#[from] serde_json::Error),
    /// Everybody waits.
    #[error(transparent)]
    Stuck(#[from] Stuck),
}

/// A record of the stream, and when it is there.
struct Due(Duration, dynamodb::EventRecord);

struct Projection {
    plan: Plan,
    clock: Clock,
    model: DynamoDb,
    random: RefCell<fastrand::Rng>,
    waited: RefCell<Vec<Duration>>,
    batches: Cell<u32>,
    failed: Cell<u32>,
    caught_up: Cell<Duration>,
}

/// Projects everything, and says how long it took.
///
/// # Errors
/// When nothing can be measured.
pub fn measure(plan: Plan) -> Result<Outcome, Unmeasured> {
    // The SDK's jitter is drawn from this generator.
    fastrand::seed(plan.settings.seed);
    let clock = Clock::default();
    let projection = Rc::new(Projection {
        model: DynamoDb::new(clock.clone(), schema::tables()?, plan.settings),
        plan,
        clock: clock.clone(),
        random: RefCell::new(fastrand::Rng::with_seed(plan.settings.seed)),
        waited: RefCell::default(),
        batches: Cell::default(),
        failed: Cell::default(),
        caught_up: Cell::default(),
    });
    let (lanes, last) = stream(plan)?;
    let tasks = Tasks::default();
    for lane in lanes {
        let projection = Rc::clone(&projection);
        tasks.begin(async move { projection.read(lane).await });
    }
    clock.run(tasks.run())?;
    Ok(projection.outcome(last))
}

/// The records by lane, and when the last is there.
fn stream(plan: Plan) -> Result<(Vec<VecDeque<Due>>, Duration), Unmeasured> {
    let mut lanes: Vec<Vec<Due>> = (0..plan.shards * plan.lanes).map(|_| Vec::new()).collect();
    let mut last = Duration::ZERO;
    let mut random = fastrand::Rng::with_seed(plan.settings.seed);
    for booking in 0..plan.bookings {
        let booked = Duration::from_secs_f64(f64::from(booking) / plan.per_second);
        let id = fresh_id(&mut random);
        for (sample, after) in TOLD {
            let mut event: Value = serde_json::from_str(&sample.replace(SAMPLE, &id))?;
            // The ledger keeps an event once, by its id.
            if let Some(event_id) = event.pointer_mut("/metadata/eventId") {
                *event_id = json!(format!("evt_{}", fresh_id(&mut random)));
            }
            let text = |name: &str| json!({ "S": event.pointer(name) });
            let aggregate = event.pointer("/metadata/aggregateId").and_then(Value::as_str).unwrap_or_default();
            let record = serde_json::from_value(json!({
                "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/events/stream/1",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1_893_456_000, "Keys": {}, "SequenceNumber": "1", "SizeBytes": 1,
                    "StreamViewType": "NEW_IMAGE",
                    "NewImage": {
                        "aggregateId": { "S": aggregate }, "eventType": text("/metadata/eventType"),
                        "source": { "S": "boxoffice.model" }, "occurredAt": text("/metadata/occurredAt"),
                        "correlationId": text("/metadata/correlationId"), "detail": { "S": event.to_string() },
                    },
                },
            }))?;
            let hash = aggregate.bytes().fold(5_381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
            let place = hash.checked_rem(lanes.len()).unwrap_or_default();
            last = last.max(booked + after);
            if let Some(lane) = lanes.get_mut(place) {
                lane.push(Due(booked + after, record));
            }
        }
    }
    for lane in &mut lanes {
        lane.sort_by_key(|Due(at, _)| *at);
    }
    Ok((lanes.into_iter().map(VecDeque::from).collect(), last))
}

/// The id that all of a booking's ids end with: a UUID of version 7. It decides the booking's lane, so it comes from the seed.
fn fresh_id(random: &mut fastrand::Rng) -> String {
    let mut digits = |count: usize| -> String { (0..count).map(|_| random.digit(16)).collect() };
    format!("01a2089d219e7{}b{}", digits(3), digits(15))
}

impl Projection {
    /// One lane's invocations, one after the other, each with a client and a quota of retries of its own.
    async fn read(&self, mut lane: VecDeque<Due>) {
        let config = client::dynamodb(&sdk_config(&self.clock, self.model.clone())).config().to_builder();
        let config = config.retry_partition(RetryPartition::custom("an instance of its own").build());
        let projector = Projector::new(ViewStore::new(Client::from_conf(config.build()), VIEWS));
        while let Some(Due(at, _)) = lane.front()
            && self.clock.now() < LONGEST
        {
            if *at > self.clock.now() {
                self.clock.until(*at).await;
                let poll = POLL.mul_f64(self.random.borrow_mut().f64());
                self.clock.pause(poll).await;
            }
            let now = self.clock.now();
            let there = lane.iter().take(self.plan.batch).take_while(|Due(at, _)| *at <= now).count();
            let records = lane.iter().take(there).map(|Due(_, record)| record.clone()).collect();
            self.clock.pause(INVOCATION).await;
            self.batches.set(self.batches.get() + 1);
            let mut batch = dynamodb::Event::default();
            batch.records = records;
            let projected = projector.project(batch).await;
            if projected.is_err() {
                self.failed.set(self.failed.get() + 1);
                self.clock.pause(BACKOFF).await;
                continue;
            }
            let now = self.clock.now();
            self.waited.borrow_mut().extend(lane.drain(..there).map(|Due(at, _)| now.saturating_sub(at)));
            self.caught_up.set(self.caught_up.get().max(now));
        }
    }

    fn outcome(&self, last: Duration) -> Outcome {
        let mut waited = self.waited.take();
        waited.sort_unstable();
        let at = |percent: usize| {
            let place = (waited.len() * percent).div_ceil(100).saturating_sub(1);
            waited.get(place).map_or(0.0, Duration::as_secs_f64)
        };
        let sold = |item: &crate::expression::Item| item.get("sold")?.get("N")?.as_str()?.parse::<u64>().ok();
        Outcome {
            plan: self.plan,
            batches: self.batches.get(),
            failed: self.failed.get(),
            tally: self.model.tally(),
            lag_p50: at(50),
            lag_p99: at(99),
            lag_most: at(100),
            seconds_behind: self.caught_up.get().saturating_sub(last).as_secs_f64(),
            counted: self.model.under(VIEWS, "E0#SALES#").iter().filter_map(|item| sold(item)).sum(),
        }
    }
}
