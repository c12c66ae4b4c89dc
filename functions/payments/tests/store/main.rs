//! The payments store, and the cashier on top of it, on real tables: each condition is evaluated by a DynamoDB, none by a mock. Only the
//! payment provider is scripted; how Stripe is asked, [`stripe`] tries on the local payment server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod breaker;
mod cashier;
mod declining;
mod disputes;
mod fixture;
mod initiating;
mod lists;
mod payment_server;
mod payments;
mod provider;
mod record;
mod refunds;
mod requests;
mod reversing;
mod stripe;
mod webhook;
mod webhook_matrix;
