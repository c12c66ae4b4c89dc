//! One file a function.

pub mod reconcile;
