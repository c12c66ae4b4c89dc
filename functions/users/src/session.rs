//! Refresh tokens, and when one stands. No I/O.
//!
//! A log-in is a *session*: one refresh token at a time, each good for one use, which gives the next. Only the hash of the current one is kept. Whoever
//! presents an older one shows that a token was copied: either they or the one who used it before them is not the user, and nobody can tell which, so
//! the session ends ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)).

use crate::password::secret_text;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_aws::{Access, StoreError};
use boxoffice_kernel::{SessionId, Timestamp, UserId};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// What a client gets new access tokens with: `<userId>.<sessionId>.<256 random bits>`. It never prints.
#[derive(Clone)]
pub struct RefreshToken {
    user: UserId,
    session: SessionId,
    secret: Zeroizing<String>,
}

/// What is kept of a refresh token: SHA-256, enough for what cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

/// Why a string is not a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct InvalidToken;

impl RefreshToken {
    const SECRET_BYTES: usize = 32;

    /// A new one of this session.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn issue(user: UserId, session: SessionId) -> Result<Self, StoreError> {
        let mut secret = Zeroizing::new([0; Self::SECRET_BYTES]);
        let filled = SystemRandom::new().fill(secret.as_mut_slice());
        filled.map_err(|_| StoreError::Broken("no randomness for a token".into()))?;
        Ok(Self { user, session, secret: Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&secret[..])) })
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Of which session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The token itself, for the client.
    pub fn reveal(&self) -> String {
        format!("{}.{}.{}", self.user, self.session, self.secret.as_str())
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.secret.as_bytes())))
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
        if bytes.len() != Self::SECRET_BYTES {
            return Err(InvalidToken);
        }
        Ok(Self {
            user: user.parse().map_err(|_| InvalidToken)?,
            session: session.parse().map_err(|_| InvalidToken)?,
            secret: Zeroizing::new(secret.to_owned()),
        })
    }
}

/// A refresh token as somebody presents it: any text, for whatever is no token of ours is answered like one that does not stand.
#[derive(Clone)]
pub struct Presented(Zeroizing<String>);

impl Presented {
    /// The longest text that is looked at.
    pub const MAX_LENGTH: usize = 512;

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

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whose.
    pub user_id: UserId,
    /// Its id, which access tokens carry.
    pub session_id: SessionId,
    /// Of which generation of the user's access it is.
    pub generation: u64,
    /// The hash of the refresh token that is good now.
    pub token_hash: TokenHash,
    /// When it ends, used or not, in Unix seconds. DynamoDB forgets it some time after.
    pub expires_at: u64,
}

/// Why a refresh token does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its session has ended, with or without the user's doing.
    #[error("the session has ended")]
    Ended,
    /// It was used before.
    #[error("the refresh token was used before")]
    Reused,
}

impl Session {
    /// Whether this token may be exchanged for the next.
    ///
    /// # Errors
    /// When it may not, with what that means for the session.
    pub fn accept(&self, presented: &TokenHash, access: &Access, now: Timestamp) -> Result<(), Refusal> {
        if self.expires_at <= now.unix_seconds() || !access.admits(self.session_id, self.generation) {
            return Err(Refusal::Ended);
        }
        if self.token_hash == *presented { Ok(()) } else { Err(Refusal::Reused) }
    }

    /// How many seconds are left of it.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        self.expires_at.saturating_sub(now.unix_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn issue() -> RefreshToken {
        RefreshToken::issue(UserId::generate(), SessionId::generate()).unwrap()
    }

    fn session(token: &RefreshToken, now: Timestamp) -> Session {
        let expires_at = now.unix_seconds() + 60;
        let (user_id, session_id) = (token.user(), token.session());
        Session { user_id, session_id, generation: 1, token_hash: token.hash(), expires_at }
    }

    fn access(generation: u64) -> Access {
        Access { generation, ..Access::default() }
    }

    #[test]
    fn a_token_is_read_as_it_was_given() {
        let token = issue();
        let read: RefreshToken = token.reveal().parse().unwrap();
        assert_eq!((read.user(), read.session(), read.hash()), (token.user(), token.session(), token.hash()));
        assert_ne!(issue().hash(), token.hash());
    }

    #[test]
    fn what_is_no_token_is_none() {
        let token = issue().reveal();
        let short = token.get(..token.len() - 1).unwrap().to_owned();
        for bad in
            [String::new(), "..".into(), format!("{token}A"), format!("{token}."), short, token.replace('.', "-")]
        {
            assert!(bad.parse::<RefreshToken>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = issue();
        assert!(!format!("{token:?}").contains(token.secret.as_str()));
        let presented: Presented = serde_json::from_value(serde_json::json!(token.reveal())).unwrap();
        assert!(!format!("{presented:?}").contains(token.secret.as_str()));
        assert!(presented.token().is_some());
    }

    #[test]
    fn only_the_current_token_of_a_live_session_is_accepted() {
        let (token, now) = (issue(), Timestamp::now());
        let session = session(&token, now);
        let accept = |hash: &TokenHash, access: &Access, now| session.accept(hash, access, now);
        assert_eq!(accept(&token.hash(), &access(1), now), Ok(()));
        assert_eq!(accept(&issue().hash(), &access(1), now), Err(Refusal::Reused));
        assert_eq!(accept(&token.hash(), &access(2), now), Err(Refusal::Ended));
        assert_eq!(accept(&token.hash(), &access(1), now.plus_seconds(61)), Err(Refusal::Ended));
        let ended = Access { generation: 1, ended: BTreeMap::from([(session.session_id, 0)]) };
        assert_eq!(accept(&token.hash(), &ended, now), Err(Refusal::Ended));
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
