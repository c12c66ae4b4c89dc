//! Fuzz targets: every parser, given arbitrary input.
//!
//! A target takes any bytes, gives them to the code that reads such input in the product, and fails by panicking when that code does, or when what it makes of
//! them breaks a rule that holds for every input. The first byte of an input says which of a target's readers the rest is for.
//!
//! | Module | Holds |
//! |---|---|
//! | [`bodies`] | the body of every call |
//! | [`requests`] | everything else of a request: API Gateway's event, path, query, headers, cursors |
//! | [`values`] | the types of the domain, read from text and from JSON |
//! | [`tokens`] | access tokens and refresh tokens |
//! | [`events`] | records of the event store's stream, and events on the bus |
//! | [`codes`] | ticket codes |
//! | [`provider`] | Stripe's answers |
//! | [`material`] | what inputs are made of: samples, examples, what earlier runs found |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code: it fails by panicking, and says why"
)]
#![allow(clippy::missing_panics_doc, reason = "every function here panics when the product must fail")]

pub mod bodies;
pub mod codes;
pub mod events;
pub mod material;
pub mod provider;
pub mod requests;
pub mod tokens;
pub mod values;

/// Something that reads input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// Gives it an input; panics when the product is wrong.
    pub check: fn(&[u8]),
    /// Inputs that say something, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target { name: "bodies", check: bodies::check, seeds: bodies::seeds },
    Target { name: "requests", check: requests::check, seeds: requests::seeds },
    Target { name: "values", check: values::check, seeds: values::seeds },
    Target { name: "tokens", check: tokens::check, seeds: tokens::seeds },
    Target { name: "events", check: events::check, seeds: events::seeds },
    Target { name: "provider", check: provider::check, seeds: provider::seeds },
    Target { name: "codes", check: codes::check, seeds: codes::seeds },
];

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }
}

/// The target that the input is for, and the rest of the input.
fn addressed<'a, 'b, T>(choices: &'a [T], input: &'b [u8]) -> Option<(&'a T, &'b [u8])> {
    let (choice, rest) = input.split_first()?;
    Some((&choices[usize::from(*choice) % choices.len()], rest))
}

/// The input for the reader with this number.
fn input_for(reader: usize, rest: impl AsRef<[u8]>) -> Vec<u8> {
    let choice = u8::try_from(reader).expect("there are fewer readers than bytes have values");
    std::iter::once(choice).chain(rest.as_ref().iter().copied()).collect()
}
