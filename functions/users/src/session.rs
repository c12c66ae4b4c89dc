//! Refresh tokens, and when one may be exchanged. No I/O.
//!
//! A log-in is a *session*: one refresh token at a time, each good for one use, which gives the next. Only hashes are kept. A token that is presented is one
//! of four:
//!
//! | The token is | Then |
//! |---|---|
//! | the last one given out | it is exchanged for its successor |
//! | the one before, within [`GRACE_SECONDS`] of its exchange | it gives the same successor again: two tabs refreshed at once, or the answer was lost |
//! | an older one, or the one before and later | it was copied: either its bearer or the one who went on is not the user, and nobody can tell which, so the session ends ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)) |
//! | made up | nothing happens: the ids in it stand in every access token, and prove nothing |
//!
//! So a token needs to be known as ours long after its hash is forgotten, and its successor must follow from it. Both by the session's key, which never leaves
//! the store: a token carries an HMAC of itself, and the secret of its successor is an HMAC of its own. The key without a token gives no other, and a
//! token without the key neither; a successor that was stored would have to be stored in clear.

use crate::password::secret_text;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_aws::{Access, StoreError};
use boxoffice_kernel::{Role, SessionId, Timestamp, UserId};
use boxoffice_runtime::auth::Caller;
use ring::{
    digest::{SHA256, digest},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// For how many seconds after its exchange a refresh token gives the same successor again: longer than a call may take (29 s) and a client's retry of it.
pub const GRACE_SECONDS: u32 = 60;

/// The token that buys new access tokens: `<userId>.<sessionId>.<256 bits and their HMAC>`. It never prints.
#[derive(Clone)]
pub struct RefreshToken {
    user: UserId,
    session: SessionId,
    /// In base64url.
    secret: Zeroizing<String>,
}

/// The key that a session's refresh tokens are known and follow one another by. It never prints.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainKey(String);

impl ChainKey {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, StoreError> {
        Ok(Self(random_secret()?.to_string()))
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }

    fn sign(&self, purpose: &[u8], nonce: &[u8]) -> hmac::Tag {
        hmac::sign(&self.hmac(), &[purpose, nonce].concat())
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey(…)")
    }
}

/// The purposes that a nonce is signed for: to recognise the token later, and to derive the next.
const ISSUED: &[u8] = b"issued";
const NEXT: &[u8] = b"next";

/// The stored part of a token: its SHA-256, which suffices for a random secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of this secret.
    pub(crate) fn of(secret: &str) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes())))
    }

    /// In base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The token that a device sends with its next log-in, so that it is recognised: 256 random bits. It authenticates nobody, and never prints.
#[derive(Clone)]
pub struct DeviceToken(Zeroizing<String>);

impl DeviceToken {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn issue() -> Result<Self, StoreError> {
        Ok(Self(random_secret()?))
    }

    /// The token itself, for the client.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its stored part.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}

impl From<&Presented> for DeviceToken {
    fn from(presented: &Presented) -> Self {
        Self(presented.0.clone())
    }
}

const SECRET_BYTES: usize = 32;

pub(crate) fn random_secret() -> Result<Zeroizing<String>, StoreError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    let filled = SystemRandom::new().fill(secret.as_mut_slice());
    filled.map_err(|_| StoreError::Broken("no randomness for a token".into()))?;
    Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&secret[..])))
}

/// Why a string is not a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct InvalidToken;

impl RefreshToken {
    /// The first one of this session.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn issue(user: UserId, session: SessionId, key: &ChainKey) -> Result<Self, StoreError> {
        let mut nonce = Zeroizing::new([0; SECRET_BYTES]);
        let filled = SystemRandom::new().fill(nonce.as_mut_slice());
        filled.map_err(|_| StoreError::Broken("no randomness for a token".into()))?;
        Ok(Self::of(user, session, nonce.as_slice(), key))
    }

    fn of(user: UserId, session: SessionId, nonce: &[u8], key: &ChainKey) -> Self {
        let tag = key.sign(ISSUED, nonce);
        let secret = Zeroizing::new([nonce, tag.as_ref()].concat());
        Self { user, session, secret: Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&*secret)) }
    }

    /// The token that follows it, always the same.
    #[must_use]
    pub fn successor(&self, key: &ChainKey) -> Self {
        let secret = self.bytes();
        let (nonce, _) = secret.split_at_checked(SECRET_BYTES).unwrap_or_default();
        Self::of(self.user, self.session, key.sign(NEXT, nonce).as_ref(), key)
    }

    /// Whether it was given out under this key, however long ago.
    pub(crate) fn is_ours(&self, key: &ChainKey) -> bool {
        let secret = self.bytes();
        let signed = |(nonce, tag): (&[u8], &[u8])| hmac::verify(&key.hmac(), &[ISSUED, nonce].concat(), tag).is_ok();
        secret.split_at_checked(SECRET_BYTES).is_some_and(signed)
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(self.secret.as_bytes()).unwrap_or_default())
    }

    /// The owner.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The token itself, for the client.
    pub fn reveal(&self) -> String {
        format!("{}.{}.{}", self.user, self.session, self.secret.as_str())
    }

    /// The stored part of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.secret)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({}, {}, …)", self.user, self.session)
    }
}

