//! An API Gateway request in, JSON or problem+json out.

use crate::{
    Code, Problem,
    auth::{Access, Caller, Gate},
    routes,
};
use boxoffice_aws::{Cursor, Limit};
use boxoffice_kernel::{Actor, EventId, Fingerprint, IdempotencyKey, Trace};
use lambda_http::{
    Adapter, Body, Error, LambdaEvent, Request, RequestExt, Response, Service as _,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, HeaderValue, IF_NONE_MATCH, LOCATION, RETRY_AFTER, SET_COOKIE,
        },
    },
    request::{LambdaRequest, RequestContext},
    service_fn,
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, future::Future, str::FromStr, time::Instant};

/// The largest body a call reads: 64 KiB, where the largest legitimate one is under 2.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// An answer that is not a problem.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Option<String>,
    bytes: Option<Vec<u8>>,
    cached_seconds: Option<u32>,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| {
            tracing::error!(%error, "answer does not serialize");
            Problem::new(Code::InternalError, "The answer could not be written.")
        })?;
        Ok(Self { body: Some(body), ..Self::empty(status) })
    }

    fn empty(status: StatusCode) -> Self {
        let (body, bytes, cached_seconds, headers) = (None, None, None, Vec::new());
        Self { status, content_type: "application/json", body, bytes, cached_seconds, headers }
    }

    /// 200 with a text that is not ours to serialize, such as a page.
    pub fn content(content_type: &'static str, body: String) -> Self {
        Self { content_type, body: Some(body), ..Self::empty(StatusCode::OK) }
    }

    /// 200 with bytes that are no text. API Gateway knows their type as binary (`BinaryMediaTypes` in the template).
    pub fn bytes(content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { content_type, bytes: Some(bytes), ..Self::empty(StatusCode::OK) }
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

    /// A page, with the status that its reader's client should act on.
    pub fn page(status: StatusCode, html: String) -> Self {
        Self { content_type: "text/html; charset=utf-8", body: Some(html), ..Self::empty(status) }
    }

    /// 303: what was posted is done, and the browser reads the outcome there.
    pub fn see_other(location: String) -> Self {
        Self::empty(StatusCode::SEE_OTHER).with_header(LOCATION.as_str(), location)
    }

    /// 307: the browser sends the same request, its form included, there.
    pub fn same_request(location: String) -> Self {
        Self::empty(StatusCode::TEMPORARY_REDIRECT).with_header(LOCATION.as_str(), location)
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
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// The same, which anybody may keep for so many seconds, and ask after whether it has changed.
    #[must_use]
    pub fn cached(mut self, seconds: u32) -> Self {
        self.cached_seconds = Some(seconds);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The values of this header that were set with [`Answer::with_header`].
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(set, _)| *set == name).map(|(_, value)| value.as_str())
    }

    /// The body, where there is one.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Serves requests until Lambda ends the environment, and only to those who may call the route they call.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve<F, Fut>(function: &str, gate: Gate, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let (gate, handle) = (&gate, &handle);
    run(function, move |request| admitted(function, gate, handle, request)).await
}

async fn admitted<F, Fut>(function: &str, gate: &Gate, handle: &F, mut request: Request) -> Result<Answer, Problem>
where
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let access = access(&request)?;
    if access != Access::Public {
        let caller = gate.admit(access, &request).await?;
        tracing::debug!(function, user_id = %caller.user_id, role = %caller.role, "admitted");
        request.extensions_mut().insert(caller);
    }
    handle(request).await
}

/// Serves requests to routes that anybody may call; any other route is refused.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_public<F, Fut>(function: &str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let handle = &handle;
    run(function, move |request| only(Access::Public, handle, request)).await
}

/// Serves requests of devices, which the handler recognizes; any other route is refused.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_devices<F, Fut>(function: &str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let handle = &handle;
    run(function, move |request| only(Access::Device, handle, request)).await
}

/// The answer to a request whose route has this rule, which the gate need not check.
async fn only<F, Fut>(admitted: Access, handle: &F, request: Request) -> Result<Answer, Problem>
where
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    if access(&request)? == admitted { handle(request).await } else { Err(misplaced(&request)) }
}

