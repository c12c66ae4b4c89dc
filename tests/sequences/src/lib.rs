//! Random sequences of everything that happens to bookings, against a model; and recorded concurrency, against an order that explains it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`wire`] | what a step says to the outside, and what goes wrong with one request of it |
//! | [`provider`] | a payment provider in this process, with a ledger |
//! | [`machine`] | one execution of the booking saga, as `statemachines/booking-saga.asl.json` has it go |
//! | [`model`] | what there should be, and what a step may have done when it stopped half-way |
//! | [`house`] | the real stores and steps, and how things are in their tables |
//! | [`moves`] | what a sequence is made of, in words and at random |
//! | [`rules`] | what must hold of everything at rest |
//! | [`play`] | a sequence, played in the house and in the model |
//! | [`search`] | looking for a sequence that breaks a rule, and for the shortest such |
//! | [`crowd`] | all calls and operators' acts on many bookings at once, interleaved request by request |
//! | [`news`] | what sales reports and messages are made of a play's events |
//! | [`history`] | calls with their times and answers, and whether some order explains them all |
//!
//! Nothing of the product knows of this: requests get lost, hang and repeat on the way between the SDK and the network.

#![allow(clippy::expect_used, clippy::panic, reason = "this is test code: it fails by panicking, and says why")]
#![allow(clippy::missing_panics_doc, reason = "every function here panics when the test it serves must fail")]

pub mod crowd;
mod executions;
pub mod history;
pub mod house;
pub mod machine;
pub mod model;
pub mod moves;
pub mod news;
pub mod play;
pub mod provider;
pub mod rules;
pub mod search;
pub mod wire;
