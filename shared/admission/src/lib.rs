//! The rules of a door: the code a ticket shows, and whether it admits.
//!
//! | File | Holds |
//! |---|---|
//! | [`base45`] | the text form of bytes in a QR code (RFC 9285) |
//! | [`code`] | the ticket code: its 28 bytes, its signature, its text |
//! | [`rule`] | the decision at a door |
//!
//! No dependency, no clock, no I/O, no AWS: the Lambdas, a scanner and the tests decide by this one crate. The signature is checked by the caller's own Ed25519
//! ([`code::Code::verify`]), because a Lambda has ring and a browser has Web Crypto. `docs/ticket-codes.md` is the specification, and
//! `vectors/ticket-codes.json` holds the vectors that this crate and a second implementation in Python must agree on.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod base45;
pub mod code;
pub mod rule;

pub use code::{Code, EventTag, Facts, KeyId, Serial, Unread};
pub use rule::{Direction, Last, List, Look, Nonce, Record, Scan, Stop, Verdict, decide};
