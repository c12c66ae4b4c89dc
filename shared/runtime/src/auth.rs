//! Authentication and authorization: the one place that decides who is calling and which calls they may make.
//!
//! [`routes::ROUTES`](crate::routes::ROUTES) says of every route who may call it ([`Access`]); [`http::serve`](crate::http::serve) asks [`Gate`] before a
//! handler runs; a handler whose route is [`Access::Owner`] asks [`Caller::may_act_for`] once it knows whose the thing is. A route
//! without an entry is refused, and a test holds the table in `docs/authorization.md` to this one.
//!
//! An access token is a JWT ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)) signed with Ed25519. A function holds the public keys
//! only, and checks a token without asking anybody; whether it has been revoked, the access register knows (`docs/adr/0012-identity.md`).

use crate::{
    Code, Problem,
    config::{self, ConfigError},
};
use boxoffice_aws::{AccessRegister, StoreError, client};
use boxoffice_kernel::{Role, SessionId, Timestamp, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error as TokenError, ErrorKind},
};
use lambda_http::{Request, http::header::AUTHORIZATION};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The callers that a route admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody who has logged in.
    SignedIn,
    /// The owner and an ADMIN. The handler knows the owner.
    Owner,
    /// The owner, a MANAGER and an ADMIN. The handler knows the owner.
    OwnerOrManager,
    /// A MANAGER, and an ADMIN.
    Manager,
    /// An ADMIN.
    Admin,
    /// A device that is enrolled at a door, and no user. The handler knows the device.
    Device,
}

impl Access {
    /// Whether a caller of this role may call; [`Access::Owner`] is decided again when it is known whose the thing is.
    pub fn admits(self, role: Role) -> bool {
        match self {
            Self::Public | Self::SignedIn | Self::Owner | Self::OwnerOrManager => true,
            Self::Manager => matches!(role, Role::Manager | Role::Admin),
            Self::Admin => role == Role::Admin,
            Self::Device => false,
        }
    }
}

/// Somebody whose token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The role.
    pub role: Role,
    /// The log-in their token comes from.
    pub session: SessionId,
    /// The generation of their access.
    pub generation: u64,
    /// When they gave their password, in Unix seconds; refreshing a token does not change it.
    pub logged_in_at: u64,
}

/// For how many seconds after a log-in what would cost somebody their account may be changed.
pub const REAUTHENTICATION_SECONDS: u64 = 300;

/// 401 to a caller who has to log in again first ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)).
pub fn log_in_again() -> Problem {
    let detail = format!(
        "This needs a log-in of the last {REAUTHENTICATION_SECONDS} s. Log in again with POST /users/login, and repeat the call with the new token."
    );
    let challenge = format!(
        r#"Bearer realm="boxoffice", error="insufficient_user_authentication", max_age={REAUTHENTICATION_SECONDS}"#
    );
    Problem::new(Code::ReauthenticationRequired, detail).with_header("www-authenticate", challenge)
}

impl Caller {
    /// Whether they gave their password a moment ago: a stolen access token, or one that was refreshed, does not say so for long.
    pub fn logged_in_lately(&self, now: Timestamp) -> bool {
        self.logged_in_at.saturating_add(REAUTHENTICATION_SECONDS) >= now.unix_seconds()
    }

    /// Whether what is this user's is theirs to see and act on.
    ///
    /// # Errors
    /// 403 unless they are that user, or an ADMIN.
    pub fn may_act_for(&self, owner: UserId) -> Result<(), Problem> {
        if self.user_id == owner || self.role == Role::Admin { Ok(()) } else { Err(forbidden()) }
    }

    /// Whether they may do what this role may.
    ///
    /// # Errors
    /// 403 unless they may.
    pub fn must_be(&self, access: Access) -> Result<(), Problem> {
        if access.admits(self.role) { Ok(()) } else { Err(forbidden()) }
    }
}

