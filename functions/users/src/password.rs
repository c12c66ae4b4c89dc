//! Passwords, and what is kept of them: argon2id, as PHC strings.
//!
//! | | | why |
//! |---|---|---|
//! | memory | 19 MiB | [OWASP](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id)'s minimum; a function has 1 GiB, for its share of a CPU |
//! | passes | 2 | the same |
//! | lanes | 1 | a function has less than one CPU |
//! | salt | 16 random bytes | RFC 9106, section 3.1 |
//! | output | 32 bytes | |
//!
//! A hash says its own parameters, so that these can be raised: old ones still verify, and are replaced at the next log-in.
//!
//! A user whose mail address is not verified has a second hash, the [`LoginTag`]: any number of accounts may name that address, and the tag finds the one that
//! is meant by address and password, with one hash however many there are. `docs/adr/0041-pending-addresses.md` has the reasons.
//!
//! Hashing blocks its thread on purpose: a function's environment serves one request at a time.

use crate::{
    domain::{User, Username},
    weak::{Weakness, weakness},
};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error as PhcError, phc},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Email, unicode};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};
use std::fmt;
use zeroize::Zeroizing;

/// How long a password may be, in characters.
const MAX_LENGTH: usize = 128;
/// How long one must be that is chosen today. The reference asks for 6; NIST SP 800-63B for 8.
pub const MIN_LENGTH: usize = 8;

/// A password as somebody presents it, however their keyboard composes it ([`unicode::opaque`]). It never prints, and its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// A password that somebody chooses.
#[derive(Debug, Clone)]
pub struct NewPassword(Password);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why a string is not a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be text of {0} to {MAX_LENGTH} characters")]
pub struct InvalidPassword(usize);

impl Password {
    /// This text as a password.
    ///
    /// # Errors
    /// When it is empty, or longer than any password here.
    pub fn new(text: String) -> Result<Self, InvalidPassword> {
        Self::of_at_least(1, text)
    }

    fn of_at_least(min: usize, text: String) -> Result<Self, InvalidPassword> {
        let typed = Zeroizing::new(text);
        let text = Zeroizing::new(unicode::opaque(&typed));
        let length = text.chars().take(MAX_LENGTH + 1).count();
        (min..=MAX_LENGTH).contains(&length).then_some(Self(text)).ok_or(InvalidPassword(min))
    }
}

impl NewPassword {
    /// This text as a password to be.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(text: String) -> Result<Self, InvalidPassword> {
        Password::of_at_least(MIN_LENGTH, text).map(Self)
    }

    /// Whether this user may set it.
    ///
    /// # Errors
    /// When it would be guessed.
    pub fn accept(&self, username: &Username, email: &Email) -> Result<(), Weakness> {
        weakness(&self.0.0, username, email).map_or(Ok(()), Err)
    }
}

/// Text that no error repeats, of whatever type the client sent instead.
pub(crate) fn secret_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Secret;
    impl Visitor<'_> for Secret {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
        fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
            Ok(text)
        }
        // Each of these would be repeated by the error that serde makes of it.
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
            Err(E::custom("must be text"))
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
            Err(E::custom("must be text"))
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<String, E> {
            Err(E::custom("must be text"))
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
            Err(E::custom("must be text"))
        }
    }
    deserializer.deserialize_any(Secret)
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(secret_text(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for NewPassword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(secret_text(deserializer)?).map_err(de::Error::custom)
    }
}

boxoffice_kernel::schema::string_schema!(Password, {
    format: "password", min: 1, max: MAX_LENGTH, write_only: true, example: "correct horse battery"
});
boxoffice_kernel::schema::string_schema!(NewPassword, {
    format: "password", min: MIN_LENGTH, max: MAX_LENGTH, write_only: true, example: "correct horse battery"
});

/// The stored part of a password: a PHC string. It never prints.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string, for the store.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The hash of a password with a salt that follows from a mail address: the two together find it. It costs as much as a [`PasswordHash`], and never prints.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginTag(String);

impl LoginTag {
    /// The tag, for the store.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoginTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTag(…)")
    }
}

/// The stored parts of a password that a user chose.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its hash.
    pub hash: PasswordHash,
    /// The tag, of a user whose mail address is not verified.
    pub tag: Option<LoginTag>,
}

/// Why a password could not be hashed: a bug, or a store that holds something else than hashes.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HashError {
    /// The machine has no randomness to give.
    #[error("no randomness for a salt")]
    NoRandomness,
    /// Argon2 refuses its parameters.
    #[error("argon2: {0}")]
    Parameters(#[from] argon2::Error),
    /// A stored password hash is malformed.
    #[error("password hash: {0}")]
    Malformed(String),
}

impl From<HashError> for StoreError {
    fn from(error: HashError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The comparison of a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another.
    Wrong,
    /// It.
    Right,
    /// It, hashed as one no longer would.
    Outdated,
}

/// Hashes passwords at a certain cost.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    /// The default is the table above: it is the crate's, and a test holds the two together.
    params: Params,
}

impl Hasher {
    /// A hasher of another cost: memory in KiB, and passes.
    ///
    /// # Errors
    /// When argon2 knows no such cost.
    pub fn of_cost(memory_kib: u32, passes: u32) -> Result<Self, HashError> {
        Ok(Self { params: Params::new(memory_kib, passes, 1, None)? })
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    /// The hash of a password.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn hash(&self, password: &NewPassword) -> Result<PasswordHash, HashError> {
        self.hash_anew(&password.0)
    }

