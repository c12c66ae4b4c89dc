//! Answers for every path that no function serves, and for every method that a path does not take: API Gateway hands both to the greedy
//! `{proxy+}`. `OPTIONS` is such a method, so it is here that a browser learns what it may send from another origin.
//!
//! | | |
//! |---|---|
//! | trigger | every method of `/{proxy+}` |

use boxoffice_runtime::{Code, Problem, http::Answer, routes};
use lambda_http::{
    Request, RequestExt as _,
    http::{
        Method,
        header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
    },
};

/// Headers that a script from another origin may send. The API takes a token from a header, never from a cookie, so credentials are not among them.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Correlation-Id";

/// For how long a browser may remember the answer, in seconds: a day.
const MAX_AGE: &str = "86400";

/// Answers 404, or 405 with what the path does take; to a browser's question before a call from another origin, what it may send.
///
/// # Errors
/// Always but to that question: it is the answer.
pub fn handle(request: &Request) -> Result<Answer, Problem> {
    let parameters = request.path_parameters();
    let path = format!("/{}", parameters.first("proxy").unwrap_or_default());
    let methods = routes::methods_of(&path);
    if methods.is_empty() {
        return Err(Problem::new(Code::RouteNotFound, "No call has this path."));
    }
    let methods = methods.join(", ");
    if is_preflight(request) {
        return Ok(preflight(methods));
    }
    Err(Problem::new(Code::MethodNotAllowed, format!("This path takes {methods}.")).with_header("allow", methods))
}

/// A [CORS-preflight request](https://fetch.spec.whatwg.org/#cors-preflight-request).
fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(methods: String) -> Answer {
    Answer::no_content()
        .with_header("access-control-allow-methods", methods)
        .with_header("access-control-allow-headers", ALLOWED_HEADERS.to_owned())
        .with_header("access-control-max-age", MAX_AGE.to_owned())
        .with_header("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;
    use std::collections::HashMap;

    fn request(method: Method, path: &str, headers: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(Body::Empty)
            .with_path_parameters(HashMap::from([("proxy".to_owned(), vec![path.to_owned()])]));
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    fn code(request: &Request) -> Option<Code> {
        handle(request).err().map(|problem| problem.code)
    }

    const ASKING: [(&str, &str); 2] = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];

    #[test]
    fn a_browser_is_told_what_it_may_send() {
        assert_eq!(code(&request(Method::OPTIONS, "tickets", &ASKING)), None);
        let answer = format!("{:?}", handle(&request(Method::OPTIONS, "tickets", &ASKING)).unwrap());
        assert!(answer.contains("\"GET, POST\"") && answer.contains("204"), "{answer}");
        assert_eq!(code(&request(Method::OPTIONS, "nowhere", &ASKING)), Some(Code::RouteNotFound));
    }

    #[test]
    fn other_questions_are_refused_with_what_the_path_takes() {
        for (method, headers) in [
            (Method::OPTIONS, &[][..]),
            (Method::OPTIONS, &ASKING[..1]),
            (Method::OPTIONS, &ASKING[1..]),
            (Method::PUT, &ASKING[..]),
        ] {
            let problem = handle(&request(method, "tickets", headers)).unwrap_err();
            assert_eq!(problem.code, Code::MethodNotAllowed);
            assert_eq!(problem.header, Some(("allow", "GET, POST".to_owned())));
        }
    }
}
