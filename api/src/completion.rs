//! The parts of the document that all calls share: callers, common refusals, response headers and caching.
//!
//! A handler's own documentation takes precedence; this module fills in the rest.

use boxoffice_runtime::{auth::Access, routes::Route};
use serde_json::{Map, Value, json};

/// The name of the security scheme.
const SCHEME: &str = "accessToken";

const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal that calls share: its status, its name in the document, a description, and the code, title and detail of an example.
struct Refusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    example: [&'static str; 3],
}

const REFUSALS: [Refusal; 8] = [
    Refusal {
        status: "400",
        name: "BadRequest",
        description: "A parameter, header or field is invalid; `field` names it: `VALIDATION_ERROR`, `INVALID_JSON`, \
                      `UNKNOWN_FIELD`, `INVALID_ID`, `INVALID_CURSOR`, `INVALID_QUANTITY`, `INVALID_PRICE`, `INVALID_AMOUNT`, \
                      `INVALID_EVENT_DATE`, `INVALID_SELECTOR`, `IDEMPOTENCY_KEY_REQUIRED`",
        example: ["VALIDATION_ERROR", "A field breaks its rule", "quantity is required."],
    },
    Refusal {
        status: "401",
        name: "Unauthenticated",
        description: "No access token, or an invalid one: `AUTHENTICATION_REQUIRED`, `TOKEN_EXPIRED`, `TOKEN_INVALID`, `TOKEN_REVOKED`",
        example: [
            "TOKEN_EXPIRED",
            "The access token has expired",
            "The access token has expired. Get another with POST /users/refresh.",
        ],
    },
    Refusal {
        status: "403",
        name: "Forbidden",
        description: "`FORBIDDEN`: the resource belongs to another user, and the caller's role does not allow access",
        example: ["FORBIDDEN", "Not allowed", "It belongs to another user, and your role does not allow access."],
    },
    Refusal {
        status: "413",
        name: "BodyTooLarge",
        description: "`BODY_TOO_LARGE`: the body is over 64 KiB",
        example: ["BODY_TOO_LARGE", "The body is too large", "The body may be up to 65536 bytes."],
    },
    Refusal {
        status: "415",
        name: "UnsupportedMediaType",
        description: "`UNSUPPORTED_MEDIA_TYPE`: the body is not `application/json`",
        example: [
            "UNSUPPORTED_MEDIA_TYPE",
            "The body must be application/json",
            "Send JSON with the header Content-Type: application/json.",
        ],
    },
    Refusal {
        status: "429",
        name: "TooManyRequests",
        description: "`TOO_MANY_REQUESTS`: retry with exponential backoff and jitter",
        example: ["TOO_MANY_REQUESTS", "Too many requests", "Slow down and try again."],
    },
    Refusal {
        status: "500",
        name: "InternalError",
        description: "`INTERNAL_ERROR`: a bug or a misconfiguration; the log has the cause under `instance`",
        example: [
            "INTERNAL_ERROR",
            "Something went wrong on our side",
            "Something went wrong on our side. Quote `instance` when you report it.",
        ],
    },
    Refusal {
        status: "503",
        name: "ServiceUnavailable",
        description: "`SERVICE_UNAVAILABLE`: a dependency is down, slow or contended; retry the same call",
        example: [
            "SERVICE_UNAVAILABLE",
            "A dependency is unavailable",
            "The request was not decided. Retry it, with the same Idempotency-Key if you sent one.",
        ],
    },
];

impl Refusal {
    /// Whether this route can answer with the refusal.
    fn concerns(&self, route: &Route, takes_parameters: bool, takes_body: bool) -> bool {
        match self.status {
            "400" => takes_parameters || takes_body,
            "401" | "403" => route.access != Access::Public,
            "413" | "415" => takes_body,
            _ => true,
        }
    }

    fn response(&self) -> Value {
        let [code, title, detail] = self.example;
        let status: u16 = self.status.parse().unwrap_or_default();
        let kind = format!(
            "https://github.com/box-office/box-office/blob/main/docs/problems.md#{}",
            code.to_ascii_lowercase()
        );
        let example = json!({
            "type": kind,
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
            "instance": "evt_01970000000070008000000000000001"
        });
        let mut headers = json!({ "X-Correlation-Id": reference("headers", "X-Correlation-Id") });
        let own = match self.status {
            "401" => Some("WWW-Authenticate"),
            "503" => Some("Retry-After"),
            _ => None,
        };
        if let Some(own) = own {
            set(&mut headers, own, reference("headers", own));
        }
        let mut content = problem_content();
        if let Some(problem) = content.get_mut(PROBLEM_JSON) {
            set(problem, "example", example);
        }
        json!({ "description": self.description, "headers": headers, "content": content })
    }
}

