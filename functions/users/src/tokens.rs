//! Access tokens, signed with a key that only the functions that log users in may read.

use boxoffice_aws::{Secret, StoreError};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    auth::{Caller, PrivateKey, Signer},
    config::{self, ConfigError},
};
use tokio::sync::OnceCell;

/// Makes access tokens.
#[derive(Debug)]
pub struct Mint {
    key: Secret,
    issuer: String,
    lifetime_seconds: u32,
    signer: OnceCell<Signer>,
}

impl Mint {
    /// The mint that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env(ssm: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        Ok(Self {
            key: Secret::new(ssm, config::required("TOKEN_KEY_PARAMETER")?),
            issuer: config::required("JWT_ISSUER")?,
            lifetime_seconds: config::parsed("ACCESS_TOKEN_SECONDS")?,
            signer: OnceCell::new(),
        })
    }

    /// How long its tokens last.
    pub fn lifetime_seconds(&self) -> u32 {
        self.lifetime_seconds
    }

    /// A token for this caller.
    ///
    /// # Errors
    /// When the key cannot be read, or is none.
    pub async fn access_token(&self, caller: &Caller) -> Result<String, StoreError> {
        let signer = self.signer.get_or_try_init(|| self.signer()).await?;
        signer
            .sign(caller, self.lifetime_seconds, Timestamp::now())
            .map_err(|error| StoreError::malformed("key", error))
    }

    async fn signer(&self) -> Result<Signer, StoreError> {
        // What serde says of a key that is not one would repeat part of it.
        let malformed = |_| StoreError::Broken("the private key is not one; see `boxoffice keys`".into());
        let key: PrivateKey = serde_json::from_str(self.key.reveal().await?).map_err(malformed)?;
        Signer::new(&key, self.issuer.clone()).map_err(|error| StoreError::Broken(error.to_string()))
    }
}
