//! The cookies of a session, read and set.
//!
//! Each has the prefix `__Host-`: only this host sets it, over TLS, and for all of its paths. A browser takes a loopback address for safe, so that the laptop's
//! stack works over plain HTTP; Safari does not (`docs/adr/0048-cookies-and-form-tokens.md`).

use lambda_http::{Request, http::header::COOKIE};

/// A cookie of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The access token of the API.
    Access,
    /// The refresh token.
    Refresh,
    /// The token by which a log-in recognises the device.
    Device,
    /// The secret that form tokens are made of.
    Form,
    /// The language that was chosen.
    Language,
}

/// How long a device is recognised, and a language kept: 400 days, the most that browsers keep a cookie.
pub const LONGEST_SECONDS: u64 = 34_560_000;

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Self::Access => "__Host-access",
            Self::Refresh => "__Host-refresh",
            Self::Device => "__Host-device",
            Self::Form => "__Host-form",
            Self::Language => "__Host-language",
        }
    }

    /// Its value in this request.
    pub fn of(self, request: &Request) -> Option<&str> {
        let headers = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        headers
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == self.name() && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// The header that sets it for so many seconds.
    pub fn set(self, value: &str, seconds: u64) -> String {
        format!("{}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax", self.name())
    }

    /// The header that removes it.
    pub fn removed(self) -> String {
        self.set("", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;

    fn sent(headers: &[&str]) -> Request {
        let mut request = Request::new(Body::Empty);
        for header in headers {
            request.headers_mut().append(COOKIE, header.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_cookie_is_found_among_others_and_in_a_second_header() {
        let request = sent(&["a=b; __Host-access=x.y.z;  __Host-form=s=", "__Host-refresh=r"]);
        assert_eq!(Cookie::Access.of(&request), Some("x.y.z"));
        assert_eq!(Cookie::Form.of(&request), Some("s="));
        assert_eq!(Cookie::Refresh.of(&request), Some("r"));
        assert_eq!(Cookie::Device.of(&request), None);
    }

    #[test]
    fn a_removed_cookie_is_none() {
        assert_eq!(Cookie::Access.of(&sent(&["__Host-access="])), None);
        assert!(Cookie::Access.removed().contains("Max-Age=0"));
    }

    #[test]
    fn every_cookie_is_of_this_host_alone_and_hidden_from_scripts() {
        for cookie in [Cookie::Access, Cookie::Refresh, Cookie::Device, Cookie::Form, Cookie::Language] {
            let header = cookie.set("v", 60);
            assert!(header.starts_with("__Host-"), "{header}");
            for attribute in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(header.contains(attribute), "{header}");
            }
            assert!(!header.contains("Domain"), "{header}");
        }
    }
}
