//! Tokens that prove that somebody reads the messages to an address: to choose a new password without the old one, or to verify the address. No I/O.
//!
//! A token is 256 random bits in a mail, or 60 in a text message, which people copy by hand. Its hash is kept, for minutes, and it works once.

use crate::session::{Presented, TokenHash, random_secret};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Timestamp, UserId};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// To choose a new password.
    PasswordReset,
    /// To verify a mail address.
    EmailVerification,
    /// To verify a telephone number.
    PhoneVerification,
}

impl Purpose {
    /// Its name, as it is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "PASSWORD_RESET",
            Self::EmailVerification => "EMAIL_VERIFICATION",
            Self::PhoneVerification => "PHONE_VERIFICATION",
        }
    }

    /// For how many seconds a token is good.
    pub fn lifetime_seconds(self) -> u32 {
        match self {
            Self::PasswordReset => 1800,
            Self::EmailVerification => 86_400,
            Self::PhoneVerification => 900,
        }
    }
}

/// A token, as it stands in a mail. It never prints.
#[derive(Clone)]
pub struct ProofToken(Zeroizing<String>);

/// The letters and digits of a token in a text message: none that is taken for another (Crockford's base 32).
const LEGIBLE: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many of them, of five bits each. A guess among a thousand such tokens is right once in 10^15, and they last minutes.
const LEGIBLE_LENGTH: usize = 12;

/// So many random letters and digits that people copy by hand.
///
/// # Errors
/// When the machine has no randomness to give.
pub(crate) fn legible(length: usize) -> Result<Zeroizing<String>, StoreError> {
    let mut random = Zeroizing::new(vec![0; length]);
    let filled = SystemRandom::new().fill(random.as_mut_slice());
    filled.map_err(|_| StoreError::Broken("no randomness for a token".into()))?;
    let letters = random.iter().filter_map(|byte| LEGIBLE.get(usize::from(byte & 31)));
    Ok(Zeroizing::new(letters.map(|letter| char::from(*letter)).collect()))
}

impl ProofToken {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn issue(purpose: Purpose) -> Result<Self, StoreError> {
        match purpose {
            Purpose::PasswordReset | Purpose::EmailVerification => random_secret().map(Self),
            Purpose::PhoneVerification => legible(LEGIBLE_LENGTH).map(Self),
        }
    }

    /// The token itself, for the mail.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its stored part.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl From<&Presented> for ProofToken {
    fn from(presented: &Presented) -> Self {
        Self(Zeroizing::new(presented.reveal().to_owned()))
    }
}

impl fmt::Debug for ProofToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofToken(…)")
    }
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Its purpose.
    pub purpose: Purpose,
    /// The account it belongs to.
    pub user_id: UserId,
    /// The address that it was sent to, as addresses are compared.
    pub address: String,
    /// The generation of the user's access when it was made: a new password, another role and a suspension make it worthless.
    pub generation: u64,
    /// When it ends, in Unix seconds.
    pub expires_at: u64,
}

impl Proof {
    /// Whether it is good for this, at this moment, of a user with this address.
    pub fn is_good_for(&self, purpose: Purpose, address: &str, now: Timestamp) -> bool {
        self.purpose == purpose && self.expires_at > now.unix_seconds() && self.address == address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_purpose_its_address_and_its_time() {
        let now = Timestamp::now();
        let address = "ada@example.org".to_owned();
        let purpose = Purpose::PasswordReset;
        let expires_at = now.plus_seconds(purpose.lifetime_seconds()).unix_seconds();
        let proof = Proof { purpose, user_id: UserId::generate(), address: address.clone(), generation: 1, expires_at };
        assert!(proof.is_good_for(purpose, &address, now));
        assert!(!proof.is_good_for(Purpose::EmailVerification, &address, now));
        assert!(!proof.is_good_for(purpose, "eve@example.org", now));
        assert!(!proof.is_good_for(purpose, &address, now.plus_seconds(1800)));
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = ProofToken::issue(Purpose::PasswordReset).unwrap();
        assert!(!format!("{token:?}").contains(token.reveal()));
    }

    #[test]
    fn a_token_in_a_text_message_is_short_and_legible() {
        let token = ProofToken::issue(Purpose::PhoneVerification).unwrap();
        assert_eq!(token.reveal().len(), LEGIBLE_LENGTH);
        assert!(token.reveal().bytes().all(|byte| LEGIBLE.contains(&byte)), "{}", token.reveal());
        assert_ne!(token.hash(), ProofToken::issue(Purpose::PhoneVerification).unwrap().hash());
    }
}
