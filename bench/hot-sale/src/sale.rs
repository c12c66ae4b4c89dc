//! One sale: an event, a crowd, and what came of it, counted from the tables.

use crate::{
    clock::{Clock, Stuck},
    dynamodb::{DynamoDb, Settings, Tally},
    expression::Item,
    latency,
    limits::Way,
    schema,
};
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{Credentials, SharedCredentialsProvider, SharedHttpClient, retry::RetryPartition},
};
use aws_smithy_async::{rt::sleep::SharedAsyncSleep, time::SharedTimeSource};
use aws_smithy_runtime_api::client::http::HttpClient;
use boxoffice_admissions::AdmissionStore;
use boxoffice_aws::{EventStore, StoreError, UserDirectory, client};
use boxoffice_inventory::{
    Inventory, InventoryStore,
    domain::{NotForSale, PurchaseLimits, Shard, Terms, spread},
};
use boxoffice_kernel::{
    Actor, Amount, Currency, Fingerprint, InventoryId, Money, Quantity, TicketId, Timestamp, Trace, UserId,
};
use boxoffice_payments::PaymentStore;
use boxoffice_tickets::{
    TicketStore,
    store::{BookError, ChangeError, Desk, EventRef, Order, Outcome as Booked, Sale},
};
use futures_util::{
    future::{Either, LocalBoxFuture, select},
    stream::{FuturesUnordered, StreamExt},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    fmt,
    pin::pin,
    time::Duration,
};

/// One sale to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The event's seats.
    pub seats: u32,
    /// On how many shards they lie.
    pub shards: u32,
    /// The buyers.
    pub crowd: Crowd,
    /// Whether tickets are paid, and so confirmed, while the sale goes on.
    pub paid: bool,
    /// The most instances there are of a function. Who finds all of them busy is turned away, and comes again a second later.
    pub instances: usize,
    /// The assumed DynamoDB.
    pub settings: Settings,
}

/// The buyers and their pace. They want one to four seats each, as many one as another, and go on coming until somebody is refused a
/// single seat. Who is answered 429 or 503 tries again about a second later, with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Crowd {
    /// So many buyers at once: whenever one is served or refused, the next takes their place.
    Closed(u32),
    /// So many buyers a second, as a Poisson process, however many are waiting.
    Open(f64),
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(buyers) => write!(f, "{buyers} at once"),
            Self::Open(rate) => write!(f, "{rate:.0} a second"),
        }
    }
}

/// The result of a sale.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The measurements.
    pub plan: Plan,
    /// Tickets, counted from their table.
    pub bookings: u32,
    /// Seats of these tickets beyond those of the event. Must be zero.
    pub oversold: u32,
    /// Seats left when the last buyer had been answered, though a buyer of one seat was refused. Must be zero.
    pub undersold: u32,
    /// Refusals of an order that there were seats enough for, at the moment of the refusal. Must be zero.
    pub wrongly_refused: u32,
    /// Rules that the tables break. Must be empty.
    pub broken_rules: Vec<String>,
    /// Answers that no buyer should ever see. Must be empty.
    pub failures: Vec<String>,
    /// Buyers refused.
    pub refused: u32,
    /// Answers 503, after each of which the client tried again a second later.
    pub unavailable: u32,
    /// Requests for which there was no instance of the function, after each of which the client tried again a second later.
    pub turned_away: u32,
    /// From the start to the last seat.
    pub seconds: f64,
    /// From the start until nineteen of twenty seats were taken.
    pub seconds_of_most: f64,
    /// Bookings a second, from the start to the last seat.
    pub bookings_per_second: f64,
    /// Seats a second, from the start to the last seat.
    pub seats_per_second: f64,
    /// Seats a second, until nineteen of twenty were taken.
    pub most_seats_per_second: f64,
    /// Transactions sent for one booking.
    pub tries: f64,
    /// The median wait for a ticket, retries of the client included, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of it.
    pub p99: f64,
    /// The requests to DynamoDB.
    pub tally: Tally,
    /// The partition that most write units were taken of, and how many a second.
    pub hottest_write: Option<(String, f64)>,
    /// The same of read units.
    pub hottest_read: Option<(String, f64)>,
    /// Write units of all tables and indexes, for one booking.
    pub write_units: f64,
    /// Read units of all tables, for one booking.
    pub read_units: f64,
    /// The most instances of the function that were busy at once.
    pub instances: usize,
}

