//! The keys of ticket codes, as they lie in SSM. `boxoffice keys` makes, changes and retires them.
//!
//! | Parameter | Type | Read by |
//! |---|---|---|
//! | `/boxoffice/<environment>/ticket-private-key` | `SecureString` | what makes codes |
//! | `/boxoffice/<environment>/ticket-public-keys` | String | what verifies codes, and `get-ticket-keys` |
//!
//! They are read at run time, and the public ones again every minute, so that a rotation needs no deployment.

use boxoffice_admission::{Code, Facts, KeyId, Stop};
use boxoffice_aws::{Secret, StoreError};
use boxoffice_runtime::config::{self, ConfigError};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{OnceCell, RwLock};

/// For how long public keys are taken for current.
const FRESH: Duration = Duration::from_mins(1);

/// Why a key is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key of ticket codes; see `boxoffice keys`")]
pub struct InvalidKey;

/// A private key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct PrivateTicketKey {
    /// The id of its public half, which codes name it by.
    pub id: u16,
    /// PKCS #8 (RFC 5958), in base64.
    pub pkcs8: String,
}

impl std::fmt::Debug for PrivateTicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateTicketKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A public key of ticket codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TicketKey {
    /// The key id in the codes that it verifies.
    pub id: u16,
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key itself, in base64url.
    pub x: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The public keys of every code that may still be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TicketKeys {
    /// Each, the newest first.
    pub keys: Vec<TicketKey>,
}

impl PrivateTicketKey {
    /// A new key of this id.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate(id: u16) -> Result<Self, InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| InvalidKey)?;
        Ok(Self { id, pkcs8: BASE64_STANDARD.encode(pkcs8.as_ref()) })
    }

    fn pair(&self) -> Result<Ed25519KeyPair, InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let document = BASE64_STANDARD.decode(&self.pkcs8).map_err(|_| InvalidKey)?;
        Ed25519KeyPair::from_pkcs8(&document).map_err(|_| InvalidKey)
    }

    /// Its public half.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn public(&self) -> Result<TicketKey, InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair()?.public_key().as_ref());
        let (kty, crv, alg, usage) = ("OKP".into(), "Ed25519".into(), "EdDSA".into(), "sig".into());
        Ok(TicketKey { id: self.id, kty, crv, x, alg, usage })
    }
}

/// Signs codes.
pub struct TicketSigner {
    id: KeyId,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for TicketSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketSigner").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TicketSigner {
    /// A signer with this key.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn new(key: &PrivateTicketKey) -> Result<Self, InvalidKey> {
        Ok(Self { id: KeyId(key.id), pair: key.pair()? })
    }

    /// The code of these facts, whose key id becomes the signer's.
    ///
    /// # Errors
    /// When a signature has another length than Ed25519 gives it: a bug.
    pub fn sign(&self, facts: Facts) -> Result<Code, InvalidKey> {
        let facts = Facts { key: self.id, ..facts };
        let signature = self.pair.sign(&facts.message());
        Ok(Code::new(facts, signature.as_ref().try_into().map_err(|_| InvalidKey)?))
    }
}

impl TicketKeys {
    /// The proven facts of the code that this text is.
    ///
    /// # Errors
    /// The reason to refuse it at a door.
    pub fn read(&self, text: &str) -> Result<Facts, Stop> {
        use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
        let code = Code::read(text)?;
        let key = self.keys.iter().find(|key| key.id == code.key().0).ok_or(Stop::UnknownKey)?;
        let key = BASE64_URL_SAFE_NO_PAD.decode(&key.x).map_err(|_| Stop::UnknownKey)?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        code.verify(|message, signature| key.verify(message, signature).is_ok()).ok_or(Stop::Forged)
    }

    /// The same with this key as the newest.
    #[must_use]
    pub fn with(self, newest: TicketKey) -> Self {
        let others = self.keys.into_iter().filter(|key| key.id != newest.id);
        Self { keys: std::iter::once(newest.clone()).chain(others).collect() }
    }
}

/// The private key in SSM.
#[derive(Debug)]
pub struct SigningKey {
    key: Secret,
    signer: OnceCell<TicketSigner>,
}

impl SigningKey {
    /// The key in the parameter that the environment names.
    pub fn from_env(ssm: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        Ok(Self::new(Secret::new(ssm, config::required("TICKET_KEY_PARAMETER")?)))
    }