/// Serves pages. A page answers each refusal itself, as a page.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_pages<F, Fut>(function: &str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Answer> + Send,
{
    let handle = &handle;
    run(function, async move |request| Ok(handle(request).await)).await
}

/// Serves requests to paths that are no route of ours.
///
/// # Errors
/// When the Lambda runtime does.
pub async fn serve_unrouted<F, Fut>(function: &str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    run(function, handle).await
}

/// The access rule of the called route. A route that is missing from the table has no rule, so every call of it is refused.
fn access(request: &Request) -> Result<Access, Problem> {
    routes::matched(request.method().as_str(), &route(request))
        .map(|route| route.access)
        .ok_or_else(|| misplaced(request))
}

fn misplaced(request: &Request) -> Problem {
    tracing::error!(method = %request.method(), route = route(request), "the route is not this function's to serve");
    Problem::new(Code::InternalError, "Something went wrong on our side. Quote `instance` when you report it.")
}

/// The caller.
///
/// # Errors
/// 500 on a public route, which has no caller: a bug.
pub fn caller(request: &Request) -> Result<Caller, Problem> {
    request.extensions().get::<Caller>().copied().ok_or_else(|| misplaced(request))
}

async fn run<F, Fut>(function: &str, handle: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let allowed_origin = std::env::var("CORS_ALLOWED_ORIGIN").ok();
    let (handle, allowed_origin) = (&handle, allowed_origin.as_deref());
    let mut adapter = Adapter::from(service_fn(move |request| async move {
        Ok::<_, Error>(answered(function, handle, allowed_origin, request).await)
    }));
    lambda_runtime::run(service_fn(move |LambdaEvent { payload, context }: LambdaEvent<LambdaRequest>| {
        adapter.call(LambdaEvent::new(without_address(payload), context))
    }))
    .await
}

async fn answered<F, Fut>(function: &str, handle: &F, allowed_origin: Option<&str>, request: Request) -> Response<Body>
where
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let started = Instant::now();
    let trace = trace(&request);
    let (method, route) = (request.method().clone(), route(&request));
    let held = header(&request, IF_NONE_MATCH.as_str()).map(ToOwned::to_owned);
    let outcome = match refuse_oversized(&request) {
        Ok(()) => handle(request).await,
        Err(problem) => Err(problem),
    };
    let code = outcome.as_ref().err().map(|problem| problem.code.name());
    let response = respond(outcome, &trace, held.as_deref(), allowed_origin);
    tracing::info!(
        function,
        %method,
        route,
        status = response.status().as_u16(),
        code,
        correlation_id = %trace.correlation_id,
        client_correlation_id = trace.client_correlation_id.as_ref().map(tracing::field::display),
        micros = started.elapsed().as_micros(),
        "request"
    );
    response
}

/// The event without what its caller says of the address it was sent to. `lambda_http` makes a URL of that, which nobody here reads, and panics where it is
/// none: the caller would get a 502 for a header that API Gateway's stand-ins pass on.
pub fn without_address(event: LambdaRequest) -> LambdaRequest {
    match event {
        LambdaRequest::ApiGatewayV1(mut request) => {
            request.headers.remove(HOST);
            request.headers.remove("x-forwarded-proto");
            LambdaRequest::ApiGatewayV1(request)
        }
        other => other,
    }
}

/// The route's template (`/tickets/{id}`), not the path: a path has ids in it, and a log groups by route.
pub fn route(request: &Request) -> String {
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

/// Headers of every answer: <https://owasp.org/www-project-secure-headers/>, as far as they concern an API.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
];

/// Headers that a browser's script may read from another origin.
const EXPOSED: &str = "ETag, Idempotent-Replayed, Location, Retry-After, X-Correlation-Id";

