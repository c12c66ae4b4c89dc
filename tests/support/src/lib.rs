//! The contexts' store tests share this: fresh tables on every DynamoDB at hand, and the rules that must hold in them.
//!
//! | Module | Holds |
//! |---|---|
//! | [`database`] | a test's own tables, on each implementation in turn |
//! | [`definition`] | the tables as `infra/tables.yaml` defines them |
//! | [`endpoint`] | which implementations there are, and how to reach them |
//! | [`events`] | what a test wrote to the event store, held against its contracts |
//! | [`listener`] | a service that is only told things, and remembers what |
//! | [`meter`] | how often DynamoDB was read |
//! | [`seats`] | an event's seats as they lie in the table, and the rules they must keep |
//! | [`stream`] | a record of a table's stream |
//!
//! A store is tested where its conditions are evaluated, on two DynamoDBs by different authors: what both refuse is refused by the
//! condition, not by one's habits. `docs/testing.md` lists what neither can show.

#![allow(clippy::expect_used, clippy::panic, reason = "this is test code: it fails by panicking, and says why")]
#![allow(clippy::missing_panics_doc, reason = "every function here panics when the test it serves must fail")]

pub mod database;
pub mod definition;
pub mod endpoint;
pub mod events;
pub mod listener;
pub mod meter;
pub mod seats;
pub mod stream;

pub use database::{Database, for_each_dynamodb};
pub use definition::Table;
pub use events::Recorded;
pub use listener::Listener;
pub use meter::Meter;
pub use seats::Seats;

use boxoffice_kernel::{Actor, Trace};

/// Where a test's changes come from.
pub fn trace() -> Trace {
    Trace::begun("store-test", Actor::System)
}
