//! Failed tries, in the sessions table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | failed tries of a source at an account | `FAIL#source#<account>#<source>` | `FAIL` |
//! | failed tries of all strangers at an account | `FAIL#account#<account>` | `FAIL` |
//! | failed tries from an address | `FAIL#address#<address>` | `FAIL` |
//! | wrong codes of a user's app | `FAIL#code#<userId>` | `FAIL` |
//!
//! Each has an `expiresAt`, after which DynamoDB forgets it; it may take days, so nothing here relies on it. Times are the caller's, so that tests can
//! move the clock.

use crate::{
    session::TokenHash,
    throttle::{Charge, Limits, Tries, Wait},
};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_aws::{
    Overspent, StoreError,
    attribute::{number, text},
    budget,
    transaction::{self, Attempt, Written, conditional, read, until_current, write},
};
use boxoffice_kernel::{SessionId, Timestamp, UserId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The limits on attempts.
#[derive(Debug, Clone)]
pub struct Throttle {
    client: Client,
    table: String,
    limits: Limits,
}

/// Where a try comes from, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A device that the account has logged in from.
    Device(TokenHash),
    /// Somebody who is logged in.
    Session(SessionId),
    /// Anybody, from this address.
    Stranger(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "device#{}", device.as_str()),
            Self::Session(session) => write!(f, "session#{session}"),
            Self::Stranger(address) => write!(f, "address#{address}"),
        }
    }
}

/// A try that was counted.
#[derive(Debug)]
pub struct Charged {
    account: String,
    source: Source,
    count: u32,
    /// Whether this try, should it fail, locks its source out.
    pub locks: bool,
    /// Whether this try, should it fail, makes strangers wait from now on.
    pub guards: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TriesItem {
    count: u32,
    not_before: i64,
    expires_at: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CounterItem {
    count: u32,
    expires_at: u64,
}

const FAIL: &str = "FAIL";

/// How many codes of an app may be wrong in [`CODE_SECONDS`], wherever they come from: only somebody who knows the password tries them, and a code is one of a million.
const MOST_CODES: u32 = 10;
const CODE_SECONDS: u32 = 3600;

fn source_key(account: &str, source: &Source) -> AttributeValue {
    text(format_args!("FAIL#source#{account}#{source}"))
}

fn account_key(account: &str) -> AttributeValue {
    text(format_args!("FAIL#account#{account}"))
}

fn code_key(user: UserId) -> AttributeValue {
    text(format_args!("FAIL#code#{user}"))
}

fn address_key(address: &str) -> AttributeValue {
    text(format_args!("FAIL#address#{address}"))
}

/// Why somebody may not try.
#[derive(Debug, thiserror::Error)]
pub enum ChargeError {
    /// They have tried too often.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Throttle {
    /// A throttle of these limits.
    pub fn new(client: Client, table: impl Into<String>, limits: Limits) -> Self {
        Self { client, table: table.into(), limits }
    }

    /// The throttle that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let limits = Limits {
            free: config::parsed("LOGIN_FREE_TRIES")?,
            lockout: config::parsed("LOGIN_LOCKOUT_TRIES")?,
            lockout_seconds: config::parsed("LOGIN_LOCKOUT_SECONDS")?,
            address: config::parsed("LOGIN_ADDRESS_TRIES")?,
            account_delay_seconds: config::parsed("LOGIN_DELAY_SECONDS")?,
        };
        Ok(Self::new(client, config::required("SESSIONS_TABLE")?, limits))
    }

    /// Charges a source with a try at an account, before the password is looked at.
    ///
    /// # Errors
    /// When it is too early for one, or the store fails.
    pub async fn charge(&self, account: &str, source: Source, now: Timestamp) -> Result<Charged, ChargeError> {
        let mut delay = 0;
        if let Source::Stranger(address) = &source {
            self.count(address_key(address), self.limits.address, now).await?;
            delay = self.limits.delay_for_strangers(self.failures(account, now).await?);
        }
        let count = self.charge_source(account, &source, delay, now).await?;
        let guards = match source {
            Source::Stranger(_) => self.count(account_key(account), u32::MAX, now).await? == self.limits.lockout,
            Source::Device(_) | Source::Session(_) => false,
        };
        let locks = count == self.limits.lockout;
        Ok(Charged { account: account.to_owned(), source, count, locks, guards })
    }

