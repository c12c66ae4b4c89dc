//! The sessions table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a user's access (`boxoffice_aws::access`) | `USER#<userId>` | `ACCESS` |
//! | a session | `USER#<userId>` | `SES#<sessionId>` |
//! | failed tries of an account | `FAIL#account#<account>` | `FAIL` |
//! | failed tries from an address | `FAIL#address#<address>` | `FAIL` |
//!
//! All but the first have an `expiresAt`, after which DynamoDB forgets them; it may take days, so nothing here relies on it.

use crate::{
    session::{RefreshToken, Refusal, Session},
    throttle::{Limits, Tries, Wait},
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ConditionCheck, Delete, Put, Update},
};
use boxoffice_aws::{
    Access, AccessRegister, Item, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
};
use boxoffice_kernel::{SessionId, Timestamp, UserId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// How long tokens last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// An access token, in seconds.
    pub access_seconds: u32,
    /// A session, in seconds.
    pub refresh_seconds: u32,
}

/// Everybody's sessions.
#[derive(Debug, Clone)]
pub struct SessionStore {
    client: Client,
    table: String,
    register: AccessRegister,
    lifetimes: Lifetimes,
}

/// A session and the refresh token that is good now.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The session.
    pub session: Session,
    /// The token.
    pub token: RefreshToken,
}

/// Why a refresh token gave no other.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It does not stand.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// By how many seconds a session is remembered to have ended beyond the life of its last access token: clocks differ, and a token may be on its way.
const MARGIN_SECONDS: u32 = 60;
/// How many sessions that ended long ago one write forgets: an update expression may have 4 KiB.
const MOST_FORGOTTEN: usize = 20;

const FAIL: &str = "FAIL";

fn session_key(session: SessionId) -> String {
    format!("SES#{session}")
}

/// AP-90 grant access: the put to add to the transaction that registers a user.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn grant(table: &str, user: UserId) -> Result<Put, StoreError> {
    let access = Access { generation: 1, ..Access::default() };
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(write(&access, AccessRegister::pk(user), AccessRegister::SK)?))
        .condition_expression("attribute_not_exists(pk)");
    built(put.build())
}

/// AP-91 end every session: the update to add to the transaction that is the reason. Sessions that ended by themselves need not be
/// remembered any longer: no token of an older generation stands.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn end_all(table: &str, user: UserId) -> Result<Update, StoreError> {
    let update = access_update(table, user)
        .update_expression("SET generation = generation + :one, ended = :none")
        .expression_attribute_values(":one", number(1_u64))
        .expression_attribute_values(":none", AttributeValue::M(Item::new()));
    built(update.build())
}

fn access_update(table: &str, user: UserId) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    Update::builder()
        .table_name(table)
        .key("pk", AccessRegister::pk(user))
        .key("sk", text(AccessRegister::SK))
        .condition_expression("attribute_exists(pk)")
}

impl SessionStore {
    /// The store in this table.
    pub fn new(client: Client, table: impl Into<String>, lifetimes: Lifetimes) -> Self {
        let table = table.into();
        let register = AccessRegister::new(client.clone(), table.clone());
        Self { client, table, register, lifetimes }
    }

