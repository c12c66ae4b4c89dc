//! The code that a ticket shows: 28 bytes of facts, their Ed25519 signature, and their text.
//!
//! | Bytes | Field | |
//! |---|---|---|
//! | 0 | format | 1 |
//! | 1 | flags | 0; a reader refuses any other |
//! | 2 to 3 | key id | names the public key |
//! | 4 to 11 | event | [`EventTag`] |
//! | 12 to 15 | serial | the admission's number within the event |
//! | 16 to 17 | type | the ticket type; 0 is the default type |
//! | 18 to 19 | gate | the admission's home gate; 0 is any gate |
//! | 20 to 23 | valid from | Unix seconds, inclusive |
//! | 24 to 27 | valid until | Unix seconds, exclusive |
//!
//! Numbers are big-endian. The signature covers the four ASCII characters `BO1:` and the 28 bytes, so that no other message signed with the key is a ticket.

use crate::base45;
use alloc::{string::String, vec::Vec};
use core::fmt;

/// Begins every code of this format.
pub const PREFIX: &str = "BO1:";
/// The length of the facts.
pub const FACTS_BYTES: usize = 28;
/// The length of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// The length of a code's text.
pub const CHARACTERS: usize = 142;
/// The value of the first byte.
const FORMAT: u8 = 1;

/// The name of a signing key within a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);

/// The first eight bytes of the SHA-256 of an event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventTag(pub [u8; 8]);

/// An admission's number within its event, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The content of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The key that signs it.
    pub key: KeyId,
    /// The event.
    pub event: EventTag,
    /// The admission's number within the event.
    pub serial: Serial,
    /// The ticket type; 0 is the default type.
    pub ticket_type: u16,
    /// The home gate; 0 is any gate.
    pub gate: u16,
    /// The first second of its validity, in Unix time.
    pub valid_from: u32,
    /// The first second after its validity, in Unix time.
    pub valid_until: u32,
}

impl Facts {
    /// The 28 bytes.
    pub fn to_bytes(self) -> [u8; FACTS_BYTES] {
        let mut bytes = [0; FACTS_BYTES];
        let fields = [FORMAT, 0]
            .into_iter()
            .chain(self.key.0.to_be_bytes())
            .chain(self.event.0)
            .chain(self.serial.0.to_be_bytes())
            .chain(self.ticket_type.to_be_bytes())
            .chain(self.gate.to_be_bytes())
            .chain(self.valid_from.to_be_bytes())
            .chain(self.valid_until.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        bytes
    }

    fn from_bytes(bytes: &[u8; FACTS_BYTES]) -> Result<Self, Unread> {
        let mut fields = Fields(bytes);
        if fields.take()? != [FORMAT, 0] {
            return Err(Unread::OtherFormat);
        }
        Ok(Self {
            key: KeyId(u16::from_be_bytes(fields.take()?)),
            event: EventTag(fields.take()?),
            serial: Serial(u32::from_be_bytes(fields.take()?)),
            ticket_type: u16::from_be_bytes(fields.take()?),
            gate: u16::from_be_bytes(fields.take()?),
            valid_from: u32::from_be_bytes(fields.take()?),
            valid_until: u32::from_be_bytes(fields.take()?),
        })
    }

    /// The message to sign.
    pub fn message(self) -> Vec<u8> {
        [PREFIX.as_bytes(), &self.to_bytes()].concat()
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Unread::NotACode)?;
        self.0 = rest;
        Ok(*field)
    }
}

/// Why a text is not a code of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is no ticket code.
    NotACode,
    /// It is a code of a format that this version does not know.
    OtherFormat,
}

/// A code as read: nothing is proven before [`Code::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    facts: Facts,
    signature: [u8; SIGNATURE_BYTES],
}

impl Code {
    /// A code of these facts and their signature.
    pub fn new(facts: Facts, signature: [u8; SIGNATURE_BYTES]) -> Self {
        Self { facts, signature }
    }

