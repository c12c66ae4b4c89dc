//! Text with a length.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

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
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(InvalidText::ControlCharacter);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_after_trimming() {
        assert_eq!("  ab ".parse::<Text<2>>().unwrap().as_str(), "ab");
        assert_eq!("éß".parse::<Text<2>>().unwrap().as_str(), "éß");
        assert_eq!("abc".parse::<Text<2>>(), Err(InvalidText::Length(2)));
        assert_eq!("   ".parse::<Text<2>>(), Err(InvalidText::Length(2)));
        assert_eq!("a\nb".parse::<Text<9>>(), Err(InvalidText::ControlCharacter));
    }
}
