//! Operators' acts on a real event store, real sagas and real queues. Each act is checked against its contract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod acts;
mod cases;
mod fixture;
mod redriving;
mod replaying;
