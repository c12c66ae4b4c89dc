//! Who is calling, and what they may do: the one place where that is decided.
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
use boxoffice_aws::{AccessRegister, client};
use boxoffice_kernel::{Role, SessionId, Timestamp, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error as TokenError, ErrorKind},
};
use lambda_http::{Request, http::header::AUTHORIZATION};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody who has logged in.
    SignedIn,
    /// Whose it is, and an ADMIN. The handler says whose.
    Owner,
    /// Whose it is, a MANAGER, and an ADMIN. The handler says whose.
    OwnerOrManager,
    /// A MANAGER, and an ADMIN.
    Manager,
    /// An ADMIN.
    Admin,
}

impl Access {
    /// Whether a caller of this role may call; [`Access::Owner`] is decided again when it is known whose the thing is.
    pub fn admits(self, role: Role) -> bool {
        match self {
            Self::Public | Self::SignedIn | Self::Owner | Self::OwnerOrManager => true,
            Self::Manager => matches!(role, Role::Manager | Role::Admin),
            Self::Admin => role == Role::Admin,
        }
    }
}

/// Somebody whose token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// The log-in their token comes from.
    pub session: SessionId,
    /// The generation of their access.
    pub generation: u64,
}

impl Caller {
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

fn forbidden() -> Problem {
    Problem::new(Code::Forbidden, "It is not yours, and your role does not allow it.")
}

/// What an access token says ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068), section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
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
    /// When it was made, in Unix seconds.
    pub iat: u64,
    /// When it ends, in Unix seconds.
    pub exp: u64,
}

/// Whom tokens are for.
pub const AUDIENCE: &str = "boxoffice-api";
/// The media type of access tokens, in their header.
const TYPE: &str = "at+jwt";
/// By how many seconds clocks may differ.
const LEEWAY_SECONDS: u64 = 5;

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
        validation.leeway = LEEWAY_SECONDS;
        let keys = keys.keys.iter().map(|key| Ok((key.kid.clone(), DecodingKey::from_ed_components(&key.x)?)));
        Ok(Self { keys: keys.collect::<Result<_, TokenError>>()?, validation })
    }

    /// What a token says, should it be one of ours that has not expired.
    ///
    /// # Errors
    /// 401, with what to do.
    pub fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or_else(invalid)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(invalid());
        }
        match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => Err(unauthenticated(
                Code::TokenExpired,
                "The access token has expired. Get another with POST /users/refresh.",
            )),
            Err(_) => Err(invalid()),
        }
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
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: caller.user_id,
            role: caller.role,
            sid: caller.session,
            generation: caller.generation,
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
}

impl Gate {
    /// A gate of these.
    pub fn new(verifier: Verifier, register: AccessRegister) -> Self {
        Self { verifier, register }
    }

    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        let verifier = Verifier::new(&PublicKeys::from_env()?, &config::required("JWT_ISSUER")?)
            .map_err(|error| ConfigError::Invalid { name: "JWT_PUBLIC_KEYS", why: error.to_string() })?;
        let register =
            AccessRegister::new(client::dynamodb(&client::sdk_config()), config::required("SESSIONS_TABLE")?);
        Ok(Self::new(verifier, register))
    }

    /// Who is calling a route of this access.
    ///
    /// # Errors
    /// 401 when nobody says, or what they say does not stand; 403 when their role is not enough; 503 when the register does not answer.
    pub(crate) async fn admit(&self, access: Access, request: &Request) -> Result<Caller, Problem> {
        let claims = self.verifier.verify(bearer(request)?)?;
        let standing = self.register.get(claims.sub).await?;
        if !standing.is_some_and(|standing| standing.admits(claims.sid, claims.generation)) {
            let detail = "This session has ended. Log in again with POST /users/login.";
            return Err(unauthenticated(Code::TokenRevoked, detail));
        }
        let caller =
            Caller { user_id: claims.sub, role: claims.role, session: claims.sid, generation: claims.generation };
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
        Caller { user_id: UserId::generate(), role, session: SessionId::generate(), generation: 1 }
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
    fn what_was_signed_is_what_is_read() {
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
    fn what_is_theirs_is_theirs_and_an_admins() {
        let (me, other, admin) = (caller(Role::User), caller(Role::Manager), caller(Role::Admin));
        assert!(me.may_act_for(me.user_id).is_ok());
        assert_eq!(other.may_act_for(me.user_id).unwrap_err().code, Code::Forbidden);
        assert!(admin.may_act_for(me.user_id).is_ok());
    }
}
