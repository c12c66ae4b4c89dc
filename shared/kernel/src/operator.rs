//! The person who acts on behalf of whoever runs Box Office, and their reason.

use crate::{Text, UserId, schema::string_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Why an operator does something, in their words.
pub type Reason = Text<300>;

/// The author of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// An ADMIN, over HTTP.
    User(UserId),
    /// Anybody who has AWS's credentials and gives this name, at a terminal.
    Terminal(OperatorName),
}

/// Why a string is no [`OperatorName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, dots, underscores, at signs or hyphens")]
pub struct InvalidOperatorName;

/// The name that an operator gives at a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorName(String);

impl Serialize for OperatorName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OperatorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl FromStr for OperatorName {
    type Err = InvalidOperatorName;
    fn from_str(text: &str) -> Result<Self, InvalidOperatorName> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(harmless);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidOperatorName)
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Terminal(name) => write!(f, "cli:{name}"),
        }
    }
}

impl Serialize for Operator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

string_schema!(Operator, { example: "usr_01970000000070008000000000000001" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_name_given_at_a_terminal_are_told_apart() {
        let user = UserId::generate();
        assert_eq!(Operator::User(user).to_string(), user.to_string());
        assert_eq!(Operator::Terminal("ada.l@ops-1".parse().unwrap()).to_string(), "cli:ada.l@ops-1");
        for bad in ["", "a b", "a\nb", "usr:x", &"a".repeat(65)] {
            assert!(bad.parse::<OperatorName>().is_err(), "{bad:?} was accepted");
        }
    }
}
