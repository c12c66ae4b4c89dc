//! The reader of a page, by their cookies.

use crate::{cookies::Cookie, frame::Frame};
use boxoffice_runtime::{
    Code, Problem,
    auth::{Access, Caller, Gate},
    http::Answer,
};
use lambda_http::{
    Request,
    http::{
        HeaderValue, Method,
        header::{AUTHORIZATION, REFERER},
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A reader, as their cookies show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody has logged in.
    Stranger,
    /// Somebody whose session is valid.
    Known(Caller),
    /// Somebody whose access token has ended, and who has a refresh token.
    Stale,
}

impl Visitor {
    /// The reader of this request.
    ///
    /// # Errors
    /// When the store does not say whether their session is valid.
    pub async fn of(gate: &Gate, request: &Request) -> Result<Self, Problem> {
        let can_renew = Cookie::Refresh.of(request).is_some();
        let unknown = if can_renew { Self::Stale } else { Self::Stranger };
        let Some(token) = Cookie::Access.of(request) else { return Ok(unknown) };
        match bearer(gate, token).await {
            Ok(caller) => Ok(Self::Known(caller)),
            Err(problem) => match problem.code {
                Code::TokenExpired => Ok(unknown),
                Code::TokenInvalid | Code::TokenRevoked | Code::AuthenticationRequired => Ok(Self::Stranger),
                _ => Err(problem),
            },
        }
    }
}

/// The caller who has this access token.
///
/// # Errors
/// As the API's own, when the token is not valid or the store does not say.
pub async fn bearer(gate: &Gate, token: &str) -> Result<Caller, Problem> {
    let garbled = |_| Problem::new(Code::TokenInvalid, "The access token is not one of ours.");
    let mut asking = Request::default();
    asking.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).map_err(garbled)?);
    gate.admit(Access::SignedIn, &asking).await
}

/// The answer that also takes the session's cookies away.
pub fn without_session(answer: Answer) -> Answer {
    [Cookie::Access, Cookie::Refresh, Cookie::Form]
        .into_iter()
        .fold(answer, |answer, cookie| answer.with_header("set-cookie", cookie.removed()))
}

/// The caller of a page that is for nobody else, or the answer that leads them to the log-in or renews their tokens first. `here` is the page's path below
/// `/shop/`, and `back` the page to come to after a log-in.
///
/// # Errors
/// That answer.
pub async fn reader(gate: &Gate, request: &Request, frame: &Frame, here: &str, back: &str) -> Result<Caller, Answer> {
    match Visitor::of(gate, request).await {
        Ok(Visitor::Known(caller)) => Ok(caller),
        Ok(Visitor::Stale) => Err(renewal(request, frame, here)),
        Ok(Visitor::Stranger) => Err(frame.see(&format!("session?to={}", encoded(back)))),
        Err(problem) => Err(frame.clone().refuse(request, &problem)),
    }
}

/// Sends the browser for new tokens and from there back here, with the form it has posted.
pub fn renewal(request: &Request, frame: &Frame, here: &str) -> Answer {
    let path = format!("session/renewal?to={}", encoded(here));
    if request.method() == Method::GET { frame.see(&path) } else { frame.same_request(&path) }
}

/// The text as a parameter of a URL.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The first parts of the paths that a log-in leads on to.
const PLACES: [&str; 5] = ["checkout", "orders", "events", "verification", "second-factor"];

/// A page of the shop to go on to, should it be one: a link that somebody else made leads nowhere else.
pub fn onward(to: &str) -> Option<&str> {
    let (path, _) = to.split_once('?').unwrap_or((to, ""));
    let of_ours = PLACES.contains(&path.split('/').next().unwrap_or_default());
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/?=&%+.".contains(&byte);
    let of_ours = of_ours || to == "session/end";
    (of_ours && to.bytes().all(harmless) && !to.contains("..") && !to.contains("//")).then_some(to)
}

