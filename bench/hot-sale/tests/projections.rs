//! The read models of a hot event count every seat once, whatever conflicts.

#![allow(clippy::unwrap_used, reason = "this is test code")]

use boxoffice_hot_sale::{
    burst::template::deployed,
    dynamodb::Settings,
    projections::{Outcome, Plan, measure},
};

fn projected(settings: Settings) -> Outcome {
    let deployed = deployed().unwrap();
    let reader = deployed.readers.iter().find(|reader| reader.function == "project-events").unwrap();
    measure(Plan { settings, ..Plan::of(reader, 60, 100.0, 4) }).unwrap()
}

#[test]
fn conflicting_batches_count_every_seat_once() {
    let outcome = projected(Settings::default());
    assert!(outcome.tally.conflicts > 0, "{outcome:#?}");
    assert!(outcome.is_sound(), "{outcome:#?}");
}

#[test]
fn a_store_without_conditions_counts_wrongly_and_it_is_noticed() {
    let outcome = projected(Settings { conditions: false, ..Settings::default() });
    assert!(!outcome.is_sound(), "{outcome:#?}");
}

#[test]
fn the_same_seed_gives_the_same_projection() {
    let [first, second] = [(); 2].map(|()| projected(Settings::default()));
    assert_eq!(first, second);
}
