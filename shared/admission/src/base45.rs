//! Base45 ([RFC 9285](https://www.rfc-editor.org/rfc/rfc9285)): three characters of QR's alphanumeric mode for every two bytes.

use alloc::{string::String, vec::Vec};

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// A text that is not Base45.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

fn push(text: &mut String, digits: impl IntoIterator<Item = u32>) {
    let letter = |digit: u32| usize::try_from(digit % 45).ok().and_then(|digit| ALPHABET.get(digit));
    text.extend(digits.into_iter().filter_map(letter).map(|letter| char::from(*letter)));
}

/// The text of these bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for pair in bytes.chunks(2) {
        match *pair {
            [high, low] => {
                let value = u32::from(high) * 256 + u32::from(low);
                push(&mut text, [value, value / 45, value / 2025]);
            }
            [last] => push(&mut text, [u32::from(last), u32::from(last) / 45]),
            _ => {}
        }
    }
    text
}

fn digit(letter: u8) -> Result<u32, Malformed> {
    let place = ALPHABET.iter().position(|known| *known == letter).ok_or(Malformed)?;
    u32::try_from(place).map_err(|_| Malformed)
}

/// The bytes of this text.
///
/// # Errors
/// When a character is not of the alphabet, a group is too large for its bytes, or one character is left over.
pub fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.as_bytes().chunks(3) {
        match *group {
            [c, d, e] => {
                let value = digit(c)? + digit(d)? * 45 + digit(e)? * 2025;
                bytes.extend(u16::try_from(value).map_err(|_| Malformed)?.to_be_bytes());
            }
            [c, d] => bytes.push(u8::try_from(digit(c)? + digit(d)? * 45).map_err(|_| Malformed)?),
            _ => return Err(Malformed),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_9285_are_read_and_written() {
        for (bytes, text) in
            [("AB", "BB8"), ("Hello!!", "%69 VD92EX0"), ("base-45", "UJCLQE7W581"), ("ietf!", "QED8WEX0"), ("", "")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes.as_bytes()));
        }
        assert_eq!(decode("FGW"), Ok([0xff, 0xff].to_vec()));
    }

    #[test]
    fn groups_beyond_their_bytes_and_foreign_characters_are_refused() {
        for text in ["GGW", ":::", "::", "A", "BB8A", "bb8", "BB8é", "B\n8"] {
            assert_eq!(decode(text), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_gives_back_the_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn bytes_have_one_spelling(text in "[0-9A-Z $%*+./:-]{0,90}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in "\\PC{0,90}") {
            let _ = decode(&text);
        }
    }
}
