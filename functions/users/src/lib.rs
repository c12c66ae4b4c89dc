//! Users: who books, how they prove it, and what they may do.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a user, and who may change what; pure |
//! | [`mail`], [`proof`], [`proofs`] | tokens that are mailed: the mails, when one is good, and what is kept of it |
//! | [`password`] | passwords, and argon2id |
//! | [`session`] | refresh tokens, and when one stands; pure |
//! | [`push`] | push endpoints that messages may go to |
//! | [`second_factor`] | codes of an authenticator app, and recovery codes; pure |
//! | [`security`] | incidents that are logged and counted |
//! | [`throttle`] | how often somebody may guess; pure |
//! | [`events`] | what this context states on the bus |
//! | [`store`] | the access patterns of the users table, each with its condition |
//! | [`sessions`] | those of the sessions table |
//! | [`tries`] | failed tries, in the same table |
//! | [`doorkeeper`] | a name and a password in, a user out: lookup, throttle and hash together |
//! | [`tokens`] | access tokens, signed |
//! | [`upcoming`] | what the tickets context knows of a user |
//! | [`weak`] | passwords that are guessed first |
//! | [`handlers`] | one file a function |
//!
//! `docs/adr/0012-identity.md` has the reasons.

pub mod domain;
pub mod doorkeeper;
pub mod events;
pub mod handlers;
pub mod mail;
pub mod password;
pub mod proof;
pub mod proofs;
pub mod push;
pub mod second_factor;
pub mod security;
pub mod session;
pub mod sessions;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod tries;
pub mod upcoming;
pub mod weak;

pub use doorkeeper::Doorkeeper;
pub use sessions::SessionStore;
pub use store::UserStore;
pub use tokens::Mint;
pub use tries::Throttle;

use boxoffice_aws::client;
use boxoffice_runtime::config::ConfigError;
use mail::{MailFunction, Mailer};
use password::Hasher;
use proofs::ProofStore;
use security::SecurityLog;

/// The store of a function that knows users.
pub fn store_from_env() -> Result<UserStore, ConfigError> {
    UserStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The sessions of a function that ends one.
pub fn sessions_from_env() -> Result<SessionStore, ConfigError> {
    SessionStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The tokens of mails.
///
/// # Errors
/// When a variable is missing.
pub fn proofs_from_env() -> Result<ProofStore, ConfigError> {
    ProofStore::from_env(client::dynamodb(&client::sdk_config()))
}

/// The function that sends mails with tokens.
///
/// # Errors
/// When a variable is missing.
pub fn mail_from_env() -> Result<MailFunction, ConfigError> {
    MailFunction::from_env(aws_sdk_lambda::Client::new(&client::sdk_config()))
}

/// Where mails with tokens are sent from.
#[derive(Debug, Clone)]
pub struct Post {
    /// Whom they go to.
    pub users: UserStore,
    /// The generation of their access.
    pub sessions: SessionStore,
    /// The stored tokens.
    pub proofs: ProofStore,
    /// Sends them.
    pub mailer: Mailer,
}

impl Post {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        let mailer = Mailer::from_env(aws_sdk_ses::Client::new(&sdk), aws_sdk_sns::Client::new(&sdk))?;
        Ok(Self { users: store_from_env()?, sessions: sessions_from_env()?, proofs: proofs_from_env()?, mailer })
    }
}

/// Where users are registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The users who exist already.
    pub users: UserStore,
    /// Hashes their passwords.
    pub hasher: Hasher,
}

impl Registration {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { users: store_from_env()?, hasher: Hasher::default() })
    }
}

/// Where users log in and stay logged in.
#[derive(Debug)]
pub struct LoginStores {
    /// The user.
    pub users: UserStore,
    /// Their sessions.
    pub sessions: SessionStore,
    /// Makes their access tokens.
    pub mint: Mint,
    /// Hears of a refresh token that was copied.
    pub security: SecurityLog,
}

impl LoginStores {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        Ok(Self {
            users: store_from_env()?,
            sessions: sessions_from_env()?,
            mint: Mint::from_env(aws_sdk_ssm::Client::new(&sdk))?,
            security: SecurityLog::from_env()?,
        })
    }
}

/// Where users are deleted: this context's store, and whoever knows their tickets.
#[derive(Debug, Clone)]
pub struct UserDeletion<U> {
    /// This context's store.
    pub users: UserStore,
    /// The source of a user's tickets.
    pub tickets: U,
}

impl UserDeletion<upcoming::TicketsFunction> {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let tickets = upcoming::TicketsFunction::from_env(aws_sdk_lambda::Client::new(&client::sdk_config()))?;
        Ok(Self { users: store_from_env()?, tickets })
    }
}
