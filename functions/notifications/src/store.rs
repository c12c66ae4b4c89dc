//! The notifications table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a notification | `NTF#<notificationId>` | `NTF` |
//! | where a user is reached | `USER#<userId>` | `CONTACT` |
//! | messages to a user on a day | `SENT#<userId>#<day>` | `DAY` |
//!
//! | List | Index | Partition |
//! |---|---|---|
//! | of a user | `gsi1` | `USER#<userId>` |
//! | of all | `gsi2` | `ALL`, spread |
//! | of a status | `gsi3` | `STATUS#<status>`, spread |
//! | of a channel | `gsi4` | `TYPE#<type>`, spread |

use crate::{
    content::{Content, FreeText},
    domain::{Lease, NotToSend, Notification, Status},
    events::{
        NotificationDeleted, NotificationFailed, NotificationRequested, NotificationResendRequested, NotificationSent,
        RequestedBy,
    },
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, Update},
};
use boxoffice_aws::{
    Cursor, EventStore, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    listing::{GSI1, GSI2, GSI3, GSI4},
    transaction::{Attempt, Written, built, conditional, get, read, until_current, write},
};
use boxoffice_kernel::{
    Channel, Contact, Correlation, DomainEvent, Envelope, EventId, NotificationId, Operator, Reason, Timestamp, Trace,
    UserId,
};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The context's table, and the event store it writes to.
#[derive(Debug, Clone)]
pub struct NotificationStore {
    client: Client,
    table: String,
    events: EventStore,
}

/// The facts about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Where they are reached.
    Contact(Contact),
    /// That they are gone.
    Deleted,
}

/// The result of an attempt to send a notification.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Send it.
    Taken(Box<Notification>),
    /// There is nothing to send, or not now.
    Refused(NotToSend),
}

/// Why a notification was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("there is no such notification")]
    NotFound,
    /// A rule says no.
    #[error(transparent)]
    Unchanged(#[from] NotToSend),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A list that notifications are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationList {
    /// Every one.
    All,
    /// A user's.
    OfUser(UserId),
    /// Those of a status.
    WithStatus(Status),
    /// Those of a channel.
    ByChannel(Channel),
}

impl NotificationList {
    fn list(self) -> List {
        match self {
            Self::All => List::spread(GSI2, "ALL"),
            Self::OfUser(user) => List::of(GSI1, format_args!("USER#{user}")),
            Self::WithStatus(status) => List::spread(GSI3, format_args!("STATUS#{status}")),
            Self::ByChannel(channel) => List::spread(GSI4, format_args!("TYPE#{channel}")),
        }
    }

    fn every_list_of(notification: &Notification) -> [List; 4] {
        let lists = [
            Self::All,
            Self::OfUser(notification.user_id),
            Self::WithStatus(notification.status),
            Self::ByChannel(notification.channel),
        ];
        lists.map(Self::list)
    }

