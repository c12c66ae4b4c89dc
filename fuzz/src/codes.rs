//! Ticket codes: their text, their bytes, their signature.
//!
//! - A code has one spelling: what is read is, printed, the same text without the line ends around it.
//! - Only what our key signed is genuine, and it says what was signed.
//! - Bytes in Base45 have one spelling.

use crate::{addressed, input_for};
use boxoffice_admission::{Code, EventTag, Facts, KeyId, Serial, base45};
use boxoffice_admissions::keys::{PrivateTicketKey, TicketKeys, TicketSigner};
use std::sync::LazyLock;

/// A key of this run: no input can hold a signature of it but by forging one.
static OURS: LazyLock<PrivateTicketKey> = LazyLock::new(|| PrivateTicketKey::generate(1).expect("randomness"));
static SIGNER: LazyLock<TicketSigner> = LazyLock::new(|| TicketSigner::new(&OURS).expect("it is a key"));
static KEYS: LazyLock<TicketKeys> = LazyLock::new(|| TicketKeys::default().with(OURS.public().expect("it is a key")));

const READERS: [fn(&[u8]); 4] = [read, signed, edited, encoded];

/// See the module.
pub fn check(input: &[u8]) {
    if let Some((reader, rest)) = addressed(&READERS, input) {
        reader(rest);
    }
}

fn read(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(code) = Code::read(text) {
        assert_eq!(code.to_string(), text.trim_matches(['\r', '\n']));
    }
    assert!(KEYS.read(text).is_err(), "a code that nobody signed is genuine: {text}");
}

fn facts(input: &[u8]) -> Facts {
    let byte = |at: usize| input.get(at).copied().unwrap_or_default();
    let word = |at| u32::from_be_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
    let half = |at| u16::from_be_bytes([byte(at), byte(at + 1)]);
    Facts {
        key: KeyId(1),
        event: EventTag(std::array::from_fn(byte)),
        serial: Serial(word(8)),
        ticket_type: half(12),
        gate: half(14),
        valid_from: word(16),
        valid_until: word(20),
    }
}

fn signed(input: &[u8]) {
    let facts = facts(input);
    let text = SIGNER.sign(facts).expect("it is signed").to_string();
    assert_eq!(KEYS.read(&text), Ok(facts));
}

/// A genuine code with one byte changed is not genuine, unless the change is none.
fn edited(input: &[u8]) {
    let [at, byte, rest @ ..] = input else { return };
    let text = SIGNER.sign(facts(rest)).expect("it is signed").to_string();
    let mut bytes = text.clone().into_bytes();
    let at = usize::from(*at) % bytes.len();
    bytes[at] = *byte;
    let Ok(edited) = String::from_utf8(bytes) else { return };
    assert!(edited == text || KEYS.read(&edited).is_err(), "{edited} is genuine, edited from {text}");
}

fn encoded(input: &[u8]) {
    assert_eq!(base45::decode(&base45::encode(input)).as_deref(), Ok(input));
    if let Ok(text) = str::from_utf8(input)
        && let Ok(bytes) = base45::decode(text)
    {
        assert_eq!(base45::encode(&bytes), text);
    }
}

/// The codes of the vectors, and some bytes to sign.
pub fn seeds() -> Vec<Vec<u8>> {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../shared/admission/vectors/ticket-codes.json")).expect("the vectors");
    let codes = vectors["codes"].as_array().expect("codes").iter();
    let texts = codes.map(|vector| vector["text"].as_str().expect("a text"));
    let read = texts.clone().map(|text| input_for(0, text));
    let encoded = texts.filter_map(|text| text.strip_prefix("BO1:")).map(|body| input_for(3, body));
    read.chain(encoded).chain([input_for(1, [7; 24]), input_for(2, [9; 26])]).collect()
}
