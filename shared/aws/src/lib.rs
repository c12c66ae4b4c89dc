//! What every context needs of AWS, and nothing a single context needs alone.
//!
//! | Module | Holds |
//! |---|---|
//! | [`attribute`] | string and number attributes |
//! | [`client`] | the one way to configure an SDK client: TLS, timeouts, retries |
//! | [`transaction`] | `TransactWriteItems` in which every item says what its refusal means |
//! | [`event_store`] | the outbox: an event as one more item of the transaction that caused it |
//! | [`journal`] | the saga's record of each step |
//! | [`page`] | cursors for lists |
//! | [`error`] | what can go wrong with a store: try again, or a bug |

pub mod attribute;
pub mod client;
pub mod error;
pub mod event_store;
pub mod journal;
pub mod page;
pub mod transaction;

pub use error::StoreError;
pub use event_store::EventStore;
pub use journal::Journal;
pub use page::{Cursor, Limit, Page};
pub use transaction::{Item, Refusals, Transaction, Uncommitted};
