//! The journeys of a buyer, an organiser and an operator, branch by branch, against a running stack.
//!
//! Every test has events, buyers and keys of its own: they run beside each other, and again on the same stack. Tests that cannot (faults that open
//! the circuit breaker all bookings share, a race that takes the whole machine, killed processes) has a program of its own.

mod abuse;
mod booking;
mod browsers;
mod cancelling;
mod doors;
mod duplicates;
mod idempotency;
mod inventory;
mod inventory_by_hand;
mod inventory_lists;
mod limits;
mod lists;
mod notifications;
mod on_the_bus;
mod operating;
mod operator;
mod payments;
mod reconciling;
mod refusals;
mod reporting;
mod second_factor;
mod secrets;
mod sessions;
mod sold_out;
mod tickets;
mod users;
mod webhooks;
