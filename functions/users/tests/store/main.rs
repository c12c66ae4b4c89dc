//! The users and sessions stores on real tables: each condition is evaluated by a DynamoDB, none by a mock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod addresses;
mod admins;
mod changing;
mod deleting;
mod fixture;
mod forgetting;
mod keys;
mod logging_in;
mod registering;
mod second_factor;
mod sessions;
