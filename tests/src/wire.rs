//! A connection on which a test writes what no HTTP client would: any bytes, at any pace, and whether or not it stays for the answer.

use crate::{Failure, Outcome, ensure, http::Reply};
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Longer than any answer takes, and shorter than a test's patience.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to the API.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    host: String,
    base: String,
}

async fn in_time<T>(what: &str, io: impl Future<Output = std::io::Result<T>>) -> Outcome<T> {
    match timeout(PATIENCE, io).await {
        Ok(outcome) => outcome.map_err(|error| Failure::of(what, &error)),
        Err(_) => Err(Failure::new(format!("{what}: nothing for {} s", PATIENCE.as_secs()))),
    }
}

impl Wire {
    /// A connection to the API below this URL.
    ///
    /// # Errors
    /// When there is none, or it would be encrypted: what API Gateway does with broken HTTP is not ours to test.
    pub async fn to(api_url: &str) -> Outcome<Self> {
        let url = Url::parse(api_url).map_err(|error| Failure::of(format_args!("the URL {api_url:?}"), &error))?;
        ensure!(url.scheme() == "http", "{api_url} is not a local stack's: broken HTTP is tried on those only");
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        let stream = in_time("a connection to the API", TcpStream::connect((host, port))).await?;
        Ok(Self { stream, host: format!("{host}:{port}"), base: url.path().trim_end_matches('/').to_owned() })
    }

    /// The beginning of a request to this path, which is sent as it is; the connection ends with the answer.
    pub fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let Self { host, base, .. } = self;
        let mut head = format!("{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head + "\r\n"
    }

    /// Writes these bytes.
    ///
    /// # Errors
    /// When the other side has hung up.
    pub async fn say(&mut self, bytes: &[u8]) -> Outcome<()> {
        in_time("writing to the API", self.stream.write_all(bytes)).await
    }

    /// The answer.
    ///
    /// # Errors
    /// When none comes that is HTTP.
    pub async fn reply(mut self, what: &str) -> Outcome<Reply> {
        let mut answer = Vec::new();
        in_time(what, self.stream.read_to_end(&mut answer)).await?;
        parsed(&answer)
            .ok_or_else(|| {
                Failure::new(format!("{what}: the answer is not HTTP: {:?}", String::from_utf8_lossy(&answer)))
            })
            .map(|(status, headers, body)| Reply::new(what, status, headers, body))
    }
}

/// An answer that ends with its connection: status, headers and body.
fn parsed(answer: &[u8]) -> Option<(u16, HeaderMap, String)> {
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(answer.get(..split)?).ok()?, answer.get(split + 4..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    let headers: HeaderMap = lines.map(header).collect::<Option<_>>()?;
    let chunked = headers.get("transfer-encoding").is_some_and(|value| value == "chunked");
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Some((status, headers, String::from_utf8(body).ok()?))
}

/// A body that came in chunks, each with its length in front (RFC 9112, section 7.1).
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(rest.get(..end)?).ok()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 2 + length + 2..)?;
    }
}
