//! Random sequences of everything that happens to bookings, against a model; and the search, against flaws that it must find.
//!
//! `BOXOFFICE_SEQUENCES=<number>` plays more of them on each DynamoDB, and `BOXOFFICE_SEQUENCES_SEED=<seed>`, printed by a run, the same ones again.

use boxoffice_sequences::{
    house::{Flaw, House},
    model::Card,
    moves::{Disturbance, Move, Turn},
    play::play,
    search::Search,
};
use boxoffice_testing::for_each_dynamodb;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCES: u32 = 12;
const LONGEST: usize = 40;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_sequence_of_calls_and_faults_loses_nothing_and_sells_nothing_twice() {
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let search = Search {
        cases: setting("BOXOFFICE_SEQUENCES").unwrap_or(SEQUENCES),
        longest: LONGEST,
        seed: setting("BOXOFFICE_SEQUENCES_SEED").unwrap_or_else(fresh),
        shrink_for: Duration::from_mins(2),
    };
    println!("BOXOFFICE_SEQUENCES_SEED={}", search.seed);
    for_each_dynamodb(|database| async move {
        if let Some(found) = search.run(&database, None) {
            panic!("with BOXOFFICE_SEQUENCES_SEED={}, {found}", search.seed);
        }
    })
    .await;
}

/// The buyer pays and nobody hears, so the time is up; the money is found, the seats are held, the ticket confirmed. Then the buyer cancels. After all of that
/// the step that had held the seats is handled once more: the seats stay free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seats_that_came_back_for_good_are_not_held_again_by_a_step_that_is_late() {
    let alone = |what| Turn { what, disturbance: None };
    let turns = [
        alone(Move::Book(2, None, false)),
        alone(Move::Deliver(0)),
        alone(Move::Step(0, 3)),
        Turn { what: Move::Pay(0, Card::Good), disturbance: Some(Disturbance::Unheard) },
        alone(Move::TimeUp(0)),
        // Expire Payment, Renew Hold, Confirm Ticket.
        alone(Move::Step(0, 2)),
        alone(Move::Wish(0)),
        alone(Move::Deliver(0)),
        // Claim Saga, Revoke Admissions, Reverse Payment, Release Hold, Cancel Ticket.
        alone(Move::Step(0, 4)),
        // Renew Hold again: the sixth invocation of the first execution.
        alone(Move::Rerun(0, 5)),
    ];
    for_each_dynamodb(|database| async move {
        let house = House::open(&database, None);
        play(&house, &turns).await.unwrap_or_else(|broken| panic!("{broken}"));
    })
    .await;
}

/// An operator refunds a payment, and the bus delivers that before the booking itself. The refund waits for the booking's saga, and then takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_arrives_before_its_booking_waits_for_it() {
    let alone = |what| Turn { what, disturbance: None };
    let turns = [
        alone(Move::Book(3, None, false)),
        alone(Move::Pay(0, Card::Good)),
        alone(Move::Refund(0)),
        // Undelivered are TicketCreated and PaymentRefunded, in this order.
        alone(Move::Deliver(1)),
        // Claim Saga, refused; no further step until the booking is claimed.
        alone(Move::Step(0, 2)),
    ];
    for_each_dynamodb(|database| async move {
        let house = House::open(&database, None);
        play(&house, &turns).await.unwrap_or_else(|broken| panic!("{broken}"));
    })
    .await;
}

/// A flaw is found, its rule named, and the case no longer than a person can read.
async fn is_found(flaw: Flaw, seed: u64, rule: &'static str, readable: usize) {
    let search = Search { cases: 500, longest: 20, seed, shrink_for: Duration::from_mins(1) };
    for_each_dynamodb(|database| async move {
        // The search is what is tested here, and one DynamoDB serves it as well as two.
        if database.name() == "moto" {
            return;
        }
        let found = search.run(&database, Some(flaw)).unwrap_or_else(|| panic!("{flaw:?} was not found"));
        println!("{flaw:?}: {found}");
        assert!(found.broken.contains(rule), "{flaw:?} should break the rule {rule:?}: {found}");
        assert!(found.turns.len() <= readable, "{flaw:?} could be shown in {readable} moves: {found}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_release_without_its_marker_is_found_and_shown_in_a_few_moves() {
    is_found(Flaw::ReleaseWithoutMarker, 1, "should be one of", 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_provider_without_idempotency_keys_is_found_and_shown_in_a_few_moves() {
    is_found(Flaw::NoIdempotencyKeys, 2, "charges: 2", 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_confirmation_despite_the_buyers_wish_is_found_and_shown_in_a_few_moves() {
    is_found(Flaw::ConfirmDespiteTheWish, 3, "answered", 6).await;
}