fn respond(
    outcome: Result<Answer, Problem>,
    trace: &Trace,
    held: Option<&str>,
    allowed_origin: Option<&str>,
) -> Response<Body> {
    let correlation_id = trace.correlation_id.to_string();
    let answer = outcome.map_or_else(|problem| refusal(problem, &correlation_id), |answer| revalidated(answer, held));
    let body = answer.body.map(Body::Text).or_else(|| answer.bytes.map(Body::Binary));
    let mut response = Response::new(body.unwrap_or(Body::Empty));
    *response.status_mut() = answer.status;
    let own_headers = response.headers_mut();
    for (name, value) in HEADERS {
        own_headers.insert(name, HeaderValue::from_static(value));
    }
    if !matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        own_headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    let cors = allowed_origin.into_iter().flat_map(|origin| {
        let origin = ("access-control-allow-origin", origin.to_owned());
        [origin, ("access-control-expose-headers", EXPOSED.to_owned()), ("vary", "Origin".to_owned())]
    });
    let correlation = ("x-correlation-id", correlation_id);
    for (name, value) in cors.chain([correlation]).chain(answer.headers) {
        let Ok(value) = HeaderValue::from_str(&value) else { continue };
        // Each cookie is a header of its own; of any other header the last one counts.
        if name == SET_COOKIE.as_str() {
            own_headers.append(name, value);
        } else {
            own_headers.insert(name, value);
        }
    }
    response
}

fn refusal(problem: Problem, correlation_id: &str) -> Answer {
    let body = serde_json::to_string(&problem.document(correlation_id)).ok();
    let retry = (problem.code == Code::ServiceUnavailable).then(|| (RETRY_AFTER.as_str(), "1".to_owned()));
    Answer {
        content_type: "application/problem+json",
        body,
        headers: problem.header.into_iter().chain(retry).collect(),
        ..Answer::empty(problem.code.status())
    }
}

/// An answer that may be kept gets an `ETag`, and shrinks to 304 for who has it already
/// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match), section 13.1.2).
fn revalidated(answer: Answer, held: Option<&str>) -> Answer {
    let (Some(seconds), Some(body)) = (answer.cached_seconds, &answer.body) else { return answer };
    let tag = format!("\"{}\"", Fingerprint::of(&[body]).short());
    let same = held.is_some_and(|held| {
        held.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|held| held == tag || held == "*")
    });
    let answer = answer
        .with_header(CACHE_CONTROL.as_str(), format!("public, max-age={seconds}"))
        .with_header(ETAG.as_str(), tag);
    if same { Answer { status: StatusCode::NOT_MODIFIED, body: None, ..answer } } else { answer }
}

/// Where this request comes from. Its correlation id is API Gateway's request id, which no caller chooses; the caller's `X-Correlation-Id` is kept beside it.
pub fn trace(request: &Request) -> Trace {
    let request_id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| EventId::generate().to_string());
    Trace {
        correlation_id: request_id.parse().unwrap_or_else(|_| EventId::generate().into()),
        causation_id: request_id,
        actor: request.extensions().get::<Caller>().map_or(Actor::Anonymous, |caller| Actor::User(caller.user_id)),
        client_correlation_id: header(request, "x-correlation-id").and_then(|text| text.parse().ok()),
    }
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
        let detail = "Send a fresh random Idempotency-Key with each request, and the same one when you try it again.";
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
    // API Gateway puts U+FFFD in place of each byte that is no UTF-8, so that the caller's meaning is lost.
    if !std::str::from_utf8(request.body()).is_ok_and(|text| !text.contains(char::REPLACEMENT_CHARACTER)) {
        let detail = "The body is not UTF-8, or contains U+FFFD, which stands for a character that was not.";
        return Err(Problem::new(Code::InvalidJson, detail));
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
        .map_err(|_| Problem::new(Code::InvalidJson, "The body continues after the end of its JSON value."))?;
    Ok(value)
}

