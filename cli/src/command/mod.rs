//! One file a command.

pub(crate) mod admin;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod notifications;
pub(crate) mod projections;
pub(crate) mod reconcile;
pub(crate) mod sagas;
pub(crate) mod stack;
pub(crate) mod ticket_keys;
