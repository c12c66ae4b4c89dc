//! A user, and who may change what. No I/O.

use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

/// What a user logs in by, besides their mail address. Names that differ only in case are one name ([`Username::canonical`]).
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Username(String);

/// Why a string is not a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 3 to 50 letters (A to Z), digits, dots, underscores or hyphens")]
pub struct InvalidUsername;

impl Username {
    /// The name as its owner spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The spelling that is unique.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Not the name: it is personal, and `{:?}` goes to logs.
impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(…)")
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;
    /// No `@` among them, so that a username is never somebody else's mail address.
    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let valid = (3..=50).contains(&text.len()) && text.bytes().all(harmless);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidUsername)
    }
}

impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

boxoffice_kernel::schema::string_schema!(Username, { pattern: "^[A-Za-z0-9._-]{3,50}$", example: "ada.lovelace" });

/// What a user says of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What they log in by.
    pub username: Username,
    /// Where they get mail; also what they log in by.
    pub email: Email,
    /// What to call them.
    pub first_name: Text<50>,
    /// And their family.
    pub last_name: Text<50>,
    /// How they want their messages.
    pub channel: Channel,
    /// For SMS.
    pub phone: Option<PhoneNumber>,
    /// For push messages.
    pub push_endpoint: Option<PushEndpoint>,
}

/// A person or system that books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What they say of themselves.
    pub profile: Profile,
    /// What they may do.
    pub role: Role,
    /// How often this has been written.
    pub version: u64,
    /// When they registered.
    pub created_at: Timestamp,
    /// When this was last written.
    pub updated_at: Timestamp,
}

/// Who wants a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Who they are.
    pub id: UserId,
    /// What they may do.
    pub role: Role,
}

/// What is to be different; nothing where there is nothing.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Another name.
    pub username: Option<Username>,
    /// Another mail address.
    pub email: Option<Email>,
    /// Another first name.
    pub first_name: Option<Text<50>>,
    /// Another last name.
    pub last_name: Option<Text<50>>,
    /// Another channel.
    pub channel: Option<Channel>,
    /// Another telephone number, or none any more.
    pub phone: Option<Option<PhoneNumber>>,
    /// Another device, or none any more.
    pub push_endpoint: Option<Option<PushEndpoint>>,
    /// Another role.
    pub role: Option<Role>,
    /// What the user was read as, where the caller says.
    pub version: Option<u64>,
}

/// Why a user is not changed as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only an ADMIN grants roles.
    #[error("only an ADMIN changes roles")]
    RoleNotTheirsToGive,
    /// So that an ADMIN is left: the one who acts.
    #[error("an ADMIN does not change their own role; another ADMIN can")]
    OwnRole,
    /// So that an ADMIN is left: the one who acts.
    #[error("an ADMIN does not delete themselves; another ADMIN can")]
    OwnAccount,
    /// Somebody else was first.
    #[error("the user is at version {0} by now")]
    VersionConflict(u64),
}

impl User {
    /// A new user.
    pub fn register(id: UserId, profile: Profile, role: Role, now: Timestamp) -> Self {
        Self { id, profile, role, version: 1, created_at: now, updated_at: now }
    }

    /// The user, changed; nothing when they are like that already.
    ///
    /// # Errors
    /// When it is not the actor's to change, or the user is no longer what the actor has seen.
    pub fn change(&self, change: &Change, by: Actor, now: Timestamp) -> Result<Option<Self>, Refusal> {
        if change.version.is_some_and(|seen| seen != self.version) {
            return Err(Refusal::VersionConflict(self.version));
        }
        let role = change.role.unwrap_or(self.role);
        if role != self.role {
            match by {
                Actor { role: Role::User | Role::Manager, .. } => return Err(Refusal::RoleNotTheirsToGive),
                Actor { id, .. } if id == self.id => return Err(Refusal::OwnRole),
                Actor { role: Role::Admin, .. } => {}
            }
        }
        let was = self.profile.clone();
        let profile = Profile {
            username: change.username.clone().unwrap_or(was.username),
            email: change.email.clone().unwrap_or(was.email),
            first_name: change.first_name.clone().unwrap_or(was.first_name),
            last_name: change.last_name.clone().unwrap_or(was.last_name),
            channel: change.channel.unwrap_or(was.channel),
            phone: change.phone.clone().unwrap_or(was.phone),
            push_endpoint: change.push_endpoint.clone().unwrap_or(was.push_endpoint),
        };
        if profile == self.profile && role == self.role {
            return Ok(None);
        }
        Ok(Some(Self { profile, role, version: self.version + 1, updated_at: now, ..self.clone() }))
    }

