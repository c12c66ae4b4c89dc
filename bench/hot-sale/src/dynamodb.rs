//! A model of DynamoDB in memory, behind the SDK's own HTTP interface: the operations that the booking path uses, with DynamoDB's answers, its limits
//! of one partition, its conflicts between transactions, and time that passes. It refuses any other request as a `ValidationException`.
//!
//! Where DynamoDB's documents leave room, the model takes what is worse for a sale:
//!
//! - A transaction keeps every item it names from the moment it is sent until it is answered, also one that is going to be cancelled. DynamoDB keeps them
//!   between prepare and commit.
//! - It pays for every item in full, also when it is cancelled. Only what was throttled is free.
//! - A read answers with what was there when it was sent; one that is not consistent with what was there up to [`Settings::staleness`] before.
//! - Entries of indexes are paid in the same instant, and an index without units left throttles the write to its table.

use crate::{
    clock::Clock,
    expression::{self, Item, Placeholders, Unknown},
    latency::Latency,
    limits::{Limits, Partition, Partitions, Way},
    schema::{Keys, Schema},
    units, wire,
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Sub,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The model's assumptions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The capacity of one partition.
    pub limits: Limits,
    /// How long `GetItem`, `BatchGetItem` and `Query` take.
    pub reads: Latency,
    /// How long `TransactWriteItems` takes, and keeps its items.
    pub transactions: Latency,
    /// How old an eventually consistent read may be, in milliseconds.
    pub staleness: f64,
    /// Whether conditions are evaluated. A model without them is there to see whether the measurement notices.
    pub conditions: bool,
    /// Whether buyers' pools are kept. Without them a transaction's part about a pool takes nothing and refuses nothing: the same sale without purchase limits.
    pub pools: bool,
    /// The latencies to draw from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            reads: Latency { p50: 3.0, p99: 10.0 },
            transactions: Latency { p50: 8.0, p99: 25.0 },
            staleness: 20.0,
            conditions: true,
            pools: true,
            seed: 1,
        }
    }
}

/// The requests that the model got, and its answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Calls that read.
    pub reads: u64,
    /// Those of them turned down for want of units.
    pub reads_throttled: u64,
    /// Transactions.
    pub transactions: u64,
    /// Those of them committed.
    pub committed: u64,
    /// Cancelled, among others since another transaction had one of the items.
    pub conflicts: u64,
    /// Cancelled, among others for want of units.
    pub throttled: u64,
    /// Cancelled, among others since a condition did not hold.
    pub refused: u64,
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            reads: self.reads - other.reads,
            reads_throttled: self.reads_throttled - other.reads_throttled,
            transactions: self.transactions - other.transactions,
            committed: self.committed - other.committed,
            conflicts: self.conflicts - other.conflicts,
            throttled: self.throttled - other.throttled,
            refused: self.refused - other.refused,
        }
    }
}

/// The model. Clones share their tables.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    clock: Clock,
    settings: Settings,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    schemas: BTreeMap<String, Schema>,
    items: HashMap<String, BTreeMap<Key, History>>,
    partitions: Partitions,
    /// Items that transactions under way have, by table.
    taken: HashSet<(String, Key)>,
    /// Requests by their tokens: under way, or committed.
    requests: HashMap<String, Request>,
    tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    UnderWay,
    Committed,
}

/// An item's key: of which partition, and which item of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key(String, String);

/// The versions of an item, each with its time; the last one is current.
#[derive(Debug, Default)]
struct History(Vec<(Duration, Option<Arc<Item>>)>);

impl History {
    fn at(&self, moment: Duration) -> Option<&Arc<Item>> {
        self.0.iter().rev().find(|(since, _)| *since <= moment).and_then(|(_, item)| item.as_ref())
    }

    fn now(&self) -> Option<&Arc<Item>> {
        self.0.last().and_then(|(_, item)| item.as_ref())
    }

    fn write(&mut self, item: Option<Item>, now: Duration, forget_before: Duration) {
        let known = self.0.iter().rposition(|(since, _)| *since <= forget_before).unwrap_or(0);
        self.0.drain(..known);
        self.0.push((now, item.map(Arc::new)));
    }
}

