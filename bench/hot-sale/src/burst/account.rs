//! The services of one account, each refusing or delaying as it does.

use super::{
    bucket::Bucket,
    quotas::{Quotas, bucket},
};
use crate::{clock::Clock, latency::Latency};
use serde::Serialize;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// How long things take, in milliseconds. Assumptions: nothing here has been run on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// A read of DynamoDB.
    pub read: Latency,
    /// A write or transaction of DynamoDB.
    pub write: Latency,
    /// A call to another service of AWS.
    pub service: Latency,
    /// From invoking a function to its start, and from its end to the answer.
    pub invocation: Latency,
    /// The extra time of a new execution environment.
    pub cold_start: Latency,
    /// One call to Stripe that is served.
    pub stripe: Latency,
    /// One call to Stripe that is refused.
    pub stripe_refusal: Latency,
    /// From an event's arrival on the bus to its target.
    pub bus: Latency,
    /// The function's own time: docs/performance.md has it at 0.5 to 1.5 ms of a processor for the steps.
    pub own: Latency,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            read: Latency { p50: 3.0, p99: 10.0 },
            write: Latency { p50: 8.0, p99: 25.0 },
            service: Latency { p50: 15.0, p99: 80.0 },
            invocation: Latency { p50: 8.0, p99: 40.0 },
            cold_start: Latency { p50: 120.0, p99: 400.0 },
            stripe: Latency { p50: 500.0, p99: 2_000.0 },
            stripe_refusal: Latency { p50: 50.0, p99: 200.0 },
            bus: Latency { p50: 50.0, p99: 300.0 },
            own: Latency { p50: 1.5, p99: 8.0 },
        }
    }
}

/// The calls of a function that another service may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Reads so many units of a table.
    Read(&'static str, u32),
    /// Writes so many units to tables, in one transaction.
    Write(&'static [(&'static str, u32)]),
    /// Reads a secret: a parameter, decrypted with a key.
    Secret,
    /// Asks one of Stripe's endpoints.
    Stripe(&'static str),
    /// Sends a mail.
    Mail,
    /// Puts up to ten events on the bus.
    PutEvents,
    /// Tells a state machine how a task ended.
    SendTask,
}

/// Refused after the client's own retries: the function fails with `Transient`, or answers 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Lambda had no execution environment for an invocation: `TooManyRequestsException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled;

/// The account.
#[derive(Debug)]
pub struct Account {
    /// The time.
    pub clock: Clock,
    /// Its quotas.
    pub quotas: Quotas,
    times: Times,
    random: RefCell<fastrand::Rng>,
    running: Cell<u32>,
    functions: RefCell<BTreeMap<String, Function>>,
    buckets: RefCell<BTreeMap<(&'static str, &'static str), Bucket>>,
    throttles: RefCell<BTreeMap<&'static str, u64>>,
    invocations: Cell<u64>,
}

#[derive(Debug)]
struct Function {
    idle: u32,
    scaling: Bucket,
    requests: Bucket,
}

impl Account {
    /// An account with these quotas, in which nothing has happened.
    pub fn new(clock: Clock, quotas: Quotas, times: Times, seed: u64) -> Self {
        Self {
            clock,
            quotas,
            times,
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            running: Cell::default(),
            functions: RefCell::default(),
            buckets: RefCell::default(),
            throttles: RefCell::default(),
            invocations: Cell::default(),
        }
    }