impl FromStr for RefreshToken {
    type Err = InvalidToken;
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.split('.');
        let (Some(user), Some(session), Some(secret), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidToken);
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new).map_err(|_| InvalidToken)?;
        if bytes.len() != 2 * SECRET_BYTES {
            return Err(InvalidToken);
        }
        Ok(Self {
            user: user.parse().map_err(|_| InvalidToken)?,
            session: session.parse().map_err(|_| InvalidToken)?,
            secret: Zeroizing::new(secret.to_owned()),
        })
    }
}

/// A refresh token as a caller presents it: any text, since a malformed token gets the same answer as an invalid one.
#[derive(Clone)]
pub struct Presented(Zeroizing<String>);

impl Presented {
    /// The longest text that is looked at.
    pub const MAX_LENGTH: usize = 512;

    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The token, should it be one.
    pub fn token(&self) -> Option<RefreshToken> {
        self.0.parse().ok()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(…)")
    }
}

impl<'de> Deserialize<'de> for Presented {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(secret_text(deserializer)?);
        let valid = (1..=Self::MAX_LENGTH).contains(&text.chars().take(Self::MAX_LENGTH + 1).count());
        valid.then_some(Self(text)).ok_or_else(|| de::Error::custom("must be text of 1 to 512 characters"))
    }
}

boxoffice_kernel::schema::string_schema!(Presented, { min: 1, max: Presented::MAX_LENGTH, write_only: true });

/// How a session's user showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Strength {
    /// By their password.
    #[default]
    Password,
    /// By their password and their second factor.
    SecondFactor,
}

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The user.
    pub user_id: UserId,
    /// Its id, which access tokens carry.
    pub session_id: SessionId,
    /// The generation of the user's access.
    pub generation: u64,
    /// The hash of the refresh token that is good now.
    pub token_hash: TokenHash,
    /// The hash of the one before; none before the first exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_hash: Option<TokenHash>,
    /// The key that recognises its tokens.
    #[serde(default)]
    pub chain_key: ChainKey,
    /// How its user showed who they are.
    #[serde(default)]
    pub strength: Strength,
    /// When its user logged in, in Unix seconds.
    #[serde(default)]
    pub logged_in_at: u64,
    /// When it was used last, in Unix seconds: the log-in, or the last exchange.
    #[serde(default)]
    pub used_at: u64,
    /// When it ends, used or not, in Unix seconds. DynamoDB forgets it some time after.
    pub expires_at: u64,
}

/// The place of a refresh token that may be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The last one given out.
    Last,
    /// The one before, exchanged a moment ago.
    Before,
}

/// Why a refresh token may not be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its session has ended, with or without the user's doing.
    #[error("the session has ended")]
    Ended,
    /// It was exchanged before, and others after it or too long ago.
    #[error("the refresh token was used before")]
    Reused,
    /// It was never given out.
    #[error("the refresh token is made up")]
    MadeUp,
}

impl Session {
    /// Whether it goes on: under this access, at this moment, with so many seconds of idleness allowed.
    pub fn stands(&self, access: &Access, idle_seconds: u32, now: Timestamp) -> bool {
        let idle_until = self.used_at.saturating_add(idle_seconds.into());
        self.expires_at.min(idle_until) > now.unix_seconds() && access.admits(self.session_id, self.generation)
    }

    /// The place of this token in the session, which must not have ended.
    ///
    /// # Errors
    /// When the token may not be exchanged, with what that means for the session.
    pub fn accept(&self, presented: &RefreshToken, now: Timestamp) -> Result<Standing, Refusal> {
        let hash = presented.hash();
        let lately = now.unix_seconds() <= self.used_at.saturating_add(GRACE_SECONDS.into());
        if self.token_hash == hash {
            Ok(Standing::Last)
        } else if self.previous_hash.as_ref() == Some(&hash) && lately {
            Ok(Standing::Before)
        } else if presented.is_ours(&self.chain_key) {
            Err(Refusal::Reused)
        } else {
            Err(Refusal::MadeUp)
        }
    }

    /// Its user, with this role, as an access token of it says.
    pub fn caller(&self, role: Role) -> Caller {
        let Self { user_id, session_id: session, generation, logged_in_at, .. } = *self;
        Caller { user_id, role, session, generation, logged_in_at }
    }

    /// The same session once its last token has been exchanged for this one.
    #[must_use]
    pub fn exchanged(&self, next: &RefreshToken, now: Timestamp) -> Self {
        let previous_hash = Some(self.token_hash.clone());
        Self { token_hash: next.hash(), previous_hash, used_at: now.unix_seconds(), ..self.clone() }
    }

