//! One file a function.

pub mod admit_buyer;
pub mod secure_account;
pub mod show_order;
pub mod show_shop;
pub mod submit_order;

mod choice;