    /// The key in this parameter.
    pub fn new(key: Secret) -> Self {
        Self { key, signer: OnceCell::new() }
    }

    /// Its signer, read once.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub async fn signer(&self) -> Result<&TicketSigner, StoreError> {
        self.signer
            .get_or_try_init(|| async {
                // serde's message would repeat part of a malformed key.
                let broken = || StoreError::Broken(InvalidKey.to_string());
                let key: PrivateTicketKey = serde_json::from_str(&self.key.reveal().await?).map_err(|_| broken())?;
                TicketSigner::new(&key).map_err(|_| broken())
            })
            .await
    }
}

/// The public keys in SSM.
#[derive(Debug)]
pub struct VerifyingKeys {
    parameter: Secret,
    known: RwLock<Option<(Instant, Arc<TicketKeys>)>>,
}

impl VerifyingKeys {
    /// The keys in the parameter that the environment names.
    pub fn from_env(ssm: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        Ok(Self::new(Secret::new(ssm, config::required("TICKET_PUBLIC_KEYS_PARAMETER")?)))
    }

    /// The keys in this parameter.
    pub fn new(parameter: Secret) -> Self {
        Self { parameter, known: RwLock::new(None) }
    }

    /// The keys, at most a minute old.
    ///
    /// # Errors
    /// When they cannot be read, or are none.
    pub async fn current(&self) -> Result<Arc<TicketKeys>, StoreError> {
        let before = match self.known.read().await.as_ref() {
            Some((read_at, keys)) if read_at.elapsed() < FRESH => return Ok(Arc::clone(keys)),
            known => known.is_some(),
        };
        let mut text = self.parameter.reveal().await?;
        if before {
            text = self.parameter.reveal_anew(&text).await?;
        }
        let keys: TicketKeys =
            serde_json::from_str(&text).map_err(|error| StoreError::malformed("public keys of tickets", error))?;
        let keys = Arc::new(keys);
        *self.known.write().await = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_admission::{EventTag, Serial};
    use boxoffice_testing::Listener;
    use serde_json::json;

    fn facts() -> Facts {
        Facts {
            key: KeyId(0),
            event: EventTag([1; 8]),
            serial: Serial(7),
            ticket_type: 0,
            gate: 0,
            valid_from: 1,
            valid_until: 2,
        }
    }

    #[test]
    fn a_signed_code_reads_back_and_names_its_key() {
        let key = PrivateTicketKey::generate(3).unwrap();
        let code = TicketSigner::new(&key).unwrap().sign(facts()).unwrap().to_string();
        let keys = TicketKeys::default().with(key.public().unwrap());
        assert_eq!(keys.read(&code), Ok(Facts { key: KeyId(3), ..facts() }));
    }

    #[test]
    fn codes_of_retired_and_of_foreign_keys_are_refused() {
        let [ours, other] = [1, 1].map(|id| PrivateTicketKey::generate(id).unwrap());
        let code = TicketSigner::new(&other).unwrap().sign(facts()).unwrap().to_string();
        assert_eq!(TicketKeys::default().read(&code), Err(Stop::UnknownKey));
        assert_eq!(TicketKeys::default().with(ours.public().unwrap()).read(&code), Err(Stop::Forged));
    }

    #[tokio::test]
    async fn a_key_that_is_none_signs_nothing_and_is_not_repeated() {
        for text in [r#"{"id":1,"pkcs8":"c2VzYW1l"}"#, r#"{"id":"sesame"}"#, "sesame"] {
            let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
            let secret = Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/ticket-key");
            let failure = SigningKey::new(secret).signer().await.unwrap_err();
            let said = format!("{failure} {failure:?}");
            assert!(!said.contains("sesame") && !said.contains("c2VzYW1l"), "{said}");
        }
    }

    #[tokio::test]
    async fn public_keys_are_read_once_a_minute() {
        let key = PrivateTicketKey::generate(1).unwrap().public().unwrap();
        let text = serde_json::to_string(&TicketKeys::default().with(key.clone())).unwrap();
        let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
        let secret = Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/ticket-keys");
        let keys = VerifyingKeys::new(secret);
        for _ in 0..3 {
            assert_eq!(keys.current().await.unwrap().keys, std::slice::from_ref(&key));
        }
        assert_eq!(parameters.heard().len(), 1);
    }
}