fn second_factor_missing() -> Problem {
    let detail =
        "Your role needs a second factor here. Enrol with POST /users/me/second-factor, and log in with its code.";
    Problem::new(Code::SecondFactorMissing, detail)
}

fn forbidden() -> Problem {
    Problem::new(Code::Forbidden, "It belongs to another user, and your role does not allow access.")
}

/// The claims of an access token ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068), section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// For whom: this API.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// Their role when it was made.
    pub role: Role,
    /// Their session.
    pub sid: SessionId,
    /// The generation of their access.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// When its user gave their password, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// The role that its user has and this token does not, for want of their second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Role>,
    /// Before when it is not good, in Unix seconds. Ours do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When it was made, in Unix seconds.
    pub iat: u64,
    /// When it ends, in Unix seconds.
    pub exp: u64,
}

impl Claims {
    /// These claims, should they have begun and not ended, and last no longer than a token of ours may.
    fn at(self, now: u64) -> Result<Self, Problem> {
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        let lasts_too_long = self.exp > self.iat.saturating_add(MAX_AGE_SECONDS);
        if begins > now.saturating_add(LEEWAY_SECONDS) || lasts_too_long {
            return Err(invalid());
        }
        if self.exp.saturating_add(LEEWAY_SECONDS) < now {
            let detail = "The access token has expired. Get another with POST /users/refresh.";
            return Err(unauthenticated(Code::TokenExpired, detail));
        }
        Ok(self)
    }
}

/// Whether a token's header marks extensions as critical.
fn is_critical(token: &str) -> bool {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let header = token.split('.').next().and_then(|header| BASE64_URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<serde_json::Value> = header.and_then(|header| serde_json::from_slice(&header).ok());
    header.is_none_or(|header| header.get("crit").is_some())
}

impl From<&Claims> for Caller {
    fn from(claims: &Claims) -> Self {
        Self {
            user_id: claims.sub,
            role: claims.role,
            session: claims.sid,
            generation: claims.generation,
            logged_in_at: claims.auth_time.unwrap_or(0),
        }
    }
}

/// Whom tokens are for.
pub const AUDIENCE: &str = "boxoffice-api";
/// The media type of access tokens, in their header.
const TYPE: &str = "at+jwt";
/// By how many seconds clocks may differ.
const LEEWAY_SECONDS: u64 = 5;
/// How old a token may be, in seconds, whatever it says of its end: as long as `AccessTokenSeconds` may be. A key that leaked makes none that lasts.
const MAX_AGE_SECONDS: u64 = 3600;

/// A public key, as `/.well-known/jwks.json` shows it ([RFC 8037](https://www.rfc-editor.org/rfc/rfc8037)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublicKey {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key itself, in base64url.
    pub x: String,
    /// Its id.
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The public keys that tokens are verified with: more than one while keys change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublicKeys {
    /// Each.
    pub keys: Vec<PublicKey>,
}

impl PublicKeys {
    /// From the environment.
    ///
    /// # Errors
    /// When they are not there, or are not keys.
    pub fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "JWT_PUBLIC_KEYS";
        serde_json::from_str(&config::required(NAME)?)
            .map_err(|error| ConfigError::Invalid { name: NAME, why: error.to_string() })
    }
}

