//! The roles of users.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A user's role. Everyone registers as [`Role::User`]; only an [`Role::Admin`] grants another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Sees and acts on what is theirs.
    #[default]
    User,
    /// Runs inventory and sees sales.
    Manager,
    /// May do everything.
    Admin,
}

impl Role {
    /// All of them, in the order of what they may do.
    pub const ALL: [Self; 3] = [Self::User, Self::Manager, Self::Admin];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Manager => "MANAGER",
            Self::Admin => "ADMIN",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a string is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be USER, MANAGER or ADMIN")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(InvalidRole)
    }
}
