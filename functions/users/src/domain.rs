//! A user, and who may change what. No I/O.

use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, SessionId, Text, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

/// The name a user logs in with, besides the email address. Names that differ only in case are one name ([`Username::canonical`]).
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

/// The profile of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The username.
    pub username: Username,
    /// Where they get mail, once it is verified; also what they log in by.
    pub email: Email,
    /// The name to address them by.
    pub first_name: Text<50>,
    /// And their family.
    pub last_name: Text<50>,
    /// How they want their messages.
    pub channel: Channel,
    /// For SMS, once it is verified.
    pub phone: Option<PhoneNumber>,
    /// For push messages.
    pub push_endpoint: Option<PushEndpoint>,
}

/// A person or system that books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The user's profile.
    pub profile: Profile,
    /// The role.
    pub role: Role,
    /// How often this has been written.
    pub version: u64,
    /// When they registered.
    pub created_at: Timestamp,
    /// When this was last written.
    pub updated_at: Timestamp,
    /// When they showed that they read the mail of their address; nothing while they have not.
    pub email_verified_at: Option<Timestamp>,
    /// The mail address that takes the place of theirs once it is verified.
    pub pending_email: Option<Email>,
    /// When they showed that they read the text messages to their telephone; nothing while they have not.
    pub phone_verified_at: Option<Timestamp>,
    /// The telephone number that takes the place of theirs once it is verified.
    pub pending_phone: Option<PhoneNumber>,
    /// Why they may not log in, where an ADMIN says so.
    pub suspension: Option<Suspension>,
}

/// Why an ADMIN does something to an account.
pub type Reason = Text<300>;

/// That a user may not log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suspension {
    /// Why, in an ADMIN's words.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// The ADMIN.
    pub by: UserId,
}

/// The caller who requests a change, by an access token that was valid when they asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester {
    /// The user.
    pub id: UserId,
    /// The role.
    pub role: Role,
    /// The session of their token.
    pub session: SessionId,
    /// The generation of their access. Another role, a suspension and a deletion make it another.
    pub generation: u64,
    /// Whether they gave their password a moment ago.
    pub logged_in_lately: bool,
}

/// The changes; none where there are none.
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
    /// The version the caller has read, if it says so.
    pub version: Option<u64>,
}

/// Why a user is not changed as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A token that was stolen must not cost the account.
    #[error("this needs a recent log-in")]
    LogInAgain,
    /// Only an ADMIN grants roles.
    #[error("only an ADMIN can change roles")]
    RoleNotTheirsToGive,
    /// So that an ADMIN is left: the one who acts.
    #[error("an ADMIN does not change their own role; another ADMIN can")]
    OwnRole,
    /// So that an ADMIN is left: the one who acts.
    #[error("an ADMIN does not delete themselves; another ADMIN can")]
    OwnAccount,
    /// So that an ADMIN is left: the one who acts.
    #[error("an ADMIN does not suspend themselves; another ADMIN can")]
    OwnSuspension,
    /// It was confirmed, removed or begun anew meanwhile, or there never was one.
    #[error("there is no such second factor; look at what the account has, and begin again")]
    FactorNotBegun,
    /// An ADMIN whose session is stolen must not lose the second factor by it.
    #[error("an ADMIN does not reset their own second factor; remove it, or ask another ADMIN")]
    OwnFactor,
    /// Somebody has to be able to make an ADMIN.
    #[error("this is the last ADMIN who may log in; make another first")]
    LastAdmin,
    /// Somebody else was first.
    #[error("the current version is {0}")]
    VersionConflict(u64),
}

impl User {
    /// A new user.
    pub fn register(id: UserId, profile: Profile, role: Role, now: Timestamp) -> Self {
        Self {
            id,
            profile,
            role,
            version: 1,
            created_at: now,
            updated_at: now,
            email_verified_at: None,
            pending_email: None,
            phone_verified_at: None,
            pending_phone: None,
            suspension: None,
        }
    }

    /// The mail address that waits to be verified.
    pub fn unverified_email(&self) -> Option<&Email> {
        self.pending_email.as_ref().or_else(|| self.email_verified_at.is_none().then_some(&self.profile.email))
    }

    /// The telephone number that waits to be verified.
    pub fn unverified_phone(&self) -> Option<&PhoneNumber> {
        self.pending_phone.as_ref().or_else(|| self.profile.phone.as_ref().filter(|_| self.phone_verified_at.is_none()))
    }