impl Outcome {
    /// Whether every seat was sold once.
    pub fn is_sound(&self) -> bool {
        self.oversold == 0
            && self.undersold == 0
            && self.wrongly_refused == 0
            && self.broken_rules.is_empty()
            && self.failures.is_empty()
    }
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasured {
    /// Nobody can do anything any more.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// The tables are not what they were when this was written.
    #[error("infra/tables.yaml: {0}")]
    Schema(#[from] serde_saphyr::Error),
    /// The event did not go on sale.
    #[error("the event did not go on sale: {0}")]
    NotOnSale(String),
}

const INVENTORY: &str = "InventoryTable";
pub(crate) const TICKETS: &str = "TicketsTable";
const PAYMENTS: &str = "PaymentsTable";
const ADMISSIONS: &str = "AdmissionsTable";
pub(crate) const EVENTS: &str = "EventsTable";

/// Runs a sale. The same plan has the same outcome, but for what follows from the ids of tickets, which are the product's own and random.
///
/// # Errors
/// When there is none.
pub fn run(plan: Plan) -> Result<Outcome, Unmeasured> {
    let hall = Hall::of(plan)?;
    hall.clock.run(async {
        hall.open().await?;
        // Opening it is not part of the sale.
        hall.clock.pause(Duration::from_secs(1)).await;
        let opening = Opening {
            at: hall.clock.now(),
            tally: hall.model.tally(),
            written: hall.model.spent(Way::Write),
            read: hall.model.spent(Way::Read),
        };
        hall.sell().await;
        Ok(hall.outcome(&opening))
    })?
}

/// The items written of one booked ticket, for those who need many like it.
///
/// # Errors
/// When it is not booked.
pub fn one_ticket() -> Result<Item, Unmeasured> {
    let plan =
        Plan { seats: 4, shards: 1, crowd: Crowd::Closed(1), paid: false, instances: 1, settings: Settings::default() };
    let hall = Hall::of(plan)?;
    hall.clock.run(async {
        hall.open().await?;
        hall.sell().await;
        let ticket = hall.model.under(TICKETS, "TKT#").first().map(|item| (**item).clone());
        ticket.ok_or_else(|| Unmeasured::NotOnSale("nobody booked".to_owned()))
    })?
}

fn on_sale(plan: Plan) -> Result<Inventory, String> {
    let words = |error: &dyn fmt::Display| error.to_string();
    let terms = Terms {
        event_name: "Hot Sale".parse().map_err(|error| words(&error))?,
        event_date: Timestamp::now().plus_seconds(365 * 24 * 3600),
        total_seats: Quantity::new(plan.seats).map_err(|error| words(&error))?,
        price: Money { amount: Amount::from_minor(4990).map_err(|error| words(&error))?, currency: Currency::Eur },
        location: "The Great Hall by the River".parse().map_err(|error| words(&error))?,
        limits: PurchaseLimits::WIDEST,
    };
    let mut event = Inventory::open(InventoryId::generate(), terms, Timestamp::now());
    // As many shards as are to be measured, whatever the product makes of so many seats.
    event.shards = spread(plan.seats, plan.shards)
        .zip(0..)
        .map(|(available, number)| Shard { number, available, held: 0, sold: 0, reserved: 0 })
        .collect();
    Ok(event)
}

fn trace() -> Trace {
    Trace::begun("hot-sale", Actor::System)
}

/// The counters when the sale began.
struct Opening {
    at: Duration,
    tally: Tally,
    written: f64,
    read: f64,
}

/// One instance of a function: its own client with its own quota of retries, which serves one request at a time.
#[derive(Clone)]
struct Environment {
    desk: Desk,
    sale: Sale,
    inventory: InventoryStore,
}

/// The functions' own configuration: their retries, their time limits. Only the time and the wire are the model's.
pub(crate) fn sdk_config(clock: &Clock, model: impl HttpClient + 'static) -> SdkConfig {
    let credentials = Credentials::new("model", "model", None, None, "hot sale");
    client::sdk_config()
        .into_builder()
        .endpoint_url("http://dynamodb.model")
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(clock.clone()))
        .time_source(SharedTimeSource::new(clock.clone()))
        .http_client(SharedHttpClient::new(model))
        .build()
}

/// Instances, as Lambda keeps them: the one used last is used next, and a new one is made when all are busy.
struct Fleet {
    sdk: SdkConfig,
    most: usize,
    idle: RefCell<Vec<Environment>>,
    made: Cell<usize>,
}

impl Fleet {
    fn new(clock: &Clock, model: &DynamoDb, most: usize) -> Self {
        Self { sdk: sdk_config(clock, model.clone()), most, idle: RefCell::default(), made: Cell::default() }
    }