    /// Whether it is one of these still, when the index says so.
    fn has(self, notification: &Notification) -> bool {
        let on = match self {
            Self::WithStatus(status) => notification.status == status,
            Self::All | Self::OfUser(_) | Self::ByChannel(_) => true,
        };
        on && notification.deleted_at.is_none()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationItem {
    id: NotificationId,
    user_id: UserId,
    #[serde(rename = "type")]
    channel: Channel,
    /// As JSON: it is read and written whole.
    content: String,
    message: FreeText,
    status: Status,
    attempts: u32,
    #[serde(default)]
    unanswered: u32,
    #[serde(default)]
    resends: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    correlation_id: Correlation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl NotificationItem {
    fn of(notification: &Notification) -> Result<Self, StoreError> {
        let content = serde_json::to_string(&notification.content);
        let lease = notification.lease.as_ref();
        Ok(Self {
            id: notification.id,
            user_id: notification.user_id,
            channel: notification.channel,
            content: content.map_err(|error| StoreError::malformed("content", error))?,
            message: notification.message.clone(),
            status: notification.status,
            attempts: notification.attempts,
            unanswered: notification.unanswered,
            resends: notification.resends,
            event_id: notification.event_id,
            correlation_id: notification.correlation_id.clone(),
            sending_by: lease.map(|lease| lease.holder.clone()),
            sending_until: lease.map(|lease| lease.until),
            sent_at: notification.sent_at,
            failure_reason: notification.failure_reason.clone(),
            deleted_at: notification.deleted_at,
            version: notification.version,
            created_at: notification.created_at,
            updated_at: notification.updated_at,
        })
    }

    fn notification(self) -> Result<Notification, StoreError> {
        let content: Content =
            serde_json::from_str(&self.content).map_err(|error| StoreError::malformed("content", error))?;
        Ok(Notification {
            id: self.id,
            user_id: self.user_id,
            channel: self.channel,
            content,
            message: self.message,
            status: self.status,
            attempts: self.attempts,
            unanswered: self.unanswered,
            resends: self.resends,
            event_id: self.event_id,
            correlation_id: self.correlation_id,
            lease: self.sending_by.zip(self.sending_until).map(|(holder, until)| Lease { holder, until }),
            sent_at: self.sent_at,
            failure_reason: self.failure_reason,
            deleted_at: self.deleted_at,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// A user's contact, or that there is none any more: then only the fact remains, so that no late event brings the data back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactItem {
    #[serde(flatten)]
    contact: Option<Contact>,
    /// That of the user whose event said so.
    version: u64,
}

fn notification_key(id: NotificationId) -> AttributeValue {
    text(format_args!("NTF#{id}"))
}

fn user_key(id: UserId) -> AttributeValue {
    text(format_args!("USER#{id}"))
}

const NOTIFICATION: &str = "NTF";
const CONTACT: &str = "CONTACT";
const DAY: &str = "DAY";
const DAY_SECONDS: u64 = 24 * 3600;

fn read_notification(item: Item) -> Result<Notification, StoreError> {
    read::<NotificationItem>("notification", item)?.notification()
}

impl NotificationStore {
    /// The store in these tables.
    pub fn new(client: Client, table: impl Into<String>, events: EventStore) -> Self {
        Self { client, table: table.into(), events }
    }

    /// The store in the tables that the environment names.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        let events = EventStore::new(config::required("EVENTS_TABLE")?);
        Ok(Self::new(client, config::required("NOTIFICATIONS_TABLE")?, events))
    }

    /// AP-100 keep contact, unless what is kept is of a later version of the user.
    pub async fn keep_contact(&self, user: UserId, contact: &Contact, version: u64) -> Result<Written, StoreError> {
        self.put_contact(user, ContactItem { contact: Some(contact.clone()), version }).await
    }

    /// AP-101 forget contact, unless what is kept is of a later version of the user. The record says only that they are gone.
    pub async fn forget_contact(&self, user: UserId, version: u64) -> Result<Written, StoreError> {
        self.put_contact(user, ContactItem { contact: None, version }).await
    }

    async fn put_contact(&self, user: UserId, contact: ContactItem) -> Result<Written, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(&contact, user_key(user), CONTACT)?))
            .condition_expression("attribute_not_exists(pk) OR version < :version")
            .expression_attribute_values(":version", number(contact.version));
        conditional(put.send().await)
    }

    /// AP-102 get contact; nothing where no event of this user has arrived yet.
    pub async fn contact(&self, user: UserId) -> Result<Option<Known>, StoreError> {
        let item = get(&self.client, &self.table, user_key(user), CONTACT).await?;
        // A contact in part would read as none at all: it is one when it has an address, and then it must be whole.
        let Some(item) = item else { return Ok(None) };
        if item.contains_key("email") {
            return read("contact", item).map(|contact| Some(Known::Contact(contact)));
        }
        Ok(Some(Known::Deleted))
    }

    /// AP-407 counts a message to a user, of which there may be so many on a day (UTC): once, however often it is tried. Whether there was one left.
    ///
    /// # Errors
    /// When the store does.
    pub async fn spend_of_day(
        &self,
        user: UserId,
        id: NotificationId,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let day = now.unix_seconds() / DAY_SECONDS;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(format_args!("SENT#{user}#{day}")))
            .key("sk", text(DAY))
            .update_expression("ADD messages :id SET expiresAt = :end")
            .condition_expression(
                "attribute_not_exists(messages) OR size(messages) < :most OR contains(messages, :one)",
            )
            .expression_attribute_values(":id", AttributeValue::Ss(vec![id.to_string()]))
            .expression_attribute_values(":one", text(id))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":end", number((day + 2) * DAY_SECONDS));
        Ok(conditional(update.send().await)? == Written::Yes)
    }

