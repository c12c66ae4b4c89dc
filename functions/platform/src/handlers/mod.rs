//! One file a function.

pub mod get_health;
pub mod refuse_route;
pub mod relay_events;
