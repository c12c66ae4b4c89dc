//! Text with a length.

use crate::unicode::{self, Unfit};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Cow, fmt, str::FromStr};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// Why a string is not a [`Text`] of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Outside the length allowed, counted in characters of what is kept.
    #[error("must be 1 to {0} characters long, not counting spaces at its ends or what nobody sees")]
    Length(usize),
    /// Control characters have no place in a name, and break logs and mails.
    #[error("must not contain control characters or line breaks")]
    ControlCharacter,
    /// Such a character makes the text around it read as something else.
    #[error("must not contain characters that override the direction of text")]
    DirectionOverride,
    /// The client's encoding lost a character.
    #[error("must not contain U+FFFD, which stands for a character that was lost: send UTF-8")]
    ReplacementCharacter,
}

/// A single-line string of 1 to `MAX` characters, kept in one spelling of all that look the same ([`unicode::enforce`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that is unique where texts that a reader takes for the same one must be: [`unicode::fold`].
    pub fn canonical(&self) -> String {
        unicode::fold(&self.0)
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = unicode::enforce(text).map_err(|unfit| match unfit {
            Unfit::Control => InvalidText::ControlCharacter,
            Unfit::Direction => InvalidText::DirectionOverride,
            Unfit::Replacement => InvalidText::ReplacementCharacter,
        })?;
        match text.chars().take(MAX + 1).count() {
            length if (1..=MAX).contains(&length) => Ok(Self(text)),
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

/// Nothing that is refused, and at least one character that somebody sees.
const SOMETHING_VISIBLE: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffd]*",
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f",
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\ufffd]",
    r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffd]*$"
);

impl<const MAX: usize> utoipa::PartialSchema for Text<MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .pattern(Some(SOMETHING_VISIBLE))
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
        assert_eq!("e\u{301}".parse::<Text<1>>().unwrap().as_str(), "é");
    }

    #[test]
    fn text_that_nobody_sees_is_no_text() {
        for invisible in ["\u{200b}", "\u{3164}\u{2060}", "\u{a0}\u{3000}", "\u{2800}", "\u{ad}"] {
            assert_eq!(invisible.parse::<Text<9>>(), Err(InvalidText::Length(9)), "{invisible:?}");
        }
    }

    #[test]
    fn text_with_direction_overrides_or_lost_characters_is_refused() {
        assert_eq!("gig\u{202e}gnp".parse::<Text<9>>(), Err(InvalidText::DirectionOverride));
        assert_eq!("Caf\u{fffd}".parse::<Text<9>>(), Err(InvalidText::ReplacementCharacter));
    }

    #[test]
    fn texts_that_look_alike_are_the_same_text() {
        let [composed, decomposed]: [Text<20>; 2] =
            ["Beyonc\u{e9}", " Beyonce\u{301} "].map(|text| text.parse().unwrap());
        assert_eq!(composed, decomposed);
        let [plain, odd]: [Text<20>; 2] = ["final show", "ﬁnal\u{a0}SHOW"].map(|text| text.parse().unwrap());
        assert_eq!(plain.canonical(), odd.canonical());
    }
}
