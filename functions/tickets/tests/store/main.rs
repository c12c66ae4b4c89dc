//! The tickets store with the stores it shares transactions with, on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod admissions;
mod booking;
mod cancelled_events;
mod changed_events;
mod changing;
mod fixture;
mod limits;
mod listing;
mod model;
mod race;
