//! Operations: what an operator does about what got stuck. Every act is recorded as an event, with who did it.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | who acts, what may be asked of a saga, which events are meant, which queues there are; pure |
//! | [`letters`] | what a message in one of those queues is about; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns, each with its condition |
//! | [`casework`] | sagas: redriven, and compensated by force |
//! | [`redriver`] | dead letters: listed, and sent on to where they did not get |
//! | [`replayer`] | replays of stored events onto the bus |
//! | [`reconciler`] | the reconciliation: begun |
//! | [`handlers`] | one file a function |
//!
//! The same code serves ADMINs over HTTP and the operator's command (`cli/`), which brings the names of tables and queues from the functions'
//! own configuration: hence each part is made from a *source* of variables.

pub mod casework;
pub mod domain;
pub mod events;
pub mod handlers;
pub mod letters;
pub mod reconciler;
pub mod redriver;
pub mod replayer;
pub mod store;

pub use casework::Casework;
pub use reconciler::Reconciler;
pub use redriver::Redriver;
pub use replayer::Replayer;
pub use store::OperationsStore;
