//! What this context states on the bus. The contracts are `events/User*.schema.json`.
//!
//! They carry what others need to reach a user, and nothing that proves who somebody is.

use crate::domain::{User, Username};
use boxoffice_kernel::{Channel, DomainEvent, Email, PhoneNumber, PushEndpoint, Role, Text, UserId};
use serde::Serialize;

/// The user an event is about, as they are from then on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    user_id: UserId,
    username: Username,
    email: Email,
    first_name: Text<50>,
    last_name: Text<50>,
    role: Role,
    notification_channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<PhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_endpoint: Option<PushEndpoint>,
}

impl From<&User> for Person {
    fn from(user: &User) -> Self {
        let profile = user.profile.clone();
        Self {
            user_id: user.id,
            username: profile.username,
            email: profile.email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            role: user.role,
            notification_channel: profile.channel,
            phone: profile.phone,
            push_endpoint: profile.push_endpoint,
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
    UserUpdated
);

/// They are gone, and what was personal with them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// Who.
    pub user_id: UserId,
}

impl DomainEvent for UserDeleted {
    const TYPE: &'static str = "UserDeleted";
    const CONTEXT: &'static str = "users";
    fn aggregate_id(&self) -> String {
        self.user_id.to_string()
    }
}

/// What stands in the history of a deleted user where something personal was: still what the schemas allow, and nobody's.
const REDACTED: [(&str, &str); 4] =
    [("username", "deleted"), ("email", "deleted@user.invalid"), ("firstName", "deleted"), ("lastName", "deleted")];
/// What is simply gone from it.
const REMOVED: [&str; 2] = ["phone", "pushEndpoint"];

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