    /// An idle instance, or a new one; none when the most there can be are busy.
    fn take(&self) -> Option<Environment> {
        let idle = self.idle.borrow_mut().pop();
        if idle.is_some() || self.made.get() == self.most {
            return idle;
        }
        self.made.set(self.made.get() + 1);
        Some(self.environment())
    }

    fn put_back(&self, environment: Environment) {
        self.idle.borrow_mut().push(environment);
    }

    fn environment(&self) -> Environment {
        let config = client::dynamodb(&self.sdk).config().to_builder();
        let config = config.retry_partition(RetryPartition::custom("an instance of its own").build());
        let client = Client::from_conf(config.build());
        let events = EventStore::new(EVENTS);
        let tickets = TicketStore::new(client.clone(), TICKETS, events.clone());
        let inventory = InventoryStore::new(client.clone(), INVENTORY, events.clone());
        let payments = PaymentStore::new(client.clone(), PAYMENTS, events.clone());
        let admissions = AdmissionStore::new(client, ADMISSIONS, events);
        Environment {
            desk: Desk::new(tickets.clone(), inventory.clone(), payments, UserDirectory::new("UsersTable"), 600),
            sale: Sale::new(tickets, inventory.clone(), admissions),
            inventory,
        }
    }
}

/// The notes taken while the sale goes on.
#[derive(Debug, Default)]
struct Books {
    /// When each booking was made, how long its buyer waited, and how many seats it has.
    booked: Vec<(Duration, Duration, u32)>,
    refused: u32,
    wrongly_refused: u32,
    unavailable: u32,
    turned_away: u32,
    failures: Vec<String>,
}

/// Where the sale takes place.
struct Hall {
    plan: Plan,
    clock: Clock,
    model: DynamoDb,
    create_ticket: Fleet,
    confirm_ticket: Fleet,
    event: Inventory,
    random: RefCell<fastrand::Rng>,
    books: RefCell<Books>,
    over: Cell<bool>,
}

enum Step {
    Answered(Option<TicketId>),
    Confirmed,
}

impl Hall {
    fn of(plan: Plan) -> Result<Self, Unmeasured> {
        // The SDK's jitter is drawn from this generator.
        fastrand::seed(plan.settings.seed);
        let clock = Clock::default();
        let model = DynamoDb::new(clock.clone(), schema::tables()?, plan.settings);
        Ok(Self {
            plan,
            create_ticket: Fleet::new(&clock, &model, plan.instances),
            confirm_ticket: Fleet::new(&clock, &model, plan.instances),
            event: on_sale(plan).map_err(Unmeasured::NotOnSale)?,
            random: RefCell::new(fastrand::Rng::with_seed(plan.settings.seed ^ 0x5eed)),
            books: RefCell::default(),
            over: Cell::new(false),
            clock,
            model,
        })
    }

    async fn open(&self) -> Result<(), Unmeasured> {
        let opened = self.create_ticket.environment().inventory.create(&self.event, &trace()).await;
        opened.map_err(|error| Unmeasured::NotOnSale(error.to_string()))
    }

    async fn sell(&self) {
        let mut going_on: FuturesUnordered<LocalBoxFuture<'_, Step>> = FuturesUnordered::new();
        let (mut came, mut there) = (0_u32, 0_u32);
        let mut next_arrival = self.clock.now();
        loop {
            let due = !self.over.get()
                && match self.plan.crowd {
                    Crowd::Closed(buyers) => there < buyers,
                    Crowd::Open(_) => next_arrival <= self.clock.now(),
                };
            if due {
                if let Crowd::Open(rate) = self.plan.crowd {
                    next_arrival += latency::gap(rate, &mut self.random.borrow_mut());
                }
                came += 1;
                there += 1;
                going_on.push(Box::pin(self.buy(came)));
                continue;
            }
            let step = match self.plan.crowd {
                Crowd::Open(_) if !self.over.get() && going_on.is_empty() => {
                    self.clock.until(next_arrival).await;
                    continue;
                }
                Crowd::Open(_) if !self.over.get() => {
                    match select(going_on.next(), pin!(self.clock.until(next_arrival))).await {
                        Either::Left((step, _)) => step,
                        Either::Right(_) => continue,
                    }
                }
                _ => going_on.next().await,
            };
            match step {
                None => return,
                Some(Step::Confirmed) => {}
                Some(Step::Answered(ticket)) => {
                    there -= 1;
                    if let Some(ticket) = ticket.filter(|_| self.plan.paid) {
                        going_on.push(Box::pin(self.pay(ticket)));
                    }
                }
            }
        }
    }

