//! The users and sessions stores on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod changing;
mod deleting;
mod fixture;
mod logging_in;
mod registering;
mod sessions;
