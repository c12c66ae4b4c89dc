//! The users table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a user; of a deleted one, that there was one | `USER#<userId>` | `PROFILE` |
//! | a username, taken | `NAME#<in lower case>` | `NAME` |
//! | a mail address, verified by its owner | `MAIL#<in lower case>` | `MAIL` |
//! | an account that names a mail address, and has not verified it | `MAIL#<in lower case>` | `PENDING#<login tag>#<userId>` |
//! | how many ADMINs there are who may log in | `ADMINS` | `COUNT` |
//! | a second factor | `USER#<userId>` | `FACTOR` |
//!
//! The effect of a change on a user's access tokens is written in the same transaction, in the sessions table ([`crate::sessions`]). So is the condition that the
//! actor's token is still valid: of two ADMINs who demote each other at once, one is refused.

mod factors;

use crate::{
    domain::{Change, Profile, Reason, Refusal, Requester, Suspension, User, Username},
    events::{
        self, Person, UserCreated, UserDeleted, UserEmailVerified, UserPasswordChanged, UserReinstated, UserSuspended,
        UserUpdated,
    },
    password::{Kept, LoginTag, PasswordHash},
    proofs,
    session::TokenHash,
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
    transaction::{self, Attempt, Refusals, Written, built, conditional, read, until_current, write},
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

/// A user and what is kept of their password.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The hash.
    pub password: PasswordHash,
    /// The tag by which they log in with an address that they have not verified.
    pub login_tag: Option<LoginTag>,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Another user has that name.
    #[error("another user has this name")]
    UsernameTaken,
    /// Another user has verified that mail address.
    #[error("another user has verified this mail address")]
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
    /// The actor's token has been revoked since it was looked at.
    #[error("the session of who acts has ended")]
    ActorGone,
    /// Another user has that name.
    #[error("another user has this name")]
    UsernameTaken,
    /// Another user has verified that mail address.
    #[error("another user has verified this mail address")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_tag: Option<LoginTag>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_verified_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_verified_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_phone: Option<PhoneNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspension: Option<Suspension>,
}

/// The remains of a deleted user.
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
            email_verified_at: item.email_verified_at,
            pending_email: item.pending_email,
            phone_verified_at: item.phone_verified_at,
            pending_phone: item.pending_phone,
            suspension: item.suspension,
        };
        Self { user, password: item.password_hash, login_tag: item.login_tag }
    }
}

impl UserItem {
    fn of(user: &User, password: &Kept) -> Self {
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
            password_hash: password.hash.clone(),
            login_tag: password.tag.clone(),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
            email_verified_at: user.email_verified_at,
            pending_email: user.pending_email.clone(),
            phone_verified_at: user.phone_verified_at,
            pending_phone: user.pending_phone.clone(),
            suspension: user.suspension.clone(),
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

/// The sort key of an account that names an address: its tag finds it, and its id tells it from others with the same tag, the newest last.
fn pending_sk(tag: &LoginTag, id: UserId) -> String {
    format!("{PENDING}{}#{id}", tag.reveal())
}

fn admins_key() -> AttributeValue {
    text("ADMINS")
}

const COUNT: &str = "COUNT";
const PROFILE: &str = "PROFILE";
const NAME: &str = "NAME";
const MAIL: &str = "MAIL";
const PENDING: &str = "PENDING#";
/// The most accounts that are looked at of those that name an address: it is not theirs yet, and there may be any number.
const MOST_PENDING: i32 = 100;
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
    Requester,
    Admins,
    Factor,
}

/// Why a transaction of this context was refused, where it is not that somebody else was first.
fn refusal(refusals: &Refusals<Guard>) -> Option<ChangeError> {
    if refusals.has(&Guard::Requester) {
        return Some(ChangeError::ActorGone);
    }
    if refusals.has(&Guard::Factor) {
        return Some(Refusal::FactorNotBegun.into());
    }
    if refusals.has(&Guard::Admins) {
        return Some(match refusals.found(&Guard::Admins) {
            Some(_) => Refusal::LastAdmin.into(),
            None => StoreError::Broken("ADMINs are not counted: run `boxoffice admin create`".into()).into(),
        });
    }
    if refusals.has(&Guard::User) {
        return None;
    }
    match (refusals.has(&Guard::Name), refusals.has(&Guard::Mail)) {
        (true, _) => Some(ChangeError::UsernameTaken),
        (false, true) => Some(ChangeError::EmailTaken),
        (false, false) => None,
    }
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
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let tables = (config::required("USERS_TABLE")?, config::required("SESSIONS_TABLE")?);
        Ok(Self::new(client, tables.0, tables.1, config::required("EVENTS_TABLE")?))
    }

