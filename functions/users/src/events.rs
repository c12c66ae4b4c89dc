//! The events of this context. The contracts are `events/User*.schema.json`.
//!
//! They carry what others need to reach a user, and nothing that proves who somebody is.

use crate::domain::{Reason, Sensitive, User, Username};
use boxoffice_kernel::{Channel, DomainEvent, Email, PhoneNumber, PushEndpoint, Role, Text, UserId};
use serde::Serialize;

/// The user an event is about, as they are from then on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    user_id: UserId,
    username: Username,
    email: Email,
    /// Whether they showed that they read the mail of that address: messages go to no other.
    email_verified: bool,
    first_name: Text<50>,
    last_name: Text<50>,
    role: Role,
    notification_channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<PhoneNumber>,
    /// Whether they showed that they read the text messages to that number.
    phone_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_endpoint: Option<PushEndpoint>,
    /// The changed parts that the owner is to be told of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<Sensitive>,
    /// The mail address before, where that is another now: the owner is told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_email: Option<Email>,
}

impl Person {
    /// The user, and what has become another since they were like this.
    pub fn since(before: &User, after: &User) -> Self {
        let changed = before.profile.sensitive_differences(&after.profile);
        let moved = changed.contains(&Sensitive::Email) && before.email_verified_at.is_some();
        let previous_email = moved.then(|| before.profile.email.clone());
        Self { changed, previous_email, ..after.into() }
    }
}

impl From<&User> for Person {
    fn from(user: &User) -> Self {
        let profile = user.profile.clone();
        Self {
            user_id: user.id,
            username: profile.username,
            email: profile.email,
            email_verified: user.email_verified_at.is_some(),
            first_name: profile.first_name,
            last_name: profile.last_name,
            role: user.role,
            notification_channel: profile.channel,
            phone: profile.phone,
            phone_verified: user.phone_verified_at.is_some(),
            push_endpoint: profile.push_endpoint,
            changed: Vec::new(),
            previous_email: None,
        }
    }
}

macro_rules! about_a_person {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub Person);

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "users";
            fn aggregate_id(&self) -> String {
                self.0.user_id.to_string()
            }
        }
    )+};
}

about_a_person!(
    /// Somebody registered, or an operator made an ADMIN.
    UserCreated,
    /// Their profile or their role is another.
    UserUpdated,
    /// They showed that they read the mail of an address, which is theirs from then on.
    UserEmailVerified
);

/// They have another password, and every session of theirs has ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserPasswordChanged {
    /// The user.
    pub user_id: UserId,
}

impl DomainEvent for UserPasswordChanged {
    const TYPE: &'static str = "UserPasswordChanged";
    const CONTEXT: &'static str = "users";
    fn aggregate_id(&self) -> String {
        self.user_id.to_string()
    }
}

/// They are gone, and what was personal with them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// The user.
    pub user_id: UserId,
}

impl DomainEvent for UserDeleted {
    const TYPE: &'static str = "UserDeleted";
    const CONTEXT: &'static str = "users";
    fn aggregate_id(&self) -> String {
        self.user_id.to_string()
    }
}

/// They have a second factor, or none any more, and every session of theirs has ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserSecondFactorChanged {
    /// The user.
    pub user_id: UserId,
    /// Whether they have one from now on.
    pub enrolled: bool,
    /// Why, in an ADMIN's words, where an ADMIN took it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl DomainEvent for UserSecondFactorChanged {
    const TYPE: &'static str = "UserSecondFactorChanged";
    const CONTEXT: &'static str = "users";
    fn aggregate_id(&self) -> String {
        self.user_id.to_string()
    }
}

macro_rules! standing {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The owner of the account.
            pub user_id: UserId,
            /// The ADMIN.
            pub by: UserId,
            /// Why, in the ADMIN's words.
            pub reason: Reason,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "users";
            fn aggregate_id(&self) -> String {
                self.user_id.to_string()
            }
        }
    )+};
}

standing!(
    /// They may not log in any more, and every session of theirs has ended.
    UserSuspended,
    /// They may log in again.
    UserReinstated
);

/// The placeholder for personal data in the history of a deleted user; it satisfies the schemas.
const REDACTED: [(&str, &str); 5] = [
    ("username", "deleted"),
    ("email", "deleted@user.invalid"),
    ("firstName", "deleted"),
    ("lastName", "deleted"),
    ("reason", "deleted"),
];
/// The fields that are removed from it.
const REMOVED: [&str; 3] = ["phone", "pushEndpoint", "previousEmail"];

/// An event's detail without anything personal; nothing when there is nothing personal in it.
///
/// # Errors
/// When it is not an event's detail.
pub fn redacted(detail: &str) -> Result<Option<String>, serde_json::Error> {
    let mut event: serde_json::Value = serde_json::from_str(detail)?;
    let Some(data) = event.get_mut("data").and_then(serde_json::Value::as_object_mut) else { return Ok(None) };
    let mut changed = false;
    for (name, nobody) in REDACTED {
        if let Some(value) = data.get_mut(name).filter(|value| *value != nobody) {
            *value = nobody.into();
            changed = true;
        }
    }
    for name in REMOVED {
        changed |= data.remove(name).is_some();
    }
    changed.then(|| serde_json::to_string(&event)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_takes_what_is_personal_and_leaves_the_rest() {
        let detail = include_str!("../../../events/UserCreated.sample.json");
        let once = redacted(detail).unwrap().unwrap();
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(detail).unwrap(), serde_json::from_str(&once).unwrap());
        assert_eq!(after["metadata"], before["metadata"]);
        for kept in ["userId", "role", "notificationChannel"] {
            assert_eq!(after["data"][kept], before["data"][kept]);
        }
        for personal in ["username", "email", "firstName", "lastName", "phone", "pushEndpoint"] {
            assert_ne!(after["data"][personal], before["data"][personal], "{personal}");
        }
        assert_eq!(redacted(&once).unwrap(), None, "there is nothing left to take");
    }
}