    /// How many seconds are left of it.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        self.expires_at.saturating_sub(now.unix_seconds())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key() -> ChainKey {
        ChainKey::generate().unwrap()
    }

    fn issue(key: &ChainKey) -> RefreshToken {
        RefreshToken::issue(UserId::generate(), SessionId::generate(), key).unwrap()
    }

    pub(crate) fn session(token: &RefreshToken, key: &ChainKey, now: Timestamp) -> Session {
        let (user_id, session_id) = (token.user(), token.session());
        Session {
            user_id,
            session_id,
            generation: 1,
            token_hash: token.hash(),
            previous_hash: None,
            chain_key: key.clone(),
            strength: Strength::default(),
            logged_in_at: now.unix_seconds(),
            used_at: now.unix_seconds(),
            expires_at: now.unix_seconds() + 3600,
        }
    }

    fn access(generation: u64) -> Access {
        Access { generation, ..Access::default() }
    }

    #[test]
    fn a_token_is_read_as_it_was_given() {
        let token = issue(&key());
        let read: RefreshToken = token.reveal().parse().unwrap();
        assert_eq!((read.user(), read.session(), read.hash()), (token.user(), token.session(), token.hash()));
        assert_ne!(issue(&key()).hash(), token.hash());
    }

    #[test]
    fn a_malformed_token_is_refused() {
        let token = issue(&key()).reveal();
        let short = token.get(..token.len() - 1).unwrap().to_owned();
        for bad in
            [String::new(), "..".into(), format!("{token}A"), format!("{token}."), short, token.replace('.', "-")]
        {
            assert!(bad.parse::<RefreshToken>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let (key, token) = (key(), issue(&key()));
        assert!(!format!("{key:?}").contains(&key.0));
        assert!(!format!("{token:?}").contains(token.secret.as_str()));
        let presented: Presented = serde_json::from_value(serde_json::json!(token.reveal())).unwrap();
        assert!(!format!("{presented:?}").contains(token.secret.as_str()));
        assert!(presented.token().is_some());
    }

    #[test]
    fn a_session_stands_until_it_expires_is_idle_too_long_or_is_ended() {
        let (key, now) = (key(), Timestamp::now());
        let session = session(&issue(&key), &key, now);
        assert!(session.stands(&access(1), 900, now));
        assert!(!session.stands(&access(2), 900, now));
        assert!(session.stands(&access(1), 900, now.plus_seconds(899)));
        assert!(!session.stands(&access(1), 900, now.plus_seconds(900)));
        assert!(!session.stands(&access(1), 9000, now.plus_seconds(3600)));
        let ended = Access { generation: 1, ended: BTreeMap::from([(session.session_id, 0)]) };
        assert!(!session.stands(&ended, 900, now));
    }

    #[test]
    fn the_last_token_and_for_a_minute_the_one_before_are_exchanged_and_older_ones_prove_a_theft() {
        let (key, now) = (key(), Timestamp::now());
        let first = issue(&key);
        let second = first.successor(&key);
        let third = second.successor(&key);
        let session = session(&first, &key, now);
        assert_eq!(session.accept(&first, now), Ok(Standing::Last));
        let session = session.exchanged(&second, now);
        assert_eq!(session.accept(&second, now), Ok(Standing::Last));
        assert_eq!(session.accept(&first, now.plus_seconds(GRACE_SECONDS)), Ok(Standing::Before));
        assert_eq!(session.accept(&first, now.plus_seconds(GRACE_SECONDS + 1)), Err(Refusal::Reused));
        let session = session.exchanged(&third, now);
        assert_eq!(session.accept(&second, now), Ok(Standing::Before));
        assert_eq!(session.accept(&first, now), Err(Refusal::Reused));
    }

    #[test]
    fn a_successor_is_always_the_same_and_needs_both_the_token_and_the_key() {
        let (key, other) = (key(), key());
        let (one, another) = (issue(&key), issue(&key));
        assert_eq!(one.successor(&key).hash(), one.successor(&key).hash());
        assert_ne!(one.successor(&key).hash(), one.successor(&other).hash());
        assert_ne!(one.successor(&key).hash(), another.successor(&key).hash());
        assert_ne!(one.successor(&key).hash(), one.hash());
    }

    #[test]
    fn a_token_is_known_as_ours_however_many_came_after_and_a_made_up_one_is_not() {
        let (key, now) = (key(), Timestamp::now());
        let first = issue(&key);
        let mut session = session(&first, &key, now);
        let mut last = first.clone();
        for _ in 0..50 {
            last = last.successor(&key);
            session = session.exchanged(&last, now);
        }
        assert_eq!(session.accept(&first, now), Err(Refusal::Reused));
        let made_up = RefreshToken::issue(first.user(), first.session(), &ChainKey::generate().unwrap()).unwrap();
        assert_eq!(session.accept(&made_up, now), Err(Refusal::MadeUp));
    }

    proptest! {
        #[test]
        fn reading_a_token_never_panics(text in "\\PC{0,160}") {
            if let Ok(token) = text.parse::<RefreshToken>() {
                prop_assert_eq!(token.reveal(), text);
            }
        }
    }
}
