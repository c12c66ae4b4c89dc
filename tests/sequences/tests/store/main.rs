//! Bookings as random sequences and as recorded concurrency, on real tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod concurrency;
mod crowd;
mod sequences;