/// A serde error about one field, as a problem at that field.
fn field_problem(path: &str, error: &serde_json::Error, refine: fn(&str) -> Option<Code>) -> Problem {
    let message = error.to_string();
    // serde_json ends its message with a position that means nothing to a caller who sent one line.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    if let Some(unknown) = message.strip_prefix("unknown field `") {
        // The caller's own spelling: it may be empty, or have quotes of its own. The text after it is ours.
        let field = unknown.rsplit_once("`, expected ").map_or(unknown, |(field, _)| field);
        return Problem::new(Code::UnknownField, format!("{message}.")).at(field);
    }
    let (code, field, detail) = if message.starts_with("missing field") {
        (Code::ValidationError, quoted(), format!("{} is required.", quoted()))
    } else if message.starts_with("duplicate field") {
        (Code::InvalidJson, quoted(), format!("{} is there twice.", quoted()))
    } else if path == "." {
        return Problem::new(Code::InvalidJson, format!("The body is not what this call takes: {message}."));
    } else {
        (refine(path).unwrap_or(Code::ValidationError), path, format!("{path}: {message}."))
    };
    Problem::new(code, detail).at(field)
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

/// The readings of a path parameter of free text: as it came, then decoded where that differs. Gateways differ in whether they
/// decode path parameters, and text may well have a `%` of its own.
///
/// # Errors
/// When it is a `T` neither way.
pub fn spellings<T>(request: &Request, name: &'static str, code: Code) -> Result<Vec<T>, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    let parameters = request.path_parameters();
    let text = parameters.first(name).unwrap_or_default();
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|decoded| decoded != text);
    let decoded: Option<T> = decoded.and_then(|decoded| decoded.parse().ok());
    match (path(request, name, code), decoded) {
        (Ok(as_it_came), decoded) => Ok(std::iter::once(as_it_came).chain(decoded).collect()),
        (Err(_), Some(decoded)) => Ok(vec![decoded]),
        (Err(problem), None) => Err(problem),
    }
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

