//! Whether an access token is still valid.
//!
//! A token says who its bearer is for minutes, and cannot be taken back; this register can. Each user has one item, read with every request that
//! needs a user:
//!
//! | Item | `pk` | `sk` | |
//! |---|---|---|---|
//! | a user's access | `USER#<userId>` | `ACCESS` | `generation`: tokens of another one are void; `ended`: sessions logged out of, each until its last token has expired |
//! | the keys of tokens that were retired | `KEYS` | `RETIRED` | `kids`: nothing that they signed is valid |
//!
//! Like the event store it is infrastructure: only `users` writes it, in one transaction with what ends the access (a new password, another role, a
//! deletion), and `boxoffice-runtime` reads it in every function that asks who is calling.

use crate::{StoreError, attribute::text, transaction::read};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_kernel::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The item that a user's tokens are checked against.
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

#[derive(Debug, Default, Deserialize)]
struct RetiredItem {
    #[serde(default)]
    kids: BTreeSet<String>,
}

const KEYS: &str = "KEYS";
const RETIRED: &str = "RETIRED";

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

    /// The sort key of a session.
    pub fn session_sk(session: SessionId) -> String {
        format!("SES#{session}")
    }

    /// AP-329 get access, should there be such a session: a token of one that never was, or whose item is gone, stands for nothing, whoever signed it. Both
    /// are read at once.
    ///
    /// # Errors
    /// When the store does.
    pub async fn standing(&self, user: UserId, session: SessionId) -> Result<Option<Access>, StoreError> {
        let sk = Self::session_sk(session);
        let session = crate::transaction::get(&self.client, &self.table, Self::pk(user), &sk);
        let (access, session) = futures_util::future::try_join(self.get(user), session).await?;
        Ok(access.filter(|_| session.is_some()))
    }

    /// AP-484 get the ids of the retired keys, consistently: no token that one of them signed is valid.
    ///
    /// # Errors
    /// When the store does.
    pub async fn retired_keys(&self) -> Result<BTreeSet<String>, StoreError> {
        let item = crate::transaction::get(&self.client, &self.table, text(KEYS), RETIRED).await?;
        Ok(item.map(|item| read::<RetiredItem>("retired keys", item)).transpose()?.unwrap_or_default().kids)
    }

    /// AP-485 retire keys, for ever: an addition, so that two operators at once retire both of theirs.
    ///
    /// # Errors
    /// When the store does.
    pub async fn retire_keys(&self, kids: &[String]) -> Result<(), StoreError> {
        if kids.is_empty() {
            return Ok(());
        }
        let update = self.client.update_item().table_name(&self.table).key("pk", text(KEYS)).key("sk", text(RETIRED));
        let update = update.update_expression("ADD kids :kids");
        let update = update.expression_attribute_values(":kids", AttributeValue::Ss(kids.to_vec()));
        update.send().await.map(drop).map_err(StoreError::from_sdk)
    }

    /// AP-03 get access, consistently: a session that has ended admits nobody, from the moment it has.
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