    /// AP-103 get notification; nothing where it is deleted.
    pub async fn get(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        Ok(self.find(id).await?.filter(|notification| notification.deleted_at.is_none()))
    }

    async fn find(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        let item = get(&self.client, &self.table, notification_key(id), NOTIFICATION).await?;
        item.map(read_notification).transpose()
    }

    /// AP-104 record notification, and that it is to be sent, with the lease of the invocation that is about to. One that is recorded stays as it is:
    /// the first record decides.
    ///
    /// # Errors
    /// When the store does.
    pub async fn record(
        &self,
        notification: &Notification,
        requested_by: RequestedBy,
        trace: &Trace,
    ) -> Result<Written, StoreError> {
        let key = notification_key(notification.id);
        let mut item = write(&NotificationItem::of(notification)?, key, NOTIFICATION)?;
        item.extend(NotificationList::every_list_of(notification).iter().flat_map(|list| list.entry(notification.id)));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = built(put.condition_expression("attribute_not_exists(pk)").build())?;
        let event = NotificationRequested { notification: notification.into(), requested_by };
        let transaction = Transaction::new().put((), put).put((), self.event(event, notification, trace)?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    fn event<T: DomainEvent>(&self, data: T, notification: &Notification, trace: &Trace) -> Result<Put, StoreError> {
        self.events.append(&Envelope::new(data, notification.version, notification.updated_at, trace))
    }

    /// AP-105 claim: this invocation sets out to send it, and no other does until its lease is over.
    ///
    /// # Errors
    /// When there is no such notification, or the store fails.
    pub async fn claim(&self, id: NotificationId, who: &str) -> Result<Claim, ChangeError> {
        until_current(|| async {
            let before = self.find(id).await?.ok_or(ChangeError::NotFound)?;
            let after = match before.claim(who, Timestamp::now()) {
                Ok(after) => after,
                Err(refusal) => return Ok(Attempt::Done(Claim::Refused(refusal))),
            };
            let written = self.note_claim(&before, &after).await?;
            Ok::<_, ChangeError>(Attempt::when(written, Claim::Taken(Box::new(after))))
        })
        .await
    }

    /// A note on the notification: no version, no event.
    async fn note_claim(&self, before: &Notification, after: &Notification) -> Result<Written, StoreError> {
        let Some(lease) = &after.lease else { return Ok(Written::Yes) };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", notification_key(after.id))
            .key("sk", text(NOTIFICATION))
            .update_expression(
                "SET attempts = :attempts, unanswered = :unanswered, sendingBy = :who, sendingUntil = :until",
            )
            .condition_expression("version = :version AND attempts = :attempted")
            .expression_attribute_values(":attempts", number(after.attempts))
            .expression_attribute_values(":unanswered", number(after.unanswered))
            .expression_attribute_values(":who", text(&lease.holder))
            .expression_attribute_values(":until", text(lease.until))
            .expression_attribute_values(":version", number(before.version))
            .expression_attribute_values(":attempted", number(before.attempts));
        conditional(update.send().await)
    }

    /// AP-260 put back: the service did not take the message, and whoever comes next may send it. [`Written::Stale`] when this invocation's lease is not
    /// there any more.
    ///
    /// # Errors
    /// When the store does.
    pub async fn put_back(&self, id: NotificationId, who: &str) -> Result<Written, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", notification_key(id))
            .key("sk", text(NOTIFICATION))
            .update_expression("REMOVE sendingBy, sendingUntil")
            .condition_expression("sendingBy = :who")
            .expression_attribute_values(":who", text(who));
        conditional(update.send().await)
    }

    /// AP-106 mark sent.
    ///
    /// # Errors
    /// When it is settled already, there is none, or the store fails.
    pub async fn mark_sent(&self, id: NotificationId, trace: &Trace) -> Result<Notification, ChangeError> {
        let event = |after: &Notification| NotificationSent { notification: after.into() };
        self.rewrite(id, |before| before.sent(Timestamp::now()), event, trace).await
    }

    /// AP-107 mark failed.
    ///
    /// # Errors
    /// When it is settled already, another invocation is at it, there is none, or the store fails.
    pub async fn mark_failed(
        &self,
        id: NotificationId,
        who: &str,
        reason: impl Fn(&Notification) -> String,
        trace: &Trace,
    ) -> Result<Notification, ChangeError> {
        let decide = |before: &Notification| before.failed(who, reason(before), Timestamp::now());
        let event = |after: &Notification| NotificationFailed { notification: after.into() };
        self.rewrite(id, decide, event, trace).await
    }

    /// AP-261 send again a notification that FAILED. The event brings it back to the queue.
    ///
    /// # Errors
    /// When it has not failed, there is none, or the store fails.
    pub async fn resend(
        &self,
        id: NotificationId,
        requested_by: &Operator,
        reason: &Reason,
        trace: &Trace,
    ) -> Result<Notification, ChangeError> {
        let event = |after: &Notification| NotificationResendRequested {
            notification: after.into(),
            requested_by: requested_by.clone(),
            reason: reason.clone(),
        };
        self.rewrite(id, |before| before.resend(Timestamp::now()), event, trace).await
    }

    /// AP-108 delete: it stays, and is on no list.
    ///
    /// # Errors
    /// When it is deleted already, there is none, or the store fails.
    pub async fn delete(&self, id: NotificationId, trace: &Trace) -> Result<Notification, ChangeError> {
        let event = |after: &Notification| NotificationDeleted { notification: after.into() };
        self.rewrite(id, |before| before.deleted(Timestamp::now()), event, trace).await
    }

    async fn rewrite<T: DomainEvent>(
        &self,
        id: NotificationId,
        decide: impl Fn(&Notification) -> Result<Notification, NotToSend>,
        event: impl Fn(&Notification) -> T,
        trace: &Trace,
    ) -> Result<Notification, ChangeError> {
        until_current(|| async {
            let before = self.find(id).await?.ok_or(ChangeError::NotFound)?;
            let after = decide(&before)?;
            let transaction = Transaction::new()
                .update((), self.change(&before, &after)?)
                .put((), self.event(event(&after), &after, trace)?);
            let written = transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, after))
        })
        .await
    }

    /// The update that moves a notification from what it was read as to what was decided. Whether someone else has claimed it since counts:
    /// `attempts` says so.
    fn change(&self, before: &Notification, after: &Notification) -> Result<Update, StoreError> {
        let mut sets = vec![
            "#status = :status, version = :after, updatedAt = :now, unanswered = :unanswered, resends = :resends"
                .to_owned(),
        ];
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", notification_key(after.id))
            .key("sk", text(NOTIFICATION))
            .condition_expression("version = :before AND attempts = :attempts")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(after.status))
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":attempts", number(before.attempts))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":unanswered", number(after.unanswered))
            .expression_attribute_values(":resends", number(after.resends))
            .expression_attribute_values(":now", text(after.updated_at));
        let noted = [
            ("sentAt", ":sent", after.sent_at.map(text)),
            ("failureReason", ":reason", after.failure_reason.as_ref().map(text)),
            ("deletedAt", ":deleted", after.deleted_at.map(text)),
        ];
        for (attribute, name, value) in noted {
            if let Some(value) = value {
                sets.push(format!("{attribute} = {name}"));
                update = update.expression_attribute_values(name, value);
            }
        }
        let mut removed: Vec<&str> = Vec::new();
        if after.lease.is_none() {
            removed.extend(["sendingBy", "sendingUntil"]);
        }
        if after.failure_reason.is_none() {
            removed.push("failureReason");
        }
        let lists = NotificationList::every_list_of(after);
        if after.deleted_at.is_some() {
            removed.extend(lists.iter().flat_map(List::attributes));
        } else {
            for (number, (attribute, value)) in lists.iter().flat_map(|list| list.entry(after.id)).enumerate() {
                sets.push(format!("{attribute} = :list{number}"));
                update = update.expression_attribute_values(format!(":list{number}"), value);
            }
        }
        let sets = format!("SET {}", sets.join(", "));
        let expression = if removed.is_empty() { sets } else { format!("{sets} REMOVE {}", removed.join(", ")) };
        built(update.update_expression(expression).build())
    }

    /// AP-109 list notifications: all, a user's, those of a status or of a channel; newest first.
    pub async fn list(
        &self,
        which: NotificationList,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Notification>, ListError> {
        let listing = Listing::new(self.client.clone(), &self.table, NotificationId::PREFIX);
        let on_the_list = |item| Ok(Some(read_notification(item)?).filter(|notification| which.has(notification)));
        listing.page(&which.list(), limit, cursor, on_the_list).await
    }
}