/// The callers that a route admits, in words.
fn who(access: Access) -> &'static str {
    match access {
        Access::Public => "everybody, without a token",
        Access::SignedIn => "any signed-in user",
        Access::Owner => "the owner, ADMIN",
        Access::OwnerOrManager => "the owner, MANAGER, ADMIN",
        Access::Manager => "MANAGER, ADMIN",
        Access::Admin => "ADMIN",
        Access::Device => "a device that is enrolled at a door",
    }
}

/// Whether the response may be cached: public reads, except the health check.
fn is_cached(route: &Route) -> bool {
    route.access == Access::Public && route.method == "GET" && route.path != "/health"
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn problem_content() -> Value {
    json!({ PROBLEM_JSON: { "schema": reference("schemas", "Problem") } })
}

/// Puts `value` where there is nothing by that name.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.entry(name).or_insert(value);
    }
}

/// The object by that name, made should there be none.
fn part<'a>(object: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    object.as_object_mut()?.entry(name).or_insert_with(|| json!({})).as_object_mut()
}

/// Adds what calls refer to: the security scheme, headers, refusals, and the codes that API Gateway answers by itself.
pub fn add_components(document: &mut Value) {
    let Some(components) = document.get_mut("components") else { return };
    set(
        components,
        "securitySchemes",
        json!({ SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `accessToken` that `POST /users/login` answers"
        }}),
    );
    set(
        components,
        "headers",
        json!({
            "X-Correlation-Id": {
                "description": "The id of this request in logs and events",
                "schema": { "type": "string" },
                "example": "evt_01970000000070008000000000000001"
            },
            "ETag": { "description": "Names this answer; send it as `If-None-Match`", "schema": { "type": "string" } },
            "Cache-Control": { "description": "For how long this answer may be kept", "schema": { "type": "string" } },
            "Retry-After": { "description": "After how many seconds to try again", "schema": { "type": "string" } },
            "WWW-Authenticate": {
                "description": "How to say who is calling (RFC 6750). On AWS, API Gateway renames it: x-amzn-Remapped-WWW-Authenticate",
                "schema": { "type": "string" }
            }
        }),
    );
    set(
        components,
        "parameters",
        json!({ "If-None-Match": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of an answer that the caller has already",
            "schema": { "type": "string", "examples": ["\"3f1c8a\""] }
        }}),
    );
    let refusals: Map<_, _> = REFUSALS.iter().map(|refusal| (refusal.name.to_owned(), refusal.response())).collect();
    set(components, "responses", refusals.into());
    let codes = components.get_mut("schemas").and_then(|schemas| schemas.get_mut("ProblemCode"));
    if let Some(codes) = codes.and_then(|codes| codes.get_mut("enum")).and_then(Value::as_array_mut) {
        codes.extend(["TOO_MANY_REQUESTS", "BAD_REQUEST"].map(Value::from));
    }
}

/// Completes a call with what it has in common with others.
pub fn complete(operation: &mut Value, route: &Route) {
    let security = if route.access == Access::Public { json!([]) } else { json!([{ SCHEME: [] }]) };
    set(operation, "security", security);
    describe_access(operation, route.access);

    let takes_parameters = operation.get("parameters").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let takes_body = operation.get("requestBody").is_some();
    let Some(responses) = part(operation, "responses") else { return };
    for refusal in REFUSALS.iter().filter(|refusal| refusal.concerns(route, takes_parameters, takes_body)) {
        responses.entry(refusal.status).or_insert_with(|| reference("responses", refusal.name));
    }
    if is_cached(route) {
        responses.entry("304").or_insert_with(|| json!({ "description": "The caller has this answer already" }));
    }
    for (status, response) in responses.iter_mut().filter(|(_, response)| response.get("$ref").is_none()) {
        complete_response(status, response, is_cached(route));
    }
    if is_cached(route)
        && let Some(operation) = operation.as_object_mut()
    {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(reference("parameters", "If-None-Match"));
        }
    }
}

fn describe_access(operation: &mut Value, access: Access) {
    let written = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{}\n\nAllowed for: {}.", without_errors(written), who(access)).trim().to_owned();
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("description".to_owned(), description.into());
    }
}

/// A handler's doc comment without its `# Errors` section, which is for readers of the code: the document lists the refusals of each call.
fn without_errors(description: &str) -> &str {
    description.split("# Errors").next().unwrap_or_default().trim()
}

fn complete_response(status: &str, response: &mut Value, cached: bool) {
    if let Some(headers) = part(response, "headers") {
        let cached = cached && matches!(status, "200" | "304");
        let caching: &[&str] = if cached { &["ETag", "Cache-Control"] } else { &[] };
        for name in caching.iter().chain(&["X-Correlation-Id"]) {
            headers.entry(*name).or_insert_with(|| reference("headers", name));
        }
    }
    if status.starts_with(['4', '5'])
        && let Some(content) = part(response, "content")
    {
        let Value::Object(problem) = problem_content() else { return };
        for (media_type, schema) in problem {
            content.entry(media_type).or_insert(schema);
        }
    }
}
