//! The second factor of a log-in: codes of an authenticator app, and recovery codes. No I/O.
//!
//! An app and this box office share a secret, and make the same code of it and the time: TOTP ([RFC 6238](https://www.rfc-editor.org/rfc/rfc6238)) with
//! HMAC-SHA-1, 30 seconds and six digits, which is what apps know. A recovery code is for the day the app is lost: 80 random bits that work once.
//! `docs/adr/0044-second-factor.md` has the reasons.

use crate::{
    proof::legible,
    session::{Presented, TokenHash},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_aws::StoreError;
use boxoffice_kernel::Timestamp;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// For how many seconds an app shows a code.
pub const STEP_SECONDS: u64 = 30;
/// How many digits a code of an app has.
const DIGITS: u32 = 6;
/// How many steps an app's clock may be early or late.
const DRIFT: u64 = 1;
/// How long the shared secret is: as long as the output of SHA-1 (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;
/// How many letters and digits a recovery code has, of five bits each.
const RECOVERY_LENGTH: usize = 16;
/// How many of them stand together.
const GROUP: usize = 4;
/// The name that an app shows beside the account's.
const ISSUER: &str = "Box%20Office";

/// The secret that an app and this box office share. It never prints.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactorSecret(String);

impl FactorSecret {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, StoreError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let filled = SystemRandom::new().fill(secret.as_mut_slice());
        filled.map_err(|_| StoreError::Broken("no randomness for a second factor".into()))?;
        Ok(Self::of(&secret[..]))
    }

    fn of(bytes: &[u8]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// As it is kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As people type it into an app.
    pub fn typed(&self) -> Zeroizing<String> {
        Zeroizing::new(base32(&self.bytes()))
    }

    /// As an app reads it from a picture.
    pub fn uri(&self, username: &str) -> Zeroizing<String> {
        let secret = self.typed();
        Zeroizing::new(format!("otpauth://totp/{ISSUER}:{username}?secret={}&issuer={ISSUER}", secret.as_str()))
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // This program wrote no secret that does not decode, and no code is right for one.
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(&self.0).unwrap_or_default())
    }

    /// The code of this step.
    pub fn code(&self, step: u64) -> String {
        let width = usize::try_from(DIGITS).unwrap_or_default();
        format!("{:0width$}", number(&self.bytes(), step))
    }

    /// The step that this code is of, now or a step before or after.
    fn step_of(&self, code: u32, now: Timestamp) -> Option<u64> {
        let (current, secret) = (step_at(now), self.bytes());
        let steps = current.saturating_sub(DRIFT)..=current.saturating_add(DRIFT);
        steps.into_iter().find(|step| number(&secret, *step) == code)
    }
}

impl fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorSecret(…)")
    }
}

/// The step of a moment.
pub fn step_at(now: Timestamp) -> u64 {
    now.unix_seconds() / STEP_SECONDS
}

/// The number that is the code of a step (RFC 4226, section 5.3).
fn number(secret: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let offset = usize::from(tag.as_ref().last().copied().unwrap_or_default() & 0xf);
    let four = tag.as_ref().iter().skip(offset).take(4);
    let truncated = four.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff;
    truncated % 10_u32.pow(DIGITS)
}

/// RFC 4648, section 6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| (byte >> place) & 1)).collect();
    let letters = bits.chunks(5).filter_map(|five| {
        let index = five.iter().fold(0, |index, bit| (index << 1) | bit) << (5 - five.len());
        ALPHABET.get(usize::from(index))
    });
    letters.map(|letter| char::from(*letter)).collect()
}

/// A code that works once, in place of an app's. It never prints.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// As many new ones as a user gets.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn issue_all() -> Result<Vec<Self>, StoreError> {
        (0..RECOVERY_CODES).map(|_| legible(RECOVERY_LENGTH).map(Self)).collect()
    }

    /// The code, in groups that are easily copied.
    pub fn reveal(&self) -> String {
        let letters: Vec<char> = self.0.chars().collect();
        let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-")
    }

    /// Its stored part.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// A code as a caller presents it, which is right or not.
#[derive(Debug)]
pub enum PresentedCode {
    /// The six digits of an app.
    App(u32),
    /// A recovery code, or nonsense.
    Recovery(TokenHash),
}

