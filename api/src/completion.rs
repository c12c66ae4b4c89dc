//! What every call has in common, said once: who may call it, the refusals that any call can meet, the headers of every answer, and
//! what caching adds.
//!
//! What a handler documents itself always stands; this fills in the rest.

use boxoffice_runtime::{auth::Access, routes::Route};
use serde_json::{Map, Value, json};

/// The name of the security scheme.
const SCHEME: &str = "accessToken";

const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal that calls have in common: its status, its name in the document, what it is, and an example's code, title and detail.
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
        description: "A parameter, header or field is not what this call takes. `field` names it: `VALIDATION_ERROR`, `INVALID_JSON`, \
                      `UNKNOWN_FIELD`, `INVALID_ID`, `INVALID_CURSOR`, `INVALID_QUANTITY`, `INVALID_PRICE`, `INVALID_AMOUNT`, \
                      `INVALID_EVENT_DATE`, `INVALID_SELECTOR`, `IDEMPOTENCY_KEY_REQUIRED`",
        example: ["VALIDATION_ERROR", "A field breaks its rule", "quantity is required."],
    },
    Refusal {
        status: "401",
        name: "Unauthenticated",
        description: "No access token, or one that does not stand: `AUTHENTICATION_REQUIRED`, `TOKEN_EXPIRED`, `TOKEN_INVALID`, `TOKEN_REVOKED`",
        example: [
            "TOKEN_EXPIRED",
            "The access token has expired",
            "The access token has expired. Get another with POST /users/refresh.",
        ],
    },
    Refusal {
        status: "403",
        name: "Forbidden",
        description: "`FORBIDDEN`: it is not the caller's, and their role does not allow it",
        example: ["FORBIDDEN", "Not allowed", "It is not yours, and your role does not allow it."],
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
        description: "`TOO_MANY_REQUESTS`: slow down, and try again with growing, random waits",
        example: ["TOO_MANY_REQUESTS", "Too many requests", "Slow down and try again."],
    },
    Refusal {
        status: "500",
        name: "InternalError",
        description: "`INTERNAL_ERROR`: a bug or a wrong deployment; the log has the cause under `instance`",
        example: [
            "INTERNAL_ERROR",
            "Something is wrong on our side",
            "The error is in our log under the instance given here.",
        ],
    },
    Refusal {
        status: "503",
        name: "ServiceUnavailable",
        description: "`SERVICE_UNAVAILABLE`: something this depends on is down, slow or contended; try the same call again",
        example: [
            "SERVICE_UNAVAILABLE",
            "Something this depends on is unavailable",
            "Nothing was decided. Try again, with the same Idempotency-Key if you sent one.",
        ],
    },
];

impl Refusal {
    /// Whether a call of this route, with these parts, can meet it.
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

/// Who may call a route, in words.
fn who(access: Access) -> &'static str {
    match access {
        Access::Public => "anybody",
        Access::SignedIn => "anybody who has logged in",
        Access::Owner => "whose it is, and an ADMIN",
        Access::OwnerOrManager => "whose it is, a MANAGER and an ADMIN",
        Access::Manager => "a MANAGER and an ADMIN",
        Access::Admin => "an ADMIN",
    }
}

/// Public reads may be kept for a while; how the stack is, may not.
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
                "description": "What this request is found by in the logs: the caller's own, should they have sent one",
                "schema": { "type": "string" },
                "example": "evt_01970000000070008000000000000001"
            },
            "ETag": { "description": "Names this answer; send it as `If-None-Match`", "schema": { "type": "string" } },
            "Cache-Control": { "description": "For how long this answer may be kept", "schema": { "type": "string" } },
            "Retry-After": { "description": "After how many seconds to try again", "schema": { "type": "string" } },
            "WWW-Authenticate": { "description": "How to say who is calling (RFC 6750)", "schema": { "type": "string" } }
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
    let said = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{said}\n\nWho may call it: {}.", who(access)).trim().to_owned();
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("description".to_owned(), description.into());
    }
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