    /// Reads a text. Line ends around it, which hardware scanners add, are ignored; spaces are part of a code.
    ///
    /// # Errors
    /// When it is no code, or one of another format.
    pub fn read(text: &str) -> Result<Self, Unread> {
        let text = text.trim_matches(['\r', '\n']);
        let body = match text.strip_prefix(PREFIX) {
            Some(body) => body,
            None if is_of_another_format(text) => return Err(Unread::OtherFormat),
            None => return Err(Unread::NotACode),
        };
        if text.len() != CHARACTERS {
            return Err(Unread::NotACode);
        }
        let bytes = base45::decode(body).map_err(|_| Unread::NotACode)?;
        let (facts, signature) = bytes.split_first_chunk::<FACTS_BYTES>().ok_or(Unread::NotACode)?;
        let signature = signature.try_into().map_err(|_| Unread::NotACode)?;
        Ok(Self { facts: Facts::from_bytes(facts)?, signature })
    }

    /// The key that it says it is signed with.
    pub fn key(&self) -> KeyId {
        self.facts.key
    }

    /// The facts, where `is_signed(message, signature)` says that the key named by [`Code::key`] signed them.
    pub fn verify(&self, is_signed: impl FnOnce(&[u8], &[u8; SIGNATURE_BYTES]) -> bool) -> Option<Facts> {
        is_signed(&self.facts.message(), &self.signature).then_some(self.facts)
    }
}

/// `BO2:` to `BO9:` are later formats.
fn is_of_another_format(text: &str) -> bool {
    matches!(text.as_bytes(), [b'B', b'O', b'2'..=b'9', b':', ..])
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.facts.to_bytes().into_iter().chain(self.signature).collect();
        let body: String = base45::encode(&bytes);
        write!(f, "{PREFIX}{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString as _;

    fn facts() -> impl Strategy<Value = Facts> {
        let fields = any::<(u16, [u8; 8], u32, u16, u16, u32, u32)>();
        fields.prop_map(|(key, event, serial, ticket_type, gate, valid_from, valid_until)| Facts {
            key: KeyId(key),
            event: EventTag(event),
            serial: Serial(serial),
            ticket_type,
            gate,
            valid_from,
            valid_until,
        })
    }

    fn signature() -> impl Strategy<Value = [u8; SIGNATURE_BYTES]> {
        any::<([u8; 32], [u8; 32])>().prop_map(|(left, right)| {
            let mut bytes = [0; SIGNATURE_BYTES];
            bytes.iter_mut().zip(left.into_iter().chain(right)).for_each(|(byte, value)| *byte = value);
            bytes
        })
    }

    proptest! {
        #[test]
        fn a_code_reads_back_as_it_was_written(facts in facts(), signature in signature()) {
            let code = Code::new(facts, signature);
            let text = code.to_string();
            prop_assert_eq!(text.len(), CHARACTERS);
            prop_assert_eq!(Code::read(&text), Ok(code));
            prop_assert_eq!(code.verify(|_, _| true), Some(facts));
            prop_assert_eq!(code.verify(|_, _| false), None);
        }

        #[test]
        fn an_edited_code_is_unread_or_another_code(
            facts in facts(), signature in signature(), at in 4..CHARACTERS, letter in "[0-9A-Z $%*+./:-]"
        ) {
            let code = Code::new(facts, signature);
            let text = code.to_string();
            let mut edited = text.clone();
            edited.replace_range(at..=at, &letter);
            prop_assume!(edited != text);
            prop_assert_ne!(Code::read(&edited), Ok(code));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,160}") {
            let _ = Code::read(&text);
        }

        #[test]
        fn any_body_is_read_or_refused(body in "[0-9A-Z $%*+./:-]{138}") {
            let text = std::format!("{PREFIX}{body}");
            if let Ok(code) = Code::read(&text) {
                prop_assert_eq!(code.to_string(), text);
            }
        }
    }

    #[test]
    fn a_later_format_is_told_from_noise() {
        assert_eq!(Code::read("BO2:ABC"), Err(Unread::OtherFormat));
        for noise in ["", "BO1:", "BO1:ABC", "bo1:", "https://example.com", "4006381333931"] {
            assert_eq!(Code::read(noise), Err(Unread::NotACode), "{noise}");
        }
    }
}
