//! Access tokens and refresh tokens.
//!
//! - A token is admitted only if it is, byte for byte, one that was issued; one that has expired is told so only if it was.
//! - Whatever header and claims say, no signature but ours makes a token of them: not a stranger's key under our key's id, and not our public key taken for a
//!   shared secret.
//! - What our own key did sign is admitted only with the right type, key, issuer, audience and end.
//! - A refresh token has one spelling, and does not print itself.

use crate::{addressed, input_for, material};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use boxoffice_kernel::{Role, SessionId, Timestamp};
use boxoffice_runtime::{
    Code,
    auth::{AUDIENCE, Caller, PrivateKey, PublicKey, PublicKeys, Signer, Verifier},
};
use boxoffice_users::session::{Presented, RefreshToken};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use std::sync::LazyLock;

const ISSUER: &str = "urn:boxoffice:fuzz";
const KID: &str = "2026-01-01";
/// By how many seconds clocks may differ.
const LEEWAY: u64 = 5;

/// A key that is the same in every run, so that a kept input means the same too.
struct Key {
    pair: Ed25519KeyPair,
    private: PrivateKey,
}

impl Key {
    fn of(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        // PKCS #8, version 2 (RFC 5958): what stands before an Ed25519 seed, and between it and the public key.
        let before = [0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let document = [&before[..], &seed, &[0x81, 0x21, 0], pair.public_key().as_ref()].concat();
        let private = PrivateKey { kid: KID.to_owned(), pkcs8: BASE64_STANDARD.encode(document) };
        Self { pair, private }
    }

    fn public(&self) -> PublicKey {
        self.private.public().expect("it is a key")
    }
}

static OURS: LazyLock<Key> = LazyLock::new(|| Key::of([7; 32]));
static STRANGERS: LazyLock<Key> = LazyLock::new(|| Key::of([8; 32]));
static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::new(&PublicKeys { keys: vec![OURS.public()] }, ISSUER).expect("it is a key"));

/// When tokens are made here, and the moment at which they are held to stand: later than the shorter of them lasts.
const MADE: &str = "2026-01-01T00:00:00Z";
static NOW: LazyLock<Timestamp> = LazyLock::new(|| MADE.parse::<Timestamp>().expect("a date").plus_seconds(1000));

/// Tokens that stand, and tokens that stood.
static ISSUED: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
    let signer = Signer::new(&OURS.private, ISSUER).expect("it is a key");
    let made: Timestamp = MADE.parse().expect("a date");
    [3600, 300].map(|lifetime| {
        let of_role = |role| {
            let user_id = "usr_01970000000070008000000000000001".parse().expect("an id");
            let session: SessionId = "ses_01970000000070008000000000000009".parse().expect("an id");
            signer
                .sign(&Caller { user_id, role, session, generation: 1, logged_in_at: 0 }, lifetime, made)
                .expect("it is signed")
        };
        Role::ALL.into_iter().map(of_role).collect()
    })
});

const READERS: [fn(&[u8]); 5] = [whole, forged, signed, refresh, presented];

/// See the module.
pub fn check(input: &[u8]) {
    if let Some((read, rest)) = addressed(&READERS, input) {
        read(rest);
    }
}

fn whole(input: &[u8]) {
    let Ok(token) = str::from_utf8(input) else { return };
    let [standing, expired] = &*ISSUED;
    let among = |issued: &[String]| issued.iter().any(|issued| issued == token);
    match VERIFIER.verify_at(token, *NOW) {
        Ok(claims) => assert!(among(standing), "{token} was never issued, and is admitted as {claims:?}"),
        Err(problem) if problem.code == Code::TokenExpired => assert!(among(expired), "{token} was never issued"),
        Err(problem) => {
            assert_eq!(problem.code, Code::TokenInvalid);
            assert!(!among(standing), "{token} was issued, and is refused: {problem:?}");
        }
    }
}