/// An error as DynamoDB answers it.
#[derive(Debug)]
struct Failure {
    code: &'static str,
    message: String,
    reasons: Option<Vec<Value>>,
}

impl Failure {
    fn invalid(why: impl ToString) -> Self {
        Self { code: "ValidationException", message: why.to_string(), reasons: None }
    }

    fn throttled() -> Self {
        let message = "The level of configured provisioned throughput for the table was exceeded.".to_owned();
        Self { code: "ProvisionedThroughputExceededException", message, reasons: None }
    }

    fn is_throttled(&self) -> bool {
        self.code == "ProvisionedThroughputExceededException"
    }

    fn body(&self) -> Value {
        let mut body =
            json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{}", self.code), "message": self.message });
        if let (Some(body), Some(reasons)) = (body.as_object_mut(), &self.reasons) {
            // This one error spells its message with a capital.
            body.insert("Message".to_owned(), Value::String(self.message.clone()));
            body.insert("CancellationReasons".to_owned(), Value::Array(reasons.clone()));
        }
        body
    }
}

impl From<Unknown> for Failure {
    fn from(unknown: Unknown) -> Self {
        Self::invalid(unknown)
    }
}

type Answer = Result<Value, Failure>;

/// A transaction that was sent and will be answered.
#[derive(Debug)]
struct UnderWay {
    token: Option<String>,
    taken: Vec<(String, Key)>,
    writes: Vec<(String, Key, Option<Item>)>,
    cancelled: Option<Vec<Value>>,
}

enum Sent {
    Answered(Answer),
    UnderWay(UnderWay),
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, Failure> {
    value.get(name).ok_or_else(|| Failure::invalid(format!("{name} is missing")))
}

fn string<'a>(value: &'a Value, name: &str) -> Result<&'a str, Failure> {
    field(value, name)?.as_str().ok_or_else(|| Failure::invalid(format!("{name} is no string")))
}

fn item_of<'a>(value: &'a Value, name: &str) -> Result<&'a Item, Failure> {
    field(value, name)?.as_object().ok_or_else(|| Failure::invalid(format!("{name} is no item")))
}

fn scalar(item: &Item, name: &str) -> Option<String> {
    let value = item.get(name)?;
    value.get("S").or_else(|| value.get("N"))?.as_str().map(str::to_owned)
}

/// How the key of a buyer's pool begins.
const BUYER: &str = "BUYER#";

fn key(item: &Item, keys: &Keys) -> Result<Key, Failure> {
    let part = |name: &str| scalar(item, name).ok_or_else(|| Failure::invalid(format!("the key lacks {name}")));
    Ok(Key(part(&keys.hash)?, keys.range.as_deref().map_or(Ok(String::new()), part)?))
}

/// The item's entry in an index: in which partition of it, at which place.
fn entry(item: Option<&Item>, index: &Keys) -> Option<Key> {
    key(item?, index).ok()
}

impl State {
    fn schema(&self, table: &str) -> Result<&Schema, Failure> {
        self.schemas.get(table).ok_or_else(|| Failure::invalid(format!("there is no table {table}")))
    }

    fn latest(&self, table: &str, key: &Key) -> Option<&Arc<Item>> {
        self.items.get(table)?.get(key)?.now()
    }

    fn partition_name(table: &str, key: &Key, partition: Partition) -> String {
        match partition {
            Partition::Key => format!("{table} {}", key.0),
            Partition::Item => format!("{table} {} {}", key.0, key.1),
        }
    }
}

/// The effect of a part of a transaction on its item.
enum Write {
    Nothing,
    Put(Item),
    Delete,
}

/// One part of a transaction, understood.
struct Part<'a> {
    table: &'a str,
    key: Key,
    before: Option<Arc<Item>>,
    write: Write,
    /// Whether its condition holds.
    holds: bool,
    wants_item: bool,
    /// Whether the model looks at it at all.
    kept: bool,
}