    /// Whether this actor may delete the user.
    ///
    /// # Errors
    /// When an ADMIN would delete themselves.
    pub fn deletable(&self, by: Actor) -> Result<(), Refusal> {
        if self.id == by.id && self.role == Role::Admin { Err(Refusal::OwnAccount) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn user(role: Role) -> User {
        let profile = Profile {
            username: "Ada.L".parse().unwrap(),
            email: "Ada@example.org".parse().unwrap(),
            first_name: "Ada".parse().unwrap(),
            last_name: "Lovelace".parse().unwrap(),
            channel: Channel::Email,
            phone: Some("+14155550123".parse().unwrap()),
            push_endpoint: None,
        };
        User::register(UserId::generate(), profile, role, now())
    }

    fn actor(role: Role) -> Actor {
        Actor { id: UserId::generate(), role }
    }

    fn to(role: Role) -> Change {
        Change { role: Some(role), ..Change::default() }
    }

    #[test]
    fn usernames_have_no_at_and_compare_without_case() {
        assert_eq!("Ada.L".parse::<Username>().unwrap().canonical(), "ada.l");
        for bad in ["", "ad", "a@b", "ada lovelace", "ädä", &"x".repeat(51), "a\nb"] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn only_an_admin_grants_roles_and_never_their_own() {
        let (ada, admin) = (user(Role::User), user(Role::Admin));
        let me = Actor { id: ada.id, role: Role::User };
        for by in [me, actor(Role::User), actor(Role::Manager)] {
            assert_eq!(ada.change(&to(Role::Admin), by, now()), Err(Refusal::RoleNotTheirsToGive));
        }
        // Saying what is so already is no change: clients of the reference send the whole user back.
        assert_eq!(ada.change(&to(Role::User), me, now()), Ok(None));
        let promoted = ada.change(&to(Role::Manager), actor(Role::Admin), now()).unwrap().unwrap();
        assert_eq!((promoted.role, promoted.version), (Role::Manager, 2));

        let own = Actor { id: admin.id, role: Role::Admin };
        assert_eq!(admin.change(&to(Role::User), own, now()), Err(Refusal::OwnRole));
        assert_eq!(admin.deletable(own), Err(Refusal::OwnAccount));
        assert_eq!(admin.deletable(actor(Role::Admin)), Ok(()));
        assert_eq!(ada.deletable(me), Ok(()));
    }

    #[test]
    fn what_was_said_to_be_seen_must_be_what_is_there() {
        let ada = user(Role::User);
        let change = Change { version: Some(7), ..Change::default() };
        assert_eq!(ada.change(&change, actor(Role::Admin), now()), Err(Refusal::VersionConflict(1)));
    }

    #[test]
    fn null_takes_away_and_absence_leaves() {
        let ada = user(Role::User);
        let by = actor(Role::Admin);
        let without = ada.change(&Change { phone: Some(None), ..Change::default() }, by, now()).unwrap().unwrap();
        assert_eq!(without.profile.phone, None);
        assert_eq!(ada.change(&Change::default(), by, now()), Ok(None));
    }

    #[test]
    fn personal_data_does_not_print() {
        let printed = format!("{:?}", user(Role::User));
        for personal in ["Ada.L", "example.org", "4155550123"] {
            assert!(!printed.contains(personal), "{printed}");
        }
    }

    proptest! {
        #[test]
        fn a_username_is_what_its_pattern_says(text in "\\PC{0,60}|[A-Za-z0-9._-]{2,51}") {
            let by_pattern = (3..=50).contains(&text.len())
                && text.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char));
            prop_assert_eq!(text.parse::<Username>().is_ok(), by_pattern);
        }
    }
}
