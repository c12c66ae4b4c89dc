//! Reconciling over the stores of every context, on real tables: what is wrong is found, what is safe is repaired, once, and what is on its way is
//! left alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod bookings;
mod fixture;
mod invoked;
mod proof;
mod seats;
