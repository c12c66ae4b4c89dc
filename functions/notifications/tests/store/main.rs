//! The notifications store and the function that sends, on real tables and queues: each condition is evaluated by a DynamoDB, none by a mock. A
//! stand-in delivers the messages, but where the test is about delivery (`handing_over`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod contacts;
mod enclosing;
mod fixture;
mod handing_over;
mod lists;
mod resending;
mod sending;
mod telling;