    /// The user, whose address that waited is theirs now; nothing when none waits.
    pub fn verify_email(&self, now: Timestamp) -> Option<Self> {
        let profile = Profile { email: self.unverified_email()?.clone(), ..self.profile.clone() };
        Some(Self { profile, pending_email: None, email_verified_at: Some(now), ..self.rewritten(now) })
    }

    /// The user, whose telephone number that waited is theirs now; nothing when none waits.
    pub fn verify_phone(&self, now: Timestamp) -> Option<Self> {
        let profile = Profile { phone: Some(self.unverified_phone()?.clone()), ..self.profile.clone() };
        Some(Self { profile, pending_phone: None, phone_verified_at: Some(now), ..self.rewritten(now) })
    }

    fn rewritten(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// This address in place of theirs: at once when it is the same mailbox, once it is verified when it is another.
    fn readdressed(self, email: &Email) -> Self {
        if email.canonical() == self.profile.email.canonical() {
            let profile = Profile { email: email.clone(), ..self.profile };
            return Self { profile, pending_email: None, ..self };
        }
        Self { pending_email: Some(email.clone()), ..self }
    }

    /// This telephone number in place of theirs: once it is verified, when theirs is.
    fn called_at(self, phone: Option<&PhoneNumber>) -> Self {
        let verified = self.phone_verified_at.filter(|_| phone.is_some());
        if phone.is_some() && verified.is_some() && phone != self.profile.phone.as_ref() {
            return Self { pending_phone: phone.cloned(), ..self };
        }
        let profile = Profile { phone: phone.cloned(), ..self.profile };
        Self { profile, pending_phone: None, phone_verified_at: verified, ..self }
    }

    /// The user, changed; nothing when they are like that already.
    ///
    /// # Errors
    /// When it is not the actor's to change, or the user is no longer what the actor has seen.
    pub fn change(&self, change: &Change, by: Requester, now: Timestamp) -> Result<Option<Self>, Refusal> {
        if change.version.is_some_and(|seen| seen != self.version) {
            return Err(Refusal::VersionConflict(self.version));
        }
        let role = change.role.unwrap_or(self.role);
        if role != self.role {
            match by {
                Requester { role: Role::User | Role::Manager, .. } => return Err(Refusal::RoleNotTheirsToGive),
                Requester { id, .. } if id == self.id => return Err(Refusal::OwnRole),
                Requester { role: Role::Admin, .. } => {}
            }
        }
        let was = self.profile.clone();
        let profile = Profile {
            username: change.username.clone().unwrap_or(was.username),
            email: was.email,
            first_name: change.first_name.clone().unwrap_or(was.first_name),
            last_name: change.last_name.clone().unwrap_or(was.last_name),
            channel: change.channel.unwrap_or(was.channel),
            phone: was.phone,
            push_endpoint: change.push_endpoint.clone().unwrap_or(was.push_endpoint),
        };
        let mut after = Self { profile, role, ..self.clone() };
        if let Some(email) = &change.email {
            after = after.readdressed(email);
        }
        if let Some(phone) = &change.phone {
            after = after.called_at(phone.as_ref());
        }
        if after == *self {
            return Ok(None);
        }
        let same_addresses = after.pending_email == self.pending_email && after.pending_phone == self.pending_phone;
        let harmless = same_addresses && self.profile.sensitive_differences(&after.profile).is_empty();
        if !by.logged_in_lately && (role != self.role || !harmless) {
            return Err(Refusal::LogInAgain);
        }
        Ok(Some(after.rewritten(now)))
    }

    /// The user, who may not log in from now on; nothing when it is so already.
    ///
    /// # Errors
    /// When an ADMIN would suspend themselves.
    pub fn suspend(&self, reason: &Reason, by: Requester, now: Timestamp) -> Result<Option<Self>, Refusal> {
        if self.id == by.id {
            return Err(Refusal::OwnSuspension);
        }
        if self.suspension.is_some() {
            return Ok(None);
        }
        let suspension = Some(Suspension { reason: reason.clone(), since: now, by: by.id });
        Ok(Some(Self { suspension, version: self.version + 1, updated_at: now, ..self.clone() }))
    }

    /// The user, who may log in again; nothing when they may already.
    pub fn reinstate(&self, now: Timestamp) -> Option<Self> {
        self.suspension.as_ref()?;
        Some(Self { suspension: None, version: self.version + 1, updated_at: now, ..self.clone() })
    }

    /// Whether they are one of the ADMINs of whom one must be left.
    pub fn is_acting_admin(&self) -> bool {
        self.role == Role::Admin && self.suspension.is_none()
    }

    /// Whether this actor may delete the user.
    ///
    /// # Errors
    /// When an ADMIN would delete themselves, or the actor has to log in again.
    pub fn deletable(&self, by: Requester) -> Result<(), Refusal> {
        if self.id == by.id && self.role == Role::Admin {
            return Err(Refusal::OwnAccount);
        }
        if by.logged_in_lately { Ok(()) } else { Err(Refusal::LogInAgain) }
    }
}

/// Whether a name reads as a link or a host, such as `evil.example`: what a name is put into is mailed, and mail programs make links of such text.
pub fn reads_as_link(name: &Text<50>) -> bool {
    let name = name.as_str().to_lowercase();
    let is_host = |word: &str| {
        word.split('.').zip(word.split('.').skip(1)).any(|(left, right)| {
            let letters = right.chars().take_while(|char| char.is_alphabetic()).count();
            let before = left.chars().rev().take_while(|char| char.is_alphanumeric()).count();
            before >= 2 && letters >= 2
        })
    };
    name.contains("://") || name.contains("www.") || name.contains('@') || name.split_whitespace().any(is_host)
}

/// A part of a profile that its owner is told of when it changes: by it they log in, are reached, or are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Sensitive {
    /// The name to log in with.
    Username,
    /// Where they get mail.
    Email,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// Where they get text messages.
    Phone,
    /// The device that gets push messages.
    PushEndpoint,
}

