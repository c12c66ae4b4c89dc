//! Whether a webhook is Stripe's: the header `Stripe-Signature` over the raw bytes of the body. No I/O.
//!
//! The header is `t=<unix seconds>,v1=<hex>,v1=<hex>…`, each `v1` an HMAC-SHA256 of `<t>.<body>` under one of the endpoint's secrets
//! (<https://docs.stripe.com/webhooks#verify-manually>). While a secret is replaced there are two of them, on either side.

use boxoffice_kernel::Timestamp;
use ring::hmac;

/// How old a signature may be, in seconds: Stripe's own default. Older ones may be replays; Stripe signs each of its attempts anew.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Why a webhook is not taken for Stripe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStripes {
    /// The header is not what Stripe sends.
    #[error("the header Stripe-Signature is missing or malformed")]
    Malformed,
    /// It was signed too long ago, or by a clock that is ahead of ours.
    #[error("the signature is not of the last {TOLERANCE_SECONDS} seconds")]
    Untimely,
    /// None of our secrets made it.
    #[error("the signature is made with none of the endpoint's secrets")]
    Unknown,
}

/// Passes a body that was signed with one of these secrets a moment ago.
///
/// # Errors
/// When it was not.
pub fn verify<'a>(
    header: &str,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'a str>,
    now: Timestamp,
) -> Result<(), NotStripes> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let (_, signed_at) = parts().find(|(name, _)| *name == "t").ok_or(NotStripes::Malformed)?;
    let seconds: u64 = signed_at.parse().map_err(|_| NotStripes::Malformed)?;
    let signatures: Vec<Vec<u8>> =
        parts().filter(|(name, _)| *name == "v1").filter_map(|(_, digits)| from_hex(digits)).collect();
    if signatures.is_empty() {
        return Err(NotStripes::Malformed);
    }
    let signed = [signed_at.as_bytes(), b".", body].concat();
    let is_made_with = |secret: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        // In constant time.
        signatures.iter().any(|signature| hmac::verify(&key, &signed, signature).is_ok())
    };
    if !secrets.into_iter().any(is_made_with) {
        return Err(NotStripes::Unknown);
    }
    if now.unix_seconds().abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(NotStripes::Untimely);
    }
    Ok(())
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let nibbles: Vec<u8> = digits.as_bytes().iter().map(nibble).collect::<Option<_>>()?;
    nibbles
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn signed(secret: &str, at: u64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let mut hex = String::new();
        for byte in hmac::sign(&key, &[at.to_string().as_bytes(), b".", body].concat()).as_ref() {
            write!(hex, "{byte:02x}").unwrap();
        }
        format!("t={at},v1={hex},v0=ignored")
    }

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_signature_of_another_implementation_passes() {
        // openssl: printf '1893456000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let header = "t=1893456000,v1=cae6bb7a40c2bae174b83e3d2a94d777ed66b39ff34ae201e9e403aa3e0d4114";
        assert_eq!(verify(header, BODY, ["whsec_test"], now()), Ok(()));
    }

    #[test]
    fn any_of_the_secrets_and_any_of_the_signatures_will_do_while_a_secret_is_replaced() {
        let at = now().unix_seconds();
        let both = format!("{},{}", signed("old", at, BODY), signed("new", at, BODY));
        for secrets in [vec!["old"], vec!["new"], vec!["new", "old"]] {
            assert_eq!(verify(&both, BODY, secrets, now()), Ok(()));
        }
        assert_eq!(verify(&signed("old", at, BODY), BODY, ["new", "old"], now()), Ok(()));
    }

    #[test]
    fn a_forged_or_changed_body_does_not_pass() {
        let at = now().unix_seconds();
        assert_eq!(verify(&signed("another", at, BODY), BODY, ["ours"], now()), Err(NotStripes::Unknown));
        assert_eq!(verify(&signed("ours", at, BODY), b"{}", ["ours"], now()), Err(NotStripes::Unknown));
        assert_eq!(verify(&signed("ours", at, BODY), BODY, [], now()), Err(NotStripes::Unknown));
        // Another time than the one that was signed.
        let moved = signed("ours", at, BODY).replace(&at.to_string(), &(at + 1).to_string());
        assert_eq!(verify(&moved, BODY, ["ours"], now()), Err(NotStripes::Unknown));
    }

    #[test]
    fn a_signature_passes_for_five_minutes_either_way() {
        let at = now().unix_seconds();
        for (seconds, passes) in [(at - 300, true), (at + 300, true), (at - 301, false), (at + 301, false)] {
            let outcome = verify(&signed("ours", seconds, BODY), BODY, ["ours"], now());
            assert_eq!(outcome, if passes { Ok(()) } else { Err(NotStripes::Untimely) }, "{seconds}");
        }
    }

    #[test]
    fn a_header_without_a_signature_is_malformed() {
        let odd = format!("t={},v1=abc", now().unix_seconds());
        for header in ["", "t=,v1=00", "t=1", "v1=00", "t=1,v1=xyz", &odd] {
            assert_eq!(verify(header, BODY, ["ours"], now()), Err(NotStripes::Malformed), "{header}");
        }
    }
}
