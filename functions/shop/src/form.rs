//! The fields that a form posted, and the token that shows that a page of ours sent it.

use crate::cookies::Cookie;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_kernel::SessionId;
use boxoffice_runtime::{Code, Problem};
use lambda_http::Request;
use percent_encoding::percent_decode_str;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use std::collections::HashMap;

/// The fields of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(HashMap<String, String>);

impl Form {
    /// The fields that a request posted as `application/x-www-form-urlencoded`; of two by one name, the first.
    pub fn of(request: &Request) -> Self {
        let text = String::from_utf8_lossy(request.body());
        let mut fields = HashMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.entry(decoded(name)).or_insert_with(|| decoded(value));
        }
        Self(fields)
    }

    /// The field's text, without spaces around it; empty where it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map(|value| value.trim()).unwrap_or_default()
    }

    /// The field's text as it was typed: a password may begin with a space.
    pub fn typed(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// The secret that a browser's form tokens are made of: in a cookie that no script reads and no other host sets.
#[derive(Clone, PartialEq, Eq)]
pub struct FormSecret(String);

impl std::fmt::Debug for FormSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormSecret(…)")
    }
}

impl FormSecret {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, Problem> {
        random().map(Self)
    }

    /// The browser's, where it has one.
    pub fn of(request: &Request) -> Option<Self> {
        Cookie::Form.of(request).map(|value| Self(value.to_owned()))
    }

    /// The header that gives it to the browser, for as long as the browser runs.
    pub fn cookie(&self) -> String {
        Cookie::Form.set(&self.0, crate::cookies::LONGEST_SECONDS)
    }

    /// The token of the forms of this session's pages, or of those of nobody's session.
    pub fn token(&self, session: Option<SessionId>) -> String {
        let tag = hmac::sign(&self.key(), bound_to(session).as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    /// Whether a form has the token of this browser and this session.
    ///
    /// # Errors
    /// 403 where it has none, or another's.
    pub fn check(&self, session: Option<SessionId>, form: &Form) -> Result<(), Problem> {
        let token = BASE64_URL_SAFE_NO_PAD.decode(form.text(TOKEN)).unwrap_or_default();
        hmac::verify(&self.key(), bound_to(session).as_bytes(), &token).map_err(|_| forged())
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

/// The form's field that has the token.
pub const TOKEN: &str = "form_token";

fn bound_to(session: Option<SessionId>) -> String {
    session.map(|session| session.to_string()).unwrap_or_default()
}

/// 403 to a form that no page of this session sent.
pub fn forged() -> Problem {
    Problem::new(
        Code::Forbidden,
        "The form is not one of this session's pages. Open the page again, and send it from there.",
    )
    .at(TOKEN)
}

/// 256 random bits in base64url.
///
/// # Errors
/// When the machine has no randomness to give.
pub fn random() -> Result<String, Problem> {
    let mut bytes = [0_u8; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Problem::new(Code::InternalError, "The machine has no randomness to give."))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;

    fn form(body: &str) -> Form {
        Form::of(&Request::new(Body::Text(body.to_owned())))
    }

    #[test]
    fn fields_are_read_as_browsers_send_them() {
        let form = form("name=Ada+%26+Gr%C3%A4fin&empty=&flag&name=second&q=%3Cscript%3E&pin=+12+");
        assert_eq!(form.text("name"), "Ada & Gräfin");
        assert_eq!(form.text("q"), "<script>");
        assert_eq!((form.text("pin"), form.typed("pin")), ("12", " 12 "));
        assert_eq!((form.text("empty"), form.text("flag"), form.text("missing")), ("", "", ""));
    }

    #[test]
    fn a_form_without_its_token_or_with_anothers_is_refused() {
        let (mine, theirs) = (FormSecret::generate().unwrap(), FormSecret::generate().unwrap());
        let (session, other) = (SessionId::generate(), SessionId::generate());
        let sent = |token: &str| form(&format!("{TOKEN}={token}"));
        assert!(mine.check(Some(session), &sent(&mine.token(Some(session)))).is_ok());
        for forged in [
            String::new(),
            "made-up".to_owned(),
            theirs.token(Some(session)),
            mine.token(Some(other)),
            mine.token(None),
        ] {
            let refusal = mine.check(Some(session), &sent(&forged)).unwrap_err();
            assert_eq!(refusal.code, Code::Forbidden, "{forged}");
        }
        assert!(mine.check(None, &sent(&mine.token(None))).is_ok());
    }
}
