//! The users table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a user; of a deleted one, that there was one | `USER#<userId>` | `PROFILE` |
//! | a username, taken | `NAME#<in lower case>` | `NAME` |
//! | a mail address, taken | `MAIL#<in lower case>` | `MAIL` |
//!
//! What a change does to a user's access tokens is in the same transaction, in the sessions table ([`crate::sessions`]).

use crate::{
    domain::{Actor, Change, Profile, Refusal, User, Username},
    events::{self, UserCreated, UserDeleted, UserUpdated},
    password::PasswordHash,
    sessions,
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Delete, Put, Update},
};
use boxoffice_aws::{
    Cursor, EventStore, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    listing::{GSI1, GSI2},
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
};
use boxoffice_kernel::{
    Channel, DomainEvent, Email, Envelope, PhoneNumber, PushEndpoint, Role, Text, Timestamp, Trace, UserId,
};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The context's table, the one with everybody's access, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct UserStore {
    client: Client,
    table: String,
    sessions_table: String,
    events_table: String,
    events: EventStore,
    listing: Listing,
}

/// A user and the hash of their password.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The hash.
    pub password: PasswordHash,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Another user has that name.
    #[error("another user has this name")]
    UsernameTaken,
    /// Another user has that mail address.
    #[error("another user has this mail address")]
    EmailTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("there is no such user")]
    NotFound,
    /// A rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another user has that name.
    #[error("another user has this name")]
    UsernameTaken,
    /// Another user has that mail address.
    #[error("another user has this mail address")]
    EmailTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserItem {
    id: UserId,
    username: Username,
    email: Email,
    first_name: Text<50>,
    last_name: Text<50>,
    notification_channel: Channel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<PhoneNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    push_endpoint: Option<PushEndpoint>,
    role: Role,
    password_hash: PasswordHash,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What is left of a deleted user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tombstone {
    id: UserId,
    version: u64,
    created_at: Timestamp,
    deleted_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TakenItem {
    user_id: UserId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventItem {
    aggregate_version: u64,
    detail: String,
}

impl From<UserItem> for Account {
    fn from(item: UserItem) -> Self {
        let profile = Profile {
            username: item.username,
            email: item.email,
            first_name: item.first_name,
            last_name: item.last_name,
            channel: item.notification_channel,
            phone: item.phone,
            push_endpoint: item.push_endpoint,
        };
        let user = User {
            id: item.id,
            profile,
            role: item.role,
            version: item.version,
            created_at: item.created_at,
            updated_at: item.updated_at,
        };
        Self { user, password: item.password_hash }
    }
}

impl UserItem {
    fn of(user: &User, password: &PasswordHash) -> Self {
        let profile = user.profile.clone();
        Self {
            id: user.id,
            username: profile.username,
            email: profile.email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            notification_channel: profile.channel,
            phone: profile.phone,
            push_endpoint: profile.push_endpoint,
            role: user.role,
            password_hash: password.clone(),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

fn user_key(id: UserId) -> AttributeValue {
    text(format_args!("USER#{id}"))
}

fn name_key(name: &Username) -> AttributeValue {
    text(format_args!("NAME#{}", name.canonical()))
}

fn mail_key(email: &Email) -> AttributeValue {
    text(format_args!("MAIL#{}", email.canonical()))
}

const PROFILE: &str = "PROFILE";
const NAME: &str = "NAME";
const MAIL: &str = "MAIL";
const DELETED_AT: &str = "deletedAt";

fn everybody() -> List {
    List::spread(GSI1, "USERS")
}

fn of_role(role: Role) -> List {
    List::spread(GSI2, format_args!("ROLE#{role}"))
}

/// The user in an item; nothing when they are deleted.
fn account(item: Item) -> Result<Option<Account>, StoreError> {
    if item.contains_key(DELETED_AT) {
        return Ok(None);
    }
    read::<UserItem>("user", item).map(|item| Some(item.into()))
}

#[derive(Debug, PartialEq)]
enum Guard {
    User,
    Name,
    Mail,
    New,
}

impl UserStore {
    /// The store in these tables.
    pub fn new(
        client: Client,
        table: impl Into<String>,
        sessions_table: impl Into<String>,
        events_table: impl Into<String>,
    ) -> Self {
        let (table, events_table) = (table.into(), events_table.into());
        let (listing, events) =
            (Listing::new(client.clone(), table.clone(), UserId::PREFIX), EventStore::new(events_table.clone()));
        Self { client, table, sessions_table: sessions_table.into(), events_table, events, listing }
    }

    /// The store in the tables that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let tables = (config::required("USERS_TABLE")?, config::required("SESSIONS_TABLE")?);
        Ok(Self::new(client, tables.0, tables.1, config::required("EVENTS_TABLE")?))
    }

    /// AP-80 get user, with the hash of their password.
    ///
    /// # Errors
    /// When the store does.
    pub async fn account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let item = transaction::get(&self.client, &self.table, user_key(id), PROFILE).await?;
        item.map_or(Ok(None), account)
    }

    /// AP-80 get user.
    ///
    /// # Errors
    /// When the store does.
    pub async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.account(id).await?.map(|account| account.user))
    }

    /// AP-81 whose name this is.
    ///
    /// # Errors
    /// When the store does.
    pub async fn whose_name(&self, name: &Username) -> Result<Option<UserId>, StoreError> {
        self.whose(name_key(name), NAME).await
    }

    /// AP-82 whose mail address this is.
    ///
    /// # Errors
    /// When the store does.
    pub async fn whose_mail(&self, email: &Email) -> Result<Option<UserId>, StoreError> {
        self.whose(mail_key(email), MAIL).await
    }

    async fn whose(&self, pk: AttributeValue, sk: &str) -> Result<Option<UserId>, StoreError> {
        let item = transaction::get(&self.client, &self.table, pk, sk).await?;
        item.map(|item| read::<TakenItem>("name", item).map(|taken| taken.user_id)).transpose()
    }

    /// AP-83 register: the user, their name, their mail address, their access and the event.
    ///
    /// # Errors
    /// When the name or the mail address is taken, or the store fails.
    pub async fn register(&self, user: &User, password: &PasswordHash, trace: &Trace) -> Result<(), RegisterError> {
        let mut item = write(&UserItem::of(user, password), user_key(user.id), PROFILE)?;
        item.extend(everybody().entry(user.id));
        item.extend(of_role(user.role).entry(user.id));
        let transaction = Transaction::new()
            .put(Guard::Name, self.take(name_key(&user.profile.username), NAME, user.id)?)
            .put(Guard::Mail, self.take(mail_key(&user.profile.email), MAIL, user.id)?)
            .put(Guard::New, put_new(&self.table, item)?)
            .put(Guard::New, sessions::grant(&self.sessions_table, user.id)?)
            .put(Guard::New, self.event(UserCreated(user.into()), user, trace)?);
        match transaction.commit(&self.client).await {
            Ok(_) => Ok(()),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Name) => Err(RegisterError::UsernameTaken),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Mail) => Err(RegisterError::EmailTaken),
            Err(Uncommitted::Refused(_)) => Err(StoreError::Broken(format!("{} is not a new id", user.id)).into()),
            Err(Uncommitted::Store(error)) => Err(error.into()),
        }
    }

    /// AP-84 change a user: their profile, what is unique in it, the event; a new role ends every session.
    ///
    /// # Errors
    /// When a rule says no, a name is taken, or the store fails.
    pub async fn change(&self, id: UserId, change: &Change, by: Actor, trace: &Trace) -> Result<User, ChangeError> {
        until_current(|| async {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            let Some(after) = before.change(change, by, Timestamp::now())? else { return Ok(Attempt::Done(before)) };
            let mut transaction = Transaction::new()
                .update(Guard::User, self.rewrite(&before, &after)?)
                .put(Guard::User, self.event(UserUpdated((&after).into()), &after, trace)?);
            let (old, new) = (&before.profile, &after.profile);
            if old.username.canonical() != new.username.canonical() {
                transaction = transaction
                    .put(Guard::Name, self.take(name_key(&new.username), NAME, id)?)
                    .delete(Guard::User, self.free(name_key(&old.username), NAME, id)?);
            }
            if old.email.canonical() != new.email.canonical() {
                transaction = transaction
                    .put(Guard::Mail, self.take(mail_key(&new.email), MAIL, id)?)
                    .delete(Guard::User, self.free(mail_key(&old.email), MAIL, id)?);
            }
            if before.role != after.role {
                transaction = transaction.update(Guard::User, sessions::end_all(&self.sessions_table, id)?);
            }
            match transaction.commit(&self.client).await {
                Ok(_) => Ok(Attempt::Done(after)),
                Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::User) => Ok(Attempt::Overtaken),
                Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Name) => Err(ChangeError::UsernameTaken),
                Err(Uncommitted::Refused(_)) => Err(ChangeError::EmailTaken),
                Err(Uncommitted::Store(error)) => Err(error.into()),
            }
        })
        .await
    }

    /// AP-85 delete a user: what is personal is gone from the profile and from the history, their name and mail address are free, every
    /// session has ended, and that there was a user stays.
    ///
    /// # Errors
    /// When there is none, a rule says no, or the store fails.
    pub async fn delete(&self, id: UserId, by: Actor, trace: &Trace) -> Result<(), ChangeError> {
        until_current(|| async {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            before.deletable(by)?;
            let now = Timestamp::now();
            let version = before.version + 1;
            let tombstone = Tombstone { id, version, created_at: before.created_at, deleted_at: now };
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(write(&tombstone, user_key(id), PROFILE)?))
                .condition_expression("version = :before")
                .expression_attribute_values(":before", number(before.version));
            let event = Envelope::new(UserDeleted { user_id: id }, version, now, trace);
            let transaction = Transaction::new()
                .put((), built(put.build())?)
                .put((), self.events.append(&event)?)
                .delete((), self.free(name_key(&before.profile.username), NAME, id)?)
                .delete((), self.free(mail_key(&before.profile.email), MAIL, id)?)
                .update((), sessions::end_all(&self.sessions_table, id)?);
            let mut redactions = self.redactions(id, before.version).await?;
            // A transaction takes 100 items. Of a longer history the oldest events go first, each by itself.
            let beyond = redactions.len().saturating_sub(MOST_REDACTIONS);
            for early in redactions.drain(..beyond) {
                Transaction::new().update((), early).commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            }
            let transaction = transaction.updates(redactions.into_iter().map(|update| ((), update)));
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, ()))
        })
        .await
    }

    /// AP-86 change the password: whoever is logged in is no longer. Stale when it has been changed since the account was read.
    ///
    /// # Errors
    /// When the store does.
    pub async fn change_password(&self, account: &Account, new: &PasswordHash) -> Result<Written, StoreError> {
        let id = account.user.id;
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(id))
            .key("sk", text(PROFILE))
            .update_expression("SET passwordHash = :new")
            .condition_expression("passwordHash = :old")
            .expression_attribute_values(":new", text(new.reveal()))
            .expression_attribute_values(":old", text(account.password.reveal()));
        let transaction = Transaction::new()
            .update((), built(update.build())?)
            .update((), sessions::end_all(&self.sessions_table, id)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-87 keep the same password under another hash. Stale when it has been changed since the account was read.
    ///
    /// # Errors
    /// When the store does.
    pub async fn rehash(&self, account: &Account, new: &PasswordHash) -> Result<Written, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", user_key(account.user.id))
            .key("sk", text(PROFILE))
            .update_expression("SET passwordHash = :new")
            .condition_expression("passwordHash = :old")
            .expression_attribute_values(":new", text(new.reveal()))
            .expression_attribute_values(":old", text(account.password.reveal()));
        conditional(update.send().await)
    }

    /// AP-88 list users, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<User>, ListError> {
        let user = |item| Ok(account(item)?.map(|account| account.user));
        self.listing.page(&everybody(), limit, cursor, user).await
    }

    /// AP-88 list the users of a role, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn list_by_role(
        &self,
        role: Role,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<User>, ListError> {
        let user = |item| Ok(account(item)?.map(|account| account.user).filter(|user| user.role == role));
        self.listing.page(&of_role(role), limit, cursor, user).await
    }

    /// AP-89 what is personal in a user's history, each taken out. Up to the version that was read: a later event means that somebody else was first,
    /// which the transaction finds out by itself.
    async fn redactions(&self, id: UserId, version: u64) -> Result<Vec<Update>, StoreError> {
        let history = self
            .client
            .query()
            .table_name(&self.events_table)
            .consistent_read(true)
            .key_condition_expression("aggregateId = :user AND aggregateVersion <= :version")
            .expression_attribute_values(":user", text(id))
            .expression_attribute_values(":version", number(version))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>();
        let history = history.await.map_err(StoreError::from_sdk)?;
        let mut redactions = Vec::new();
        for item in history {
            let event: EventItem = read("event", item)?;
            let redacted = events::redacted(&event.detail).map_err(|error| StoreError::malformed("event", error))?;
            let Some(detail) = redacted else { continue };
            let update = Update::builder()
                .table_name(&self.events_table)
                .key("aggregateId", text(id))
                .key("aggregateVersion", number(event.aggregate_version))
                .update_expression("SET detail = :redacted")
                .condition_expression("attribute_exists(aggregateId)")
                .expression_attribute_values(":redacted", text(detail));
            redactions.push(built(update.build())?);
        }
        Ok(redactions)
    }

    /// The put that takes a name or a mail address.
    fn take(&self, pk: AttributeValue, sk: &str, id: UserId) -> Result<Put, StoreError> {
        put_new(&self.table, write(&TakenItem { user_id: id }, pk, sk)?)
    }

    /// The delete that gives it back.
    fn free(&self, pk: AttributeValue, sk: &str, id: UserId) -> Result<Delete, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", pk)
            .key("sk", text(sk))
            .condition_expression("userId = :me")
            .expression_attribute_values(":me", text(id));
        built(delete.build())
    }

    /// The update that makes of a user what was decided, and leaves their password alone.
    fn rewrite(&self, before: &User, after: &User) -> Result<Update, StoreError> {
        let profile = &after.profile;
        let mut sets = vec![
            "username = :username, email = :email, firstName = :first, lastName = :last, #role = :role".to_owned(),
            "notificationChannel = :channel, version = :after, updatedAt = :now".to_owned(),
        ];
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(after.id))
            .key("sk", text(PROFILE))
            .condition_expression("version = :before")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":username", text(&profile.username))
            .expression_attribute_values(":email", text(&profile.email))
            .expression_attribute_values(":first", text(&profile.first_name))
            .expression_attribute_values(":last", text(&profile.last_name))
            .expression_attribute_values(":channel", text(profile.channel))
            .expression_attribute_values(":role", text(after.role))
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        for (name, value) in of_role(after.role).entry(after.id) {
            sets.push(format!("{name} = :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        let optional =
            [("phone", profile.phone.as_ref().map(text)), ("pushEndpoint", profile.push_endpoint.as_ref().map(text))];
        let mut removals = Vec::new();
        for (name, value) in optional {
            match value {
                Some(value) => {
                    sets.push(format!("{name} = :{name}"));
                    update = update.expression_attribute_values(format!(":{name}"), value);
                }
                None => removals.push(name),
            }
        }
        let removals = if removals.is_empty() { String::new() } else { format!(" REMOVE {}", removals.join(", ")) };
        let sets = format!("SET {}{removals}", sets.join(", "));
        built(update.update_expression(sets).build())
    }

    fn event<T: DomainEvent>(&self, data: T, user: &User, trace: &Trace) -> Result<Put, StoreError> {
        self.events.append(&Envelope::new(data, user.version, user.updated_at, trace))
    }
}

/// How many events the deleting transaction itself redacts: it has five other items, and takes 100.
const MOST_REDACTIONS: usize = 90;

fn put_new(table: &str, item: Item) -> Result<Put, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(item));
    built(put.condition_expression("attribute_not_exists(pk)").build())
}
