//! The inventory store, on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod cancelling;
mod fixture;
mod holding;
mod lists;
mod race;
mod seats_by_hand;
mod summaries;
mod terms;
