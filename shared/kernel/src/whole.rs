//! Whole numbers in JSON, which knows no integers, only numbers without a fraction: 2.0 is one, and a client that writes it so is right.

use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// Above it, neighbours are one and the same to a binary fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

struct Whole;

impl de::Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
        if number.fract() != 0.0 || !(0.0..=EXACT).contains(&number) {
            return Err(E::invalid_value(de::Unexpected::Float(number), &self));
        }
        format!("{:.0}", number.abs()).parse().map_err(E::custom)
    }
}

/// For `#[serde(deserialize_with = …)]`.
///
/// # Errors
/// When it is not a number, is negative or has a fraction.
pub fn from_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_u64(Whole)
}

/// The same for what may be absent or null; with `#[serde(default)]`.
///
/// # Errors
/// When it is neither null nor a whole number.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Present(#[serde(deserialize_with = "from_json")] u64);

    Option::<Present>::deserialize(deserializer).map(|present| present.map(|Present(number)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Seen {
        #[serde(default, deserialize_with = "optional")]
        version: Option<u64>,
    }

    fn seen(text: &str) -> Result<Option<u64>, serde_json::Error> {
        serde_json::from_str(text).map(|Seen { version }| version)
    }

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_spelled() {
        for (text, number) in [
            (r#"{"version":332}"#, Some(332)),
            (r#"{"version":332.0}"#, Some(332)),
            (r#"{"version":3.32e2}"#, Some(332)),
            (r#"{"version":-0.0}"#, Some(0)),
            (r#"{"version":18446744073709551615}"#, Some(u64::MAX)),
            (r#"{"version":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(seen(text).unwrap(), number, "{text}");
        }
    }

    /// As a number comes that was kept aside, inside a flattened field, say.
    #[test]
    fn a_number_of_any_type_is_whole() {
        use de::{IntoDeserializer, value::Error};
        for (number, whole) in [(7_i64, Some(7)), (-7, None)] {
            let deserializer = IntoDeserializer::<Error>::into_deserializer(number);
            assert_eq!(from_json(deserializer).ok(), whole, "{number}");
        }
    }

    #[test]
    fn an_incomplete_value_is_refused() {
        for text in [
            r#"{"version":1.5}"#,
            r#"{"version":-1}"#,
            r#"{"version":-1.0}"#,
            r#"{"version":1e300}"#,
            r#"{"version":"1"}"#,
        ] {
            assert!(seen(text).is_err(), "{text}");
        }
    }
}