impl DynamoDb {
    /// Empty tables of these shapes.
    pub fn new(clock: Clock, schemas: BTreeMap<String, Schema>, settings: Settings) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(settings.seed),
            schemas,
            items: HashMap::new(),
            partitions: Partitions::new(settings.limits),
            taken: HashSet::new(),
            requests: HashMap::new(),
            tally: Tally::default(),
        };
        Self { clock, settings, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests so far.
    pub fn tally(&self) -> Tally {
        self.state().tally
    }

    /// The partition that was asked for most units, and how many it gave.
    pub fn hottest(&self, way: Way) -> Option<(String, f64)> {
        self.state().partitions.hottest(way).map(|(name, units)| (name.to_owned(), units))
    }

    /// All units taken.
    pub fn spent(&self, way: Way) -> f64 {
        self.state().partitions.spent(way)
    }

    /// Whether any transaction is under way.
    pub fn is_idle(&self) -> bool {
        self.state().taken.is_empty()
    }

    /// The items of a table whose partition keys begin so, as they are.
    pub fn under(&self, table: &str, prefix: &str) -> Vec<Arc<Item>> {
        let state = self.state();
        let from = Key(prefix.to_owned(), String::new());
        let items = state.items.get(table).into_iter().flat_map(|items| items.range(from.clone()..));
        let items = items.take_while(|(key, _)| key.0.starts_with(prefix));
        items.filter_map(|(_, history)| history.now().cloned()).collect()
    }

    async fn answer(&self, operation: &str, request: Value) -> Answer {
        match operation {
            "TransactWriteItems" => match self.send(&request) {
                Sent::Answered(answer) => {
                    self.pass(self.settings.transactions).await;
                    answer
                }
                Sent::UnderWay(transaction) => {
                    self.pass(self.settings.transactions).await;
                    self.finish(transaction)
                }
            },
            "PutItem" => self.put(request).await,
            "GetItem" | "BatchGetItem" | "Query" => {
                let answer = self.read(operation, &request);
                self.pass(self.settings.reads).await;
                answer
            }
            "UpdateItem" => {
                let answer = self.update(&request);
                self.pass(self.settings.reads).await;
                answer
            }
            _ => Err(Failure::invalid(format!("this model does not know the operation {operation}"))),
        }
    }

    /// One item written by itself: half of a transaction's price, and refused while a transaction has the item. It answers the item as it became.
    fn update(&self, request: &Value) -> Answer {
        let now = self.clock.now();
        let forget_before = now.saturating_sub(Duration::from_secs_f64(self.settings.staleness / 1000.0));
        let mut state = self.state();
        let alone = json!({ "Update": request });
        let part = self.understand(&state, &alone)?;
        let prices = self.price(&state, &part)?;
        if !prices.iter().all(|(partition, _)| state.partitions.serves(Way::Write, partition, now)) {
            state.tally.throttled += 1;
            return Err(Failure::throttled());
        }
        for (partition, units) in prices {
            state.partitions.charge(Way::Write, &partition, units / 2.0, now);
        }
        let failed = |code| Failure { code, message: "The update did not happen".to_owned(), reasons: None };
        if state.taken.contains(&(part.table.to_owned(), part.key.clone())) {
            state.tally.conflicts += 1;
            return Err(failed("TransactionConflictException"));
        }
        let Write::Put(after) = part.write else {
            state.tally.refused += 1;
            return Err(failed("ConditionalCheckFailedException"));
        };
        let answer = json!({ "Attributes": after });
        let history = state.items.entry(part.table.to_owned()).or_default().entry(part.key).or_default();
        history.write(Some(after), now, forget_before);
        Ok(answer)
    }

    /// A write by itself is taken for a transaction of one item, at a transaction's price and in its time.
    async fn put(&self, request: Value) -> Answer {
        let sent = self.send(&json!({ "TransactItems": [{ "Put": request }] }));
        self.pass(self.settings.transactions).await;
        let answer = match sent {
            Sent::Answered(answer) => answer,
            Sent::UnderWay(transaction) => self.finish(transaction),
        };
        answer.map_err(|failure| {
            let reason = failure.reasons.as_ref().and_then(|reasons| reasons.first()?.get("Code")?.as_str());
            match reason {
                Some("ConditionalCheckFailed") => Failure {
                    code: "ConditionalCheckFailedException",
                    message: "The conditional request failed".to_owned(),
                    reasons: None,
                },
                Some("TransactionConflict") => Failure {
                    code: "TransactionConflictException",
                    message: "Transaction is ongoing for the item".to_owned(),
                    reasons: None,
                },
                Some("ThrottlingError") => Failure::throttled(),
                _ => failure,
            }
        })
    }

    async fn pass(&self, latency: Latency) {
        let duration = latency.draw(&mut self.state().random);
        self.clock.pause(duration).await;
    }

    fn read(&self, operation: &str, request: &Value) -> Answer {
        let mut state = self.state();
        state.tally.reads += 1;
        let age = Duration::from_secs_f64(self.settings.staleness / 1000.0 * state.random.f64());
        let answer = match operation {
            "GetItem" => self.get(&mut state, request, age),
            "BatchGetItem" => self.batch_get(&mut state, request, age),
            _ => self.query(&mut state, request, age),
        };
        state.tally.reads_throttled += u64::from(matches!(&answer, Err(failure) if failure.is_throttled()));
        answer
    }

    /// Whether a read is to be consistent, and the moment it looks at.
    fn as_of(&self, request: &Value, age: Duration) -> (bool, Duration) {
        let now = self.clock.now();
        let consistent = request.get("ConsistentRead").and_then(Value::as_bool).unwrap_or(false);
        (consistent, if consistent { now } else { now.saturating_sub(age) })
    }

    /// One item, where its partition has units left to read it.
    fn look_up(
        &self,
        state: &mut State,
        table: &str,
        named: &Item,
        (consistent, as_of): (bool, Duration),
    ) -> Result<Option<Arc<Item>>, Failure> {
        let key = key(named, &state.schema(table)?.keys)?;
        let item = state.items.get(table).and_then(|items| items.get(&key)).and_then(|item| item.at(as_of)).cloned();
        let units = units::read(item.as_deref().map_or(0, units::size), consistent);
        let partition = State::partition_name(table, &key, self.settings.limits.partition);
        let served = state.partitions.take(Way::Read, &partition, units, self.clock.now());
        if served { Ok(item) } else { Err(Failure::throttled()) }
    }

    fn get(&self, state: &mut State, request: &Value, age: Duration) -> Answer {
        let as_of = self.as_of(request, age);
        let item = self.look_up(state, string(request, "TableName")?, item_of(request, "Key")?, as_of)?;
        Ok(item.map_or_else(|| json!({}), |item| json!({ "Item": *item })))
    }

    fn batch_get(&self, state: &mut State, request: &Value, age: Duration) -> Answer {
        let (mut found, mut left) = (Item::new(), Item::new());
        for (table, wanted) in item_of(request, "RequestItems")? {
            let as_of = self.as_of(wanted, age);
            let keys = field(wanted, "Keys")?.as_array().ok_or_else(|| Failure::invalid("Keys is no list"))?;
            let (mut items, mut unprocessed) = (Vec::new(), Vec::new());
            for wanted in keys {
                let named = wanted.as_object().ok_or_else(|| Failure::invalid("a key is no item"))?;
                match self.look_up(state, table, named, as_of) {
                    Ok(item) => items.extend(item.map(|item| json!(*item))),
                    Err(failure) if failure.is_throttled() => unprocessed.push(wanted.clone()),
                    Err(failure) => return Err(failure),
                }
            }
            // Only a batch of which nothing at all was read fails.
            if unprocessed.len() == keys.len() {
                return Err(Failure::throttled());
            }
            found.insert(table.clone(), Value::Array(items));
            if !unprocessed.is_empty() {
                left.insert(table.clone(), json!({ "Keys": unprocessed, "ConsistentRead": as_of.0 }));
            }
        }
        Ok(json!({ "Responses": found, "UnprocessedKeys": left }))
    }

    fn query(&self, state: &mut State, request: &Value, age: Duration) -> Answer {
        const UNKNOWN: [&str; 5] =
            ["IndexName", "FilterExpression", "Limit", "ExclusiveStartKey", "ProjectionExpression"];
        if let Some(unknown) = UNKNOWN.iter().find(|option| request.get(**option).is_some()) {
            return Err(Failure::invalid(format!("this model does not know a query's {unknown}")));
        }
        let (consistent, as_of) = self.as_of(request, age);
        let table = string(request, "TableName")?;
        let (name, value) = expression::sought(string(request, "KeyConditionExpression")?, Placeholders::of(request))?;
        if state.schema(table)?.keys.hash != name {
            return Err(Failure::invalid(format!("{name} is not the partition key of {table}")));
        }
        let hash = value.get("S").and_then(Value::as_str).unwrap_or_default();
        let range = Key(hash.to_owned(), String::new())..=Key(hash.to_owned(), char::MAX.to_string());
        let all = state.items.get(table).into_iter().flat_map(|items| items.range(range.clone()));
        let found: Vec<_> = all.filter_map(|(key, history)| Some((key.clone(), history.at(as_of)?.clone()))).collect();
        // Split by items, each partition that it crosses is asked for its part, and one that has none left turns the whole query down.
        let parts: Vec<_> = match self.settings.limits.partition {
            Partition::Key => {
                let bytes = found.iter().map(|(_, item)| units::size(item)).sum();
                vec![(format!("{table} {hash}"), units::read(bytes, consistent))]
            }
            Partition::Item => found
                .iter()
                .map(|(key, item)| {
                    let units = units::read(units::size(item), consistent);
                    (State::partition_name(table, key, Partition::Item), units)
                })
                .collect(),
        };
        let now = self.clock.now();
        if parts.iter().all(|(partition, units)| state.partitions.take(Way::Read, partition, *units, now)) {
            Ok(json!({ "Items": found.iter().map(|(_, item)| &**item).collect::<Vec<_>>() }))
        } else {
            Err(Failure::throttled())
        }
    }

    fn send(&self, request: &Value) -> Sent {
        let token = request.get("ClientRequestToken").and_then(Value::as_str).map(str::to_owned);
        let mut state = self.state();
        if let Some(known) = token.as_ref().and_then(|token| state.requests.get(token)) {
            return Sent::Answered(match known {
                Request::Committed => Ok(json!({})),
                Request::UnderWay => Err(Failure {
                    code: "TransactionInProgressException",
                    message: "The transaction with the given request token is already in progress.".to_owned(),
                    reasons: None,
                }),
            });
        }
        state.tally.transactions += 1;
        match self.prepare(&mut state, request) {
            Ok(mut transaction) => {
                if let Some(token) = &token {
                    state.requests.insert(token.clone(), Request::UnderWay);
                }
                transaction.token = token;
                Sent::UnderWay(transaction)
            }
            Err(failure) => Sent::Answered(Err(failure)),
        }
    }

    fn prepare(&self, state: &mut State, request: &Value) -> Result<UnderWay, Failure> {
        /// The most items a transaction has.
        const MOST: usize = 100;
        let now = self.clock.now();
        let parts = field(request, "TransactItems")?.as_array().ok_or_else(|| Failure::invalid("no items"))?;
        if parts.len() > MOST {
            return Err(Failure::invalid(format!("{} items are more than {MOST}", parts.len())));
        }
        let parts = parts.iter().map(|part| self.understand(state, part)).collect::<Result<Vec<_>, _>>()?;
        let named: HashSet<_> = parts.iter().map(|part| (part.table, &part.key)).collect();
        if named.len() < parts.len() {
            return Err(Failure::invalid("Transaction request cannot include multiple operations on one item"));
        }
        let mut transaction = UnderWay { token: None, taken: Vec::new(), writes: Vec::new(), cancelled: None };
        let (mut conflicts, mut throttled, mut refused) = (false, false, false);
        let prices = parts.iter().map(|part| self.price(state, part)).collect::<Result<Vec<_>, _>>()?;
        // A partition serves all that a transaction wants of it, or none.
        let wanted: HashSet<_> = prices.iter().flatten().map(|(partition, _)| partition.as_str()).collect();
        let serving: HashSet<_> =
            wanted.into_iter().filter(|partition| state.partitions.serves(Way::Write, partition, now)).collect();
        let mut reasons = Vec::new();
        for (part, price) in parts.into_iter().zip(&prices) {
            if !part.kept {
                reasons.push(json!({ "Code": "None" }));
                continue;
            }
            let place = (part.table.to_owned(), part.key.clone());
            let served = price.iter().all(|(partition, _)| serving.contains(partition.as_str()));
            if served {
                for (partition, units) in price {
                    state.partitions.charge(Way::Write, partition, *units, now);
                }
            }
            reasons.push(if !served {
                throttled = true;
                json!({ "Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity." })
            } else if state.taken.contains(&place) {
                conflicts = true;
                json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" })
            } else {
                state.taken.insert(place.clone());
                transaction.taken.push(place);
                if part.holds {
                    json!({ "Code": "None" })
                } else {
                    refused = true;
                    let mut reason =
                        json!({ "Code": "ConditionalCheckFailed", "Message": "The conditional request failed" });
                    if let (true, Some(item), Some(reason)) = (part.wants_item, &part.before, reason.as_object_mut()) {
                        reason.insert("Item".to_owned(), json!(**item));
                    }
                    reason
                }
            });
            match part.write {
                Write::Nothing => {}
                Write::Put(item) => transaction.writes.push((part.table.to_owned(), part.key, Some(item))),
                Write::Delete => transaction.writes.push((part.table.to_owned(), part.key, None)),
            }
        }
        state.tally.conflicts += u64::from(conflicts);
        state.tally.throttled += u64::from(throttled);
        state.tally.refused += u64::from(refused);
        transaction.cancelled = (conflicts || throttled || refused).then_some(reasons);
        Ok(transaction)
    }

    fn understand<'a>(&self, state: &State, part: &'a Value) -> Result<Part<'a>, Failure> {
        let one =
            part.as_object().and_then(|part| part.iter().next()).filter(|_| part.as_object().map_or(0, Item::len) == 1);
        let (kind, part) = one.ok_or_else(|| Failure::invalid("a part of a transaction does one thing"))?;
        let table = string(part, "TableName")?;
        let keys = &state.schema(table)?.keys;
        let named = if kind == "Put" { item_of(part, "Item")? } else { item_of(part, "Key")? };
        let key = key(named, keys)?;
        let before = state.latest(table, &key).cloned();
        let nothing = Item::new();
        let current = before.as_deref().unwrap_or(&nothing);
        let placeholders = Placeholders::of(part);
        let holds = match part.get("ConditionExpression").and_then(Value::as_str) {
            Some(condition) => expression::holds(condition, current, placeholders)? || !self.settings.conditions,
            None => true,
        };
        let write = match kind.as_str() {
            "Put" => Write::Put(named.clone()),
            "Delete" => Write::Delete,
            "ConditionCheck" => Write::Nothing,
            // Nobody reads the item that a refused update would have made.
            "Update" if !holds => Write::Nothing,
            "Update" => {
                let mut after = expression::updated(string(part, "UpdateExpression")?, current, placeholders)?;
                after.extend(named.clone());
                Write::Put(after)
            }
            _ => return Err(Failure::invalid(format!("this model does not know a transaction's {kind}"))),
        };
        let wants_item = part.get("ReturnValuesOnConditionCheckFailure").and_then(Value::as_str) == Some("ALL_OLD");
        let kept = self.settings.pools || !key.0.starts_with(BUYER);
        Ok(Part { table, key, before, write, holds, wants_item, kept })
    }

    /// The units that one part takes of its partitions: of its item's, and of those of its entries in indexes that change.
    fn price(&self, state: &State, part: &Part<'_>) -> Result<Vec<(String, f64)>, Failure> {
        if !part.kept {
            return Ok(Vec::new());
        }
        let before = part.before.as_deref();
        let after = match &part.write {
            Write::Nothing => before,
            Write::Put(item) => Some(item),
            Write::Delete => None,
        };
        let name = State::partition_name(part.table, &part.key, self.settings.limits.partition);
        let mut price = vec![(name, units::transactional_write(before, after))];
        for (index, keys) in &state.schema(part.table)?.indexes {
            let (old, new) = (entry(before, keys), entry(after, keys));
            // An entry that stays where it is and projects keys only is not written again.
            let entries = if old == new { [None, None] } else { [old, new] };
            let entries = entries.into_iter().flatten();
            price.extend(entries.map(|entry| (format!("{}/{index} {}", part.table, entry.0), 1.0)));
        }
        Ok(price)
    }

    fn finish(&self, transaction: UnderWay) -> Answer {
        let now = self.clock.now();
        let forget_before = now.saturating_sub(Duration::from_secs_f64(self.settings.staleness / 1000.0));
        let mut state = self.state();
        for place in &transaction.taken {
            state.taken.remove(place);
        }
        if let Some(reasons) = transaction.cancelled {
            if let Some(token) = transaction.token {
                state.requests.remove(&token);
            }
            let codes: Vec<_> = reasons.iter().filter_map(|reason| reason.get("Code")?.as_str()).collect();
            let message = format!(
                "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                codes.join(", ")
            );
            return Err(Failure { code: "TransactionCanceledException", message, reasons: Some(reasons) });
        }
        state.tally.committed += 1;
        for (table, key, after) in transaction.writes {
            let history = state.items.entry(table).or_default().entry(key).or_default();
            history.write(after, now, forget_before);
        }
        if let Some(token) = transaction.token {
            state.requests.insert(token, Request::Committed);
        }
        Ok(json!({}))
    }
}

