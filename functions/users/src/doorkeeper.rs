//! A name and a password in, a user out: lookup, throttle and hash together.
//!
//! Whoever does not exist costs the same time and gets the same answer as whoever exists with another password: as many reads, as much argon2, the same charge.

use crate::{
    domain::Username,
    password::{Hasher, Password, Verdict},
    sessions::{ChargeError, SessionStore, Throttle},
    store::{Account, UserStore},
    throttle::Wait,
};
use boxoffice_aws::{StoreError, client};
use boxoffice_kernel::{Email, Fingerprint, UserId};
use boxoffice_runtime::config::ConfigError;

/// Lets users in by what they know.
#[derive(Debug, Clone)]
pub struct Doorkeeper {
    users: UserStore,
    sessions: SessionStore,
    throttle: Throttle,
    hasher: Hasher,
}

/// Somebody who knew the password.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Who.
    pub account: Account,
    /// The generation of their access before the password was checked: a session of it is void should either change meanwhile.
    pub generation: u64,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No such name with such a password.
    #[error("name and password do not go together")]
    Wrong,
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
    pub fn new(users: UserStore, sessions: SessionStore, throttle: Throttle, hasher: Hasher) -> Self {
        Self { users, sessions, throttle, hasher }
    }

    /// The doorkeeper that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dynamodb = client::dynamodb(&client::sdk_config());
        Ok(Self::new(
            UserStore::from_env(dynamodb.clone())?,
            SessionStore::from_env(dynamodb.clone())?,
            Throttle::from_env(dynamodb)?,
            Hasher::default(),
        ))
    }

    /// What hashes passwords here.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Whoever has this name or mail address, should this be their password.
    ///
    /// # Errors
    /// When it is not, it is too early for a try, or the store fails.
    pub async fn admit(&self, name: &str, password: &Password, address: &str) -> Result<Admitted, Denied> {
        self.throttle.charge_address(address).await?;
        let id = self.whose(name).await?;
        // Hashed, because people type passwords where names belong.
        let nobody = || Fingerprint::of(&[&name.to_ascii_lowercase()]).short().to_owned();
        let account = id.map_or_else(nobody, |id| id.to_string());
        // Of nobody as much is read, and nothing found.
        self.check(id.unwrap_or_else(UserId::generate), &account, password, address).await
    }

    /// A user who is logged in, should this be their password too.
    ///
    /// # Errors
    /// When it is not, it is too early for a try, or the store fails.
    pub async fn confirm(&self, user: UserId, password: &Password, address: &str) -> Result<Admitted, Denied> {
        self.throttle.charge_address(address).await?;
        self.check(user, &user.to_string(), password, address).await
    }

    async fn whose(&self, name: &str) -> Result<Option<UserId>, StoreError> {
        if let Ok(name) = name.parse::<Username>() {
            return self.users.whose_name(&name).await;
        }
        match name.parse::<Email>() {
            Ok(email) => self.users.whose_mail(&email).await,
            Err(_) => Ok(None),
        }
    }

    async fn check(&self, id: UserId, account: &str, password: &Password, address: &str) -> Result<Admitted, Denied> {
        self.throttle.charge_account(account).await?;
        // Access before account: a password that is changed in between is then checked anew, under the old generation, whose sessions are void.
        let access = self.sessions.access(id).await?;
        let found = self.users.account(id).await?;
        let (Some(access), Some(found)) = (access, found) else {
            self.hasher.hash_anew(password).map_err(StoreError::from)?;
            return Err(Denied::Wrong);
        };
        let verdict = self.hasher.verify(password, &found.password).map_err(StoreError::from)?;
        if verdict == Verdict::Wrong {
            return Err(Denied::Wrong);
        }
        self.throttle.forgive(account, address).await?;
        let account = if verdict == Verdict::Outdated { self.rehashed(found, password).await? } else { found };
        Ok(Admitted { account, generation: access.generation })
    }

    /// The account with today's hash of its password, unless that has been changed meanwhile.
    async fn rehashed(&self, account: Account, password: &Password) -> Result<Account, StoreError> {
        let hash = self.hasher.hash_anew(password)?;
        self.users.rehash(&account, &hash).await?;
        Ok(Account { password: hash, ..account })
    }
}
