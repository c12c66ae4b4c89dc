//! The one place that decides when two spellings are the same text.
//!
//! | Kind of text | Kept as | The same text, if equal as | Follows |
//! |---|---|---|---|
//! | names of people and events, addresses, reasons ([`Text`](crate::Text)) | [`enforce`]: NFC, single spaces, nothing invisible | [`fold`]: NFKC, lower case | [RFC 8266](https://www.rfc-editor.org/rfc/rfc8266), PRECIS's profile for nicknames |
//! | passwords | [`opaque`]: NFC, spaces as U+0020 | that | [RFC 8265](https://www.rfc-editor.org/rfc/rfc8265#section-4.2), PRECIS's `OpaqueString` |
//! | domains of mail addresses | [`mail_domain`]: ASCII, in lower case where it was not ASCII | that, in lower case | [UTS #46](https://www.unicode.org/reports/tr46/) |
//!
//! `docs/CONVENTIONS.md` says what that means for a caller, and where it departs from PRECIS.

use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;

/// Text that may not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A control character, or a line or paragraph separator.
    Control,
    /// A character that overrides the direction in which the text around it reads.
    Direction,
    /// U+FFFD, which stands for a character that was lost on its way.
    Replacement,
}

fn is_space(character: char) -> bool {
    // The general category Zs, and the blank Braille pattern, which looks like it.
    matches!(
        character,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{2800}'
    )
}

/// The property `Default_Ignorable_Code_Point`: characters that nobody sees.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_variation(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}')
}

/// Whether an invisible character changes how its neighbours are written, as joiners do in Persian, Hindi and emoji. Between two characters that
/// are not ASCII it may; anywhere else it only makes two names that look alike.
fn is_meant(character: char, before: Option<char>, after: Option<char>) -> bool {
    let visible = |neighbour: char| !is_space(neighbour) && !is_invisible(neighbour);
    match character {
        _ if is_variation(character) => before.is_some_and(visible),
        '\u{200c}' | '\u{200d}' => {
            before.is_some_and(|before| !before.is_ascii() && (visible(before) || is_variation(before)))
                && after.is_some_and(|after| !after.is_ascii() && visible(after))
        }
        _ => false,
    }
}

/// Text as it is kept: canonically composed (NFC), each run of spaces of any kind one U+0020 and none at either end, without characters that nobody sees.
/// It may come out empty. Enforcing it again changes nothing.
///
/// # Errors
/// When it contains what no single-line text may contain.
pub fn enforce(text: &str) -> Result<String, Unfit> {
    let text = compose(text);
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{2028}' | '\u{2029}' => return Err(Unfit::Control),
            _ if character.is_control() => return Err(Unfit::Control),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => return Err(Unfit::Direction),
            '\u{fffd}' => return Err(Unfit::Replacement),
            _ if is_space(character) => kept.push(' '),
            _ if is_invisible(character) => {
                if is_meant(character, kept.chars().next_back(), characters.peek().copied()) {
                    kept.push(character);
                }
            }
            _ => kept.push(character),
        }
    }
    Ok(single_spaces(&compose(&kept)))
}

/// Text as it is compared: [`enforce`]d text, compatibility forms as what they stand for (NFKC), without regard to case or to anything invisible.
/// Folding it again changes nothing.
pub fn fold(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let mut folded = text.to_owned();
    // Each step may bring forth what another acts on. RFC 8266 asks for at most three rounds more, which is more than any text has needed.
    for _ in 0..4 {
        let seen: String = folded.chars().filter(|character| !is_invisible(*character)).collect();
        let lower = nfkc.normalize(&seen).chars().flat_map(char::to_lowercase).map(simple_sigma).collect::<String>();
        let next = single_spaces(&nfkc.normalize(&lower));
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// The two lower-case sigmas are one letter, and which of them ends a word is no difference.
fn simple_sigma(character: char) -> char {
    if character == 'ς' { 'σ' } else { character }
}

/// A secret as it is compared: canonically composed (NFC), its spaces U+0020, everything else as it was typed.
pub fn opaque(text: &str) -> String {
    let spaced: String = text.chars().map(|character| if is_space(character) { ' ' } else { character }).collect();
    compose(&spaced).into_owned()
}

/// The domain of a mail address in ASCII, as mail is sent to it: `bücher.example` is `xn--bcher-kva.example`. One that is ASCII already stays as it is.
///
/// Nothing when it is not a domain.
pub fn mail_domain(domain: &str) -> Option<Cow<'_, str>> {
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3).ok()?;
    Some(if ascii.eq_ignore_ascii_case(domain) { Cow::Borrowed(domain) } else { ascii })
}

