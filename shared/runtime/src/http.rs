//! An API Gateway request in, JSON or problem+json out.

use crate::{Code, Problem};
use boxoffice_aws::{Cursor, Limit};
use boxoffice_kernel::{Correlation, EventId, IdempotencyKey, Trace};
use lambda_http::{
    Body, Error, Request, RequestExt, Response,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER},
    },
    request::RequestContext,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, future::Future, str::FromStr, time::Instant};

/// The largest body a call reads: 64 KiB, where the largest legitimate one is under 2.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// An answer that is not a problem.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| {
            tracing::error!(%error, "answer does not serialize");
            Problem::new(Code::InternalError, "The answer could not be written.")
        })?;
        Ok(Self { status, body: Some(body), headers: Vec::new() })
    }

    /// 200 with this body.
    ///
    /// # Errors
    /// When it does not serialize.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with this body, to be found at this path.
    ///
    /// # Errors
    /// When it does not serialize.
    pub fn created(body: &impl Serialize, location: String) -> Result<Self, Problem> {
        Ok(Self::json(StatusCode::CREATED, body)?.with_header(LOCATION.as_str(), location))
    }

    /// 202 with this body: the work has been recorded and goes on without the caller.
    ///
    /// # Errors
    /// When it does not serialize.
    pub fn accepted(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// 503 with this body.
    ///
    /// # Errors
    /// When it does not serialize.
    pub fn unavailable(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::SERVICE_UNAVAILABLE, body)
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, headers: Vec::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Serves requests until Lambda ends the environment.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve<F, Fut>(function: &'static str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let handle = &handle;
    lambda_http::run(lambda_http::service_fn(move |request: Request| async move {
        let started = Instant::now();
        let trace = trace(&request);
        let (method, route) = (request.method().clone(), route(&request));
        let outcome = match refuse_oversized(&request) {
            Ok(()) => handle(request).await,
            Err(problem) => Err(problem),
        };
        let code = outcome.as_ref().err().map(|problem| problem.code.name());
        let response = respond(outcome, &trace);
        tracing::info!(
            function,
            %method,
            route,
            status = response.status().as_u16(),
            code,
            correlation_id = %trace.correlation_id,
            micros = started.elapsed().as_micros(),
            "request"
        );
        Ok::<_, Error>(response)
    }))
    .await
}

/// The route's template (`/tickets/{id}`), not the path: a path has ids in it, and a log groups by route.
fn route(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.resource_path.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

fn refuse_oversized(request: &Request) -> Result<(), Problem> {
    if request.body().len() > MAX_BODY_BYTES {
        let detail = format!("The body may be up to {MAX_BODY_BYTES} bytes.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(())
}

fn respond(outcome: Result<Answer, Problem>, trace: &Trace) -> Response<Body> {
    let correlation_id = trace.correlation_id.to_string();
    let (status, content_type, body, headers) = match outcome {
        Ok(answer) => (answer.status, "application/json", answer.body, answer.headers),
        Err(problem) => {
            let document = serde_json::to_string(&problem.document(&correlation_id)).ok();
            let retry = (problem.code == Code::ServiceUnavailable).then(|| (RETRY_AFTER.as_str(), "1".to_owned()));
            let headers = problem.header.into_iter().chain(retry).collect();
            (problem.code.status(), "application/problem+json", document, headers)
        }
    };
    let mut response = Response::new(body.map_or(Body::Empty, Body::Text));
    *response.status_mut() = status;
    let own_headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        own_headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    own_headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    own_headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        own_headers.insert("x-correlation-id", value);
    }
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            own_headers.insert(name, value);
        }
    }
    response
}

/// Where this request comes from: the caller's `X-Correlation-Id` where it is one, else API Gateway's request id.
pub fn trace(request: &Request) -> Trace {
    let request_id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| EventId::generate().to_string());
    let correlation_id: Option<Correlation> =
        header(request, "x-correlation-id").and_then(|text| text.parse().ok()).or_else(|| request_id.parse().ok());
    Trace { correlation_id: correlation_id.unwrap_or_else(|| EventId::generate().into()), causation_id: request_id }
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The key this request is to be known by.
///
/// # Errors
/// When there is none, or it is not one.
pub fn idempotency_key(request: &Request) -> Result<IdempotencyKey, Problem> {
    const HEADER: &str = "Idempotency-Key";
    let text = request.headers().get(HEADER).ok_or_else(|| {
        let detail = "Send a fresh random Idempotency-Key with each booking, and the same one when you try it again.";
        Problem::new(Code::IdempotencyKeyRequired, detail).at(HEADER)
    })?;
    text.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Problem::new(Code::ValidationError, "Idempotency-Key must be 1 to 255 visible ASCII characters.").at(HEADER)
    })
}

/// The body as `T`: strict JSON of exactly the fields `T` has.
///
/// `refine` gives some fields a code of their own (`INVALID_PRICE` rather than `VALIDATION_ERROR`).
///
/// # Errors
/// When the body is not that, with the field at fault where there is one.
pub fn body<T: DeserializeOwned>(request: &Request, refine: fn(&str) -> Option<Code>) -> Result<T, Problem> {
    let media_type = header(request, CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "Send JSON with the header Content-Type: application/json.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).at("Content-Type"));
    }
    // serde would also take a struct's fields from an array, in an order that no contract names.
    if request.body().trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Code::InvalidJson, "The body must be a JSON object."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(request.body());
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        // serde_json calls a number where a name is wanted a syntax error, which to the caller it is not.
        if error.is_data() || serde_json::from_slice::<serde::de::IgnoredAny>(request.body()).is_ok() {
            field_problem(&path, &error, refine)
        } else {
            Problem::new(Code::InvalidJson, format!("The body is not JSON: {error}."))
        }
    })?;
    deserializer
        .end()
        .map_err(|_| Problem::new(Code::InvalidJson, "The body goes on after its JSON value has ended."))?;
    Ok(value)
}