    /// AP-80 get user, with the hash of their password.
    pub async fn account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let item = transaction::get(&self.client, &self.table, user_key(id), PROFILE).await?;
        item.map_or(Ok(None), account)
    }

    /// AP-80 get user.
    pub async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.account(id).await?.map(|account| account.user))
    }

    /// AP-81 whose name this is.
    pub async fn whose_name(&self, name: &Username) -> Result<Option<UserId>, StoreError> {
        self.whose(name_key(name), NAME).await
    }

    /// AP-82 whose mail address this is: who has verified it.
    pub async fn whose_mail(&self, email: &Email) -> Result<Option<UserId>, StoreError> {
        self.whose(mail_key(email), MAIL).await
    }

    async fn whose(&self, pk: AttributeValue, sk: &str) -> Result<Option<UserId>, StoreError> {
        let item = transaction::get(&self.client, &self.table, pk, sk).await?;
        item.map(|item| read::<TakenItem>("name", item).map(|taken| taken.user_id)).transpose()
    }

    /// AP-480 the account that is meant by a mail address that it has not verified, and a password.
    ///
    /// # Errors
    /// When the store does.
    pub async fn whose_tag(&self, email: &Email, tag: &LoginTag) -> Result<Option<UserId>, StoreError> {
        Ok(self.pending(email, &format!("{PENDING}{}#", tag.reveal()), 1).await?.into_iter().next())
    }

    /// AP-481 the accounts that name a mail address and have not verified it, newest first.
    ///
    /// # Errors
    /// When the store does.
    pub async fn accounts_naming(&self, email: &Email) -> Result<Vec<UserId>, StoreError> {
        let mut accounts = self.pending(email, PENDING, MOST_PENDING).await?;
        accounts.sort_unstable_by(|left, right| right.cmp(left));
        Ok(accounts)
    }

    async fn pending(&self, email: &Email, prefix: &str, most: i32) -> Result<Vec<UserId>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :mail AND begins_with(sk, :pending)")
            .expression_attribute_values(":mail", mail_key(email))
            .expression_attribute_values(":pending", text(prefix))
            .scan_index_forward(false)
            .limit(most);
        let found = query.send().await.map_err(StoreError::from_sdk)?.items.unwrap_or_default();
        found.into_iter().map(|item| read::<TakenItem>("name", item).map(|taken| taken.user_id)).collect()
    }

    /// AP-83 register: the user, their name, their mail address, their access and the event. The address is taken when it is verified, and only named when
    /// it is not: others may name it too.
    ///
    /// # Errors
    /// When the name or the verified mail address is taken, or the store fails.
    pub async fn register(&self, user: &User, password: &Kept, trace: &Trace) -> Result<(), RegisterError> {
        let mut item = write(&UserItem::of(user, password), user_key(user.id), PROFILE)?;
        item.extend(everybody().entry(user.id));
        item.extend(of_role(user.role).entry(user.id));
        let mut transaction =
            Transaction::new().put(Guard::Name, self.take(name_key(&user.profile.username), NAME, user.id)?);
        let mail = mail_key(&user.profile.email);
        transaction = match &password.tag {
            None => transaction.put(Guard::Mail, self.take(mail, MAIL, user.id)?),
            Some(tag) => transaction.put(Guard::New, self.take(mail, &pending_sk(tag, user.id), user.id)?),
        };
        let transaction = transaction
            .put(Guard::New, put_new(&self.table, item)?)
            .put(Guard::New, sessions::grant(&self.sessions_table, user.id)?)
            .put(Guard::New, self.event(UserCreated(user.into()), user, trace)?);
        let transaction = self.counted(transaction, None, Some(user))?;
        match transaction.commit(&self.client).await {
            Ok(_) => Ok(()),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Name) => Err(RegisterError::UsernameTaken),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Mail) => Err(RegisterError::EmailTaken),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Admins) => {
                Err(StoreError::Broken("ADMINs are not counted".into()).into())
            }
            Err(Uncommitted::Refused(_)) => Err(StoreError::Broken(format!("{} is not a new id", user.id)).into()),
            Err(Uncommitted::Store(error)) => Err(error.into()),
        }
    }

    /// AP-84 change a user: their profile, what is unique in it, the event; a new role ends every session.
    ///
    /// # Errors
    /// When a rule says no, a name is taken, or the store fails.
    pub async fn change(&self, id: UserId, change: &Change, by: Requester, trace: &Trace) -> Result<User, ChangeError> {
        until_current(|| async {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            let Some(after) = before.change(change, by, Timestamp::now())? else { return Ok(Attempt::Done(before)) };
            let mut transaction = Transaction::new()
                .update(Guard::User, self.rewrite(&before, &after)?)
                .put(Guard::User, self.event(UserUpdated(Person::since(&before, &after)), &after, trace)?);
            let (old, new) = (&before.profile, &after.profile);
            if old.username.canonical() != new.username.canonical() {
                transaction = transaction
                    .put(Guard::Name, self.take(name_key(&new.username), NAME, id)?)
                    .delete(Guard::User, self.free(name_key(&old.username), NAME, id)?);
            }
            let transaction = self.acted(transaction, by, id, before.role != after.role)?;
            self.settle(self.counted(transaction, Some(&before), Some(&after))?, after).await
        })
        .await
    }

    /// AP-327 suspend a user: every session ends, and no other begins. One who is suspended stays so, for the first reason.
    ///
    /// # Errors
    /// When there is none, a rule says no, or the store fails.
    pub async fn suspend(
        &self,
        id: UserId,
        reason: &Reason,
        by: Requester,
        trace: &Trace,
    ) -> Result<User, ChangeError> {
        until_current(|| async {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            let Some(after) = before.suspend(reason, by, Timestamp::now())? else { return Ok(Attempt::Done(before)) };
            let event = UserSuspended { user_id: id, by: by.id, reason: reason.clone() };
            let transaction = Transaction::new()
                .update(Guard::User, self.set_suspension(&before, &after)?)
                .put(Guard::User, self.event(event, &after, trace)?);
            let transaction = self.acted(transaction, by, id, true)?;
            self.settle(self.counted(transaction, Some(&before), Some(&after))?, after).await
        })
        .await
    }

    /// AP-328 reinstate a user: they may log in again.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn reinstate(
        &self,
        id: UserId,
        reason: &Reason,
        by: Requester,
        trace: &Trace,
    ) -> Result<User, ChangeError> {
        until_current(|| async {
            let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
            let Some(after) = before.reinstate(Timestamp::now()) else { return Ok(Attempt::Done(before)) };
            let event = UserReinstated { user_id: id, by: by.id, reason: reason.clone() };
            let transaction = Transaction::new()
                .update(Guard::User, self.set_suspension(&before, &after)?)
                .put(Guard::User, self.event(event, &after, trace)?);
            let transaction = self.acted(transaction, by, id, false)?;
            self.settle(self.counted(transaction, Some(&before), Some(&after))?, after).await
        })
        .await
    }

    /// AP-325 count the ADMINs who may log in, unless they are counted already. From then on each transaction that makes or unmakes one keeps the count.
    ///
    /// # Errors
    /// When the store does.
    pub async fn count_admins(&self) -> Result<(), StoreError> {
        if transaction::get(&self.client, &self.table, admins_key(), COUNT).await?.is_some() {
            return Ok(());
        }
        let (mut count, mut cursor) = (0_u64, None);
        loop {
            let page = self.list_by_role(Role::Admin, Limit::default(), cursor).await;
            let page = page.map_err(|error| match error {
                ListError::Store(error) => error,
                ListError::Cursor(error) => StoreError::Broken(error.to_string()),
            })?;
            count = page.items.iter().filter(|user| user.is_acting_admin()).fold(count, |count, _| count + 1);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let put = self.client.put_item().table_name(&self.table).item("pk", admins_key()).item("sk", text(COUNT));
        let put = put.item("count", number(count)).condition_expression("attribute_not_exists(pk)");
        conditional(put.send().await).map(|_| ())
    }

    /// Commits a change of a user.
    async fn settle<T>(&self, transaction: Transaction<Guard>, outcome: T) -> Result<Attempt<T>, ChangeError> {
        match transaction.commit(&self.client).await {
            Ok(_) => Ok(Attempt::Done(outcome)),
            Err(Uncommitted::Refused(refusals)) => refusal(&refusals).map_or(Ok(Attempt::Overtaken), Err),
            Err(Uncommitted::Store(error)) => Err(error.into()),
        }
    }

    /// The transaction, by an actor whose token is still valid, with the end of the user's sessions where it is the reason of it. For one's own account both are one item.
    fn acted(
        &self,
        transaction: Transaction<Guard>,
        by: Requester,
        id: UserId,
        ends_sessions: bool,
    ) -> Result<Transaction<Guard>, StoreError> {
        let table = &self.sessions_table;
        Ok(match ends_sessions {
            true if by.id == id => transaction.update(Guard::Requester, sessions::end_all_of(table, &by)?),
            true => transaction
                .check(Guard::Requester, sessions::still_stands(table, &by)?)
                .update(Guard::User, sessions::end_all(table, id)?),
            false => transaction.check(Guard::Requester, sessions::still_stands(table, &by)?),
        })
    }

    /// The transaction, with the count of ADMINs where one is made or unmade: never to none.
    fn counted(
        &self,
        transaction: Transaction<Guard>,
        before: Option<&User>,
        after: Option<&User>,
    ) -> Result<Transaction<Guard>, StoreError> {
        let (was, is) = (before.is_some_and(User::is_acting_admin), after.is_some_and(User::is_acting_admin));
        let (change, condition) = match (was, is) {
            (false, true) => ("SET #count = #count + :one", "attribute_exists(pk)"),
            (true, false) => ("SET #count = #count - :one", "#count > :one"),
            _ => return Ok(transaction),
        };
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", admins_key())
            .key("sk", text(COUNT))
            .update_expression(change)
            .condition_expression(condition)
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64));
        Ok(transaction.update(Guard::Admins, built(update.build())?))
    }

    /// The update of a user who is suspended or reinstated.
    fn set_suspension(&self, before: &User, after: &User) -> Result<Update, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(after.id))
            .key("sk", text(PROFILE))
            .condition_expression("version = :before")
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        update = match &after.suspension {
            Some(suspension) => update
                .update_expression("SET version = :after, updatedAt = :now, suspension = :suspension")
                .expression_attribute_values(":suspension", built(serde_dynamo::to_attribute_value(suspension))?),
            None => update.update_expression("SET version = :after, updatedAt = :now REMOVE suspension"),
        };
        built(update.build())
    }

    /// AP-85 delete a user: what is personal is gone from the profile and from the history, their name and mail address are free, every
    /// session has ended, and that there was a user stays.
    ///
    /// # Errors
    /// When there is none, a rule says no, or the store fails.
    pub async fn delete(&self, id: UserId, by: Requester, trace: &Trace) -> Result<(), ChangeError> {
        until_current(|| async {
            let account = self.account(id).await?.ok_or(ChangeError::NotFound)?;
            let before = &account.user;
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
                .put(Guard::User, built(put.build())?)
                .put(Guard::User, self.events.append(&event)?)
                .delete(Guard::User, self.free(name_key(&before.profile.username), NAME, id)?)
                .delete(Guard::User, self.leave_mail(&account)?)
                .delete(Guard::User, factors::forgotten(&self.table, id)?);
            let transaction = self.acted(transaction, by, id, true)?;
            let transaction = self.counted(transaction, Some(before), None)?;
            let mut redactions = self.redactions(id, before.version).await?;
            // A transaction takes 100 items. In a longer history the oldest events go first, each by itself.
            let beyond = redactions.len().saturating_sub(MOST_REDACTIONS);
            for early in redactions.drain(..beyond) {
                Transaction::new().update((), early).commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            }
            self.settle(transaction.updates(redactions.into_iter().map(|update| (Guard::User, update))), ()).await
        })
        .await
    }

    /// AP-86 change the password: whoever is logged in is no longer. Stale when the user has been changed since the account was read.
    ///
    /// # Errors
    /// When the store does.
    pub async fn change_password(&self, account: &Account, new: &Kept, trace: &Trace) -> Result<Written, StoreError> {
        let (id, before) = (account.user.id, account.user.version);
        let now = Timestamp::now();
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(id))
            .key("sk", text(PROFILE))
            .condition_expression("passwordHash = :old AND version = :before")
            .expression_attribute_values(":new", text(new.hash.reveal()))
            .expression_attribute_values(":old", text(account.password.reveal()))
            .expression_attribute_values(":before", number(before))
            .expression_attribute_values(":after", number(before + 1))
            .expression_attribute_values(":now", text(now));
        let event = Envelope::new(UserPasswordChanged { user_id: id }, before + 1, now, trace);
        let sets = "SET passwordHash = :new, version = :after, updatedAt = :now";
        let mut transaction = Transaction::new();
        if let (Some(old), Some(tag)) = (&account.login_tag, &new.tag) {
            update = update
                .update_expression(format!("{sets}, loginTag = :tag"))
                .expression_attribute_values(":tag", text(tag.reveal()));
            // The same password again is the same item, and a transaction takes an item once.
            if old != tag {
                let mail = mail_key(&account.user.profile.email);
                transaction = transaction
                    .put((), self.take(mail, &pending_sk(tag, id), id)?)
                    .delete((), self.leave_mail(account)?);
            }
        } else {
            update = update.update_expression(sets);
        }
        let transaction = transaction
            .update((), built(update.build())?)
            .put((), self.events.append(&event)?)
            .update((), sessions::end_all(&self.sessions_table, id)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-333 choose a new password with a token from a mail: every session ends, and the address is verified. Stale when the token was used, the user has
    /// changed since the account was read, or another has verified the address meanwhile.
    ///
    /// An account whose address was not verified before may have been registered by somebody else than who reads its mail, so its telephone, its device
    /// and its second factor are forgotten.
    ///
    /// # Errors
    /// When the store does.
    pub async fn reset_password(
        &self,
        account: &Account,
        token: &TokenHash,
        generation: u64,
        new: &PasswordHash,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let (id, before) = (account.user.id, account.user.version);
        let now = Timestamp::now();
        let is_first = account.user.email_verified_at.is_none();
        let mut after = User { version: before + 1, updated_at: now, ..account.user.clone() };
        after.email_verified_at = Some(now);
        let changed = Envelope::new(UserPasswordChanged { user_id: id }, after.version, now, trace);
        let mut transaction = Transaction::new()
            .delete((), proofs::used(&self.sessions_table, token)?)
            .put((), self.events.append(&changed)?)
            .update((), sessions::end_all_since(&self.sessions_table, id, generation)?);
        if is_first {
            (after.profile.phone, after.profile.push_endpoint) = (None, None);
            (after.pending_phone, after.phone_verified_at) = (None, None);
            after.version += 1;
            transaction = transaction
                .put((), self.take(mail_key(&after.profile.email), MAIL, id)?)
                .delete((), self.leave_mail(account)?)
                .delete((), factors::forgotten(&self.table, id)?)
                .put((), self.event(UserEmailVerified((&after).into()), &after, trace)?);
        }
        let forgotten =
            if is_first { " REMOVE loginTag, phone, pushEndpoint, pendingPhone, phoneVerifiedAt" } else { "" };
        let sets = "SET passwordHash = :new, version = :after, updatedAt = :now, emailVerifiedAt = :now";
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(id))
            .key("sk", text(PROFILE))
            .update_expression(format!("{sets}{forgotten}"))
            .condition_expression("version = :before")
            .expression_attribute_values(":new", text(new.reveal()))
            .expression_attribute_values(":before", number(before))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(now));
        let transaction = transaction.update((), built(update.build())?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-334 verify the address that waits with a token from a mail to it: it is claimed, and the one before it is free. Stale when no address waits, the
    /// token was used, or the user has been changed since they were read.
    ///
    /// # Errors
    /// [`ChangeError::EmailTaken`] when another user has verified it; when the store fails.
    pub async fn verify_email(
        &self,
        account: &Account,
        token: &TokenHash,
        trace: &Trace,
    ) -> Result<Written, ChangeError> {
        let before = &account.user;
        let Some(after) = before.verify_email(Timestamp::now()) else { return Ok(Written::Stale) };
        let event = UserEmailVerified(Person::since(before, &after));
        let transaction = Transaction::new()
            .delete(Guard::User, proofs::used(&self.sessions_table, token)?)
            .update(Guard::User, self.rewrite(before, &after)?)
            .put(Guard::Mail, self.take(mail_key(&after.profile.email), MAIL, before.id)?)
            .delete(Guard::User, self.leave_mail(account)?)
            .put(Guard::User, self.event(event, &after, trace)?);
        match transaction.commit(&self.client).await {
            Ok(_) => Ok(Written::Yes),
            Err(Uncommitted::Refused(refusals)) if refusals.has(&Guard::Mail) => Err(ChangeError::EmailTaken),
            Err(Uncommitted::Refused(_)) => Ok(Written::Stale),
            Err(Uncommitted::Store(error)) => Err(error.into()),
        }
    }

    /// AP-482 verify the telephone number that waits with a token from a text message to it. Stale when no number waits, the token was used, or the user has
    /// been changed since they were read. Nothing is found by a telephone number, so several users may have one.
    ///
    /// # Errors
    /// When the store does.
    pub async fn verify_phone(&self, before: &User, token: &TokenHash, trace: &Trace) -> Result<Written, StoreError> {
        let Some(after) = before.verify_phone(Timestamp::now()) else { return Ok(Written::Stale) };
        let transaction = Transaction::new()
            .delete((), proofs::used(&self.sessions_table, token)?)
            .update((), self.rewrite(before, &after)?)
            .put((), self.event(UserUpdated(Person::since(before, &after)), &after, trace)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-87 keep the same password under another hash. Stale when it has been changed since the account was read.
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
    pub async fn list(&self, limit: Limit, cursor: Option<Cursor>) -> Result<Page<User>, ListError> {
        let user = |item| Ok(account(item)?.map(|account| account.user));
        self.listing.page(&everybody(), limit, cursor, user).await
    }

    /// AP-88 list the users of a role, newest first.
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

    /// The delete of what an account keeps of its mail address: its claim, or that it names it.
    fn leave_mail(&self, account: &Account) -> Result<Delete, StoreError> {
        let Account { user, login_tag, .. } = account;
        let sk = login_tag.as_ref().map_or_else(|| MAIL.to_owned(), |tag| pending_sk(tag, user.id));
        self.free(mail_key(&user.profile.email), &sk, user.id)
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
        let optional = [
            ("phone", profile.phone.as_ref().map(text)),
            ("pushEndpoint", profile.push_endpoint.as_ref().map(text)),
            ("emailVerifiedAt", after.email_verified_at.map(text)),
            ("pendingEmail", after.pending_email.as_ref().map(text)),
            ("phoneVerifiedAt", after.phone_verified_at.map(text)),
            ("pendingPhone", after.pending_phone.as_ref().map(text)),
        ];
        let mut removals = Vec::new();
        if after.email_verified_at.is_some() {
            removals.push("loginTag");
        }
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

/// How many events the deleting transaction itself redacts: it has eight other items at most, and takes 100.
const MOST_REDACTIONS: usize = 90;

fn put_new(table: &str, item: Item) -> Result<Put, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(item));
    built(put.condition_expression("attribute_not_exists(pk)").build())
}
