//! One request and its reply.

use crate::{Failure, Outcome, ensure, model::Problem, people::Session};
use reqwest::{
    Client, Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

/// A base URL, and the connections to it.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: Url,
    seen: Option<Seen>,
}

/// Every reply that came, to be looked through afterwards.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Reply>>>);

impl Seen {
    fn note(&self, reply: &Reply) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(reply.clone());
    }

    /// All of them so far.
    pub fn replies(&self) -> Vec<Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Http {
    /// Requests to what is below this URL.
    ///
    /// # Errors
    /// When it is not a URL.
    pub fn new(base: &str) -> Outcome<Self> {
        static TLS: Once = Once::new();
        // Fails only where a provider is installed already, which is as good.
        TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let base = Url::parse(base).map_err(|error| Failure::of(format_args!("the URL {base:?}"), &error))?;
        let mut client = Client::builder().timeout(Duration::from_secs(90));
        if matches!(base.host_str(), Some("127.0.0.1" | "localhost")) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| Failure::of("the HTTP client", &error))?;
        Ok(Self { client, base, seen: None })
    }

    /// The same, which from now on remembers every reply here.
    #[must_use]
    pub fn noting(self, seen: &Seen) -> Self {
        Self { seen: Some(seen.clone()), ..self }
    }

    /// A request to this path, of which each segment is encoded.
    pub fn request<'a>(&self, method: Method, path: impl IntoIterator<Item = &'a str>) -> Request {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let (client, seen) = (self.client.clone(), self.seen.clone());
        Request { client, seen, method, url, headers: Vec::new(), body: None, session: None }
    }

    /// A GET of this path.
    pub fn get<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Request {
        self.request(Method::GET, path)
    }

    /// A POST to this path.
    pub fn post<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Request {
        self.request(Method::POST, path)
    }
}

/// A request to be sent.
#[derive(Debug, Clone)]
#[must_use]
pub struct Request {
    client: Client,
    seen: Option<Seen>,
    method: Method,
    url: Url,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    session: Option<Session>,
}

impl Request {
    /// In the name of whoever logged in there; a token is fetched when it is sent.
    pub fn by(self, session: &Session) -> Self {
        Self { session: Some(session.clone()), ..self }
    }

    /// With this access token and no other.
    pub fn bearer(self, token: &str) -> Self {
        Self { session: None, ..self }.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// As if from this address: the emulator takes it from here, where on AWS it is the connection's own.
    pub fn from_address(self, address: &str) -> Self {
        self.header("X-Forwarded-For", address)
    }

    /// With this query parameter.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// With this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body as JSON.
    pub fn json(self, body: &impl Serialize) -> Self {
        // A test sends a literal or a map with string keys, which always serializes.
        let text = serde_json::to_string(body).unwrap_or_default();
        self.text("application/json", text)
    }

    /// With this body, whatever it is.
    pub fn text(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// Sends it.
    ///
    /// # Errors
    /// When no reply comes.
    pub async fn send(self) -> Outcome<Reply> {
        let what = format!("{} {}", self.method, self.url);
        let failed = |error: reqwest::Error| Failure::of(&what, &error);
        let mut request = self.client.request(self.method, self.url);
        if let Some(session) = &self.session {
            request = request.bearer_auth(session.token().await?);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.map_err(failed)?.to_vec();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let reply = Reply { what, status, headers, body, bytes };
        if let Some(seen) = &self.seen {
            seen.note(&reply);
        }
        Ok(reply)
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The method and the URL that it answers.
    pub what: String,
    /// The status code.
    pub status: u16,
    headers: HeaderMap,
    /// The body as text.
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// A reply that was read from a connection by hand.
    pub(crate) fn new(what: &str, status: u16, headers: HeaderMap, body: String) -> Self {
        let bytes = body.clone().into_bytes();
        Self { what: what.to_owned(), status, headers, body, bytes }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The challenge of a 401. API Gateway passes the header of a function on under another name.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
    pub fn challenge(&self) -> Option<&str> {
        self.header("www-authenticate").or_else(|| self.header("x-amzn-remapped-www-authenticate"))
    }

    /// The body of a reply with this status.
    ///
    /// # Errors
    /// When the status is another, or the body is not what it should be.
    pub fn answer<T: DeserializeOwned>(&self, status: u16) -> Outcome<T> {
        self.with_status(status)?;
        serde_json::from_str(&self.body).map_err(|error| {
            Failure::new(format!("{} answered what cannot be read ({error}): {}", self.what, self.body))
        })
    }

    /// The reply, should it have this status.
    ///
    /// # Errors
    /// When the status is another.
    pub fn with_status(&self, status: u16) -> Outcome<&Self> {
        ensure!(self.status == status, "{} answered {} and not {status}: {}", self.what, self.status, self.body);
        Ok(self)
    }

    /// The problem this reply states: RFC 9457 in every part, with this status and code.
    ///
    /// # Errors
    /// When it is no such problem.
    pub fn refusal(&self, status: u16, code: &str) -> Outcome<Problem> {
        let problem: Problem = self.answer(status)?;
        let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        ensure!(
            content_type.starts_with("application/problem+json"),
            "{} refused with Content-Type {content_type:?}, not application/problem+json",
            self.what
        );
        ensure!(problem.code == code, "{} refused with {} and not {code}: {}", self.what, problem.code, self.body);
        ensure!(problem.status == status, "{} answered {status}, its problem says {}", self.what, problem.status);
        for (part, text) in [("type", &problem.kind), ("title", &problem.title), ("detail", &problem.detail)] {
            ensure!(!text.is_empty(), "{}: the problem has no {part}: {}", self.what, self.body);
        }
        ensure!(self.header("x-correlation-id").is_some(), "{} refused without x-correlation-id", self.what);
        // These help an attacker or confuse a buyer: Rust's panics and paths, the SDK's errors, the tables' names.
        for leak in ["panicked", ".rs:", "dynamodb", "DynamoDb", "arn:aws", "ConditionalCheck", "stack backtrace"] {
            ensure!(!self.body.contains(leak), "{}: the problem leaks internals ({leak}): {}", self.what, self.body);
        }
        Ok(problem)
    }
}
