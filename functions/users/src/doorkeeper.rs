//! A name and a password in, a user out: lookup, throttle and hash together.
//!
//! A name that nobody has costs the same time and gets the same answer as one with another password: as many reads, as much argon2, the same charge.
//!
//! A mail address leads to the account that has verified it, and else to the one that names it and has this password: any number may name it. Both are looked
//! for whatever there is, so that a failure's time says nothing about the address.

use crate::{
    domain::Username,
    password::{Hasher, LoginTag, Password, Verdict},
    second_factor::PresentedCode,
    security::{Incident, Origin, SecurityLog},
    session::{DeviceToken, Presented, Strength},
    sessions::SessionStore,
    store::{Account, UserStore},
    throttle::Wait,
    tokens::NameKey,
    tries::{ChargeError, Charged, Source, Throttle},
};
use boxoffice_aws::{StoreError, client, transaction::Written};
use boxoffice_kernel::{Email, SessionId, Timestamp, UserId};
use boxoffice_runtime::config::ConfigError;

/// Lets users in by what they know.
#[derive(Debug, Clone)]
pub struct Doorkeeper {
    users: UserStore,
    sessions: SessionStore,
    throttle: Throttle,
    hasher: Hasher,
    security: SecurityLog,
}

/// Somebody at the door.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// The name or mail address, as it was typed.
    pub name: &'a str,
    /// The password, as it was typed.
    pub password: &'a Password,
    /// The code of their second factor, where they gave one.
    pub code: Option<&'a Presented>,
    /// The token of a device that they say is known.
    pub device: Option<&'a Presented>,
    /// The request they come by; failures are counted by its address.
    pub origin: &'a Origin,
}

/// Somebody who knew the password.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The user's account.
    pub account: Account,
    /// The generation of their access before the password was checked: a session of it is void should either change meanwhile.
    pub generation: u64,
    /// How they showed who they are.
    pub strength: Strength,
}

impl Admitted {
    fn in_good_standing(self) -> Result<Self, Denied> {
        if self.account.user.suspension.is_some() { Err(Denied::Suspended) } else { Ok(self) }
    }
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No such name with such a password.
    #[error("wrong username or password")]
    Wrong,
    /// The password is right, and the code of the second factor is missing.
    #[error("the account has a second factor")]
    CodeMissing,
    /// The password is right, and the code of the second factor is not, or was used.
    #[error("wrong code of the second factor")]
    CodeWrong,
    /// The password is right, and an ADMIN has suspended the account.
    #[error("the account is suspended")]
    Suspended,
    /// Too many tries.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ChargeError> for Denied {
    fn from(error: ChargeError) -> Self {
        match error {
            ChargeError::Wait(wait) => Self::Wait(wait),
            ChargeError::Store(error) => Self::Store(error),
        }
    }
}

impl Doorkeeper {
    /// A doorkeeper of these.
    pub fn new(
        users: UserStore,
        sessions: SessionStore,
        throttle: Throttle,
        hasher: Hasher,
        security: SecurityLog,
    ) -> Self {
        Self { users, sessions, throttle, hasher, security }
    }

