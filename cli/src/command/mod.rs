//! One file a command.

pub(crate) mod admin;
pub(crate) mod keys;
pub(crate) mod projections;