/// Checks tokens, without asking anybody.
#[derive(Clone)]
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier of what this issuer signed with one of these keys.
    ///
    /// # Errors
    /// When a key is not one.
    pub fn new(keys: &PublicKeys, issuer: &str) -> Result<Self, TokenError> {
        use_ring();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By our own clock: Claims::at.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let keys = keys.keys.iter().map(|key| Ok((key.kid.clone(), DecodingKey::from_ed_components(&key.x)?)));
        Ok(Self { keys: keys.collect::<Result<_, TokenError>>()?, validation })
    }

    /// The claims of a token, if it is valid and has not expired.
    ///
    /// # Errors
    /// 401, with what to do.
    pub fn verify(&self, token: &str) -> Result<Claims, Problem> {
        self.verify_at(token, Timestamp::now())
    }

    /// The token's claims, should it be one of ours that stood at this moment.
    ///
    /// # Errors
    /// 401, with what to do.
    pub fn verify_at(&self, token: &str, now: Timestamp) -> Result<Claims, Problem> {
        self.signed_at(token, now).map(|(_, claims)| claims)
    }

    /// The same, with the id of the key that signed it.
    fn signed_at(&self, token: &str, now: Timestamp) -> Result<(String, Claims), Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        let kid = header.kid.ok_or_else(invalid)?;
        let key = self.keys.get(&kid).ok_or_else(invalid)?;
        // RFC 7515, section 4.1.11: what is marked critical and not understood must be refused, and none is understood here.
        if header.typ.as_deref() != Some(TYPE) || is_critical(token) {
            return Err(invalid());
        }
        let token = jsonwebtoken::decode::<Claims>(token, key, &self.validation).map_err(|_| invalid())?;
        Ok((kid, token.claims.at(now.unix_seconds())?))
    }
}

/// 401, with the challenge that RFC 6750 asks for.
fn unauthenticated(code: Code, detail: &str) -> Problem {
    let challenge = match code {
        Code::AuthenticationRequired => r#"Bearer realm="boxoffice""#.to_owned(),
        _ => r#"Bearer realm="boxoffice", error="invalid_token""#.to_owned(),
    };
    Problem::new(code, detail).with_header("www-authenticate", challenge)
}

fn invalid() -> Problem {
    unauthenticated(Code::TokenInvalid, "This is not an access token of ours. Get one with POST /users/login.")
}

/// 401 to a token whose session has ended, be it before the call or during it.
pub fn session_ended() -> Problem {
    unauthenticated(Code::TokenRevoked, "This session has ended. Log in again with POST /users/login.")
}

/// Makes tokens. Only the functions that log users in have one.
pub struct Signer {
    key: EncodingKey,
    kid: String,
    issuer: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A private key as it is kept: its id, and its PKCS #8 document in base64.
#[derive(Clone, Serialize, Deserialize)]
pub struct PrivateKey {
    /// The id of its public half.
    pub kid: String,
    /// PKCS #8 (RFC 5958), in base64.
    pub pkcs8: String,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why a private key is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS #8")]
pub struct InvalidKey;

impl PrivateKey {
    /// A new key, and its public half.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<(Self, PublicKey), InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| InvalidKey)?;
        let kid = format!("{}", Timestamp::now()).replace([':', '.'], "-");
        let private = Self { kid, pkcs8: BASE64_STANDARD.encode(pkcs8.as_ref()) };
        let public = private.public()?;
        Ok((private, public))
    }

    fn document(&self) -> Result<Vec<u8>, InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        BASE64_STANDARD.decode(&self.pkcs8).map_err(|_| InvalidKey)
    }

    /// Its public half.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn public(&self) -> Result<PublicKey, InvalidKey> {
        use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
        let pair = Ed25519KeyPair::from_pkcs8(&self.document()?).map_err(|_| InvalidKey)?;
        Ok(PublicKey {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
            kid: self.kid.clone(),
            alg: "EdDSA".into(),
            usage: "sig".into(),
        })
    }
}