fn compose(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

fn single_spaces(text: &str) -> String {
    let mut words = text.split(is_space).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + " " + word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    #[test]
    fn text_is_kept_composed_and_with_single_spaces() {
        for (typed, kept) in [
            ("Beyonce\u{301}", "Beyonc\u{e9}"),
            ("\u{a0}Late\u{3000} \u{2009}Show ", "Late Show"),
            ("Late\u{2800}Show", "Late Show"),
            ("ﬁnal №1", "ﬁnal №1"),
            ("Straße", "Straße"),
        ] {
            assert_eq!(enforce(typed).as_deref(), Ok(kept), "{typed:?}");
        }
    }

    #[test]
    fn nothing_invisible_is_kept_unless_it_shapes_its_neighbours() {
        for (typed, kept) in [
            ("Con\u{200b}cert", "Concert"),
            ("\u{feff}Concert\u{2060}", "Concert"),
            ("Con\u{200d}cert", "Concert"),
            ("Con\u{ad}cert\u{200e}", "Concert"),
            ("\u{200b}\u{2060}\u{3164}", ""),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
            ("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
        ] {
            assert_eq!(enforce(typed).as_deref(), Ok(kept), "{typed:?}");
        }
    }

    #[test]
    fn controls_overrides_and_lost_characters_are_refused() {
        assert_eq!(enforce("a\nb"), Err(Unfit::Control));
        assert_eq!(enforce("a\u{2028}b"), Err(Unfit::Control));
        for override_ in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            assert_eq!(enforce(&format!("Show{override_}txt")), Err(Unfit::Direction));
        }
        assert_eq!(enforce("Caf\u{fffd}"), Err(Unfit::Replacement));
    }

    #[test]
    fn spellings_that_look_alike_fold_to_one() {
        for (one, other) in [
            ("Beyoncé", "BEYONCE\u{301}"),
            ("Final", "ﬁnal"),
            ("Show 1", "Ｓｈｏｗ\u{3000}１"),
            ("Show II", "Show Ⅱ"),
            ("Concert", "Con\u{200d}cert"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("ΟΔΟΣ", "οδος"),
            ("Å", "\u{212b}"),
        ] {
            assert_eq!(fold(one), fold(other), "{one:?} and {other:?}");
        }
        assert_ne!(fold("Concert"), fold("Concerto"));
        assert_ne!(fold("Cafe"), fold("Café"));
    }

    #[test]
    fn a_password_typed_in_nfd_is_the_one_typed_in_nfc() {
        assert_eq!(opaque("cafe\u{301}\u{a0}Au lait"), opaque("caf\u{e9} Au lait"));
        assert_ne!(opaque("Secret"), opaque("secret"));
        assert_ne!(opaque("ﬁnal"), opaque("final"), "compatibility forms stay: RFC 8265 forbids to map them");
        assert_ne!(opaque("two  spaces"), opaque("two spaces"));
    }

    #[test]
    fn domains_are_sent_to_in_ascii() {
        for (typed, sent) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
            ("ｅｘａｍｐｌｅ．org", "example.org"),
            ("XN--BCHER-KVA.example", "XN--BCHER-KVA.example"),
            ("Example.org", "Example.org"),
        ] {
            assert_eq!(mail_domain(typed).as_deref(), Some(sent), "{typed:?}");
        }
        for none in ["xn--\u{e9}", "a b.example", "xn--99999999999.example", "ex_ample.org"] {
            assert_eq!(mail_domain(none), None, "{none:?}");
        }
    }

    /// Any characters, and more of those that are changed than chance would bring.
    fn texts() -> impl Strategy<Value = String> {
        let odd = "ﬁÅé\u{301}\u{a0}\u{3000}\u{200b}\u{200d}\u{fe0f}\u{ad}ΣςİßẞⅡ①Ａ한\u{1161}\u{11a8}ᄀ\u{345}ǅ\u{1e9b}\u{323} ab";
        let odd: Vec<char> = odd.chars().collect();
        let character = prop_oneof![proptest::sample::select(odd), any::<char>()];
        proptest::collection::vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn enforcing_and_folding_twice_is_once(text in texts()) {
            if let Ok(kept) = enforce(&text) {
                prop_assert_eq!(enforce(&kept), Ok(kept.clone()));
                prop_assert_eq!(fold(&fold(&kept)), fold(&kept));
            }
            prop_assert_eq!(opaque(&opaque(&text)), opaque(&text));
        }

        #[test]
        fn canonically_equal_text_is_kept_alike_and_compatible_text_compares_alike(text in texts()) {
            let nfd = DecomposingNormalizerBorrowed::new_nfd().normalize(&text).into_owned();
            let nfkd = DecomposingNormalizerBorrowed::new_nfkd().normalize(&text).into_owned();
            prop_assert_eq!(opaque(&text), opaque(&nfd));
            if let Ok(kept) = enforce(&text) {
                prop_assert_eq!(fold(&kept), fold(&enforce(&nfd).unwrap()));
                if let Ok(decomposed) = enforce(&nfkd) {
                    prop_assert_eq!(fold(&kept), fold(&decomposed));
                }
            }
        }
    }
}