    /// The stored parts of a password that this user chose.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn keep(&self, password: &NewPassword, user: &User) -> Result<Kept, HashError> {
        let unverified = user.email_verified_at.is_none();
        let tag = unverified.then(|| self.tag(&user.profile.email, &password.0)).transpose()?;
        Ok(Kept { hash: self.hash(password)?, tag })
    }

    /// The tag of a mail address and a password. It is found by today's parameters alone, so raising them leaves accounts of unverified addresses their
    /// usernames, and the mail of the address.
    ///
    /// # Errors
    /// When argon2 refuses its parameters.
    pub fn tag(&self, email: &Email, password: &Password) -> Result<LoginTag, HashError> {
        let salt = digest(&SHA256, format!("boxoffice log-in by unverified address\0{}", email.canonical()).as_bytes());
        let mut tag = [0; 32];
        self.argon2().hash_password_into(password.0.as_bytes(), salt.as_ref(), &mut tag)?;
        Ok(LoginTag(BASE64_URL_SAFE_NO_PAD.encode(tag)))
    }

    /// The hash, by today's parameters, of a password that has been accepted.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn hash_anew(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| HashError::NoRandomness)?;
        let hash: phc::PasswordHash =
            self.argon2().hash_password_with_salt(password.0.as_bytes(), &salt).map_err(malformed)?;
        Ok(PasswordHash(hash.to_string()))
    }

    /// Whether this is the password that was hashed.
    ///
    /// # Errors
    /// When what should be a hash is not one.
    pub fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        let hash = phc::PasswordHash::new(&hash.0).map_err(|error| HashError::Malformed(error.to_string()))?;
        match self.argon2().verify_password(password.0.as_bytes(), &hash) {
            Ok(()) => {
                let current = hash.algorithm == argon2::ARGON2ID_IDENT
                    && Params::try_from(&hash).is_ok_and(|params| self.same_cost(&params));
                Ok(if current { Verdict::Right } else { Verdict::Outdated })
            }
            Err(PhcError::PasswordInvalid) => Ok(Verdict::Wrong),
            Err(error) => Err(malformed(error)),
        }
    }

    fn same_cost(&self, other: &Params) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        cost(&self.params) == cost(other)
    }
}

fn malformed(error: PhcError) -> HashError {
    HashError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Hasher {
        Hasher::of_cost(16, 1).unwrap()
    }

    fn new(text: &str) -> NewPassword {
        NewPassword::new(text.to_owned()).unwrap()
    }

    fn given(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    #[test]
    fn the_cost_is_what_the_documentation_says() {
        let params = Hasher::default().params;
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19 * 1024, 2, 1));
    }

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let hash = cheap().hash(&new("correct horse")).unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{}", hash.0);
        assert_eq!(cheap().verify(&given("correct horse"), &hash).unwrap(), Verdict::Right);
        assert_eq!(cheap().verify(&given("Correct horse"), &hash).unwrap(), Verdict::Wrong);
        assert_ne!(cheap().hash(&new("correct horse")).unwrap(), hash);
    }

    #[test]
    fn a_tag_is_of_one_address_and_one_password() {
        let tag = |email: &str, password: &str| cheap().tag(&email.parse().unwrap(), &given(password)).unwrap();
        let adas = tag("ada@example.org", "correct horse");
        assert_eq!(adas, tag("ADA@example.org", "correct horse"));
        assert_ne!(adas, tag("eve@example.org", "correct horse"));
        assert_ne!(adas, tag("ada@example.org", "correct horsf"));
        assert!(!format!("{adas:?}").contains(adas.reveal()));
    }

    #[test]
    fn a_password_is_right_however_the_keyboard_composes_it() {
        let hash = cheap().hash(&new("cafe\u{301} au\u{a0}lait")).unwrap();
        assert_eq!(cheap().verify(&given("caf\u{e9} au lait"), &hash).unwrap(), Verdict::Right);
        assert_eq!(cheap().verify(&given("cafe au lait"), &hash).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_hash_of_another_cost_still_verifies_and_is_outdated() {
        let old = cheap().hash(&new("correct horse")).unwrap();
        let today = Hasher::of_cost(32, 1).unwrap();
        assert_eq!(today.verify(&given("correct horse"), &old).unwrap(), Verdict::Outdated);
        assert_eq!(today.verify(&given("wrong"), &old).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_malformed_hash_is_an_error_not_a_wrong_password() {
        for nonsense in ["", "secret", "$argon2id$v=19$m=16,t=1,p=1"] {
            let verdict = cheap().verify(&given("secret"), &PasswordHash(nonsense.to_owned()));
            assert!(!matches!(verdict, Ok(Verdict::Right | Verdict::Outdated)), "{nonsense}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(NewPassword::new("ßßßßßßßß".into()).is_ok());
        assert!(NewPassword::new("x".repeat(128)).is_ok());
        for bad in ["", "1234567", &"x".repeat(129)] {
            assert!(NewPassword::new(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(Password::new("1234567".into()).is_ok());
    }

    #[test]
    fn nothing_prints_a_password_and_no_error_repeats_one() {
        assert!(!format!("{:?} {:?}", new("swordfish"), given("swordfish")).contains("swordfish"));
        assert!(!format!("{:?}", cheap().hash(&new("swordfish")).unwrap()).contains('$'));
        for body in ["12345678901", "[\"swordfish\"]", "{\"swordfish\":1}", "\"fish\"", "1.25"] {
            let error = serde_json::from_str::<NewPassword>(body).unwrap_err().to_string();
            assert!(!error.contains("fish") && !error.contains("1234") && !error.contains("1.25"), "{error}");
        }
    }
}