    /// AP-96 charge a source with a try at an account.
    async fn charge_source(
        &self,
        account: &str,
        source: &Source,
        delay: u32,
        now: Timestamp,
    ) -> Result<u32, ChargeError> {
        let key = || source_key(account, source);
        until_current(|| async {
            let found = transaction::get(&self.client, &self.table, key(), FAIL).await?;
            let before: Option<TriesItem> = found.map(|item| read("tries", item)).transpose()?;
            let before = before.map(|item| {
                let TriesItem { count, not_before, expires_at } = item;
                Tries { count, not_before, expires_at }
            });
            let (after, wait) = match Tries::charge(before, delay, &self.limits, now) {
                Charge::Counted(tries) => (tries, None),
                Charge::Early(wait, Some(place)) => (place, Some(wait)),
                Charge::Early(wait, None) => return Err(wait.into()),
            };
            let Tries { count, not_before, expires_at } = after;
            let item = write(&TriesItem { count, not_before, expires_at }, key(), FAIL)?;
            let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
            let put = match before {
                None => put.condition_expression("attribute_not_exists(pk)"),
                // All three: a count that was forgotten in between may have come back to the same number.
                Some(before) => put
                    .condition_expression("#count = :count AND notBefore = :notBefore AND expiresAt = :expiresAt")
                    .expression_attribute_names("#count", "count")
                    .expression_attribute_values(":count", number(before.count))
                    .expression_attribute_values(":notBefore", AttributeValue::N(before.not_before.to_string()))
                    .expression_attribute_values(":expiresAt", number(before.expires_at)),
            };
            match (conditional(put.send().await)?, wait) {
                (Written::Stale, _) => Ok(Attempt::Overtaken),
                (Written::Yes, None) => Ok(Attempt::Done(count)),
                (Written::Yes, Some(wait)) => Err(wait.into()),
            }
        })
        .await
    }

    /// AP-321 how many tries of strangers at an account failed, those under way among them.
    async fn failures(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        let found = transaction::get(&self.client, &self.table, account_key(account), FAIL).await?;
        let found: Option<CounterItem> = found.map(|item| read("tries", item)).transpose()?;
        Ok(found.filter(|found| found.expires_at > now.unix_seconds()).map_or(0, |found| found.count))
    }

    /// Charges a user with a code of their app, before it is looked at (AP-97). Answers whether it is the last that may be wrong.
    ///
    /// # Errors
    /// When too many were wrong, or the store fails.
    pub async fn charge_code(&self, user: UserId, now: Timestamp) -> Result<bool, ChargeError> {
        let count = count(&self.client, &self.table, code_key(user), MOST_CODES, CODE_SECONDS, now).await?;
        Ok(count == MOST_CODES)
    }

    /// Forgives the one code that was right (AP-98).
    ///
    /// # Errors
    /// When the store does.
    pub async fn forgive_code(&self, user: UserId) -> Result<(), StoreError> {
        self.take_back(code_key(user)).await
    }

    async fn count(&self, key: AttributeValue, most: u32, now: Timestamp) -> Result<u32, ChargeError> {
        count(&self.client, &self.table, key, most, self.limits.lockout_seconds, now).await
    }

    /// AP-98 forgive a try that was right: its source all that it was charged with at this account; the address, and the strangers in all, this one try, or
    /// an owner's log-ins would give others back their guesses.
    ///
    /// # Errors
    /// When the store does.
    pub async fn forgive(&self, charged: Charged) -> Result<(), StoreError> {
        let Charged { account, source, .. } = charged;
        let delete = self.client.delete_item().table_name(&self.table).key("pk", source_key(&account, &source));
        delete.key("sk", text(FAIL)).send().await.map_err(StoreError::from_sdk)?;
        if let Source::Stranger(address) = &source {
            self.take_back(address_key(address)).await?;
            self.take_back(account_key(&account)).await?;
        }
        Ok(())
    }

    /// AP-483 give back one try, and no failure before it: for a log-in that others' accounts have in common, so that nobody gets guesses at one of them back by
    /// a log-in to another. Not where the source has tried again since.
    ///
    /// # Errors
    /// When the store does.
    pub async fn give_back(&self, charged: Charged, now: Timestamp) -> Result<(), StoreError> {
        let Charged { account, source, count, .. } = charged;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", source_key(&account, &source))
            .key("sk", text(FAIL))
            .update_expression("SET #count = #count - :one, notBefore = :now")
            .condition_expression("#count = :count")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":now", AttributeValue::N(now.unix_millis().to_string()));
        conditional(update.send().await)?;
        if let Source::Stranger(address) = &source {
            self.take_back(address_key(address)).await?;
            self.take_back(account_key(&account)).await?;
        }
        Ok(())
    }

    async fn take_back(&self, key: AttributeValue) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", key)
            .key("sk", text(FAIL))
            .update_expression("SET #count = #count - :one")
            .condition_expression("#count > :none")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":none", number(0_u64));
        conditional(update.send().await).map(|_| ())
    }
}

/// AP-97 count one more of something, of which there may be so many in so many seconds: an addition and no comparison, so that no flood makes another's write
/// fail. Answers how many there are.
pub(crate) async fn count(
    client: &Client,
    table: &str,
    key: AttributeValue,
    most: u32,
    seconds: u32,
    now: Timestamp,
) -> Result<u32, ChargeError> {
    budget::count(client, table, (key, FAIL), most, seconds, now).await.map_err(|error| match error {
        Overspent::Wait { seconds } => Wait { seconds }.into(),
        Overspent::Store(error) => error.into(),
    })
}
