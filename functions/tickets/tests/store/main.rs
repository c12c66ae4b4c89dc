//! The tickets store with the stores it shares transactions with, on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod booking;
mod changing;
mod fixture;
mod listing;
mod model;
mod race;
