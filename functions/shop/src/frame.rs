//! The parts that all pages share: links that work below any base path, the head, and the headers.

use crate::{
    assets::{ICON, SCRIPT, STYLE},
    cookies::{Cookie, LONGEST_SECONDS},
    form::FormSecret,
    language::Language,
    texts::Texts,
};
use askama::Template;
use boxoffice_runtime::{
    Code, Problem,
    config::{self, ConfigError},
    http::{self, Answer},
};
use lambda_http::{
    Request, RequestExt as _,
    http::{StatusCode, header::ACCEPT_LANGUAGE},
};

/// Where cards are entered: the settings that name the payment provider's parts to a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardEntry {
    /// The key with which Stripe's script may make tokens of cards. It is public.
    pub publishable_key: Option<String>,
    /// A page of the provider that takes the card and comes back with its token.
    pub hosted: Option<String>,
}

impl CardEntry {
    /// From the environment.
    ///
    /// # Errors
    /// When the page's address is none that a header could have, or there is one anywhere but on a laptop.
    pub fn from_env() -> Result<Self, ConfigError> {
        let hosted = hosted(&config::required("ENVIRONMENT")?, config::optional(HOSTED))?;
        Ok(Self { publishable_key: config::optional("STRIPE_PUBLISHABLE_KEY"), hosted })
    }
}

const HOSTED: &str = "CARD_ENTRY_URL";

/// The page of the provider that takes cards. It comes back with a card's token in a URL, which browsers and proxies remember: good enough for the test cards of a laptop.
fn hosted(environment: &str, url: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(url) = url else { return Ok(None) };
    let invalid = |why: &str| Err(ConfigError::Invalid { name: HOSTED, why: why.to_owned() });
    if environment != "local" {
        return invalid("is for the environment local alone: a card's token comes back in a URL");
    }
    if origin(&url).is_none() {
        return invalid("must be an http(s) URL");
    }
    Ok(Some(url))
}

/// The scheme, host and port of a URL.
pub fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default();
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let valid = matches!(scheme, "http" | "https") && !host.is_empty() && host.bytes().all(harmless);
    valid.then(|| format!("{scheme}://{host}"))
}

/// The readers whom a page may be kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// It is the same for everybody, and a CDN may serve it to a crowd.
    Everybody,
    /// It is for its reader alone.
    Reader,
}

/// Something that the reader has to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The id of the field, where one is at fault.
    pub field: Option<&'static str>,
    /// Its text, which says what to do.
    pub text: String,
}

/// The frame that a page is set in.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The language of the page.
    pub language: Language,
    /// Its texts.
    pub t: &'static Texts,
    /// The page's title.
    pub title: String,
    /// The faults that the reader has to put right.
    pub faults: Vec<Fault>,
    /// Where a browser without JavaScript goes by itself after a moment, and one with it asks until there is news.
    pub waits: Option<String>,
    /// Where the browser goes at once.
    pub leads: Option<String>,
    /// The publishable key, on the page that loads Stripe's script.
    pub stripe: Option<String>,
    audience: Audience,
    root: String,
    is_chosen: bool,
    remembers: bool,
    here: String,
    form_action: Option<String>,
    fresh_secret: Option<FormSecret>,
}

impl Frame {
    /// The frame of the page that this request asks for.
    pub fn of(request: &Request, audience: Audience) -> Self {
        let parameters = request.query_string_parameters();
        let asked = parameters.first("lang").and_then(Language::of);
        // A page for everybody is cached by its URL and `Accept-Language`, so that it must not depend on a cookie.
        let remembered = match audience {
            Audience::Reader => Cookie::Language.of(request).and_then(Language::of),
            Audience::Everybody => None,
        };
        let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let language = asked.or(remembered).unwrap_or_else(|| Language::preferred(header));
        Self {
            language,
            t: Texts::of(language),
            title: String::new(),
            faults: Vec::new(),
            waits: None,
            leads: None,
            stripe: None,
            audience,
            root: root(request),
            is_chosen: asked.or(remembered).is_some(),
            remembers: asked.is_some() && audience == Audience::Reader,
            here: String::new(),
            form_action: None,
            fresh_secret: None,
        }
    }