    /// The doorkeeper that the environment describes.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dynamodb = client::dynamodb(&client::sdk_config());
        Ok(Self::new(
            UserStore::from_env(dynamodb.clone())?,
            SessionStore::from_env(dynamodb.clone())?,
            Throttle::from_env(dynamodb)?,
            Hasher::default(),
            SecurityLog::from_env()?,
        ))
    }

    /// The hasher of passwords.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// The user who has this name or mail address, should this be their password, and the token of their device: the one they showed, should it be known, or
    /// a new one.
    ///
    /// # Errors
    /// When it is not, their second factor is missing or wrong, it is too early for a try, or the store fails.
    pub async fn admit(&self, knock: Knock<'_>, names: &NameKey) -> Result<(Admitted, DeviceToken), Denied> {
        let email = knock.name.parse::<Email>().ok();
        let found = self.whose(knock.name, email.as_ref()).await?;
        // People type passwords where names belong: what is nobody's name is counted under a hash that only this key can make.
        let name = email.as_ref().map_or_else(|| knock.name.to_owned(), Email::canonical);
        let account = found.map_or_else(|| names.pseudonym(&name), |id| id.to_string());
        // For a name that nobody has, as much is read, and nothing found.
        let id = found.unwrap_or_else(UserId::generate);
        let device = match knock.device.map(DeviceToken::from) {
            Some(device) if self.sessions.knows(id, &device.hash()).await? => Some(device),
            _ => None,
        };
        let source = match &device {
            Some(device) => Source::Device(device.hash()),
            None => Source::Stranger(knock.origin.address.clone()),
        };
        let charged = self.throttle.charge(&account, source, Timestamp::now()).await?;
        if let Some(admitted) = self.verified(id, knock.password).await? {
            let (admitted, charged) = self.proven(admitted, knock, charged).await?;
            self.throttle.forgive(charged).await?;
            return Ok((admitted.in_good_standing()?, device.map_or_else(DeviceToken::issue, Ok)?));
        }
        if let Some(email) = &email
            && let Some(admitted) = self.by_unverified_address(email, knock.password).await?
        {
            let (admitted, charged) = self.proven(admitted, knock, charged).await?;
            // A log-in to one account of an address gives no guess at another account of it back.
            self.throttle.give_back(charged, Timestamp::now()).await?;
            return Ok((admitted.in_good_standing()?, DeviceToken::issue()?));
        }
        Err(self.denied(&charged, found, knock.origin))
    }

    /// Somebody whose password was right, with their second factor, where they have one. A wrong code is a failed try, as a wrong password is. A missing one is
    /// none, and gives no failure before it back: else whoever knows the password could guess codes for ever.
    async fn proven(
        &self,
        admitted: Admitted,
        knock: Knock<'_>,
        charged: Charged,
    ) -> Result<(Admitted, Charged), Denied> {
        let user = admitted.account.user.id;
        match self.prove(user, knock.code, knock.origin).await {
            Ok(strength) => Ok((Admitted { strength, ..admitted }, charged)),
            Err(Denied::CodeWrong) => {
                self.denied(&charged, Some(user), knock.origin);
                Err(Denied::CodeWrong)
            }
            Err(unheard) => {
                self.throttle.give_back(charged, Timestamp::now()).await?;
                Err(unheard)
            }
        }
    }

    /// How a user with this password and this code shows who they are.
    async fn prove(&self, user: UserId, code: Option<&Presented>, origin: &Origin) -> Result<Strength, Denied> {
        let Some(factor) = self.users.factor(user).await?.filter(|factor| factor.confirmed_at.is_some()) else {
            return Ok(Strength::Password);
        };
        let now = Timestamp::now();
        let accepted = match code.map(PresentedCode::from).ok_or(Denied::CodeMissing)? {
            PresentedCode::Recovery(hash) => self.users.use_recovery_code(user, &hash).await?,
            PresentedCode::App(code) => {
                let is_last = self.throttle.charge_code(user, now).await?;
                let accepted = match factor.fresh_step(code, now) {
                    Some(step) => self.users.accept_step(user, &factor.secret, step).await?,
                    None => Written::Stale,
                };
                match accepted {
                    Written::Yes => self.throttle.forgive_code(user).await?,
                    Written::Stale if is_last => self.security.note(Incident::SecondFactorGuarded, Some(user), origin),
                    Written::Stale => {}
                }
                accepted
            }
        };
        match accepted {
            Written::Yes => Ok(Strength::SecondFactor),
            Written::Stale => Err(Denied::CodeWrong),
        }
    }

    /// A user who is logged in, should this be their password too. Strangers who fail to log in do not make them wait.
    ///
    /// # Errors
    /// When it is not, it is too early for a try, or the store fails.
    pub async fn confirm(
        &self,
        user: UserId,
        session: SessionId,
        password: &Password,
        origin: &Origin,
    ) -> Result<Admitted, Denied> {
        let charged = self.throttle.charge(&user.to_string(), Source::Session(session), Timestamp::now()).await?;
        match self.verified(user, password).await? {
            Some(admitted) => {
                self.throttle.forgive(charged).await?;
                admitted.in_good_standing()
            }
            None => Err(self.denied(&charged, Some(user), origin)),
        }
    }

    async fn whose(&self, name: &str, email: Option<&Email>) -> Result<Option<UserId>, StoreError> {
        match (email, name.parse::<Username>()) {
            (Some(email), _) => self.users.whose_mail(email).await,
            (None, Ok(name)) => self.users.whose_name(&name).await,
            (None, Err(_)) => Ok(None),
        }
    }

    /// The account that names this address and has this password.
    async fn by_unverified_address(&self, email: &Email, password: &Password) -> Result<Option<Admitted>, StoreError> {
        let tag = self.hasher.tag(email, password)?;
        let id = self.users.whose_tag(email, &tag).await?.unwrap_or_else(UserId::generate);
        let access = self.sessions.access(id).await?;
        let found = self.users.account(id).await?;
        let (Some(access), Some(account)) = (access, found) else { return Ok(None) };
        // The tag is the password's hash: the account's other one would say the same.
        let is_current = account.login_tag.as_ref().map(LoginTag::reveal) == Some(tag.reveal());
        let (generation, strength) = (access.generation, Strength::Password);
        Ok(is_current.then_some(Admitted { account, generation, strength }))
    }

    /// The account of this user, should this be their password.
    async fn verified(&self, id: UserId, password: &Password) -> Result<Option<Admitted>, StoreError> {
        // Access before account: a password that is changed in between is then checked anew, under the old generation, whose sessions are void.
        let access = self.sessions.access(id).await?;
        let found = self.users.account(id).await?;
        let (Some(access), Some(found)) = (access, found) else {
            self.hasher.hash_anew(password)?;
            return Ok(None);
        };
        let account = match self.hasher.verify(password, &found.password)? {
            Verdict::Wrong => return Ok(None),
            Verdict::Outdated if found.user.suspension.is_none() => self.rehashed(found, password).await?,
            Verdict::Outdated | Verdict::Right => found,
        };
        Ok(Some(Admitted { account, generation: access.generation, strength: Strength::Password }))
    }

    /// Counts what an operator wants to hear of: an account that is guessed at, and a source that is locked out.
    fn denied(&self, charged: &Charged, user: Option<UserId>, origin: &Origin) -> Denied {
        if charged.locks {
            self.security.note(Incident::SourceLockedOut, user, origin);
        }
        if charged.guards {
            self.security.note(Incident::AccountGuarded, user, origin);
        }
        Denied::Wrong
    }

    /// The account with today's hash of its password, unless that has been changed meanwhile.
    async fn rehashed(&self, account: Account, password: &Password) -> Result<Account, StoreError> {
        let hash = self.hasher.hash_anew(password)?;
        self.users.rehash(&account, &hash).await?;
        Ok(Account { password: hash, ..account })
    }
}
