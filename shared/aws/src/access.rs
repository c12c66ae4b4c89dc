//! Whether an access token still stands.
//!
//! A token says who its bearer is for minutes, and cannot be taken back; this register can. Each user has one item, read with every request that
//! needs a user:
//!
//! | Item | `pk` | `sk` | |
//! |---|---|---|---|
//! | a user's access | `USER#<userId>` | `ACCESS` | `generation`: tokens of another one are void; `ended`: sessions logged out of, each until its last token has expired |
//!
//! Like the event store it is infrastructure: only `users` writes it, in one transaction with what ends the access (a new password, another role, a
//! deletion), and `boxoffice-runtime` reads it in every function that asks who is calling.

use crate::{StoreError, attribute::text, transaction::read};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_kernel::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a user's tokens are held against.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Raised to end every session at once.
    pub generation: u64,
    /// Sessions that ended by themselves, and when (Unix seconds) the last access token of each has expired.
    #[serde(default)]
    pub ended: BTreeMap<SessionId, u64>,
}

impl Access {
    /// Whether tokens of this session and generation still stand.
    pub fn admits(&self, session: SessionId, generation: u64) -> bool {
        self.generation == generation && !self.ended.contains_key(&session)
    }
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct AccessRegister {
    client: Client,
    table: String,
}

impl AccessRegister {
    /// The sort key of a user's access.
    pub const SK: &str = "ACCESS";

    /// The register in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The partition of a user.
    pub fn pk(user: UserId) -> AttributeValue {
        text(format_args!("USER#{user}"))
    }

    /// AP-03 get access, consistently: a session that has ended admits nobody, from the moment it has.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, user: UserId) -> Result<Option<Access>, StoreError> {
        let item = crate::transaction::get(&self.client, &self.table, Self::pk(user), Self::SK).await?;
        item.map(|item| read("access", item)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_until_its_session_or_its_generation_ends() {
        let (mine, other) = (SessionId::generate(), SessionId::generate());
        let access = Access { generation: 2, ended: BTreeMap::from([(other, 99)]) };
        assert!(access.admits(mine, 2));
        assert!(!access.admits(mine, 1));
        assert!(!access.admits(other, 2));
    }
}
