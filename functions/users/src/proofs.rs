//! The stored tokens of mails, in the sessions table: items, keys, access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a token | `PROOF#<hash>` | `PROOF` |
//! | messages to a user, counted | `MAILED#<purpose>#<userId>` | `FAIL` |
//! | messages to an address, counted | `MAILED#<purpose>#address#<its SHA-256>` | `FAIL` |
//! | text messages in all, counted | `MAILED#PHONE_VERIFICATION#all` | `FAIL` |

use crate::{
    proof::{Proof, ProofToken, Purpose},
    session::TokenHash,
    tries::{self, ChargeError},
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Delete},
};
use boxoffice_aws::{
    StoreError,
    attribute::text,
    transaction::{self, built, read, write},
};
use boxoffice_kernel::{Timestamp, UserId};
use boxoffice_runtime::config::{self, ConfigError};

/// How many mails with a token a user gets in [`BUDGET_SECONDS`], for each purpose.
const BUDGET: u32 = 3;
const BUDGET_SECONDS: u32 = 3600;
/// How many an address gets in that time, for each purpose, over all accounts that name it: any number of accounts may. What a stranger has sent, such as
/// verifications, takes nothing from what only an owner can ask for.
const ADDRESS_BUDGET: u32 = 20;
/// How many text messages with a token there are in all in that time: each costs money, and some numbers pay whoever has them called.
const TEXT_BUDGET: u32 = 500;

const PROOF: &str = "PROOF";

fn key(token: &TokenHash) -> AttributeValue {
    text(format_args!("PROOF#{}", token.as_str()))
}

/// AP-331 the delete of a token that is used, to add to the transaction of what it is good for: so it works once.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn used(table: &str, token: &TokenHash) -> Result<Delete, StoreError> {
    let delete = Delete::builder().table_name(table).key("pk", key(token)).key("sk", text(PROOF));
    built(delete.condition_expression("attribute_exists(pk)").build())
}

/// The mailbox of an address: many read what follows a `+` as a note, so that one reader has any number of addresses.
fn mailbox(address: &str) -> String {
    match address.split_once('@') {
        Some((name, host)) => format!("{}@{host}", name.split_once('+').map_or(name, |(name, _)| name)),
        None => address.to_owned(),
    }
}

/// Everybody's tokens.
#[derive(Debug, Clone)]
pub struct ProofStore {
    client: Client,
    table: String,
}

impl ProofStore {
    /// The store in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The store in the table that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(client, config::required("SESSIONS_TABLE")?))
    }

    /// AP-330 keep a new token's hash.
    ///
    /// # Errors
    /// When the store does.
    pub async fn keep(&self, token: &ProofToken, proof: &Proof) -> Result<(), StoreError> {
        let item = write(proof, key(&token.hash()), PROOF)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(StoreError::from_sdk)
    }

    /// AP-332 get what is kept of a token.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, token: &TokenHash) -> Result<Option<Proof>, StoreError> {
        let item = transaction::get(&self.client, &self.table, key(token), PROOF).await?;
        item.map(|item| read("proof", item)).transpose()
    }

    /// Whether a user may get one more message for this at this address, which is counted (AP-97): nobody's mailbox is filled by somebody who knows its
    /// address, however many accounts they register with it.
    ///
    /// # Errors
    /// When the store does.
    pub async fn within_budget(
        &self,
        user: UserId,
        purpose: Purpose,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = purpose.name();
        let mut budgets = vec![
            (format!("MAILED#{name}#{user}"), BUDGET),
            (format!("MAILED#{name}#address#{}", TokenHash::of(&mailbox(address)).as_str()), ADDRESS_BUDGET),
        ];
        if purpose == Purpose::PhoneVerification {
            budgets.push((format!("MAILED#{name}#all"), TEXT_BUDGET));
        }
        for (key, most) in budgets {
            match tries::count(&self.client, &self.table, text(key), most, BUDGET_SECONDS, now).await {
                Ok(_) => {}
                Err(ChargeError::Wait(_)) => return Ok(false),
                Err(ChargeError::Store(error)) => return Err(error),
            }
        }
        Ok(true)
    }
}
