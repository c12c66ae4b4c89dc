//! One file a function.

pub mod claim_saga;
pub mod get_saga;
pub mod record_stuck_booking;