impl Profile {
    /// The sensitive parts that differ in another profile.
    pub fn sensitive_differences(&self, other: &Self) -> Vec<Sensitive> {
        let differences = [
            (Sensitive::Username, self.username != other.username),
            (Sensitive::Email, self.email != other.email),
            (Sensitive::FirstName, self.first_name != other.first_name),
            (Sensitive::LastName, self.last_name != other.last_name),
            (Sensitive::Phone, self.phone != other.phone),
            (Sensitive::PushEndpoint, self.push_endpoint != other.push_endpoint),
        ];
        differences.into_iter().filter_map(|(part, differs)| differs.then_some(part)).collect()
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

    fn by(id: UserId, role: Role) -> Requester {
        Requester { id, role, session: SessionId::generate(), generation: 1, logged_in_lately: true }
    }

    fn actor(role: Role) -> Requester {
        by(UserId::generate(), role)
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
        let me = by(ada.id, Role::User);
        for by in [me, actor(Role::User), actor(Role::Manager)] {
            assert_eq!(ada.change(&to(Role::Admin), by, now()), Err(Refusal::RoleNotTheirsToGive));
        }
        // Saying what is so already is no change: clients of the reference send the whole user back.
        assert_eq!(ada.change(&to(Role::User), me, now()), Ok(None));
        let promoted = ada.change(&to(Role::Manager), actor(Role::Admin), now()).unwrap().unwrap();
        assert_eq!((promoted.role, promoted.version), (Role::Manager, 2));

        let own = by(admin.id, Role::Admin);
        assert_eq!(admin.change(&to(Role::User), own, now()), Err(Refusal::OwnRole));
        assert_eq!(admin.deletable(own), Err(Refusal::OwnAccount));
        assert_eq!(admin.deletable(actor(Role::Admin)), Ok(()));
        assert_eq!(ada.deletable(me), Ok(()));
    }

    #[test]
    fn without_a_recent_log_in_an_account_loses_neither_name_nor_address_nor_itself() {
        let ada = user(Role::User);
        let stale = Requester { logged_in_lately: false, ..by(ada.id, Role::User) };
        let none = Change::default;
        let sensitive = [
            Change { username: Some("countess".parse().unwrap()), ..none() },
            Change { email: Some("eve@example.org".parse().unwrap()), ..none() },
            Change { first_name: Some("Eve".parse().unwrap()), ..none() },
            Change { last_name: Some("Byron".parse().unwrap()), ..none() },
            Change { phone: Some(Some("+14155550199".parse().unwrap())), ..none() },
            Change { phone: Some(None), ..none() },
        ];
        for change in sensitive {
            assert_eq!(ada.change(&change, stale, now()), Err(Refusal::LogInAgain), "{change:?}");
            assert!(ada.change(&change, by(ada.id, Role::User), now()).is_ok());
        }
        let admin = Requester { logged_in_lately: false, ..actor(Role::Admin) };
        assert_eq!(ada.change(&to(Role::Admin), admin, now()), Err(Refusal::LogInAgain));
        assert_eq!(ada.deletable(stale), Err(Refusal::LogInAgain));
        // Unchanged values and the choice of channels need no re-authentication.
        let same =
            Change { username: Some("Ada.L".parse().unwrap()), phone: Some(ada.profile.phone.clone()), ..none() };
        assert_eq!(ada.change(&same, stale, now()), Ok(None));
        assert!(ada.change(&Change { channel: Some(Channel::Sms), ..none() }, stale, now()).unwrap().is_some());
    }

    #[test]
    fn a_name_that_a_mail_program_makes_a_link_of_is_noticed_and_names_of_people_are_not() {
        for link in ["evil.example", "Win at evil.example/now", "http://x", "WWW.x", "me@evil.example", "Ada evil.com"]
        {
            assert!(reads_as_link(&link.parse().unwrap()), "{link}");
        }
        for name in ["Ada", "J. R. R.", "J.R.R.", "O'Neill", "St. John", "Jean-Luc", "Dr. No", "Jr.", "María José"] {
            assert!(!reads_as_link(&name.parse().unwrap()), "{name}");
        }
    }

    fn readdressed(user: &User, email: &str) -> User {
        let change = Change { email: Some(email.parse().unwrap()), ..Change::default() };
        user.change(&change, by(user.id, Role::User), now()).unwrap().unwrap()
    }

    #[test]
    fn an_address_stays_in_force_until_the_new_one_is_verified() {
        for verified_at in [None, Some(now())] {
            let ada = User { email_verified_at: verified_at, ..user(Role::User) };
            let waiting = readdressed(&ada, "eve@example.org");
            assert_eq!((&waiting.profile.email, waiting.email_verified_at), (&ada.profile.email, verified_at));
            assert_eq!(waiting.unverified_email().map(Email::as_str), Some("eve@example.org"));
            let moved = waiting.verify_email(now()).unwrap();
            assert_eq!((moved.profile.email.as_str(), &moved.pending_email), ("eve@example.org", &None));
            assert_eq!((moved.email_verified_at, moved.version), (Some(now()), 3));
            assert_eq!(moved.verify_email(now()), None, "nothing waits any more");
        }
    }

    #[test]
    fn the_same_address_in_another_case_needs_no_verification_and_ends_a_change() {
        let ada = User { email_verified_at: Some(now()), ..user(Role::User) };
        let back = readdressed(&readdressed(&ada, "eve@example.org"), "ADA@example.org");
        assert_eq!((back.profile.email.as_str(), &back.pending_email), ("ADA@example.org", &None));
        assert_eq!(back.email_verified_at, Some(now()));
    }

    #[test]
    fn a_verified_telephone_stays_in_force_until_the_new_one_is_verified() {
        let called = |user: &User, phone: Option<&str>| {
            let phone = Some(phone.map(|phone| phone.parse().unwrap()));
            let change = Change { phone, ..Change::default() };
            user.change(&change, by(user.id, Role::User), now()).unwrap().unwrap()
        };
        let corrected = called(&user(Role::User), Some("+14155550199"));
        assert_eq!(corrected.profile.phone.as_ref().map(PhoneNumber::as_str), Some("+14155550199"));
        let verified = corrected.verify_phone(now()).unwrap();
        assert_eq!(verified.phone_verified_at, Some(now()));
        let waiting = called(&verified, Some("+14155550188"));
        assert_eq!((&waiting.profile.phone, waiting.phone_verified_at), (&verified.profile.phone, Some(now())));
        let moved = waiting.verify_phone(now()).unwrap();
        assert_eq!(moved.profile.phone.as_ref().map(PhoneNumber::as_str), Some("+14155550188"));
        let without = called(&waiting, None);
        assert_eq!((&without.profile.phone, without.phone_verified_at, &without.pending_phone), (&None, None, &None));
    }

    #[test]
    fn a_suspension_is_once_never_one_s_own_and_takes_an_admin_out_of_the_count() {
        let (admin, reason) = (user(Role::Admin), "Ticket touting".parse().unwrap());
        assert_eq!(admin.suspend(&reason, by(admin.id, Role::Admin), now()), Err(Refusal::OwnSuspension));
        let suspended = admin.suspend(&reason, actor(Role::Admin), now()).unwrap().unwrap();
        assert_eq!((admin.is_acting_admin(), suspended.is_acting_admin()), (true, false));
        assert_eq!(suspended.suspend(&reason, actor(Role::Admin), now()), Ok(None));
        let reinstated = suspended.reinstate(now()).unwrap();
        assert_eq!((reinstated.version, reinstated.suspension.clone()), (3, None));
        assert_eq!(reinstated.reinstate(now()), None);
    }

    #[test]
    fn a_stale_expected_version_is_refused() {
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