    /// The secret that this browser's form tokens are made of; one that the answer gives it, where it has none.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn secret(&mut self, request: &Request) -> Result<FormSecret, Problem> {
        if let Some(secret) = self.fresh_secret.clone().or_else(|| FormSecret::of(request)) {
            return Ok(secret);
        }
        let secret = FormSecret::generate()?;
        self.fresh_secret = Some(secret.clone());
        Ok(secret)
    }

    /// The same under this title, as the page whose path below `/shop/` this is.
    #[must_use]
    pub fn page(mut self, title: impl Into<String>, here: impl Into<String>) -> Self {
        (self.title, self.here) = (title.into(), here.into());
        self
    }

    /// The same with something to put right.
    #[must_use]
    pub fn fault(mut self, field: Option<&'static str>, text: impl Into<String>) -> Self {
        self.faults.push(Fault { field, text: text.into() });
        self
    }

    /// The same, whose forms may lead to another host too: the provider's page for cards.
    #[must_use]
    pub fn leading_to(mut self, url: Option<&str>) -> Self {
        self.form_action = url.and_then(origin);
        self
    }

    /// Whether this field is at fault.
    pub fn is_at_fault(&self, field: &str) -> bool {
        self.faults.iter().any(|fault| fault.field == Some(field))
    }

    /// The link to a page of the shop, by its path below `/shop/`. Links are relative: a stage, a custom domain and a CDN each have another base path.
    pub fn to(&self, path: &str) -> String {
        if self.is_chosen { self.linked(path, self.language) } else { self.link(path) }
    }

    /// The link to this page in another language.
    pub fn in_language(&self, language: &Language) -> String {
        self.linked(&self.here, *language)
    }

    fn link(&self, path: &str) -> String {
        let separator = if path.is_empty() || path.starts_with('?') { "" } else { "/" };
        format!("{}shop{separator}{path}", self.root)
    }

    fn linked(&self, path: &str, language: Language) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{}{separator}lang={}", self.link(path), language.code())
    }

    /// Every language that the page is to be had in.
    pub fn languages(&self) -> [Language; 4] {
        Language::ALL
    }

    /// The code of the language, where it was chosen and goes with every link.
    pub fn chosen(&self) -> Option<&'static str> {
        self.is_chosen.then(|| self.language.code())
    }

    /// The steps of buying, counted.
    pub fn steps(&self) -> [(u8, &'static str); 4] {
        [(1, self.t.step_choose), (2, self.t.step_check), (3, self.t.step_pay), (4, self.t.step_done)]
    }

    /// The link to the style sheet.
    pub fn style(&self) -> String {
        self.link(&format!("assets/{}", STYLE.name()))
    }

    /// The link to the script.
    pub fn script(&self) -> String {
        self.link(&format!("assets/{}", SCRIPT.name()))
    }

    /// The link to the icon.
    pub fn icon(&self) -> String {
        self.link(&format!("assets/{}", ICON.name()))
    }

    /// Answers with a page.
    pub fn answer(&self, status: StatusCode, page: &impl Template) -> Answer {
        let html = page.render().unwrap_or_else(|error| {
            tracing::error!(%error, "the page does not render");
            String::new()
        });
        self.dressed(Answer::page(status, html))
    }

    /// 303 to a page of the shop.
    pub fn see(&self, path: &str) -> Answer {
        self.dressed(Answer::see_other(self.to(path)))
    }

    /// 307: the same request again, at that page of the shop.
    pub fn same_request(&self, path: &str) -> Answer {
        self.dressed(Answer::same_request(self.to(path)))
    }

    fn dressed(&self, answer: Answer) -> Answer {
        let caching = match self.audience {
            Audience::Everybody => "public, max-age=0, s-maxage=2, stale-while-revalidate=10",
            Audience::Reader => "no-store",
        };
        let answer = answer
            .with_header("cache-control", caching.to_owned())
            .with_header("vary", "Accept-Language".to_owned())
            .with_header("content-language", self.language.code().to_owned())
            .with_header("content-security-policy", self.policy())
            // To this host's own pages the whole address, since a payment needs to know where it comes back to; to others nothing.
            .with_header("referrer-policy", "same-origin".to_owned());
        let answer = match &self.fresh_secret {
            Some(secret) => answer.with_header("set-cookie", secret.cookie()),
            None => answer,
        };
        if self.remembers {
            answer.with_header("set-cookie", Cookie::Language.set(self.language.code(), LONGEST_SECONDS))
        } else {
            answer
        }
    }

    /// Nothing inline, nothing from elsewhere, but on the page that pays with Stripe's script what that needs
    /// (<https://docs.stripe.com/security/guide#content-security-policy>).
    fn policy(&self) -> String {
        let (scripts, connections, frames) = match self.stripe {
            Some(_) => (
                " https://*.js.stripe.com https://js.stripe.com",
                " https://api.stripe.com",
                "https://*.js.stripe.com https://js.stripe.com https://hooks.stripe.com",
            ),
            None => ("", "", "'none'"),
        };
        let form_action = self.form_action.as_ref().map(|origin| format!(" {origin}")).unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self'; connect-src 'self'{connections}; \
             frame-src {frames}; form-action 'self'{form_action}; base-uri 'none'; frame-ancestors 'none'"
        )
    }

    /// Answers with the page that says why there is no other.
    pub fn refuse(self, request: &Request, problem: &Problem) -> Answer {
        let t = self.t;
        let status = problem.code.status();
        let (status, title, text) = match problem.code {
            Code::Forbidden if problem.field.as_deref() == Some(crate::form::TOKEN) => {
                (status, t.forged_title, t.forged_text)
            }
            // Whether another's order is there is theirs to know.
            Code::Forbidden | Code::InvalidId | Code::InvalidCursor => {
                (StatusCode::NOT_FOUND, t.missing_title, t.missing_text)
            }
            _ if status == StatusCode::NOT_FOUND => (status, t.missing_title, t.missing_text),
            _ => (status, t.failed_title, t.failed_text),
        };
        let reference = status.is_server_error().then(|| http::trace(request).correlation_id.to_string());
        let here = self.here.clone();
        let frame = Self { audience: Audience::Reader, ..self }.page(title, here);
        frame.answer(status, &Refused { frame: &frame, text, reference })
    }
}

