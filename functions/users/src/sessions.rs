//! The sessions table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a user's access (`boxoffice_aws::access`) | `USER#<userId>` | `ACCESS` |
//! | a session | `USER#<userId>` | `SES#<sessionId>` |
//! | a device that the user logged in from | `USER#<userId>` | `DEV#<hash of its token>` |
//! | failed tries | [`crate::tries`] | |
//!
//! All but the first have an `expiresAt`, after which DynamoDB forgets them; it may take days, so nothing here relies on it.

use crate::{
    domain::Requester,
    session::{ChainKey, DeviceToken, RefreshToken, Refusal, Session, Standing, Strength, TokenHash},
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
    /// A session that is not refreshed, in seconds.
    pub idle_seconds: u32,
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
    /// It is not valid.
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

/// How many sessions a list has.
pub const MOST_LISTED: usize = 100;

/// How long a device is known after the last log-in from it, in seconds: 90 days.
const DEVICE_SECONDS: u32 = 90 * 24 * 3600;

/// A device that is known.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceItem {
    expires_at: u64,
}

fn device_key(device: &TokenHash) -> String {
    format!("DEV#{}", device.as_str())
}

fn session_key(session: SessionId) -> String {
    AccessRegister::session_sk(session)
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

/// AP-326 an actor's token is still valid: the condition to add to the transaction by which they act on somebody else.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn still_stands(table: &str, actor: &Requester) -> Result<ConditionCheck, StoreError> {
    let check = ConditionCheck::builder()
        .table_name(table)
        .key("pk", AccessRegister::pk(actor.id))
        .key("sk", text(AccessRegister::SK))
        .condition_expression(STANDS)
        .expression_attribute_names("#session", actor.session.to_string())
        .expression_attribute_values(":generation", number(actor.generation));
    built(check.build())
}

/// AP-91 end every session of the actor's own, whose token is still valid.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn end_all_of(table: &str, actor: &Requester) -> Result<Update, StoreError> {
    let update = access_update(table, actor.id)
        .update_expression("SET generation = generation + :one, ended = :none")
        .condition_expression(STANDS)
        .expression_attribute_names("#session", actor.session.to_string())
        .expression_attribute_values(":generation", number(actor.generation))
        .expression_attribute_values(":one", number(1_u64))
        .expression_attribute_values(":none", AttributeValue::M(Item::new()));
    built(update.build())
}

/// AP-91 end every session of a user whose access is of this generation.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be built.
pub(crate) fn end_all_since(table: &str, user: UserId, generation: u64) -> Result<Update, StoreError> {
    let update = access_update(table, user)
        .update_expression("SET generation = generation + :one, ended = :none")
        .condition_expression("generation = :generation")
        .expression_attribute_values(":generation", number(generation))
        .expression_attribute_values(":one", number(1_u64))
        .expression_attribute_values(":none", AttributeValue::M(Item::new()));
    built(update.build())
}

