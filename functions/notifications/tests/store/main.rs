//! The notifications store and the machine's steps, on real tables: each condition is evaluated by a DynamoDB, none by a mock. What
//! delivers messages is stood in for, but where the test is about it (`handing_over`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod contacts;
mod fixture;
mod handing_over;
mod lists;
mod sending;
