//! A sale of thousands of bookings at once, and every service that refuses or delays some of it.
//!
//! `docs/performance.md` has the figures. The state machines' retries, catches and timeouts, the rules of the bus, the stream's readers and the time seats are held are
//! read from what is deployed; quotas are AWS's and Stripe's documented defaults; how long things take is assumed ([`account::Times`]).
//!
//! | Module | Holds |
//! |---|---|
//! | [`account`] | the services of an account, each with its quotas |
//! | [`bucket`] | token buckets |
//! | [`quotas`] | the documented defaults, with their sources |
//! | [`report`] | the table |
//! | [`retry`] | `Retry` and `Catch`, as Step Functions follows them |
//! | [`sale`] | the sale itself |
//! | [`tasks`] | many things under way at once |
//! | [`template`] | what is deployed |

pub mod account;
pub mod bucket;
pub mod quotas;
pub mod report;
pub mod retry;
pub mod sale;
pub mod tasks;
pub mod template;
