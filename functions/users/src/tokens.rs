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
        let key = Secret::new(ssm, config::required("TOKEN_KEY_PARAMETER")?);
        Ok(Self::new(key, config::required("JWT_ISSUER")?, config::parsed("ACCESS_TOKEN_SECONDS")?))
    }

    /// A mint with this key, in this issuer's name, whose tokens last for so many seconds.
    pub fn new(key: Secret, issuer: impl Into<String>, lifetime_seconds: u32) -> Self {
        Self { key, issuer: issuer.into(), lifetime_seconds, signer: OnceCell::new() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::{Role, SessionId, UserId};
    use boxoffice_runtime::auth::{PublicKeys, Verifier};
    use boxoffice_testing::Listener;
    use serde_json::json;

    const ISSUER: &str = "urn:boxoffice:test";

    fn caller() -> Caller {
        Caller { user_id: UserId::generate(), role: Role::Manager, session: SessionId::generate(), generation: 3 }
    }

    /// A mint whose key is this text, and what hears it ask for that.
    fn mint(text: String) -> (Mint, Listener) {
        let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
        let key = Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/token-key");
        (Mint::new(key, ISSUER, 300), parameters)
    }

    #[tokio::test]
    async fn a_token_stands_before_who_has_the_public_key_and_the_private_one_is_read_once() {
        let (private, public) = PrivateKey::generate().unwrap();
        let (mint, parameters) = mint(serde_json::to_string(&private).unwrap());
        let verifier = Verifier::new(&PublicKeys { keys: vec![public] }, ISSUER).unwrap();
        for _ in 0..2 {
            let me = caller();
            let claims = verifier.verify(&mint.access_token(&me).await.unwrap()).unwrap();
            let read =
                Caller { user_id: claims.sub, role: claims.role, session: claims.sid, generation: claims.generation };
            assert_eq!(read, me);
            assert_eq!(claims.exp - claims.iat, u64::from(mint.lifetime_seconds()));
        }
        assert_eq!(parameters.heard().len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_none_signs_nothing_and_is_not_repeated() {
        for text in [r#"{"kid":"sesame","pkcs8":"c2VzYW1l"}"#, r#"{"kid":"sesame"}"#, "sesame"] {
            let failure = mint(text.to_owned()).0.access_token(&caller()).await.unwrap_err();
            assert!(matches!(failure, StoreError::Broken(_)), "{failure:?}");
            let said = format!("{failure} {failure:?}");
            assert!(!said.contains("sesame") && !said.contains("c2VzYW1l"), "{said}");
        }
    }
}