/// The page that says why there is no other.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    frame: &'a Frame,
    text: &'a str,
    reference: Option<String>,
}

/// The way from this page up to where `/shop` is: one step for each part of the path after the first.
fn root(request: &Request) -> String {
    let parameters = request.path_parameters();
    let path = match parameters.first("proxy") {
        Some(rest) => format!("/shop/{rest}"),
        None => http::route(request),
    };
    let parts = path.split('/').filter(|part| !part.is_empty()).count();
    let slash = usize::from(request.raw_http_path().ends_with('/'));
    "../".repeat((parts + slash).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visitor::tests::asked;

    #[test]
    fn a_hosted_page_takes_cards_on_a_laptop_alone() {
        let page = || Some("http://127.0.0.1:4567/_cards".to_owned());
        assert_eq!(hosted("local", page()).ok(), Some(page()));
        for environment in ["dev", "prod", "locals", ""] {
            assert!(hosted(environment, page()).is_err(), "{environment}");
            assert_eq!(hosted(environment, None).ok(), Some(None), "{environment}");
        }
        assert!(hosted("local", Some("javascript:alert(1)".to_owned())).is_err());
    }

    #[test]
    fn links_lead_up_to_the_shop_from_every_depth() {
        for (route, link) in [
            ("/shop", "shop/orders"),
            ("/shop/orders", "../shop/orders"),
            ("/shop/events/{id}", "../../shop/orders"),
            ("/shop/orders/{id}/payment", "../../../shop/orders"),
        ] {
            let frame = Frame::of(&asked("GET", route, &[]), Audience::Everybody);
            assert_eq!(frame.to("orders"), link, "{route}");
        }
        let home = Frame::of(&asked("GET", "/shop/orders", &[]), Audience::Reader);
        assert_eq!((home.to("").as_str(), home.to("?q=x").as_str()), ("../shop", "../shop?q=x"));
    }

    #[test]
    fn a_language_that_was_asked_for_goes_with_every_link() {
        let request = asked("GET", "/shop?lang=fr", &[("accept-language", "de")]);
        let frame = Frame::of(&request, Audience::Everybody);
        assert_eq!(frame.language, Language::Fr);
        assert_eq!(frame.to("checkout?event=inv_1"), "shop/checkout?event=inv_1&lang=fr");
        assert_eq!(frame.to(""), "shop?lang=fr");
        let unasked = Frame::of(&asked("GET", "/shop", &[("accept-language", "de")]), Audience::Everybody);
        assert_eq!((unasked.language, unasked.to("").as_str()), (Language::De, "shop"));
    }

    #[test]
    fn only_a_readers_own_page_follows_the_language_cookie() {
        let cookie = [("cookie", "__Host-language=es"), ("accept-language", "de")];
        let language = |audience| Frame::of(&asked("GET", "/shop/orders", &cookie), audience).language;
        assert_eq!(language(Audience::Reader), Language::Es);
        assert_eq!(language(Audience::Everybody), Language::De);
    }

    #[test]
    fn a_page_for_everybody_may_be_cached_and_a_readers_own_never() {
        for (audience, caching) in [(Audience::Everybody, "s-maxage=2"), (Audience::Reader, "no-store")] {
            let frame = Frame::of(&asked("GET", "/shop", &[]), audience);
            let answer = frame.see("");
            let header = answer.header_values("cache-control").next().unwrap_or_default().to_owned();
            assert!(header.contains(caching), "{header}");
        }
    }

    #[test]
    fn the_policy_lets_nothing_inline_and_nobody_else_in() {
        let mut frame = Frame::of(&asked("GET", "/shop", &[]), Audience::Reader);
        let policy = frame.policy();
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        frame.stripe = Some("pk_test_x".into());
        let frame = frame.leading_to(Some("http://127.0.0.1:4567/_cards"));
        assert!(frame.policy().contains("script-src 'self' https://*.js.stripe.com https://js.stripe.com;"));
        assert!(frame.policy().contains("form-action 'self' http://127.0.0.1:4567;"));
    }

    #[test]
    fn an_address_that_could_not_stand_in_a_policy_has_no_origin() {
        assert_eq!(origin("https://pay.example:8443/x"), Some("https://pay.example:8443".into()));
        for url in ["", "javascript:alert(1)", "https://", "https://a b/", "https://a;script-src *", "ftp://a"] {
            assert_eq!(origin(url), None, "{url}");
        }
    }
}