impl HttpConnector for DynamoDb {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let model = self.clone();
        let asked = wire::asked(&request);
        HttpConnectorFuture::new(async move {
            let (operation, request) = asked?;
            match model.answer(&operation, request).await {
                Ok(answer) => wire::answered(200, &answer),
                Err(failure) => wire::answered(400, &failure.body()),
            }
        })
    }
}

impl HttpClient for DynamoDb {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use futures_util::future::join;

    fn model(settings: Settings) -> DynamoDb {
        DynamoDb::new(Clock::default(), schema::tables().unwrap(), settings)
    }

    fn steady() -> Settings {
        let ten = Latency { p50: 10.0, p99: 10.0 };
        Settings { reads: ten, transactions: ten, ..Settings::default() }
    }

    fn put(pk: &str) -> Value {
        json!({ "Put": { "TableName": "InventoryTable", "Item": { "pk": { "S": pk }, "sk": { "S": "X" } }, "ConditionExpression": "attribute_not_exists(pk)" } })
    }

    fn transaction(parts: &[Value]) -> Value {
        json!({ "TransactItems": parts })
    }

    fn codes(answer: &Answer) -> Vec<String> {
        let reasons = answer.as_ref().unwrap_err().reasons.as_ref().unwrap();
        reasons.iter().map(|reason| reason["Code"].as_str().unwrap().to_owned()).collect()
    }

