//! The AWS code that every context shares.
//!
//! | Module | Holds |
//! |---|---|
//! | [`attribute`] | string and number attributes |
//! | [`budget`] | how many of something an address or a person may do in a while |
//! | [`hourly`] | how many of something there may be in an hour, in all |
//! | [`client`] | the one way to configure an SDK client: TLS, timeouts, retries |
//! | [`batch`] | many items by their keys |
//! | [`transaction`] | `TransactWriteItems` in which every item says what its refusal means |
//! | [`event_store`] | the outbox: an event as one more item of the transaction that caused it |
//! | [`dead_letters`] | what can never be handled, kept for an operator |
//! | [`inbox`] | what a consumer remembers, so that an event delivered twice has its effect once |
//! | [`access`] | whether an access token is still valid |
//! | [`directory`] | whether there is such a user |
//! | [`journal`] | the saga's record of each step |
//! | [`listing`] | lists over indexes, spread so that a busy sale cannot slow them down |
//! | [`page`] | cursors for lists |
//! | [`secret`] | secrets, fetched when first needed |
//! | [`trust`] | TLS roots: the certificate authorities that functions trust |
//! | [`walk`] | a walk over a whole table |
//! | [`error`] | what can go wrong with a store: try again, or a bug |

pub mod access;
pub mod attribute;
pub mod batch;
pub mod budget;
pub mod client;
pub mod dead_letters;
pub mod directory;
pub mod error;
pub mod event_store;
pub mod hourly;
pub mod inbox;
pub mod journal;
pub mod listing;
pub mod page;
pub mod secret;
pub mod transaction;
pub mod trust;
pub mod walk;

pub use access::{Access, AccessRegister};
pub use batch::Freshness;
pub use budget::{Budget, Overspent};
pub use dead_letters::DeadLetters;
pub use directory::UserDirectory;
pub use error::StoreError;
pub use event_store::EventStore;
pub use hourly::HourlyBudget;
pub use journal::Journal;
pub use listing::{List, ListError, Listing};

pub use page::{Cursor, Limit, Page};
pub use secret::Secret;
pub use transaction::{Item, Refusals, Transaction, Uncommitted};