    /// The store in the table that the environment names.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let lifetimes = Lifetimes {
            access_seconds: config::parsed("ACCESS_TOKEN_SECONDS")?,
            refresh_seconds: config::parsed("REFRESH_TOKEN_SECONDS")?,
        };
        Ok(Self::new(client, config::required("SESSIONS_TABLE")?, lifetimes))
    }

    /// AP-03 get access.
    ///
    /// # Errors
    /// When the store does.
    pub async fn access(&self, user: UserId) -> Result<Option<Access>, StoreError> {
        self.register.get(user).await
    }

    /// AP-92 open a session, unless the user's access has changed since their password was checked.
    ///
    /// # Errors
    /// When it has, or the store fails.
    pub async fn open(&self, user: UserId, generation: u64) -> Result<Granted, StoreError> {
        let session_id = SessionId::generate();
        let token = RefreshToken::issue(user, session_id)?;
        let expires_at = Timestamp::now().plus_seconds(self.lifetimes.refresh_seconds).unix_seconds();
        let session = Session { user_id: user, session_id, generation, token_hash: token.hash(), expires_at };
        let item = write(&session, AccessRegister::pk(user), &session_key(session_id))?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        let unchanged = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", AccessRegister::pk(user))
            .key("sk", text(AccessRegister::SK))
            .condition_expression("generation = :generation")
            .expression_attribute_values(":generation", number(generation));
        let transaction = Transaction::new().put((), built(put.build())?).check((), built(unchanged.build())?);
        match transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)? {
            Written::Yes => Ok(Granted { session, token }),
            Written::Stale => Err(StoreError::Unavailable("access changed while its user logged in".into())),
        }
    }

    /// AP-93 get session.
    async fn session(&self, user: UserId, session: SessionId) -> Result<Option<Session>, StoreError> {
        let (pk, sk) = (AccessRegister::pk(user), session_key(session));
        let item = transaction::get(&self.client, &self.table, pk, &sk).await?;
        item.map(|item| read("session", item)).transpose()
    }

    /// AP-94 exchange a refresh token for the next. One that was used before ends its session (AP-95), and so does the second of two that come at once.
    ///
    /// # Errors
    /// When it does not stand, or the store fails.
    pub async fn renew(&self, presented: &RefreshToken) -> Result<Granted, RenewError> {
        let (user, id) = (presented.user(), presented.session());
        let access = self.access(user).await?.ok_or(Refusal::Ended)?;
        let session = self.session(user, id).await?.ok_or(Refusal::Ended)?;
        let hash = presented.hash();
        match session.accept(&hash, &access, Timestamp::now()) {
            Ok(()) => {}
            Err(Refusal::Reused) => return Err(self.revoke(user, id).await),
            Err(refusal) => return Err(refusal.into()),
        }
        let token = RefreshToken::issue(user, id)?;
        let next = Session { token_hash: token.hash(), ..session };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AccessRegister::pk(user))
            .key("sk", text(session_key(id)))
            .update_expression("SET tokenHash = :next")
            .condition_expression("tokenHash = :presented")
            .expression_attribute_values(":next", built(serde_dynamo::to_attribute_value(&next.token_hash))?)
            .expression_attribute_values(":presented", built(serde_dynamo::to_attribute_value(&hash))?);
        match conditional(update.send().await)? {
            Written::Yes => Ok(Granted { session: next, token }),
            Written::Stale => match self.session(user, id).await? {
                // The answer to our own write was lost, and the SDK wrote again.
                Some(session) if session.token_hash == next.token_hash => Ok(Granted { session: next, token }),
                Some(_) => Err(self.revoke(user, id).await),
                None => Err(Refusal::Ended.into()),
            },
        }
    }

    async fn revoke(&self, user: UserId, session: SessionId) -> RenewError {
        tracing::warn!(user_id = %user, session_id = %session, "a refresh token was used twice; its session is ended");
        match self.end(user, session).await {
            Ok(()) => Refusal::Reused.into(),
            Err(error) => error.into(),
        }
    }

    /// AP-95 end a session: its refresh token is forgotten, and its access tokens are void at once.
    ///
    /// # Errors
    /// When the store does.
    pub async fn end(&self, user: UserId, session: SessionId) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let until = now.plus_seconds(self.lifetimes.access_seconds.saturating_add(MARGIN_SECONDS));
        let ended = self.access(user).await?.unwrap_or_default().ended;
        let over = ended.into_iter().filter(|(id, until)| *id != session && *until < now.unix_seconds());
        let mut update = access_update(&self.table, user)
            .expression_attribute_names("#session", session.to_string())
            .expression_attribute_values(":until", number(until.unix_seconds()));
        let mut forgotten = Vec::new();
        for (number, (id, _)) in over.take(MOST_FORGOTTEN).enumerate() {
            update = update.expression_attribute_names(format!("#over{number}"), id.to_string());
            forgotten.push(format!("ended.#over{number}"));
        }
        let forget = if forgotten.is_empty() { String::new() } else { format!(" REMOVE {}", forgotten.join(", ")) };
        let update = update.update_expression(format!("SET ended.#session = :until{forget}"));
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", AccessRegister::pk(user))
            .key("sk", text(session_key(session)));
        let transaction = Transaction::new().update((), built(update.build())?).delete((), built(delete.build())?);
        match transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)? {
            Written::Yes => Ok(()),
            Written::Stale => Err(StoreError::Broken(format!("{user} has a session and no access"))),
        }
    }
}

