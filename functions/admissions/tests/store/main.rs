//! The admissions store and the doors on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod devices;
mod drawing;
mod fixture;
mod passing;
mod race;