/// Header and claims, a line each, as they are signed.
fn message(input: &[u8]) -> Option<(&[u8], &[u8], String)> {
    let split = input.iter().position(|byte| *byte == b'\n')?;
    let (header, claims) = (&input[..split], &input[split + 1..]);
    let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    Some((header, claims, message))
}

fn forged(input: &[u8]) {
    let Some((_, _, message)) = message(input) else { return };
    let public = OURS.public().x;
    let raw = BASE64_URL_SAFE_NO_PAD.decode(&public).expect("base64url");
    let mac = |secret: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
    };
    let stolen = ISSUED[0][0].rsplit('.').next().and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    let signatures = [
        STRANGERS.pair.sign(message.as_bytes()).as_ref().to_vec(),
        mac(&raw),
        mac(public.as_bytes()),
        Vec::new(),
        vec![0; 64],
        stolen.expect("an issued token has a signature"),
    ];
    for signature in signatures {
        let token = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        if ISSUED.iter().flatten().all(|issued| *issued != token) {
            let code = VERIFIER.verify_at(&token, *NOW).map_err(|problem| problem.code);
            assert_eq!(code, Err(Code::TokenInvalid), "{token} is forged");
        }
    }
}

fn signed(input: &[u8]) {
    let Some((header, claims, message)) = message(input) else { return };
    let signature = OURS.pair.sign(message.as_bytes());
    let token = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()));
    match VERIFIER.verify_at(&token, *NOW) {
        Ok(read) => {
            let header: Value = serde_json::from_slice(header).expect("an admitted header is JSON");
            assert_eq!(
                (&header["alg"], &header["typ"], &header["kid"]),
                (&json!("EdDSA"), &json!("at+jwt"), &json!(KID))
            );
            let said: Value = serde_json::from_slice(claims).expect("admitted claims are JSON");
            assert_eq!((read.iss.as_str(), read.aud.as_str()), (ISSUER, AUDIENCE), "{said}");
            assert!(read.exp.saturating_add(LEEWAY) >= NOW.unix_seconds(), "{said} has ended");
            let again = serde_json::to_value(&read).expect("claims are written");
            for (name, value) in again.as_object().expect("claims have names") {
                assert_eq!(said.get(name), Some(value), "{name} is not what {said} says");
            }
        }
        Err(problem) => assert!(matches!(problem.code, Code::TokenInvalid | Code::TokenExpired), "{problem:?}"),
    }
}

fn refresh(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(token) = text.parse::<RefreshToken>() else { return };
    assert_eq!(token.reveal(), text);
    let secret = text.rsplit('.').next().expect("a token has a secret");
    assert!(!format!("{token:?}").contains(secret), "a token prints itself");
    assert_eq!(token.hash(), token.reveal().parse::<RefreshToken>().expect("it is a token").hash());
}

fn presented(input: &[u8]) {
    let Ok(presented) = serde_json::from_slice::<Presented>(input) else { return };
    let text: String = serde_json::from_slice(input).expect("it is text");
    assert!((1..=Presented::MAX_LENGTH).contains(&text.chars().count()));
    assert_eq!(
        presented.token().map(|token| token.reveal()),
        text.parse::<RefreshToken>().ok().map(|token| token.reveal())
    );
}

/// Issued tokens and what they are made of, and the API's examples.
pub fn seeds() -> Vec<Vec<u8>> {
    let issued = ISSUED.iter().flatten().map(|token| input_for(0, token));
    let parts = ISSUED.iter().flatten().flat_map(|token| {
        let parts = token.split('.').take(2).map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url"));
        let lines = parts.collect::<Vec<_>>().join(&b'\n');
        [input_for(1, &lines), input_for(2, &lines)]
    });
    let examples = material::example_bodies().into_iter();
    let refresh = examples.filter_map(|(_, body)| Some(body.get("refreshToken")?.as_str()?.to_owned()));
    let refresh = refresh.flat_map(|token| [input_for(3, &token), input_for(4, json!(token).to_string())]);
    issued.chain(parts).chain(refresh).collect()
}