/// What serde says of one field, as a problem at that field.
fn field_problem(path: &str, error: &serde_json::Error, refine: fn(&str) -> Option<Code>) -> Problem {
    let message = error.to_string();
    // serde_json ends its message with a position that means nothing to a caller who sent one line.
    let message = message.split(" at line ").next().unwrap_or_default();
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    let (code, field, detail) = if message.starts_with("unknown field") {
        (Code::UnknownField, quoted(), format!("{message}."))
    } else if message.starts_with("missing field") {
        (Code::ValidationError, quoted(), format!("{} is required.", quoted()))
    } else if message.starts_with("duplicate field") {
        (Code::InvalidJson, quoted(), format!("{} is there twice.", quoted()))
    } else if path == "." {
        (Code::InvalidJson, "", format!("The body is not what this call takes: {message}."))
    } else {
        (refine(path).unwrap_or(Code::ValidationError), path, format!("{path}: {message}."))
    };
    let problem = Problem::new(code, detail);
    if field.is_empty() { problem } else { problem.at(field) }
}

/// The path parameter as `T`.
///
/// # Errors
/// When it is not one.
pub fn path<T>(request: &Request, name: &'static str, code: Code) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    let parameters = request.path_parameters();
    let text = parameters.first(name).unwrap_or_default();
    text.parse().map_err(|error: T::Err| Problem::new(code, format!("{name} {error}.")).at(name))
}

/// The query parameter as `T`, where it was given.
///
/// # Errors
/// When it was given and is not one.
pub fn query<T>(request: &Request, name: &'static str, code: Code) -> Result<Option<T>, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    request
        .query_string_parameters_ref()
        .and_then(|parameters| parameters.first(name))
        .map(|text| text.parse().map_err(|error: T::Err| Problem::new(code, format!("{name} {error}.")).at(name)))
        .transpose()
}

/// The query parameter as `T`.
///
/// # Errors
/// When it was not given, or is not one.
pub fn required_query<T>(request: &Request, name: &'static str, code: Code) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    query(request, name, code)?.ok_or_else(|| Problem::new(code, format!("{name} is required.")).at(name))
}

/// How much of a list, and from where: `limit` and `next`.
///
/// # Errors
/// When either is not what it should be.
pub fn paging(request: &Request) -> Result<(Limit, Option<Cursor>), Problem> {
    let limit = query(request, "limit", Code::ValidationError)?.unwrap_or_default();
    let cursor = query(request, "next", Code::InvalidCursor)?;
    Ok((limit, cursor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing matters here")]
    struct Order {
        quantity: boxoffice_kernel::Quantity,
        currency: Option<boxoffice_kernel::Currency>,
    }

    fn refine(field: &str) -> Option<Code> {
        (field == "quantity").then_some(Code::InvalidQuantity)
    }

    fn parse(content_type: &str, text: &str) -> Result<Order, (Code, Option<String>)> {
        let mut request = Request::new(Body::Text(text.to_owned()));
        request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        body(&request, refine).map_err(|problem| (problem.code, problem.field))
    }

    #[test]
    fn each_bad_body_gets_its_own_code_and_field() {
        let at = |field: &str| Some(field.to_owned());
        for (text, expected) in [
            (r#"{"quantity":0}"#, (Code::InvalidQuantity, at("quantity"))),
            (r#"{"quantity":"2"}"#, (Code::InvalidQuantity, at("quantity"))),
            (r#"{"quantity":1e40}"#, (Code::InvalidQuantity, at("quantity"))),
            ("{}", (Code::ValidationError, at("quantity"))),
            (r#"{"quantity":1,"currency":840}"#, (Code::ValidationError, at("currency"))),
            (r#"{"quantity":1,"currency":"XXX"}"#, (Code::ValidationError, at("currency"))),
            (r#"{"quantity":1,"price":2}"#, (Code::UnknownField, at("price"))),
            (r#"{"quantity":1,"quantity":2}"#, (Code::InvalidJson, at("quantity"))),
            ("[]", (Code::InvalidJson, None)),
            ("[1]", (Code::InvalidJson, None)),
            (r#"{"quantity":1"#, (Code::InvalidJson, None)),
            (r#"{"quantity":1} x"#, (Code::InvalidJson, None)),
            ("", (Code::InvalidJson, None)),
        ] {
            assert_eq!(parse("application/json", text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn only_json_is_read() {
        assert!(parse("application/json; charset=utf-8", r#"{"quantity":1}"#).is_ok());
        let refusal = (Code::UnsupportedMediaType, Some("Content-Type".to_owned()));
        assert_eq!(parse("text/plain", r#"{"quantity":1}"#).err(), Some(refusal));
    }

    #[test]
    fn a_deeply_nested_body_is_refused_rather_than_recursed_into() {
        for nested in ["[".repeat(50_000), format!("{{\"quantity\":{}", "[".repeat(50_000))] {
            assert!(parse("application/json", &nested).is_err());
        }
    }

    #[test]
    fn an_oversized_body_is_refused() {
        let request = Request::new(Body::Text("x".repeat(MAX_BODY_BYTES + 1)));
        assert_eq!(refuse_oversized(&request).map_err(|problem| problem.code), Err(Code::BodyTooLarge));
    }

    #[test]
    fn a_hostile_correlation_id_is_replaced() {
        let mut request = Request::new(Body::Empty);
        request.headers_mut().insert("x-correlation-id", HeaderValue::from_static("a b\"c"));
        assert!(trace(&request).correlation_id.to_string().starts_with("evt_"));
    }
}
