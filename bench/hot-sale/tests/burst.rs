//! A burst that AWS and Stripe throttle loses and undoes no booking; with the retries of commit 8c810a0 it does, which is noticed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is test code")]

use boxoffice_hot_sale::burst::{
    account::Times,
    quotas::{EU_CENTRAL_1, NEW_ACCOUNT, Quotas},
    retry::{impatient, punctual},
    sale::{Outcome, Plan, run},
    template::{Deployed, deployed},
};
use std::time::Duration;

fn burst(bookings: u32, quotas: Quotas, pay_after: Option<Duration>, deployed: Deployed) -> Outcome {
    let arrive_over = Duration::from_secs(1);
    let plan = Plan { bookings, arrive_over, pay_after, quotas, overload: false, times: Times::default(), seed: 1 };
    run(plan, deployed).unwrap()
}

#[test]
fn a_throttled_burst_undoes_no_good_booking() {
    let outcome = burst(1_000, EU_CENTRAL_1, None, deployed().unwrap());
    assert_eq!(outcome.faults(), Vec::<String>::new(), "{outcome:#?}");
    assert_eq!((outcome.booked, outcome.confirmed), (1_000, 1_000));
    assert!(outcome.throttles["Stripe, one endpoint"] > 0, "{outcome:#?}");
}

#[test]
fn a_burst_on_a_new_account_undoes_no_good_booking() {
    let outcome = burst(300, NEW_ACCOUNT, None, deployed().unwrap());
    assert_eq!(outcome.faults(), Vec::<String>::new(), "{outcome:#?}");
    assert!(outcome.throttles["Lambda, concurrent executions"] > 0, "{outcome:#?}");
}

#[test]
fn buyers_who_pay_later_and_are_throttled_are_confirmed() {
    let outcome = burst(300, EU_CENTRAL_1, Some(Duration::from_secs(5)), deployed().unwrap());
    assert_eq!(outcome.faults(), Vec::<String>::new(), "{outcome:#?}");
    assert_eq!(outcome.confirmed, 300);
}

#[test]
fn with_the_retries_of_8c810a0_good_bookings_are_undone_and_it_is_noticed() {
    let mut deployed = deployed().unwrap();
    deployed.saga = impatient(deployed.saga);
    let outcome = burst(1_000, EU_CENTRAL_1, None, deployed);
    assert!(outcome.undone > 0 && !outcome.faults().is_empty(), "{outcome:#?}");
    assert!(outcome.undone_by.keys().all(|step| step.starts_with("Initiate Payment")), "{outcome:#?}");
}

/// A hold that is over before a new account has come to most sagas.
fn short_holds() -> Deployed {
    Deployed { hold: Duration::from_secs(40), ..deployed().unwrap() }
}

#[test]
fn bookings_whose_saga_starts_after_the_hold_are_confirmed() {
    let outcome = burst(500, NEW_ACCOUNT, None, short_holds());
    assert_eq!(outcome.faults(), Vec::<String>::new(), "{outcome:#?}");
    assert!(outcome.last_confirmed > 50.0, "no saga was late: {outcome:#?}");
}

#[test]
fn a_saga_that_insists_on_the_hold_undoes_good_bookings_and_it_is_noticed() {
    let outcome = burst(500, NEW_ACCOUNT, None, punctual(short_holds()));
    assert!(outcome.undone > 0 && !outcome.faults().is_empty(), "{outcome:#?}");
    assert!(outcome.undone_by.contains_key("Verify Hold: HoldExpired"), "{outcome:#?}");
}

#[test]
fn the_same_seed_gives_the_same_burst() {
    let [first, second] = [(); 2].map(|()| burst(100, EU_CENTRAL_1, None, deployed().unwrap()));
    assert_eq!(first, second);
}
