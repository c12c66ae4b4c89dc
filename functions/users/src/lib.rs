//! Users: who books, how they prove it, and what they may do.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a user, and who may change what; pure |
//! | [`password`] | passwords, and argon2id |
//! | [`session`] | refresh tokens, and when one stands; pure |
//! | [`throttle`] | how often somebody may guess; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns of the users table, each with its condition |
//! | [`sessions`] | those of the sessions table |
//! | [`doorkeeper`] | a name and a password in, a user out: lookup, throttle and hash together |
//! | [`tokens`] | access tokens, signed |
//! | [`upcoming`] | what the tickets context knows of a user |
//! | [`handlers`] | one file a function |
//!
//! `docs/adr/0012-identity.md` has the reasons.

pub mod domain;
pub mod doorkeeper;
pub mod events;
pub mod handlers;
pub mod password;
pub mod session;
pub mod sessions;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod upcoming;

pub use doorkeeper::Doorkeeper;
pub use sessions::{SessionStore, Throttle};
pub use store::UserStore;
pub use tokens::Mint;

use boxoffice_aws::client;
use boxoffice_runtime::config::ConfigError;
use password::Hasher;

/// The store of a function that knows users.
///
/// # Errors
/// When a variable is missing.
pub fn store_from_env() -> Result<UserStore, ConfigError> {
    UserStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The sessions of a function that ends one.
///
/// # Errors
/// When a variable is missing or wrong.
pub fn sessions_from_env() -> Result<SessionStore, ConfigError> {
    SessionStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// Where users are registered.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Who is there already.
    pub users: UserStore,
    /// Hashes their passwords.
    pub hasher: Hasher,
}

impl Registry {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { users: store_from_env()?, hasher: Hasher::default() })
    }
}

/// Where users log in and stay logged in.
#[derive(Debug)]
pub struct Entrance {
    /// Who they are.
    pub users: UserStore,
    /// Their sessions.
    pub sessions: SessionStore,
    /// Makes their access tokens.
    pub mint: Mint,
}

impl Entrance {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        Ok(Self {
            users: store_from_env()?,
            sessions: sessions_from_env()?,
            mint: Mint::from_env(aws_sdk_ssm::Client::new(&sdk))?,
        })
    }
}

/// Where users are deleted: this context's store, and whoever knows their tickets.
#[derive(Debug, Clone)]
pub struct Exit<U> {
    /// This context's store.
    pub users: UserStore,
    /// Whoever knows their tickets.
    pub tickets: U,
}

impl Exit<upcoming::TicketsFunction> {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let tickets = upcoming::TicketsFunction::from_env(aws_sdk_lambda::Client::new(&client::sdk_config()))?;
        Ok(Self { users: store_from_env()?, tickets })
    }
}