/// The page to come back to in place of this path, should it be one that only takes a form: a page can be opened again, and a form is lost.
pub fn page_of(path: &str) -> &str {
    const FORMS: [&str; 5] = ["/payment", "/cancellation", "/mail", "/confirmation", "/removal"];
    FORMS.iter().find_map(|form| path.strip_suffix(form)).unwrap_or(path)
}

/// The address of the shop as the reader's browser knows it, with `/shop` at its end: by the page that posted this form. No setting could say it, since a stack
/// may answer under several.
pub fn public_address(request: &Request) -> Option<String> {
    let referer = request.headers().get(REFERER)?.to_str().ok()?;
    let page = referer.split(['?', '#']).next()?;
    let (base, _) = page.rsplit_once("/shop/")?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte);
    let valid = crate::frame::origin(base).is_some() && base.bytes().all(harmless);
    valid.then(|| format!("{base}/shop"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use lambda_http::request::LambdaRequest;
    use serde_json::{Value, json};

    /// A request as API Gateway sends it, for a route with a query.
    pub(crate) fn asked(method: &str, url: &str, headers: &[(&str, &str)]) -> Request {
        let mut event: Value =
            serde_json::from_str(include_str!("../../../events/fixtures/post-tickets-request.json")).unwrap();
        let (route, query) = url.split_once('?').unwrap_or((url, ""));
        event["httpMethod"] = method.into();
        event["path"] = route.into();
        event["resource"] = route.into();
        event["requestContext"]["resourcePath"] = route.into();
        event["requestContext"]["path"] = route.into();
        event["body"] = Value::Null;
        event["headers"] = json!({});
        event["multiValueHeaders"] = json!({});
        for (name, value) in headers {
            event["headers"][name] = (*value).into();
        }
        event["queryStringParameters"] = json!({});
        event["multiValueQueryStringParameters"] = json!({});
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            event["queryStringParameters"][name] = value.into();
            event["multiValueQueryStringParameters"][name] = json!([value]);
        }
        serde_json::from_value::<LambdaRequest>(event).unwrap().into()
    }

    #[test]
    fn a_log_in_leads_on_to_pages_of_the_shop_alone() {
        for to in [
            "checkout?event=inv_01&quantity=2",
            "orders",
            "orders/tkt_01?lang=de",
            "events/inv_1",
            "verification/mail",
            "second-factor",
        ] {
            assert_eq!(onward(to), Some(to));
        }
        for to in [
            "",
            "https://evil.example",
            "//evil.example",
            "orders//evil.example",
            "orders/../../users",
            "session",
            "second-factors",
            "orders\r\nset-cookie: a=b",
            "javascript:alert(1)",
        ] {
            assert_eq!(onward(to), None, "{to}");
        }
    }

    #[test]
    fn a_lost_form_leads_back_to_the_page_that_has_it() {
        for (path, page) in [
            ("orders/tkt_1/payment", "orders/tkt_1"),
            ("orders/tkt_1/cancellation", "orders/tkt_1"),
            ("verification/mail", "verification"),
            ("second-factor/confirmation", "second-factor"),
            ("second-factor/removal", "second-factor"),
            ("orders/tkt_1", "orders/tkt_1"),
        ] {
            assert_eq!(page_of(path), page);
        }
    }

    #[test]
    fn the_shops_address_is_where_the_form_was() {
        let address = |referer: &str| public_address(&asked("POST", "/shop/orders", &[("referer", referer)]));
        assert_eq!(
            address("http://127.0.0.1:4566/_aws/execute-api/ab12/local/shop/orders/tkt_1?card=pm_1"),
            Some("http://127.0.0.1:4566/_aws/execute-api/ab12/local/shop".into())
        );
        assert_eq!(address("https://tickets.example/shop/orders/tkt_1"), Some("https://tickets.example/shop".into()));
        for referer in
            ["", "https://tickets.example/", "javascript:/shop/", "https://a b/shop/x", "https://a/\"/shop/x"]
        {
            assert_eq!(address(referer), None, "{referer}");
        }
    }
}