    fn chance(&self) -> f64 {
        self.random.borrow_mut().f64()
    }

    /// A client's reaction to an answer 429 or 503.
    async fn come_again(&self) {
        self.clock.pause(Duration::from_secs_f64(0.5 + self.chance())).await;
    }

    async fn buy(&self, number: u32) -> Step {
        let came = self.clock.now();
        let wanted = self.random.borrow_mut().u32(1..=4);
        let caller = UserId::generate();
        let Ok(quantity) = Quantity::new(wanted) else { return Step::Answered(None) };
        let Ok(key) = format!("hot-sale-{number:07}-7d2e0c1a-4f6b-4a57").parse() else { return Step::Answered(None) };
        let order = Order {
            caller,
            user_id: caller,
            event: EventRef::Id(self.event.id),
            quantity,
            instruction: None,
            expected_total: None,
        };
        let fingerprint = Fingerprint::of(&[&caller.to_string(), &wanted.to_string()]);
        let trace = trace();
        loop {
            let Some(environment) = self.create_ticket.take() else {
                self.books.borrow_mut().turned_away += 1;
                self.come_again().await;
                continue;
            };
            let outcome = Box::pin(environment.desk.book(&order, &key, &fingerprint, &trace)).await;
            self.create_ticket.put_back(environment);
            let now = self.clock.now();
            match outcome {
                Ok(Booked::Created(ticket) | Booked::Replayed(ticket)) => {
                    self.books.borrow_mut().booked.push((now, now.saturating_sub(came), wanted));
                    return Step::Answered(Some(ticket.id));
                }
                Err(BookError::NotForSale(NotForSale::SoldOut { .. })) => {
                    let left = self.shards().iter().map(|shard| shard.available).sum::<i64>();
                    let mut books = self.books.borrow_mut();
                    books.refused += 1;
                    books.wrongly_refused += u32::from(left >= i64::from(wanted));
                    self.over.set(self.over.get() || wanted == 1);
                    return Step::Answered(None);
                }
                Err(BookError::Store(StoreError::Unavailable(_))) => {
                    self.books.borrow_mut().unavailable += 1;
                    self.come_again().await;
                }
                Err(error) => {
                    self.books.borrow_mut().failures.push(error.to_string());
                    // The control breaks the tables: there is no more to be sold from them.
                    self.over.set(true);
                    return Step::Answered(None);
                }
            }
        }
    }

    /// Pays about a second later, and has the saga confirm it.
    async fn pay(&self, ticket: TicketId) -> Step {
        let trace = trace();
        self.clock.pause(Duration::from_secs_f64(0.5 + self.chance())).await;
        loop {
            let Some(environment) = self.confirm_ticket.take() else {
                self.clock.pause(Duration::from_secs_f64(self.chance())).await;
                continue;
            };
            let outcome = Box::pin(environment.sale.confirm(ticket, &trace)).await;
            self.confirm_ticket.put_back(environment);
            match outcome {
                Ok(()) => return Step::Confirmed,
                // As the state machine does: again within a second.
                Err(ChangeError::Store(StoreError::Unavailable(_))) => {
                    self.clock.pause(Duration::from_secs_f64(self.chance())).await;
                }
                Err(error) => {
                    self.books.borrow_mut().failures.push(error.to_string());
                    return Step::Confirmed;
                }
            }
        }
    }

    /// The shards as they lie in the table, whatever the product would make of them.
    fn shards(&self) -> Vec<Counters> {
        let items = self.model.under(INVENTORY, &format!("INV#{}", self.event.id));
        let is_shard = |item: &&std::sync::Arc<Item>| text(item, "sk").starts_with("SHARD#");
        let counters = items.iter().filter(is_shard).map(|item| Counters {
            available: number(item, "available"),
            held: number(item, "held"),
            sold: number(item, "sold"),
        });
        counters.collect()
    }

