//! Platform: what belongs to no context because it serves them all.
//!
//! | File | Holds |
//! |---|---|
//! | [`outbox`] | in which order events go to the bus, and what becomes of those that do not get there; pure |
//! | [`handlers`] | one file a function |

pub mod handlers;
pub mod outbox;