    fn write(model: &DynamoDb, request: Value) -> Answer {
        model.clock.run(model.answer("TransactWriteItems", request)).unwrap()
    }

    fn read(model: &DynamoDb, pk: &str, consistent: bool) -> Value {
        let key = json!({ "pk": { "S": pk }, "sk": { "S": "X" } });
        let request = json!({ "TableName": "InventoryTable", "Key": key, "ConsistentRead": consistent });
        model.clock.run(model.answer("GetItem", request)).unwrap().unwrap()
    }

    #[test]
    fn a_transaction_writes_all_or_nothing() {
        let model = model(steady());
        write(&model, transaction(&[put("a")])).unwrap();
        let again = write(&model, transaction(&[put("b"), put("a")]));
        assert_eq!(codes(&again), ["None", "ConditionalCheckFailed"]);
        assert_eq!(model.under("InventoryTable", "").len(), 1);
        assert!(model.is_idle());
    }

    #[test]
    fn the_later_of_two_transactions_on_one_item_is_cancelled() {
        let model = model(steady());
        let first = model.answer("TransactWriteItems", transaction(&[put("a")]));
        let later = async {
            model.clock.pause(Duration::from_millis(5)).await;
            model.answer("TransactWriteItems", transaction(&[put("b"), put("a")])).await
        };
        let (first, later) = model.clock.run(join(first, later)).unwrap();
        first.unwrap();
        assert_eq!(codes(&later), ["None", "TransactionConflict"]);
        assert_eq!(model.tally(), Tally { transactions: 2, committed: 1, conflicts: 1, ..Tally::default() });
    }