impl From<&Presented> for PresentedCode {
    fn from(presented: &Presented) -> Self {
        let written = presented.reveal().chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
        let text: Zeroizing<String> = Zeroizing::new(written.collect());
        let width = usize::try_from(DIGITS).unwrap_or_default();
        if text.len() == width
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Self::App(number);
        }
        // As Crockford reads what a person copied.
        let letters = text.chars().map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            letter => letter,
        });
        let text: Zeroizing<String> = Zeroizing::new(letters.collect());
        Self::Recovery(TokenHash::of(&text))
    }
}

/// A user's second factor as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactor {
    /// The secret, which the app knows too.
    pub secret: FactorSecret,
    /// When its user showed that their app knows it; before that it counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The last step of which a code was accepted: none of it or before it is accepted again.
    #[serde(default)]
    pub last_step: u64,
    /// The hashes of recovery codes that were not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recovery: BTreeMap<String, bool>,
}

impl SecondFactor {
    /// One that begins.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn begin() -> Result<Self, StoreError> {
        let secret = FactorSecret::generate()?;
        Ok(Self { secret, confirmed_at: None, last_step: 0, recovery: BTreeMap::new() })
    }

    /// The step of an app's code that is right and was not used.
    pub fn fresh_step(&self, code: u32, now: Timestamp) -> Option<u64> {
        self.secret.step_of(code, now).filter(|step| *step > self.last_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, whose codes have eight digits: these are their last six.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn secret() -> FactorSecret {
        FactorSecret::of(b"12345678901234567890")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000).unwrap()
    }

    fn presented(text: &str) -> PresentedCode {
        let presented: Presented = serde_json::from_value(serde_json::json!(text)).unwrap();
        PresentedCode::from(&presented)
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in VECTORS {
            assert_eq!(secret().code(step_at(at(seconds))), code, "at {seconds}");
        }
    }

    #[test]
    fn a_secret_is_typed_as_rfc_4648_says() {
        for (bytes, typed) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), typed);
        }
        assert_eq!(secret().typed().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = secret().uri("ada");
        assert_eq!(
            uri.as_str(),
            "otpauth://totp/Box%20Office:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box%20Office"
        );
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let (secret, now) = (secret(), at(1_111_111_111));
        let current = step_at(now);
        for (step, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let step = current.saturating_add_signed(step);
            let code: u32 = secret.code(step).parse().unwrap();
            assert_eq!(secret.step_of(code, now), accepted.then_some(step), "{step}");
        }
    }

    #[test]
    fn a_code_of_a_step_that_was_used_or_passed_is_stale() {
        let now = at(1_111_111_111);
        let code = |step: u64| -> u32 { secret().code(step).parse().unwrap() };
        let current = step_at(now);
        let used = SecondFactor { secret: secret(), last_step: current, ..SecondFactor::begin().unwrap() };
        assert_eq!(used.fresh_step(code(current - 1), now), None);
        assert_eq!(used.fresh_step(code(current), now), None);
        assert_eq!(used.fresh_step(code(current + 1), now), Some(current + 1));
    }

    #[test]
    fn a_recovery_code_is_read_however_it_was_copied() {
        let codes = RecoveryCode::issue_all().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        for code in codes {
            let shown = code.reveal();
            assert_eq!(shown.len(), 19, "{shown}");
            for copied in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), shown.replace('0', "o")] {
                let PresentedCode::Recovery(hash) = presented(&copied) else { panic!("{copied} is of an app") };
                assert_eq!(hash, code.hash(), "{copied}");
            }
        }
        assert!(matches!(presented("005 924"), PresentedCode::App(5924)));
        assert!(matches!(presented("0059241"), PresentedCode::Recovery(_)));
    }

    #[test]
    fn nothing_prints_a_secret() {
        let (secret, code) = (FactorSecret::generate().unwrap(), RecoveryCode::issue_all().unwrap().remove(0));
        assert!(!format!("{secret:?}").contains(secret.as_str()));
        assert!(!format!("{code:?}").contains(&code.reveal()));
        assert_ne!(secret, FactorSecret::generate().unwrap());
    }
}
