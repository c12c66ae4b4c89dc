//! Platform: what belongs to no context because it serves them all.
//!
//! | File | Holds |
//! |---|---|
//! | [`bus`] | the event bus: puts stored events on it |
//! | [`outbox`] | in which order events go to the bus, and what becomes of those that do not get there; pure |
//! | [`tally`] | what a sale comes to, counted from its events; pure |
//! | [`handlers`] | one file a function |

pub mod bus;
pub mod handlers;
pub mod outbox;
pub mod tally;

pub use bus::Bus;