    #[test]
    fn a_transaction_that_will_be_cancelled_keeps_its_items_as_long() {
        let model = model(steady());
        write(&model, transaction(&[put("a")])).unwrap();
        let refused = model.answer("TransactWriteItems", transaction(&[put("a"), put("b")]));
        let (_, later) =
            model.clock.run(join(refused, model.answer("TransactWriteItems", transaction(&[put("b")])))).unwrap();
        assert_eq!(codes(&later), ["TransactionConflict"]);
    }

    #[test]
    fn a_partition_that_has_given_its_units_throttles() {
        let model = model(steady());
        // A hundred units are there at once, and each of these takes two.
        let all = (0..60).map(|number| {
            let item = json!({ "pk": { "S": "INV#1" }, "sk": { "S": format!("{number:03}") } });
            transaction(&[json!({ "Put": { "TableName": "InventoryTable", "Item": item } })])
        });
        let all = all.map(|request| model.answer("TransactWriteItems", request));
        let all = model.clock.run(futures_util::future::join_all(all)).unwrap();
        assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 50);
        assert_eq!(codes(&all[59]), ["ThrottlingError"]);
        assert_eq!(model.tally().throttled, 10);
    }

    #[test]
    fn items_of_a_key_share_a_partition_until_it_is_split() {
        for (partition, sold) in [(Partition::Key, 50), (Partition::Item, 60)] {
            let model = model(Settings { limits: Limits { partition, ..Limits::default() }, ..steady() });
            let all = (0..60).map(|number| {
                let item = json!({ "pk": { "S": "INV#1" }, "sk": { "S": format!("{number:03}") } });
                transaction(&[json!({ "Put": { "TableName": "InventoryTable", "Item": item } })])
            });
            let all = all.map(|request| model.answer("TransactWriteItems", request));
            model.clock.run(futures_util::future::join_all(all)).unwrap();
            assert_eq!(model.tally().committed, sold);
        }
    }

    #[test]
    fn an_index_without_units_throttles_its_table() {
        let model = model(steady());
        let all = (0..110).map(|number| {
            let item = json!({
                "pk": { "S": format!("TKT#{number}") }, "sk": { "S": "TICKET" },
                "gsi1pk": { "S": "USER#1" }, "gsi1sk": { "S": number.to_string() }
            });
            transaction(&[json!({ "Put": { "TableName": "TicketsTable", "Item": item } })])
        });
        let all = all.map(|request| model.answer("TransactWriteItems", request));
        model.clock.run(futures_util::future::join_all(all)).unwrap();
        assert_eq!(model.tally().throttled, 10);
    }

    #[test]
    fn one_token_is_one_transaction() {
        let model = model(steady());
        let mut request = transaction(&[put("a")]);
        request["ClientRequestToken"] = json!("token");
        let first = model.answer("TransactWriteItems", request.clone());
        let (first, second) =
            model.clock.run(join(first, model.answer("TransactWriteItems", request.clone()))).unwrap();
        first.unwrap();
        assert_eq!(second.unwrap_err().code, "TransactionInProgressException");
        write(&model, request).unwrap();
        assert_eq!(model.tally().committed, 1);
    }

    #[test]
    fn a_consistent_read_sees_what_is_and_another_what_was_a_moment_ago() {
        let model = model(Settings { staleness: 1000.0, ..steady() });
        write(&model, transaction(&[put("a")])).unwrap();
        assert!(read(&model, "a", true).get("Item").is_some());
        let fresh = (0..20).filter(|_| read(&model, "a", false).get("Item").is_some()).count();
        assert!((1..20).contains(&fresh), "{fresh}");
        model.clock.run(model.clock.pause(Duration::from_secs(1))).unwrap();
        assert!(read(&model, "a", false).get("Item").is_some());
    }

    #[test]
    fn the_model_refuses_unknown_expressions() {
        let model = model(steady());
        for (operation, request) in [
            ("Scan", json!({ "TableName": "InventoryTable" })),
            ("UpdateItem", json!({})),
            ("DeleteItem", json!({})),
            ("Query", json!({ "TableName": "InventoryTable", "IndexName": "gsi1" })),
            ("TransactWriteItems", transaction(&[put("a"), put("a")])),
            ("TransactWriteItems", transaction(&[json!({ "Put": { "TableName": "none" } })])),
        ] {
            let answer = model.clock.run(model.answer(operation, request)).unwrap();
            assert_eq!(answer.unwrap_err().code, "ValidationException", "{operation}");
        }
    }

    #[test]
    fn without_conditions_everything_is_written() {
        let model = model(Settings { conditions: false, ..steady() });
        write(&model, transaction(&[put("a")])).unwrap();
        write(&model, transaction(&[put("a")])).unwrap();
        assert_eq!(model.tally().refused, 0);
    }
}
