//! Counts of seats.

use crate::whole;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// Why a number is not a quantity of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Quantity::MAX)]
pub struct InvalidQuantity;

/// A number of seats: at least one, at most [`Quantity::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Quantity(u32);

impl Quantity {
    /// A million seats: several of the largest venues there are.
    pub const MAX: u32 = 1_000_000;
    /// As many as there may be.
    pub const LARGEST: Self = Self(Self::MAX);
    /// Ten seats.
    pub const TEN: Self = Self(10);
    /// Twenty seats.
    pub const TWENTY: Self = Self(20);

    /// A quantity of this many seats.
    ///
    /// # Errors
    /// When it is zero or more than [`Quantity::MAX`].
    pub fn new(seats: u32) -> Result<Self, InvalidQuantity> {
        match seats {
            1..=Self::MAX => Ok(Self(seats)),
            _ => Err(InvalidQuantity),
        }
    }

    /// The number of seats.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;
    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        text.parse().map_err(|_| InvalidQuantity).and_then(Self::new)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seats = whole::from_json(deserializer)?;
        u32::try_from(seats).map_err(|_| InvalidQuantity).and_then(Self::new).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .examples([serde_json::json!(2)])
            .into()
    }
}

impl utoipa::ToSchema for Quantity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_in_range_are_quantities() {
        for (text, seats) in [
            ("1", Some(1)),
            ("1000000", Some(1_000_000)),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("1000001", None),
            ("", None),
            ("99999999999999", None),
        ] {
            assert_eq!(text.parse::<Quantity>().ok().map(Quantity::get), seats, "{text}");
            if !text.is_empty() {
                assert_eq!(serde_json::from_str::<Quantity>(text).ok().map(Quantity::get), seats, "{text}");
            }
        }
    }

    #[test]
    fn a_quantity_reads_as_its_number() {
        assert_eq!(Quantity::new(12).unwrap().to_string(), "12");
    }
}
