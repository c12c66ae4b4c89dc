//! Crowds of bookings, interleaved request by request; and flaws that some few of them must notice.
//!
//! `BOXOFFICE_CROWDS=<number>` plays more of them on the embedded emulator (`make crowds`). `BOXOFFICE_CROWDS_SEED=<seed>` plays others: the first has this seed, and each
//! further one the next. A crowd that breaks a rule says its seed, which with `BOXOFFICE_CROWDS=1` plays it again; kept here, that is its test.

use boxoffice_sequences::{
    crowd::{Crowd, Fallen, Played},
    house::Flaw,
};
use boxoffice_testing::{Database, for_each_dynamodb};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::task::{JoinSet, spawn_blocking};

const CROWDS: u64 = 2;
const BOOKINGS: usize = 50;
/// Moto takes several times as long for a request, and gets one crowd of so many.
const BOOKINGS_ON_MOTO: usize = 8;
/// So many crowds share tables: fuller ones are slower.
const ON_THE_SAME_TABLES: u64 = 10;
/// So many are played at the same time. That changes none of them.
const AT_ONCE: u64 = 2;
/// While many are played, a line is printed after so many.
const REPORTED: u64 = 20;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

async fn play(database: &Database, crowd: Crowd, flaw: Option<Flaw>) -> Result<Played, Box<Fallen>> {
    let database = database.clone();
    spawn_blocking(move || crowd.play(&database, flaw)).await.unwrap()
}

async fn plays(database: &Database, crowd: Crowd) -> Played {
    play(database, crowd, None).await.unwrap_or_else(|fallen| panic!("{fallen}"))
}

/// Crowds that are played, and what they have come to.
#[derive(Debug, Clone)]
struct Run {
    seed: u64,
    crowds: u64,
    began: Instant,
    played: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

impl Run {
    fn report(&self, last: &Played) {
        let requests = self.requests.fetch_add(last.requests as u64, Ordering::SeqCst) + last.requests as u64;
        let played = self.played.fetch_add(1, Ordering::SeqCst) + 1;
        if self.crowds > REPORTED && !played.is_multiple_of(REPORTED) {
            return;
        }
        let Played { calls, mishaps, sold_out, confirmed, cancelled, .. } = last;
        println!(
            "{played} crowds, {requests} requests, {:.0?}; the last: {calls} calls, {mishaps} mishaps, {confirmed} confirmed, {cancelled} cancelled, {sold_out} times sold out",
            self.began.elapsed()
        );
    }

    /// Plays those with these numbers.
    async fn some(&self, database: &Database, numbers: Range<u64>) {
        let mut workers = JoinSet::new();
        for worker in 0..AT_ONCE {
            let (run, database, numbers) = (self.clone(), database.clone(), numbers.clone());
            workers.spawn(async move {
                for number in numbers.filter(|number| number % AT_ONCE == worker) {
                    run.report(&plays(&database, Crowd::of(BOOKINGS, run.seed.wrapping_add(number))).await);
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            if let Err(failed) = worker {
                std::panic::resume_unwind(failed.into_panic());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_interleaving_of_fifty_bookings_loses_nothing() {
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = setting("BOXOFFICE_CROWDS_SEED").or_else(|| setting("BOXOFFICE_SEQUENCES_SEED")).unwrap_or_else(fresh);
    let crowds = setting("BOXOFFICE_CROWDS").unwrap_or(CROWDS);
    println!("BOXOFFICE_CROWDS_SEED={seed}");
    let run = Run { seed, crowds, began: Instant::now(), played: Arc::default(), requests: Arc::default() };
    for first in (0..crowds).step_by(usize::try_from(ON_THE_SAME_TABLES).unwrap()) {
        let numbers = first..crowds.min(first + ON_THE_SAME_TABLES);
        for_each_dynamodb(|database| {
            let (run, numbers) = (run.clone(), numbers.clone());
            async move {
                if database.name() != "moto" {
                    run.some(&database, numbers).await;
                } else if numbers.start == 0 {
                    plays(&database, Crowd::of(BOOKINGS_ON_MOTO, run.seed)).await;
                }
            }
        })
        .await;
    }
}

/// Seeds that broke a rule once. 20094: a second invocation of Confirm Ticket took the seats that the first had sold for a lost hold, and its word for the saga's.
const KEPT: [u64; 1] = [20_094];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_that_broke_a_rule_once_break_none() {
    for_each_dynamodb(|database| async move {
        for seed in KEPT {
            if database.name() != "moto" {
                plays(&database, Crowd::of(BOOKINGS, seed)).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_makes_the_same_choices_twice() {
    for_each_dynamodb(|database| async move {
        if database.name() == "moto" {
            return;
        }
        // On one shard, and on several.
        for seed in [8, 9] {
            let (first, second) =
                (plays(&database, Crowd::of(12, seed)).await, plays(&database, Crowd::of(12, seed)).await);
            let differ = first.choices.iter().zip(&second.choices).find(|(one, other)| one != other);
            assert_eq!((differ, first.choices.len()), (None, second.choices.len()), "seed {seed}");
            let other = plays(&database, Crowd::of(12, seed + 2)).await;
            assert_ne!(first.choices, other.choices, "a seed decides nothing");
        }
    })
    .await;
}

/// Some few crowds notice a flaw, by this rule.
async fn is_noticed(flaw: Flaw, rules: &'static [&'static str]) {
    for_each_dynamodb(|database| async move {
        if database.name() == "moto" {
            return;
        }
        for seed in 0..10 {
            let Err(fallen) = play(&database, Crowd::of(20, seed), Some(flaw)).await else { continue };
            println!("{flaw:?}, seed {seed}: {}", fallen.broken);
            assert!(
                rules.iter().any(|rule| fallen.broken.contains(rule)),
                "{flaw:?} should break one of {rules:?}: {fallen}"
            );
            return;
        }
        panic!("{flaw:?} was not noticed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_a_release_without_its_marker() {
    is_noticed(Flaw::ReleaseWithoutMarker, &["by their events, bookings hold"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_a_provider_without_idempotency_keys() {
    is_noticed(Flaw::NoIdempotencyKeys, &["a confirmed ticket is charged once", "a cancelled ticket has no money"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_sales_that_are_not_reported() {
    is_noticed(Flaw::UnreportedConfirmation, &["are shown as"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_a_buyer_who_was_not_told() {
    is_noticed(Flaw::UntoldConfirmation, &["confirmed: 0"]).await;
}