impl Signer {
    /// A signer with this key, in this issuer's name.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn new(key: &PrivateKey, issuer: impl Into<String>) -> Result<Self, InvalidKey> {
        use_ring();
        let document = key.document()?;
        Ed25519KeyPair::from_pkcs8(&document).map_err(|_| InvalidKey)?;
        Ok(Self { key: EncodingKey::from_ed_der(&document), kid: key.kid.clone(), issuer: issuer.into() })
    }

    /// A token for this caller, that ends after so many seconds.
    ///
    /// # Errors
    /// When it cannot be signed: a bug.
    pub fn sign(&self, caller: &Caller, lifetime_seconds: u32, now: Timestamp) -> Result<String, TokenError> {
        self.sign_withholding(caller, None, lifetime_seconds, now)
    }

    /// The same for a caller who has another role, which this token is not to have.
    ///
    /// # Errors
    /// When it cannot be signed: a bug.
    pub fn sign_withholding(
        &self,
        caller: &Caller,
        withheld: Option<Role>,
        lifetime_seconds: u32,
        now: Timestamp,
    ) -> Result<String, TokenError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: caller.user_id,
            role: caller.role,
            sid: caller.session,
            generation: caller.generation,
            auth_time: Some(caller.logged_in_at),
            withheld,
            nbf: None,
            iat: now.unix_seconds(),
            exp: now.plus_seconds(lifetime_seconds).unix_seconds(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

/// Stands before a function's handlers, and lets in who may call them.
#[derive(Debug, Clone)]
pub struct Gate {
    verifier: Verifier,
    register: AccessRegister,
    retired: Arc<Mutex<Option<RetiredKeys>>>,
    trusts_for: Duration,
}

/// The retired keys, and when they were read.
#[derive(Debug, Clone)]
struct RetiredKeys {
    kids: BTreeSet<String>,
    read_at: Instant,
}

/// For how many seconds a function goes by the retired keys that it read last: so long after `boxoffice keys retire` the last token of a key is taken.
pub const RETIREMENT_SECONDS: u64 = 5;

impl Gate {
    /// A gate of these.
    pub fn new(verifier: Verifier, register: AccessRegister) -> Self {
        let trusts_for = Duration::from_secs(RETIREMENT_SECONDS);
        Self { verifier, register, retired: Arc::default(), trusts_for }
    }

    /// The same, which goes by retired keys for another time.
    #[must_use]
    pub fn trusting_for(self, trusts_for: Duration) -> Self {
        Self { trusts_for, ..self }
    }

    /// Whether this key was retired, as was known [`RETIREMENT_SECONDS`] ago or later.
    async fn is_retired(&self, kid: &str) -> Result<bool, StoreError> {
        let known = self.retired.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.kids.contains(kid) || known.read_at.elapsed() < self.trusts_for)
        {
            return Ok(known.kids.contains(kid));
        }
        let read_at = Instant::now();
        let kids = self.register.retired_keys().await?;
        let is_retired = kids.contains(kid);
        *self.retired.lock().unwrap_or_else(PoisonError::into_inner) = Some(RetiredKeys { kids, read_at });
        Ok(is_retired)
    }

    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let verifier = Verifier::new(&PublicKeys::from_env()?, &config::required("JWT_ISSUER")?)
            .map_err(|error| ConfigError::Invalid { name: "JWT_PUBLIC_KEYS", why: error.to_string() })?;
        let register =
            AccessRegister::new(client::dynamodb(&client::sdk_config()), config::required("SESSIONS_TABLE")?);
        Ok(Self::new(verifier, register))
    }

    /// The caller of a public route, should they send a token that is valid. Such a route answers everybody, so with any other token, or while the register
    /// does not answer, they are a stranger.
    pub async fn recognize(&self, request: &Request) -> Option<Caller> {
        if !request.headers().contains_key(AUTHORIZATION) {
            return None;
        }
        self.admit(Access::SignedIn, request).await.ok()
    }

    /// The caller of a route with this access rule.
    ///
    /// # Errors
    /// 401 without a valid token, 403 when the role does not suffice, 503 when the session register does not answer.
    pub async fn admit(&self, access: Access, request: &Request) -> Result<Caller, Problem> {
        let (kid, claims) = self.verifier.signed_at(bearer(request)?, Timestamp::now())?;
        if self.is_retired(&kid).await? {
            return Err(invalid());
        }
        let standing = self.register.standing(claims.sub, claims.sid).await?;
        if !standing.is_some_and(|standing| standing.admits(claims.sid, claims.generation)) {
            return Err(session_ended());
        }
        let caller = Caller::from(&claims);
        if !access.admits(caller.role) && claims.withheld.is_some_and(|role| access.admits(role)) {
            return Err(second_factor_missing());
        }
        caller.must_be(access)?;
        Ok(caller)
    }
}

