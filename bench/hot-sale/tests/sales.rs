//! Small sales, each sound; and one on a DynamoDB that evaluates no condition, which is noticed.

#![allow(clippy::unwrap_used, reason = "this is test code")]

use boxoffice_hot_sale::{
    dynamodb::Settings,
    sale::{self, Crowd, Outcome, Plan},
};

fn plan(seats: u32, shards: u32, crowd: Crowd) -> Plan {
    Plan { seats, shards, crowd, paid: false, instances: 1000, settings: Settings::default() }
}

fn sold(plan: Plan) -> Outcome {
    let outcome = sale::run(plan).unwrap();
    assert!(outcome.is_sound(), "{outcome:#?}");
    assert_eq!((outcome.oversold, outcome.undersold), (0, 0));
    outcome
}

#[test]
fn a_crowd_buys_every_seat_once() {
    let outcome = sold(plan(800, 8, Crowd::Closed(100)));
    assert!(outcome.refused > 0 && outcome.tally.conflicts > 0, "{outcome:#?}");
}

#[test]
fn more_buyers_than_can_be_served_buy_every_seat_once() {
    sold(plan(400, 4, Crowd::Open(600.0)));
}

/// One seat a shard: an order of four needs four of them, and the last seats lie anywhere.
#[test]
fn seats_on_many_shards_are_gathered_to_the_last() {
    let outcome = sold(plan(40, 40, Crowd::Closed(10)));
    assert!(outcome.tally.refused > 0, "{outcome:#?}");
}

#[test]
fn a_booking_paid_meanwhile_is_sold_once() {
    sold(Plan { paid: true, ..plan(300, 4, Crowd::Closed(40)) });
}

#[test]
fn fewer_instances_than_buyers_turn_some_away() {
    let outcome = sold(Plan { instances: 10, ..plan(300, 4, Crowd::Closed(40)) });
    assert!(outcome.turned_away > 0);
}

#[test]
fn the_same_seed_gives_the_same_sale() {
    let [first, second] = [(); 2].map(|()| sold(plan(300, 6, Crowd::Closed(40))));
    assert_eq!(first, second);
}

#[test]
fn without_conditions_seats_are_sold_twice_and_it_is_noticed() {
    let settings = Settings { conditions: false, ..Settings::default() };
    let outcome = sale::run(Plan { settings, ..plan(800, 8, Crowd::Closed(100)) }).unwrap();
    assert!(outcome.oversold > 0 && !outcome.is_sound(), "{outcome:#?}");
}