/// The parameters of every list, for the API's document; [`paging`] reads them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many items to answer, at most.
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    pub limit: u16,
    /// Where to go on: the `next` of the page before.
    #[param(inline, required = false)]
    pub next: Cursor,
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
    use crate::auth::{PrivateKey, PublicKeys, Signer, Verifier};
    use boxoffice_aws::{AccessRegister, client};
    use boxoffice_kernel::{Role, SessionId, Timestamp, UserId};
    use boxoffice_testing::Listener;
    use serde::Deserialize;
    use serde_json::{Value, json};
    use std::{
        collections::HashMap,
        sync::atomic::{AtomicUsize, Ordering},
    };

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

    /// The event that API Gateway sends for a route.
    fn called(method: &str, route: &str, token: Option<&str>) -> Request {
        let mut event: Value =
            serde_json::from_str(include_str!("../../../events/fixtures/post-tickets-request.json")).unwrap();
        event["httpMethod"] = method.into();
        event["requestContext"]["resourcePath"] = route.into();
        event["headers"]["X-Correlation-Id"] = "order-7".into();
        if let Some(token) = token {
            event["headers"]["Authorization"] = format!("Bearer {token}").into();
        }
        event["multiValueHeaders"] = json!({});
        serde_json::from_value::<LambdaRequest>(event).unwrap().into()
    }

    const ISSUER: &str = "urn:boxoffice:test";

    /// A gate whose register says the same of everybody, and a key whose tokens it takes.
    fn gate(standing: &Listener) -> (Gate, PrivateKey) {
        let (private, public) = PrivateKey::generate().unwrap();
        let verifier = Verifier::new(&PublicKeys { keys: vec![public] }, ISSUER).unwrap();
        (Gate::new(verifier, AccessRegister::new(client::dynamodb(&standing.sdk_config()), "sessions")), private)
    }

    fn of_generation(generation: u64) -> Listener {
        let access = json!({ "generation": { "N": generation.to_string() }, "ended": { "M": {} } });
        Listener::answering(move |_, _| (200, json!({ "Item": access })))
    }

    #[tokio::test]
    async fn a_token_of_a_session_that_never_was_is_refused_whoever_signed_it() {
        let standing = Listener::answering(|_, asked| {
            let access = json!({ "Item": { "generation": { "N": "3" }, "ended": { "M": {} } } });
            let of_access = asked["Key"]["sk"]["S"] == "ACCESS";
            (200, if of_access { access } else { json!({}) })
        });
        let (gate, key) = gate(&standing);
        let handle = async |_: Request| Answer::ok(&json!({}));
        let serving = |request| admitted("create-ticket", &gate, &handle, request);
        let request = called("POST", "/tickets", Some(&token(&somebody(Role::User), &key)));
        let response = answered("create-ticket", &serving, None, request).await;
        assert_eq!(
            (response.status(), &document(&response)["code"]),
            (StatusCode::UNAUTHORIZED, &json!("TOKEN_REVOKED"))
        );
    }

    fn somebody(role: Role) -> Caller {
        Caller { user_id: UserId::generate(), role, session: SessionId::generate(), generation: 3, logged_in_at: 0 }
    }

    fn token(caller: &Caller, key: &PrivateKey) -> String {
        Signer::new(key, ISSUER).unwrap().sign(caller, 300, Timestamp::now()).unwrap()
    }

    fn document(response: &Response<Body>) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[tokio::test]
    async fn a_handler_knows_the_access_rule_of_its_route() {
        let (gate, key) = gate(&of_generation(3));
        let me = somebody(Role::User);
        let handle = async |request: Request| Answer::ok(&json!({ "caller": caller(&request)?.user_id }));
        let serving = |request| admitted("create-ticket", &gate, &handle, request);
        let request = called("POST", "/tickets", Some(&token(&me, &key)));
        let response = answered("create-ticket", &serving, Some("https://shop.example"), request).await;
        assert_eq!((response.status(), document(&response)), (StatusCode::OK, json!({ "caller": me.user_id })));
        for (name, value) in [
            ("content-type", "application/json"),
            ("access-control-allow-origin", "https://shop.example"),
            ("vary", "Origin"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        assert_ne!(response.headers()["x-correlation-id"], "order-7", "a caller chooses no id of ours");
        assert_eq!(
            answered("create-ticket", &serving, None, called("GET", "/inventory", None)).await.status(),
            500,
            "nobody calls"
        );
    }

    #[tokio::test]
    async fn a_refused_caller_never_reaches_the_handler() {
        let reached = AtomicUsize::new(0);
        let handle = async |_| {
            reached.fetch_add(1, Ordering::Relaxed);
            Ok(Answer::no_content())
        };
        let unanswered = Listener::answering(|_, _| (400, json!({ "__type": "ResourceNotFoundException" })));
        let nobody = Listener::default();
        for (standing, role, route, code) in [
            (of_generation(3), None, "/tickets", Code::AuthenticationRequired),
            (of_generation(3), Some(Role::User), "/inventory", Code::Forbidden),
            (of_generation(2), Some(Role::Admin), "/tickets", Code::TokenRevoked),
            (nobody, Some(Role::Admin), "/tickets", Code::TokenRevoked),
            (unanswered, Some(Role::Admin), "/tickets", Code::InternalError),
            (of_generation(3), Some(Role::Admin), "/tickets/{id}/of-no-such-route", Code::InternalError),
        ] {
            let (gate, key) = gate(&standing);
            let token = role.map(|role| token(&somebody(role), &key));
            let serving = |request| admitted("create-ticket", &gate, &handle, request);
            let response = answered("create-ticket", &serving, None, called("POST", route, token.as_deref())).await;
            assert_eq!(
                (response.status(), &document(&response)["code"]),
                (code.status(), &json!(code.name())),
                "{route}"
            );
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let challenged = response.headers().contains_key("www-authenticate");
            assert_eq!(challenged, code.status() == StatusCode::UNAUTHORIZED, "{code:?}");
        }
        assert_eq!(reached.into_inner(), 0);
    }

    #[tokio::test]
    async fn a_function_without_a_gate_serves_public_routes_and_no_other() {
        let handle = async |_| Answer::ok(&json!([]));
        let serving = |request| only(Access::Public, &handle, request);
        for (method, route, status) in
            [("GET", "/inventory", 200), ("POST", "/tickets", 500), ("GET", "/tickets", 500), ("GET", "", 500)]
        {
            let response = answered("list-inventory", &serving, None, called(method, route, None)).await;
            assert_eq!(response.status(), status, "{method} {route}");
        }
    }

    #[tokio::test]
    async fn an_oversized_body_is_refused_before_anything_reads_it() {
        let mut request = called("GET", "/inventory", None);
        *request.body_mut() = Body::Text("x".repeat(MAX_BODY_BYTES + 1));
        let handle = async |_| Ok(Answer::no_content());
        let response = answered("list-inventory", &handle, None, request).await;
        assert_eq!(document(&response)["code"], Code::BodyTooLarge.name());
    }

    #[test]
    fn each_kind_of_answer_is_said_as_http_says_it() {
        struct Unwritable;
        impl Serialize for Unwritable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("not today"))
            }
        }
        let made = responded(Answer::created(&json!({}), "/tickets/tkt_1".into()).unwrap(), None);
        assert_eq!(
            (made.status(), &made.headers()[LOCATION]),
            (StatusCode::CREATED, &"/tickets/tkt_1".parse().unwrap())
        );
        let taken_up = responded(Answer::accepted(&json!({})).unwrap(), None);
        assert_eq!(taken_up.status(), StatusCode::ACCEPTED);
        let ill = responded(Answer::unavailable(&json!({})).unwrap(), None);
        assert_eq!(ill.status(), StatusCode::SERVICE_UNAVAILABLE);
        let gone = responded(Answer::no_content(), None);
        assert_eq!((gone.status(), gone.headers().get(CONTENT_TYPE)), (StatusCode::NO_CONTENT, None));
        let picture = responded(Answer::bytes("image/png", vec![0x89, 0x50]), None);
        assert_eq!(
            (picture.headers()[CONTENT_TYPE].to_str().unwrap(), picture.body()),
            ("image/png", &Body::Binary(vec![0x89, 0x50]))
        );
        let page = responded(Answer::content("text/html", "<p>".into()), None);
        assert_eq!((page.status(), &page.headers()[CONTENT_TYPE]), (StatusCode::OK, &"text/html".parse().unwrap()));
        assert_eq!(Answer::ok(&Unwritable).unwrap_err().code, Code::InternalError);
    }

    #[test]
    fn a_retryable_refusal_says_when_to_retry() {
        let trace = trace(&Request::new(Body::Empty));
        let busy = respond(Err(Problem::new(Code::ServiceUnavailable, "busy")), &trace, None, None);
        assert_eq!(busy.headers()[RETRY_AFTER], "1");
        let wrong = respond(Err(Problem::new(Code::ValidationError, "wrong")), &trace, None, None);
        assert!(!wrong.headers().contains_key(RETRY_AFTER));
    }

    fn responded(answer: Answer, held: Option<&str>) -> Response<Body> {
        let trace = trace(&Request::new(Body::Empty));
        respond(Ok(answer), &trace, held, Some("*"))
    }

    #[test]
    fn a_matching_etag_answers_not_modified() {
        let fresh = || Answer::ok(&[1, 2]).unwrap().cached(2);
        let first = responded(fresh(), None);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(first.headers()[CACHE_CONTROL], "public, max-age=2");
        for held in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let again = responded(fresh(), Some(&held));
            assert_eq!((again.status(), again.body().is_empty()), (StatusCode::NOT_MODIFIED, true), "{held}");
            assert_eq!(again.headers()[ETAG], tag);
        }
        assert_eq!(responded(fresh(), Some("\"other\"")).status(), StatusCode::OK);
        assert_eq!(responded(Answer::ok(&[1, 3]).unwrap().cached(2), Some(&tag)).status(), StatusCode::OK);
    }

    #[test]
    fn private_data_is_not_stored() {
        let answer = responded(Answer::ok(&[1]).unwrap(), Some("*"));
        assert_eq!((answer.status(), &answer.headers()[CACHE_CONTROL]), (StatusCode::OK, &"no-store".parse().unwrap()));
        assert!(!answer.headers().contains_key(ETAG));
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
            (r#"{"quantity":1,"":2}"#, (Code::UnknownField, at(""))),
            (r#"{"quantity":1,"a`b":2}"#, (Code::UnknownField, at("a`b"))),
            (r#"{"quantity":1,"`, expected `x":2}"#, (Code::UnknownField, at("`, expected `x"))),
            (r#"{"quantity":1,"x at line 3":2}"#, (Code::UnknownField, at("x at line 3"))),
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
    fn free_text_in_a_path_is_read_as_it_came_and_decoded() {
        for (text, expected) in [
            ("Concert", &["Concert"][..]),
            ("Late%20Show", &["Late%20Show", "Late Show"]),
            ("100%", &["100%"]),
            ("%0A", &["%0A"]),
            ("%C3%A9%C3%A9%C3%A9", &["ééé"]),
            ("", &[]),
            ("far too long", &[]),
        ] {
            let parameters = HashMap::from([("name".to_owned(), text.to_owned())]);
            let request = Request::new(Body::Empty).with_path_parameters(parameters);
            let found = spellings::<boxoffice_kernel::Text<11>>(&request, "name", Code::ValidationError);
            let found: Vec<String> = found.unwrap_or_default().iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_body_that_is_not_utf8_is_refused_whether_or_not_the_gateway_mended_it() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only its parsing matters here")]
        struct Named {
            name: String,
        }
        let parse = |bytes: Body| {
            let mut request = Request::new(bytes);
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            body::<Named>(&request, |_| None).map_err(|problem| problem.code)
        };
        assert_eq!(parse(Body::Binary(b"{\"name\":\"Caf\xe9\"}".to_vec())).unwrap_err(), Code::InvalidJson);
        assert_eq!(parse(Body::Text("{\"name\":\"Caf\u{fffd}\"}".into())).unwrap_err(), Code::InvalidJson);
        assert!(parse(Body::Text("{\"name\":\"Caf\u{e9}\"}".into())).is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_no_matter() {
        let event: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/fixtures/post-tickets-request.json")).unwrap();
        for (name, value) in [("X-Forwarded-Proto", "^^"), ("X-Forwarded-Proto", ""), ("Host", "a b"), ("Host", "[")] {
            let mut event = event.clone();
            event["headers"][name] = value.into();
            let event: LambdaRequest = serde_json::from_value(event).unwrap();
            let request: Request = without_address(event).into();
            assert_eq!(request.method(), "POST", "{name}: {value}");
            assert_eq!(idempotency_key(&request).unwrap().to_string(), "order-1001");
        }
    }

    #[test]
    fn a_callers_correlation_id_is_kept_beside_ours_unless_it_is_hostile() {
        let trace_of = |text: &'static str| {
            let mut request = Request::new(Body::Empty);
            request.headers_mut().insert("x-correlation-id", HeaderValue::from_static(text));
            trace(&request)
        };
        let (good, hostile) = (trace_of("order-7"), trace_of("a b\"c"));
        assert_eq!(good.client_correlation_id, "order-7".parse().ok());
        assert_eq!(hostile.client_correlation_id, None);
        for trace in [good, hostile] {
            assert!(trace.correlation_id.to_string().starts_with("evt_"), "{trace:?}");
        }
    }

    #[tokio::test]
    async fn change_names_the_caller_who_was_admitted_and_nobody_on_a_public_route() {
        let (gate, key) = gate(&of_generation(3));
        let me = somebody(Role::User);
        let handle = async |request: Request| Answer::ok(&json!({ "actor": trace(&request).actor }));
        let serving = |request| admitted("create-ticket", &gate, &handle, request);
        let request = called("POST", "/tickets", Some(&token(&me, &key)));
        let response = answered("create-ticket", &serving, None, request).await;
        assert_eq!(document(&response), json!({ "actor": me.user_id }));
        assert_eq!(trace(&called("POST", "/users", None)).actor, Actor::Anonymous);
    }
}
