//! Crowds of bookings, interleaved request by request; and flaws that some few of them must notice.
//!
//! `BOXOFFICE_CROWDS=<number>` plays more of them (`make crowds`), on the embedded emulator. `BOXOFFICE_CROWDS_SEED=<seed>` plays others: the first has this seed, the
//! next one more, and so on. A run prints the seed of a crowd that breaks a rule, and with `BOXOFFICE_CROWDS=1` that seed plays it again.

use boxoffice_sequences::{
    crowd::{Crowd, Fallen, Played},
    house::Flaw,
};
use boxoffice_testing::{Database, for_each_dynamodb};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::task::{JoinSet, spawn_blocking};

const CROWDS: u64 = 3;
const BOOKINGS: usize = 50;
/// Moto takes ten times as long for a request, and gets one crowd of so many.
const BOOKINGS_ON_MOTO: usize = 10;
/// Crowds that share tables: fuller tables are slower ones.
const CROWDS_OF_TABLES: u64 = 10;
/// Crowds that are played at once, each in an order of its own.
const AT_ONCE: u64 = 2;
const REPORTED: u64 = 20;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

async fn play(database: &Database, crowd: Crowd, flaw: Option<Flaw>) -> Result<Played, Box<Fallen>> {
    let database = database.clone();
    let r = spawn_blocking(move || crowd.play(&database, flaw)).await.unwrap();
    static N: AtomicU64 = AtomicU64::new(0);
    let c = match &r {
        Ok(p) => p.choices.join("\n"),
        Err(f) => format!("{}\n{}", f.choices.join("\n"), f.broken),
    };
    std::fs::write(format!("/tmp/crowd/log{}", N.fetch_add(1, Ordering::SeqCst)), c).unwrap();
    r
}

#[derive(Debug, Clone, Default)]
struct Progress {
    crowds: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

impl Progress {
    /// Counts a crowd; how many there are now.
    fn made(&self, played: &Played) -> u64 {
        self.requests.fetch_add(played.requests as u64, Ordering::SeqCst);
        self.crowds.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_interleaving_of_fifty_bookings_loses_nothing() {
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = setting("BOXOFFICE_CROWDS_SEED").or_else(|| setting("BOXOFFICE_SEQUENCES_SEED")).unwrap_or_else(fresh);
    let crowds: u64 = setting("BOXOFFICE_CROWDS").unwrap_or(CROWDS);
    println!("BOXOFFICE_CROWDS_SEED={first}");
    let (began, progress) = (Instant::now(), Progress::default());
    for start in (0..crowds).step_by(usize::try_from(CROWDS_OF_TABLES).unwrap()) {
        let progress = progress.clone();
        for_each_dynamodb(move |database| {
            let progress = progress.clone();
            async move {
                if database.name() == "moto" {
                    if start == 0 {
                        let crowd = Crowd { bookings: BOOKINGS_ON_MOTO, several_shards: false, seed: first };
                        play(&database, crowd, None).await.unwrap_or_else(|fallen| panic!("{fallen}"));
                    }
                    return;
                }
                let mut workers = JoinSet::new();
                for worker in 0..AT_ONCE {
                    let (database, progress) = (database.clone(), progress.clone());
                    workers.spawn(async move {
                        let mine = (start..crowds.min(start + CROWDS_OF_TABLES)).filter(|it| it % AT_ONCE == worker);
                        for number in mine {
                            let crowd = Crowd { bookings: BOOKINGS, several_shards: number % 2 == 1, seed: first.wrapping_add(number) };
                            let played = play(&database, crowd, None).await.unwrap_or_else(|fallen| panic!("{fallen}"));
                            let made = progress.made(&played);
                            if made % REPORTED == 0 || crowds <= REPORTED {
                                let (seconds, requests) = (began.elapsed(), progress.requests.load(Ordering::SeqCst));
                                let Played { calls, mishaps, sold_out, confirmed, cancelled, .. } = played;
                                println!(
                                    "{made} crowds, {requests} requests, {seconds:.1?}; the last: {calls} calls, {mishaps} mishaps, {confirmed} confirmed, \
                                     {cancelled} cancelled, {sold_out} times sold out"
                                );
                            }
                        }
                    });
                }
                while let Some(worker) = workers.join_next().await {
                    if let Err(failed) = worker {
                        std::panic::resume_unwind(failed.into_panic());
                    }
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_makes_the_same_choices_twice() {
    for_each_dynamodb(|database| async move {
        if database.name() == "moto" {
            return;
        }
        let crowd =
            Crowd { bookings: setting("N").unwrap_or(20), several_shards: false, seed: setting("S").unwrap_or(7) };
        let first = play(&database, crowd, None).await.unwrap_or_else(|fallen| panic!("{fallen}"));
        let second = play(&database, crowd, None).await.unwrap_or_else(|fallen| panic!("{fallen}"));
        let differs = first.choices.iter().zip(&second.choices).position(|(one, other)| one != other);
        if let Some(place) = differs {
            let before = first.choices[place.saturating_sub(20)..place].join("\n");
            panic!("after\n{before}\nchoice {place} is\n{}\nand\n{}", first.choices[place], second.choices[place]);
        }
        assert_eq!(first, second);
        let other = Crowd { seed: 8, ..crowd };
        let other = play(&database, other, None).await.unwrap_or_else(|fallen| panic!("{fallen}"));
        assert_ne!(first.choices, other.choices, "the seed decides nothing");
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
            if let Err(fallen) = play(&database, Crowd { bookings: 30, several_shards: true, seed }, Some(flaw)).await {
                println!("{flaw:?}, seed {seed}: {}", fallen.broken);
                let is_named = rules.iter().any(|rule| fallen.broken.contains(rule));
                assert!(is_named, "{flaw:?} should break one of {rules:?}: {fallen}");
                return;
            }
        }
        panic!("{flaw:?} was not noticed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_a_release_without_its_marker() {
    is_noticed(Flaw::ReleaseWithoutMarker, &["by their events"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_crowd_notices_a_provider_without_idempotency_keys() {
    is_noticed(Flaw::NoIdempotencyKeys, &["charged once", "has no money"]).await;
}
