//! Passwords that are guessed first: common ones, and what a name, an address or the product give away.
//!
//! `common_passwords.txt` has the 3,000 commonest passwords of at least 8 characters, in lower case, sorted. They are from the frequency list `passwords` of the
//! package zxcvbn 4.5.0 (`PyPI`, MIT), which Dropbox compiled from passwords that leaked
//! (<https://github.com/dropbox/zxcvbn>). [NIST SP 800-63B](https://pages.nist.gov/800-63-3/sp800-63b.html#memsecretver), section 5.1.1.2, asks for such a list and
//! for words of the context; it does not ask for kinds of characters, and neither does this. Only the functions that set passwords carry the list: 29 KB.

use crate::domain::Username;
use boxoffice_kernel::Email;

const COMMON: &str = include_str!("common_passwords.txt");

/// The product, however it is spelled: letters and digits only.
const PRODUCT: &str = "boxoffice";

/// How many letters and digits a password must have beside a word of its context.
const LEAST_BESIDE: usize = 4;

/// Why a password would be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Many have it.
    #[error("this password is among the commonest: choose one that nobody would guess")]
    Common,
    /// It is hardly more than something that everybody knows of its owner.
    #[error("the password is hardly more than the username, the mail address or this product's name")]
    Contextual,
}

/// The weakness of a password that this user would set; `None` when it has none.
pub(crate) fn weakness(password: &str, username: &Username, email: &Email) -> Option<Weakness> {
    let password = password.to_lowercase();
    if is_common(&password) {
        return Some(Weakness::Common);
    }
    let bare = bare(&password);
    let (mailbox, host) = email.as_str().split_once('@').unwrap_or_default();
    let domain = host.split('.').next().unwrap_or_default();
    let words =
        [username.as_str(), email.as_str(), mailbox, domain, PRODUCT].map(|word| self::bare(&word.to_lowercase()));
    let hardly_more =
        |word: &String| word.len() >= 3 && bare.contains(word.as_str()) && beside(&bare, word) < LEAST_BESIDE;
    words.iter().any(hardly_more).then_some(Weakness::Contextual)
}

fn is_common(password: &str) -> bool {
    COMMON.lines().any(|common| common == password)
}

/// Letters and digits only: `ada.lovelace!` is `adalovelace`.
fn bare(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).collect()
}

/// How many characters are left without the word.
fn beside(text: &str, word: &str) -> usize {
    text.replace(word, "").chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ada(password: &str) -> Option<Weakness> {
        weakness(password, &"ada.lovelace".parse().unwrap(), &"countess@analytical.example".parse().unwrap())
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for common in ["password", "Password1", "12345678", "QWERTYUIOP", "iloveyou", "trustno1", "11111111"] {
            assert_eq!(of_ada(common), Some(Weakness::Common), "{common}");
        }
    }

    #[test]
    fn a_password_that_is_hardly_more_than_a_known_word_is_refused() {
        for known in [
            "Ada.Lovelace",
            "adalovelace1!",
            "ada_lovelace99",
            "countess@analytical.example",
            "Countess123",
            "analytical",
            "boxoffice",
            "Box-Office-1",
            "b.o.x.o.f.f.i.c.e",
        ] {
            assert_eq!(of_ada(known), Some(Weakness::Contextual), "{known}");
        }
    }

    #[test]
    fn any_characters_are_accepted_in_an_uncommon_password() {
        for own in [
            "correct horse battery",
            "staple of another kind",
            "boxoffice-local-admin",
            "ada likes difference engines",
            "ßßßßßßßß",
        ] {
            assert_eq!(of_ada(own), None, "{own}");
        }
        // A name of two letters says nothing of a password.
        assert_eq!(weakness("abacus and more", &"abc".parse().unwrap(), &"ab@x.example".parse().unwrap()), None);
    }

    #[test]
    fn the_list_is_as_documented() {
        let list: Vec<&str> = COMMON.lines().collect();
        assert_eq!(list.len(), 3000);
        assert!(list.is_sorted() && list.iter().all(|common| common.len() >= 8 && *common == common.to_lowercase()));
    }
}
