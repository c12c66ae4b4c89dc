//! Text with a length.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Cow, fmt, str::FromStr};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// Why a string is not a [`Text`] of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Outside the length allowed, counted in characters after trimming.
    #[error("must be 1 to {0} characters long")]
    Length(usize),
    /// Control characters have no place in a name, and break logs and mails.
    #[error("must not contain control characters")]
    ControlCharacter,
}

/// A trimmed, single-line string of 1 to `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        // Before trimming, which would take a line break at either end for a space.
        if text.chars().any(char::is_control) {
            return Err(InvalidText::ControlCharacter);
        }
        let text = text.trim();
        match text.chars().take(MAX + 1).count() {
            length if (1..=MAX).contains(&length) => Ok(Self(text.to_owned())),
            _ => Err(InvalidText::Length(MAX)),
        }
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// No control character, and at least one that is no space either.
const SOMETHING_PRINTABLE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

impl<const MAX: usize> utoipa::PartialSchema for Text<MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .pattern(Some(SOMETHING_PRINTABLE))
            .into()
    }
}

impl<const MAX: usize> utoipa::ToSchema for Text<MAX> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("Text{MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_after_trimming() {
        assert_eq!("  ab ".parse::<Text<2>>().unwrap().as_str(), "ab");
        assert_eq!("éß".parse::<Text<2>>().unwrap().as_str(), "éß");
        assert_eq!("abc".parse::<Text<2>>(), Err(InvalidText::Length(2)));
        assert_eq!("   ".parse::<Text<2>>(), Err(InvalidText::Length(2)));
        assert_eq!("a\n".parse::<Text<9>>(), Err(InvalidText::ControlCharacter));
        assert_eq!("a\nb".parse::<Text<9>>(), Err(InvalidText::ControlCharacter));
    }
}