fn bearer(request: &Request) -> Result<&str, Problem> {
    let required = || {
        let detail = "Send an access token: Authorization: Bearer … (POST /users/login gives one).";
        unauthenticated(Code::AuthenticationRequired, detail)
    };
    let header = request.headers().get(AUTHORIZATION).ok_or_else(required)?.to_str().map_err(|_| invalid())?;
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(required()),
    }
}

/// Gives `jsonwebtoken` its cryptography. Only the first call counts, and all are the same.
fn use_ring() {
    let _ = RING.install_default();
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(key.as_bytes());
            let pair = pair.map_err(|_| TokenError::from(ErrorKind::InvalidEddsaKey))?;
            Ok(Box::new(RingSigner(pair)) as Box<dyn JwtSigner>)
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => {
            let key = UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec());
            Ok(Box::new(RingVerifier(key)) as Box<dyn JwtVerifier>)
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct RingSigner(Ed25519KeyPair);

impl signature::Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct RingVerifier(UnparsedPublicKey<Vec<u8>>);

impl signature::Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

    const ISSUER: &str = "urn:boxoffice:test";

    fn caller(role: Role) -> Caller {
        Caller { user_id: UserId::generate(), role, session: SessionId::generate(), generation: 1, logged_in_at: 0 }
    }

    struct Keys {
        private: PrivateKey,
        verifier: Verifier,
    }

    fn keys() -> Keys {
        let (private, public) = PrivateKey::generate().unwrap();
        Keys { private, verifier: Verifier::new(&PublicKeys { keys: vec![public] }, ISSUER).unwrap() }
    }

    fn token(key: &PrivateKey, issuer: &str, now: Timestamp) -> String {
        Signer::new(key, issuer).unwrap().sign(&caller(Role::User), 300, now).unwrap()
    }

    fn refused(verifier: &Verifier, token: &str) -> Code {
        verifier.verify(token).unwrap_err().code
    }

    #[test]
    fn signed_claims_read_back_unchanged() {
        let keys = keys();
        let (me, now) = (caller(Role::Manager), Timestamp::now());
        let token = Signer::new(&keys.private, ISSUER).unwrap().sign(&me, 300, now).unwrap();
        let claims = keys.verifier.verify(&token).unwrap();
        assert_eq!((claims.sub, claims.role, claims.sid, claims.generation), (me.user_id, me.role, me.session, 1));
        assert_eq!(claims.exp, claims.iat + 300);
    }

    #[test]
    fn tokens_that_are_not_ours_are_refused() {
        let (keys, now) = (keys(), Timestamp::now());
        let good = token(&keys.private, ISSUER, now);
        assert!(keys.verifier.verify(&good).is_ok());
        assert_eq!(refused(&keys.verifier, &token(&keys.private, "urn:boxoffice:other", now)), Code::TokenInvalid);
        assert_eq!(refused(&keys.verifier, &token(&keys.private, ISSUER, now.minus_seconds(900))), Code::TokenExpired);

        let (stranger, _) = PrivateKey::generate().unwrap();
        let impostor = PrivateKey { kid: keys.private.kid.clone(), ..stranger.clone() };
        assert_eq!(refused(&keys.verifier, &token(&impostor, ISSUER, now)), Code::TokenInvalid);
        let unknown = PrivateKey { kid: "another".into(), ..stranger };
        assert_eq!(refused(&keys.verifier, &token(&unknown, ISSUER, now)), Code::TokenInvalid);

        let body = good.split('.').nth(1).unwrap();
        for algorithm in ["none", "None", "HS256", "EdDSA"] {
            let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"{}"}}"#, keys.private.kid);
            for signature in ["", "AAAA", good.split('.').nth(2).unwrap()] {
                let forged = format!("{}.{body}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(&header));
                if forged != good {
                    assert_eq!(refused(&keys.verifier, &forged), Code::TokenInvalid, "{forged}");
                }
            }
        }
        for nonsense in ["", ".", "..", "a.b.c", &good[1..], &format!("{good}x")] {
            assert_eq!(refused(&keys.verifier, nonsense), Code::TokenInvalid, "{nonsense}");
        }
    }

    /// A token that says this in its header and claims, signed with the key that is trusted.
    fn spoiled(keys: &Keys, header: serde_json::Value, claims: serde_json::Value) -> String {
        let now = Timestamp::now();
        let good = token(&keys.private, ISSUER, now);
        let part = |index: usize, change: serde_json::Value| {
            let part = BASE64_URL_SAFE_NO_PAD.decode(good.split('.').nth(index).unwrap()).unwrap();
            let mut part: serde_json::Value = serde_json::from_slice(&part).unwrap();
            part.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
        };
        let signed = format!("{}.{}", part(0, header), part(1, claims));
        let pair = Ed25519KeyPair::from_pkcs8(&keys.private.document().unwrap()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref()))
    }

    #[test]
    fn a_token_of_another_time_or_with_critical_extensions_is_refused_though_its_key_is_trusted() {
        use serde_json::json;
        let (keys, now, none) = (keys(), Timestamp::now().unix_seconds(), json!({}));
        assert!(keys.verifier.verify(&spoiled(&keys, none.clone(), none.clone())).is_ok(), "the control");
        for claims in [
            json!({ "nbf": now + 60 }),
            json!({ "iat": now + 60, "exp": now + 120 }),
            json!({ "iat": now, "exp": now + 7200 }),
            json!({ "iat": now - 4000, "exp": now + 60 }),
            json!({ "iat": now - 4000, "nbf": now - 4000, "exp": now + 60 }),
            json!({ "iat": 0, "exp": 32_503_680_000_u64 }),
        ] {
            assert_eq!(
                refused(&keys.verifier, &spoiled(&keys, none.clone(), claims.clone())),
                Code::TokenInvalid,
                "{claims}"
            );
        }
        assert!(keys.verifier.verify(&spoiled(&keys, none.clone(), json!({ "nbf": now }))).is_ok());
        for header in [json!({ "crit": ["exp"] }), json!({ "crit": [] }), json!({ "crit": ["b64"], "b64": false })] {
            assert_eq!(
                refused(&keys.verifier, &spoiled(&keys, header.clone(), none.clone())),
                Code::TokenInvalid,
                "{header}"
            );
        }
    }

    #[test]
    fn a_role_that_was_edited_into_a_token_does_not_count() {
        let keys = keys();
        let good = token(&keys.private, ISSUER, Timestamp::now());
        let parts: Vec<&str> = good.split('.').collect();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let promoted = String::from_utf8(claims).unwrap().replace("USER", "ADMIN");
        let forged = format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(promoted), parts[2]);
        assert_eq!(refused(&keys.verifier, &forged), Code::TokenInvalid);
    }

    #[test]
    fn a_log_in_is_recent_for_five_minutes_however_new_the_token_is() {
        let (keys, now) = (keys(), Timestamp::now());
        let me = Caller { logged_in_at: now.unix_seconds(), ..caller(Role::User) };
        for (later, recent) in [(0, true), (300, true), (301, false), (86_400, false)] {
            let refreshed = Signer::new(&keys.private, ISSUER).unwrap().sign(&me, 300, now).unwrap();
            let caller = Caller::from(&keys.verifier.verify(&refreshed).unwrap());
            assert_eq!(caller.logged_in_lately(now.plus_seconds(later)), recent, "{later} s after");
        }
        assert!(!caller(Role::User).logged_in_lately(now), "a token from before there was an auth_time");
    }

    #[test]
    fn only_the_owner_and_an_admin_have_access() {
        let (me, other, admin) = (caller(Role::User), caller(Role::Manager), caller(Role::Admin));
        assert!(me.may_act_for(me.user_id).is_ok());
        assert_eq!(other.may_act_for(me.user_id).unwrap_err().code, Code::Forbidden);
        assert!(admin.may_act_for(me.user_id).is_ok());
    }
}
