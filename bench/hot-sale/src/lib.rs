//! The seats that one event sells a second when DynamoDB is the limit.
//!
//! The booking path is the product's own, with the real SDK client and its real retries; DynamoDB is a model of its limits in memory; time is virtual, so that
//! two cores can say what a store of any size would do. `docs/performance.md` has the figures, and what they assume.
//!
//! | Module | Holds |
//! |---|---|
//! | [`burst`] | another model, of a sale of thousands at once under every quota of an account |
//! | [`clock`] | virtual time |
//! | [`dynamodb`] | the model: operations, limits, conflicts, time that passes |
//! | [`expression`] | the conditions and updates that the booking path uses, evaluated |
//! | [`latency`] | how long DynamoDB is assumed to take |
//! | [`limits`] | what one partition takes |
//! | [`lists`] | another model, of lists of any length: what a page of them costs |
//! | [`projections`] | how far the read models of one hot event fall behind |
//! | [`report`] | many sales: the sweep, its tables and its plot |
//! | [`sale`] | one sale: an event, a crowd, and what came of it |
//! | [`schema`] | the tables, from `infra/tables.yaml` |
//! | [`units`] | what items weigh and cost |
//! | [`wire`] | what both models have of the SDK's wire |

pub mod burst;
pub mod clock;
pub mod dynamodb;
pub mod expression;
pub mod latency;
pub mod limits;
pub mod lists;
pub mod projections;
pub mod report;
pub mod sale;
pub mod schema;
pub mod units;
pub mod wire;