    fn outcome(&self, opening: &Opening) -> Outcome {
        let mut books = self.books.take();
        let tickets = self.model.under(TICKETS, "TKT#");
        let reservations = self.model.under(INVENTORY, "RSV#");
        let shards = self.shards();
        let sum = |counter: fn(&Counters) -> i64| shards.iter().map(counter).sum::<i64>();
        let (available, held, sold) = (sum(|shard| shard.available), sum(|shard| shard.held), sum(|shard| shard.sold));
        let seats = i64::from(self.plan.seats);
        let seats_of = |items: &[std::sync::Arc<Item>]| items.iter().map(|item| number(item, "quantity")).sum::<i64>();
        let booked = seats_of(&tickets);
        let rules = [
            ("total = available + held + sold", seats == available + held + sold),
            (
                "no counter is below zero",
                shards.iter().all(|shard| shard.available.min(shard.held).min(shard.sold) >= 0),
            ),
            ("held and sold are what the reservations take", held + sold == seats_of(&reservations)),
            ("every ticket has its reservation", booked == seats_of(&reservations)),
            ("every booking that was answered is there", books.booked.len() == tickets.len()),
            ("what is paid is sold, what is not is held", if self.plan.paid { held == 0 } else { sold == 0 }),
            ("nothing is under way", self.model.is_idle()),
        ];
        let broken_rules = rules.into_iter().filter(|(_, kept)| !kept).map(|(rule, _)| rule.to_owned()).collect();
        let tally = self.model.tally() - opening.tally;
        books.booked.sort_unstable();
        let end = books.booked.last().map_or(opening.at, |(at, ..)| *at);
        let mut so_far = 0;
        let most = books.booked.iter().find(|(_, _, quantity)| {
            so_far += *quantity;
            u64::from(so_far) * 20 >= u64::from(self.plan.seats) * 19
        });
        let since = |moment: Duration| moment.saturating_sub(opening.at).as_secs_f64().max(1e-3);
        let (seconds, seconds_of_most) = (since(end), since(most.map_or(end, |(at, ..)| *at)));
        let elapsed = since(self.clock.now());
        let mut waits: Vec<_> = books.booked.iter().map(|(_, wait, _)| *wait).collect();
        waits.sort_unstable();
        let bookings = count(tickets.len());
        let per_booking = |amount: f64| amount / f64::from(bookings.max(1));
        let hottest = |way| self.model.hottest(way).map(|(name, units)| (self.anonymous(&name), units / elapsed));
        Outcome {
            plan: self.plan,
            bookings,
            oversold: difference(booked, seats),
            undersold: difference(seats, booked),
            wrongly_refused: books.wrongly_refused,
            broken_rules,
            refused: books.refused,
            unavailable: books.unavailable,
            turned_away: books.turned_away,
            seconds,
            seconds_of_most,
            bookings_per_second: f64::from(bookings) / seconds,
            seats_per_second: f64::from(self.plan.seats) / seconds,
            most_seats_per_second: f64::from(self.plan.seats) * 0.95 / seconds_of_most,
            tries: per_booking(f64::from(count(usize::try_from(tally.transactions).unwrap_or(usize::MAX)))),
            p50: percentile(&waits, 50),
            p99: percentile(&waits, 99),
            tally,
            hottest_write: hottest(Way::Write),
            hottest_read: hottest(Way::Read),
            write_units: per_booking(self.model.spent(Way::Write) - opening.written),
            read_units: per_booking(self.model.spent(Way::Read) - opening.read),
            instances: self.create_ticket.made.get(),
            failures: books.failures,
        }
    }

    fn anonymous(&self, partition: &str) -> String {
        partition.replace(&self.event.id.to_string(), "…")
    }
}

struct Counters {
    available: i64,
    held: i64,
    sold: i64,
}

fn number(item: &Item, name: &str) -> i64 {
    item.get(name).and_then(|value| value.get("N")?.as_str()?.parse().ok()).unwrap_or(0)
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.get("S")).and_then(Value::as_str).unwrap_or_default()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// How much more the one is than the other.
fn difference(more: i64, less: i64) -> u32 {
    u32::try_from((more - less).max(0)).unwrap_or(u32::MAX)
}

/// The wait that so many in a hundred do not exceed, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(0.0, |wait| wait.as_secs_f64() * 1000.0)
}
