//! The kinds of attribute that keys and conditions are made of.

use aws_sdk_dynamodb::types::AttributeValue;
use std::fmt::Display;

/// A string attribute of whatever prints.
pub fn text(value: impl Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute.
pub fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// A number attribute that may be below zero.
pub fn signed(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
