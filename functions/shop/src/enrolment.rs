//! The secret of a second factor as an authenticator app takes it: a picture to scan, and a key to type.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// The quiet zone that a reader needs on each side, in modules (ISO/IEC 18004).
const QUIET: i32 = 4;
/// The longest address that is taken back from a form: ours have less than 200 characters.
const LONGEST: usize = 300;
/// How many letters of the key stand together.
const GROUP: usize = 4;

/// A second factor that waits for its first code. It has a secret, and does not print.
pub struct Enrolment {
    /// The address in the picture (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    pub uri: String,
    /// The key, in groups that are easily typed.
    pub key: String,
    /// How wide and high the picture is, in modules.
    pub side: i32,
    /// The dark modules of the picture, as the lines of an SVG path.
    pub path: String,
}

impl Enrolment {
    /// The enrolment with this address, should it be one: a page takes it back from its own form.
    pub fn of(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("otpauth://totp/").filter(|_| uri.len() <= LONGEST)?;
        let (_, query) = rest.split_once('?')?;
        let key = query.split('&').find_map(|pair| pair.strip_prefix("secret="))?;
        let base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        if key.is_empty() || !key.bytes().all(base32) {
            return None;
        }
        let symbol = QrCode::encode_text(uri, QrCodeEcc::Medium).ok()?;
        let side = symbol.size() + 2 * QUIET;
        Some(Self { key: grouped(key), side, path: lines(&symbol), uri: uri.to_owned() })
    }
}

fn grouped(key: &str) -> String {
    let mut text = String::new();
    for (index, letter) in key.chars().enumerate() {
        if index > 0 && index.is_multiple_of(GROUP) {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// A line of one module's width for each run of dark modules: a third of the text that a square for each would take.
fn lines(symbol: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..symbol.size() {
        let mut x = 0;
        while x < symbol.size() {
            let begin = x;
            while x < symbol.size() && symbol.get_module(x, y) {
                x += 1;
            }
            if x > begin {
                // A String takes everything.
                let _ = write!(path, "M{} {}.5h{}", begin + QUIET, y + QUIET, x - begin);
            }
            x += 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str =
        "otpauth://totp/Box%20Office:ada-k3v9x2qa?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box%20Office";

    #[test]
    fn a_key_is_typed_in_groups_of_four() {
        assert_eq!(Enrolment::of(URI).unwrap().key, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }

    #[test]
    fn the_picture_has_every_dark_module_of_the_symbol_and_no_other() {
        let symbol = QrCode::encode_text(URI, QrCodeEcc::Medium).unwrap();
        let enrolment = Enrolment::of(URI).unwrap();
        assert_eq!(enrolment.side, symbol.size() + 8);
        let mut drawn = std::collections::BTreeSet::new();
        for line in enrolment.path.split('M').skip(1) {
            let (x, rest) = line.split_once(' ').unwrap();
            let (y, length) = rest.split_once(".5h").unwrap();
            let [x, y, length] = [x, y, length].map(|number| number.parse::<i32>().unwrap());
            drawn.extend((x..x + length).map(|x| (x - QUIET, y - QUIET)));
        }
        let all = (0..symbol.size()).flat_map(|y| (0..symbol.size()).map(move |x| (x, y)));
        assert_eq!(drawn, all.filter(|(x, y)| symbol.get_module(*x, *y)).collect());
        assert!(enrolment.path.len() < 12_000, "{}", enrolment.path.len());
    }

    #[test]
    fn an_address_that_no_page_of_ours_has_is_none() {
        let long = format!("{URI}&more={}", "x".repeat(300));
        for uri in [
            "",
            "https://evil.example/?secret=GEZDGNBV",
            "otpauth://totp/Box%20Office:ada",
            "otpauth://totp/Box%20Office:ada?secret=",
            "otpauth://totp/Box%20Office:ada?secret=gezd<script>",
            &long,
        ] {
            assert!(Enrolment::of(uri).is_none(), "{uri}");
        }
    }
}