    /// How often each service refused or delayed.
    pub fn throttles(&self) -> BTreeMap<&'static str, u64> {
        self.throttles.borrow().clone()
    }

    /// How many invocations were served.
    pub fn invocations(&self) -> u64 {
        self.invocations.get()
    }

    /// Something random.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    /// A part of this duration, evenly distributed: full jitter.
    pub fn part_of(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.draw(fastrand::Rng::f64))
    }

    /// Notes that a service refused or delayed something.
    pub fn note(&self, service: &'static str) {
        *self.throttles.borrow_mut().entry(service).or_default() += 1;
    }

    async fn pause(&self, latency: Latency) {
        let duration = self.draw(|random| latency.draw(random));
        self.clock.pause(duration).await;
    }

    /// Waits for as long as the bus takes to hand an event over.
    pub async fn pass_the_bus(&self) {
        self.pause(self.times.bus).await;
    }

    /// Takes a token of a service that refuses, and notes the refusal.
    pub fn take(&self, service: &'static str, resource: &'static str, tokens: f64, full: Bucket) -> bool {
        let mut buckets = self.buckets.borrow_mut();
        let served = buckets.entry((service, resource)).or_insert(full).take(tokens, self.clock.now());
        drop(buckets);
        if !served {
            self.note(service);
        }
        served
    }

    /// Waits for a token of a service that delays, and notes the delay.
    pub async fn delay(&self, service: &'static str, full: Bucket) {
        let wait = self.buckets.borrow_mut().entry((service, "")).or_insert(full).wait(1.0, self.clock.now());
        if !wait.is_zero() {
            self.note(service);
            self.clock.pause(wait).await;
        }
    }

    /// Begins an invocation, and says whether in a new environment.
    ///
    /// # Errors
    /// When there is no environment for it.
    fn begin(&self, function: &str) -> Result<bool, Throttled> {
        let (quotas, now) = (&self.quotas, self.clock.now());
        if self.running.get() >= quotas.concurrent_executions {
            self.note("Lambda, concurrent executions");
            return Err(Throttled);
        }
        let mut functions = self.functions.borrow_mut();
        let requests = f64::from(quotas.concurrent_executions * quotas.requests_per_execution);
        let function = functions.entry(function.to_owned()).or_insert_with(|| Function {
            idle: 0,
            scaling: bucket(quotas.scaling),
            requests: Bucket::of_rate(requests),
        });
        if !function.requests.take(1.0, now) {
            self.note("Lambda, requests of a function");
            return Err(Throttled);
        }
        let cold = function.idle == 0;
        if cold && !function.scaling.take(1.0, now) {
            self.note("Lambda, scaling of a function");
            return Err(Throttled);
        }
        function.idle -= u32::from(!cold);
        self.running.set(self.running.get() + 1);
        self.invocations.set(self.invocations.get() + 1);
        Ok(cold)
    }

    fn end(&self, function: &str) {
        self.running.set(self.running.get() - 1);
        if let Some(function) = self.functions.borrow_mut().get_mut(function) {
            function.idle += 1;
        }
    }

    /// Invokes a function for something, which is told whether its environment is new.
    ///
    /// # Errors
    /// When there is no environment for it.
    pub async fn invoke<T>(&self, function: &str, work: impl AsyncFnOnce(bool) -> T) -> Result<T, Throttled> {
        let cold = self.begin(function)?;
        self.pause(self.times.invocation).await;
        if cold {
            self.pause(self.times.cold_start).await;
        }
        self.pause(self.times.own).await;
        let outcome = work(cold).await;
        self.end(function);
        Ok(outcome)
    }

    /// Calls a service, with the retries of the functions' own client.
    ///
    /// # Errors
    /// When it is still refused after the last retry.
    pub async fn call(&self, call: Call) -> Result<(), Refused> {
        if let Call::Stripe(endpoint) = call {
            return self.stripe(endpoint).await;
        }
        let config = boxoffice_aws::client::sdk_config();
        let retries = config.retry_config();
        let attempts = retries.map_or(3, aws_config::retry::RetryConfig::max_attempts);
        // Mail is asked for once, since a call that was not answered may have sent it.
        let attempts = if call == Call::Mail { 1 } else { attempts };
        let first = retries.map_or(Duration::from_secs(1), aws_config::retry::RetryConfig::initial_backoff);
        let longest = retries.map_or(Duration::from_secs(20), aws_config::retry::RetryConfig::max_backoff);
        for attempt in 0..attempts {
            if attempt > 0 {
                let wait = first.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(longest);
                self.clock.pause(self.part_of(wait)).await;
            }
            self.pause(match call {
                Call::Read(..) => self.times.read,
                Call::Write(..) => self.times.write,
                _ => self.times.service,
            })
            .await;
            if self.serves(call) {
                return Ok(());
            }
        }
        Err(Refused)
    }

    fn serves(&self, call: Call) -> bool {
        let quotas = &self.quotas;
        match call {
            Call::Read(table, units) => {
                self.take("DynamoDB, reads of a table", table, units.into(), Bucket::of_rate(quotas.table_reads))
            }
            Call::Write(tables) => tables.iter().all(|(table, units)| {
                let full = Bucket::of_rate(quotas.table_writes);
                self.take("DynamoDB, writes of a table", table, (*units).into(), full)
            }),
            Call::Secret => {
                self.take("SSM GetParameter", "", 1.0, Bucket::of_rate(quotas.get_parameter))
                    && self.take("KMS", "", 1.0, Bucket::of_rate(quotas.cryptography))
            }
            Call::Mail => self.take("SES", "", 1.0, Bucket::of_rate(quotas.mails)),
            Call::PutEvents => self.take("EventBridge PutEvents", "", 1.0, Bucket::of_rate(quotas.put_events)),
            Call::SendTask => self.take("Step Functions SendTask*", "", 1.0, bucket(quotas.send_task)),
            Call::Stripe(_) => true,
        }
    }

    /// The product asks Stripe once; a 429 fails the step at once, and the step is tried again by its own rules.
    async fn stripe(&self, endpoint: &'static str) -> Result<(), Refused> {
        let served = self.take("Stripe", "", 1.0, Bucket::of_rate(self.quotas.stripe))
            && self.take("Stripe, one endpoint", endpoint, 1.0, Bucket::of_rate(self.quotas.stripe_endpoint));
        self.pause(if served { self.times.stripe } else { self.times.stripe_refusal }).await;
        if served { Ok(()) } else { Err(Refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::burst::quotas::{NEW_ACCOUNT, US_EAST_1};
    use futures_util::future::join_all;

    fn account(quotas: Quotas) -> Account {
        Account::new(Clock::default(), quotas, Times::default(), 1)
    }

    fn served(account: &Account, at_once: u32) -> usize {
        let invoked = join_all((0..at_once).map(|_| account.invoke("verify-hold", async |_| ())));
        let outcomes = account.clock.run(invoked).unwrap();
        outcomes.into_iter().flatten().count()
    }

    #[test]
    fn an_account_runs_as_many_invocations_at_once_as_its_quota_says() {
        let account = account(NEW_ACCOUNT);
        assert_eq!(served(&account, 25), 10);
        assert_eq!(account.throttles()["Lambda, concurrent executions"], 15);
        assert_eq!(served(&account, 10), 10, "what has ended makes room");
    }

    #[test]
    fn a_function_gains_a_thousand_environments_at_once() {
        let account = account(Quotas { concurrent_executions: 3_000, ..US_EAST_1 });
        assert_eq!(served(&account, 2_000), 1_000);
        assert_eq!(account.throttles()["Lambda, scaling of a function"], 1_000);
    }

    #[test]
    fn an_endpoint_of_stripe_serves_twenty_five_a_second() {
        let account = account(US_EAST_1);
        let asked = join_all((0..60).map(|_| account.call(Call::Stripe("confirm"))));
        let outcomes = account.clock.run(asked).unwrap();
        assert_eq!(outcomes.into_iter().flatten().count(), 25);
    }

    #[test]
    fn the_clients_own_retries_ride_out_a_short_throttle_and_not_a_long_one() {
        let account = account(US_EAST_1);
        let short = join_all((0..60).map(|_| account.call(Call::Secret)));
        assert!(account.clock.run(short).unwrap().into_iter().all(|outcome| outcome == Ok(())));
        let long = join_all((0..1_000).map(|_| account.call(Call::Secret)));
        assert!(account.clock.run(long).unwrap().contains(&Err(Refused)));
    }
}
