//! Access tokens, signed with a key that only the functions that log users in may read.

use crate::session::{Session, Strength};
use boxoffice_aws::{Secret, StoreError};
use boxoffice_kernel::{Role, Timestamp};
use boxoffice_runtime::{
    auth::{Caller, PrivateKey, Signer},
    config::{self, ConfigError},
};
use ring::{hkdf, hmac};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::RwLock;

/// Names what nobody is called, so that it can be counted and not be read.
#[derive(Debug, Clone)]
pub struct NameKey(hmac::Key);

impl NameKey {
    /// A key derived from this secret (HKDF, RFC 5869): the secret cannot be found from it.
    ///
    /// # Errors
    /// When HKDF refuses: a bug.
    pub fn derive(secret: &[u8]) -> Result<Self, StoreError> {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, b"boxoffice").extract(secret);
        let key = key.expand(&[b"names of failed log-ins"], hmac::HMAC_SHA256).map(hmac::Key::from);
        key.map(Self).map_err(|_| StoreError::Broken("no key could be derived".into()))
    }

    /// The key that a name counts under, in whatever case it was typed: half of its HMAC-SHA256, in hexadecimal digits.
    pub fn pseudonym(&self, name: &str) -> String {
        let tag = hmac::sign(&self.0, name.to_lowercase().as_bytes());
        tag.as_ref().iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

/// Makes access tokens.
#[derive(Debug)]
pub struct Mint {
    key: Secret,
    issuer: String,
    lifetime_seconds: u32,
    signer: RwLock<Option<(Arc<Signer>, Instant)>>,
    signs_for: Duration,
    requires_second_factor: bool,
}

/// For how many seconds a function signs with the key that it read: so long after `boxoffice keys activate` or `retire` it takes up the new one by itself.
const SIGNS_FOR: Duration = Duration::from_mins(1);

impl Mint {
    /// The mint that the environment describes.
    pub fn from_env(ssm: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        let key = Secret::new(ssm, config::required("TOKEN_KEY_PARAMETER")?);
        let mint = Self::new(key, config::required("JWT_ISSUER")?, config::parsed("ACCESS_TOKEN_SECONDS")?);
        Ok(mint.requiring_second_factor(config::parsed("REQUIRE_SECOND_FACTOR")?))
    }

    /// A mint with this key, in this issuer's name, whose tokens last for so many seconds.
    pub fn new(key: Secret, issuer: impl Into<String>, lifetime_seconds: u32) -> Self {
        Self {
            key,
            issuer: issuer.into(),
            lifetime_seconds,
            signer: RwLock::default(),
            signs_for: SIGNS_FOR,
            requires_second_factor: false,
        }
    }

    /// The same, where an ADMIN or MANAGER needs a second factor, or not.
    #[must_use]
    pub fn requiring_second_factor(self, requires_second_factor: bool) -> Self {
        Self { requires_second_factor, ..self }
    }

    /// The role of a session's user that its tokens are not to have: that of an ADMIN or MANAGER, where they need a second factor and logged in without.
    pub fn withheld(&self, session: &Session, role: Role) -> Option<Role> {
        let is_shown = role == Role::User || session.strength == Strength::SecondFactor;
        (self.requires_second_factor && !is_shown).then_some(role)
    }

    /// The same, which signs for another time with the key that it read.
    #[must_use]
    pub fn signing_for(self, signs_for: Duration) -> Self {
        Self { signs_for, ..self }
    }

    /// The key that names of failed log-ins are hashed with: it follows from the private key, so there is no other secret to keep.
    ///
    /// # Errors
    /// When the private key cannot be read.
    pub async fn name_key(&self) -> Result<NameKey, StoreError> {
        NameKey::derive(self.key.reveal().await?.as_bytes())
    }

    /// How long its tokens last.
    pub fn lifetime_seconds(&self) -> u32 {
        self.lifetime_seconds
    }

    /// A token for this caller.
    ///
    /// # Errors
    /// When the key cannot be read, or is none.
    pub async fn access_token(&self, caller: &Caller, withheld: Option<Role>) -> Result<String, StoreError> {
        let signer = self.signer().await?;
        signer
            .sign_withholding(caller, withheld, self.lifetime_seconds, Timestamp::now())
            .map_err(|error| StoreError::malformed("key", error))
    }

    async fn signer(&self) -> Result<Arc<Signer>, StoreError> {
        let is_fresh = |read_at: &Instant| read_at.elapsed() < self.signs_for;
        if let Some((signer, _)) = self.signer.read().await.as_ref().filter(|(_, read_at)| is_fresh(read_at)) {
            return Ok(Arc::clone(signer));
        }
        let mut kept = self.signer.write().await;
        let (read_at, before) = (Instant::now(), self.key.reveal().await?);
        let key = if kept.is_some() { self.key.reveal_anew(&before).await? } else { before };
        // serde's own refusal would repeat part of the key.
        let malformed = |_| StoreError::Broken("the private key is not one; see `boxoffice keys`".into());
        let key: PrivateKey = serde_json::from_str(&key).map_err(malformed)?;
        let signer = Signer::new(&key, self.issuer.clone()).map_err(|error| StoreError::Broken(error.to_string()))?;
        let signer = Arc::new(signer);
        *kept = Some((Arc::clone(&signer), read_at));
        Ok(signer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{self, ChainKey, RefreshToken};
    use boxoffice_kernel::{Role, SessionId, UserId};
    use boxoffice_runtime::auth::{PublicKeys, Verifier};
    use boxoffice_testing::Listener;
    use serde_json::json;

    const ISSUER: &str = "urn:boxoffice:test";

    fn caller() -> Caller {
        Caller {
            user_id: UserId::generate(),
            role: Role::Manager,
            session: SessionId::generate(),
            generation: 3,
            logged_in_at: 0,
        }
    }

    fn session(strength: Strength) -> Session {
        let key = ChainKey::generate().unwrap();
        let token = RefreshToken::issue(UserId::generate(), SessionId::generate(), &key).unwrap();
        Session { strength, ..session::tests::session(&token, &key, Timestamp::now()) }
    }

    #[tokio::test]
    async fn staff_without_a_second_factor_get_the_rights_of_a_user() {
        for (required, role, strength, withheld) in [
            (true, Role::Admin, Strength::Password, Some(Role::Admin)),
            (true, Role::Manager, Strength::Password, Some(Role::Manager)),
            (true, Role::User, Strength::Password, None),
            (true, Role::Admin, Strength::SecondFactor, None),
            (false, Role::Admin, Strength::Password, None),
        ] {
            let mint = mint(String::new()).0.requiring_second_factor(required);
            assert_eq!(mint.withheld(&session(strength), role), withheld, "{required} {role} {strength:?}");
        }
    }

    /// A mint whose key is this text, and what hears it ask for that.
    fn mint(text: String) -> (Mint, Listener) {
        let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
        let key = Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/token-key");
        (Mint::new(key, ISSUER, 300), parameters)
    }

    #[test]
    fn a_pseudonym_needs_the_key_and_says_nothing_of_the_name() {
        let (one, other) = (NameKey::derive(b"one").unwrap(), NameKey::derive(b"other").unwrap());
        assert_eq!(one.pseudonym("Swordfish"), one.pseudonym("swordfish"));
        assert_ne!(one.pseudonym("swordfish"), one.pseudonym("swordfisi"));
        assert_ne!(one.pseudonym("swordfish"), other.pseudonym("swordfish"));
        assert_eq!(one.pseudonym("swordfish").len(), 32);
    }

    #[tokio::test]
    async fn a_token_stands_before_who_has_the_public_key_and_the_private_one_is_read_once() {
        let (private, public) = PrivateKey::generate().unwrap();
        let (mint, parameters) = mint(serde_json::to_string(&private).unwrap());
        let verifier = Verifier::new(&PublicKeys { keys: vec![public] }, ISSUER).unwrap();
        for _ in 0..2 {
            let me = caller();
            let claims = verifier.verify(&mint.access_token(&me, None).await.unwrap()).unwrap();
            let read = Caller::from(&claims);
            assert_eq!(read, me);
            assert_eq!(claims.exp - claims.iat, u64::from(mint.lifetime_seconds()));
        }
        assert_eq!(parameters.heard().len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_none_signs_nothing_and_is_not_repeated() {
        for text in [r#"{"kid":"sesame","pkcs8":"c2VzYW1l"}"#, r#"{"kid":"sesame"}"#, "sesame"] {
            let failure = mint(text.to_owned()).0.access_token(&caller(), None).await.unwrap_err();
            assert!(matches!(failure, StoreError::Broken(_)), "{failure:?}");
            let said = format!("{failure} {failure:?}");
            assert!(!said.contains("sesame") && !said.contains("c2VzYW1l"), "{said}");
        }
    }
}