const STANDS: &str = "generation = :generation AND attribute_not_exists(ended.#session)";

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
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let lifetimes = Lifetimes {
            access_seconds: config::parsed("ACCESS_TOKEN_SECONDS")?,
            refresh_seconds: config::parsed("REFRESH_TOKEN_SECONDS")?,
            idle_seconds: config::parsed("SESSION_IDLE_SECONDS")?,
        };
        Ok(Self::new(client, config::required("SESSIONS_TABLE")?, lifetimes))
    }

    /// AP-03 get access.
    pub async fn access(&self, user: UserId) -> Result<Option<Access>, StoreError> {
        self.register.get(user).await
    }

    /// AP-320 whether a device of this token is known to this user.
    ///
    /// # Errors
    /// When the store does.
    pub async fn knows(&self, user: UserId, device: &TokenHash) -> Result<bool, StoreError> {
        let (pk, sk) = (AccessRegister::pk(user), device_key(device));
        let Some(item) = transaction::get(&self.client, &self.table, pk, &sk).await? else { return Ok(false) };
        let device: DeviceItem = read("device", item)?;
        Ok(device.expires_at > Timestamp::now().unix_seconds())
    }

    /// AP-92 open a session from a device, which is known from then on, unless the user's access has changed since their password was checked.
    ///
    /// # Errors
    /// When it has, or the store fails.
    pub async fn open(
        &self,
        user: UserId,
        generation: u64,
        strength: Strength,
        device: &DeviceToken,
    ) -> Result<Granted, StoreError> {
        let session_id = SessionId::generate();
        let chain_key = ChainKey::generate()?;
        let token = RefreshToken::issue(user, session_id, &chain_key)?;
        let now = Timestamp::now();
        let session = Session {
            user_id: user,
            session_id,
            generation,
            token_hash: token.hash(),
            previous_hash: None,
            chain_key,
            strength,
            logged_in_at: now.unix_seconds(),
            used_at: now.unix_seconds(),
            expires_at: now.plus_seconds(self.lifetimes.refresh_seconds).unix_seconds(),
        };
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
        let known = DeviceItem { expires_at: now.plus_seconds(DEVICE_SECONDS).unix_seconds() };
        let known = write(&known, AccessRegister::pk(user), &device_key(&device.hash()))?;
        let known = Put::builder().table_name(&self.table).set_item(Some(known));
        let transaction = Transaction::new()
            .put((), built(put.build())?)
            .put((), built(known.build())?)
            .check((), built(unchanged.build())?);
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

    /// AP-94 exchange a refresh token for the next, always the same. A token whose successors were used ends its session (AP-95); one that is made up changes
    /// nothing. The time is the caller's, so that tests can move the clock.
    ///
    /// # Errors
    /// When it may not be exchanged, or the store fails.
    pub async fn renew(&self, presented: &RefreshToken, now: Timestamp) -> Result<Granted, RenewError> {
        let (user, id) = (presented.user(), presented.session());
        until_current(|| async {
            let access = self.access(user).await?.ok_or(Refusal::Ended)?;
            let session = self.session(user, id).await?.ok_or(Refusal::Ended)?;
            if !session.stands(&access, self.lifetimes.idle_seconds, now) {
                return Err(Refusal::Ended.into());
            }
            let token = presented.successor(&session.chain_key);
            match session.accept(presented, now) {
                // The request that was first has handed out this very token.
                Ok(Standing::Before) => return Ok(Attempt::Done(Granted { session, token })),
                Ok(Standing::Last) => {}
                Err(Refusal::Reused) => {
                    self.end(user, id).await?;
                    return Err(Refusal::Reused.into());
                }
                Err(refusal) => return Err(refusal.into()),
            }
            let next = session.exchanged(&token, now);
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", AccessRegister::pk(user))
                .key("sk", text(session_key(id)))
                .update_expression("SET tokenHash = :next, previousHash = :presented, usedAt = :now")
                .condition_expression("tokenHash = :presented")
                .expression_attribute_values(":next", text(next.token_hash.as_str()))
                .expression_attribute_values(":presented", text(session.token_hash.as_str()))
                .expression_attribute_values(":now", number(next.used_at));
            let written = conditional(update.send().await)?;
            Ok(Attempt::when(written, Granted { session: next, token }))
        })
        .await
    }

    /// AP-322 a user's sessions that stand, the newest first, [`MOST_LISTED`] at most.
    ///
    /// # Errors
    /// When the store does.
    pub async fn list(&self, user: UserId, access: &Access, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("pk = :user AND begins_with(sk, :session)")
            .expression_attribute_values(":user", AccessRegister::pk(user))
            .expression_attribute_values(":session", text("SES#"))
            .into_paginator()
            .items()
            .send();
        let mut standing = Vec::new();
        while let Some(item) = pages.next().await {
            let session: Session = read("session", item.map_err(StoreError::from_sdk)?)?;
            if session.stands(access, self.lifetimes.idle_seconds, now) {
                standing.push(session);
            }
            if standing.len() == MOST_LISTED {
                break;
            }
        }
        Ok(standing)
    }

    /// AP-323 end a session that there is; `Stale` when there is none.
    ///
    /// # Errors
    /// When the store does.
    pub async fn end_known(&self, user: UserId, session: SessionId) -> Result<Written, StoreError> {
        match self.session(user, session).await? {
            Some(_) => self.end(user, session).await.map(|()| Written::Yes),
            None => Ok(Written::Stale),
        }
    }

    /// AP-95 end the session that a log-in replaces: that of a refresh token which was given out, however long ago. A made-up one ends nothing.
    ///
    /// # Errors
    /// When the store does.
    pub async fn replace(&self, presented: &RefreshToken) -> Result<(), StoreError> {
        let (user, id) = (presented.user(), presented.session());
        match self.session(user, id).await? {
            Some(session) if presented.is_ours(&session.chain_key) => self.end(user, id).await,
            _ => Ok(()),
        }
    }

    /// AP-324 end every session of a user; `Stale` when there is no such user.
    ///
    /// # Errors
    /// When the store does.
    pub async fn end_every(&self, user: UserId) -> Result<Written, StoreError> {
        let transaction = Transaction::new().update((), end_all(&self.table, user)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-95 end a session: its refresh token is forgotten, and its access tokens are void at once.
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