/// Who may try how often.
#[derive(Debug, Clone)]
pub struct Throttle {
    client: Client,
    table: String,
    limits: Limits,
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
struct AddressItem {
    expires_at: u64,
}

fn account_key(account: &str) -> AttributeValue {
    text(format_args!("FAIL#account#{account}"))
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
        };
        Ok(Self::new(client, config::required("SESSIONS_TABLE")?, limits))
    }

    /// AP-96 charge an account with a try.
    ///
    /// # Errors
    /// When it is too early for one, or the store fails.
    pub async fn charge_account(&self, account: &str) -> Result<(), ChargeError> {
        until_current(|| async {
            let item = transaction::get(&self.client, &self.table, account_key(account), FAIL).await?;
            let before: Option<TriesItem> = item.map(|item| read("tries", item)).transpose()?;
            let before = before.map(|item| Tries {
                count: item.count,
                not_before: item.not_before,
                expires_at: item.expires_at,
            });
            let after = Tries::charge(before, &self.limits, Timestamp::now())?;
            let Tries { count, not_before, expires_at } = after;
            let item = write(&TriesItem { count, not_before, expires_at }, account_key(account), FAIL)?;
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
            Ok(Attempt::when(conditional(put.send().await)?, ()))
        })
        .await
    }

    /// AP-97 charge an address with a try: a counter, for many may share an address and none should wait for another's write.
    ///
    /// # Errors
    /// When there have been too many, or the store fails.
    pub async fn charge_address(&self, address: &str) -> Result<(), ChargeError> {
        until_current(|| async {
            let now = Timestamp::now();
            let until = now.plus_seconds(self.limits.lockout_seconds).unix_seconds();
            let count = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", address_key(address))
                .key("sk", text(FAIL))
                .update_expression(
                    "SET #count = if_not_exists(#count, :none) + :one, expiresAt = if_not_exists(expiresAt, :until)",
                )
                .condition_expression("attribute_not_exists(pk) OR (#count < :most AND expiresAt > :now)")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":none", number(0_u64))
                .expression_attribute_values(":one", number(1_u64))
                .expression_attribute_values(":until", number(until))
                .expression_attribute_values(":most", number(self.limits.address))
                .expression_attribute_values(":now", number(now.unix_seconds()));
            if conditional(count.send().await)? == Written::Yes {
                return Ok(Attempt::Done(()));
            }
            let found = transaction::get(&self.client, &self.table, address_key(address), FAIL).await?;
            let Some(found) = found else { return Ok(Attempt::Overtaken) };
            let found: AddressItem = read("tries", found)?;
            if found.expires_at > now.unix_seconds() {
                return Err(Wait { seconds: found.expires_at - now.unix_seconds() }.into());
            }
            // Forgotten by us before DynamoDB does.
            self.forget(address_key(address), found.expires_at).await?;
            Ok(Attempt::Overtaken)
        })
        .await
    }

    async fn forget(&self, pk: AttributeValue, expired_at: u64) -> Result<Written, StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", pk)
            .key("sk", text(FAIL))
            .condition_expression("expiresAt = :expired")
            .expression_attribute_values(":expired", number(expired_at));
        conditional(delete.send().await)
    }

    /// AP-98 forgive a try that was right: the account all it was charged with, for its owner has come; the address this one, or whoever owns an
    /// account could guess at others for ever.
    ///
    /// # Errors
    /// When the store does.
    pub async fn forgive(&self, account: &str, address: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).key("pk", account_key(account));
        delete.key("sk", text(FAIL)).send().await.map_err(StoreError::from_sdk)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", address_key(address))
            .key("sk", text(FAIL))
            .update_expression("SET #count = #count - :one")
            .condition_expression("#count > :none")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":none", number(0_u64));
        conditional(update.send().await).map(|_| ())
    }
}
