//! Answers for every path that no function serves, and for every method that a path does not take: API Gateway hands both to the greedy
//! `{proxy+}`.
//!
//! | | |
//! |---|---|
//! | trigger | every method of `/{proxy+}` |

use boxoffice_runtime::{Code, Problem, http::Answer, routes};
use lambda_http::{Request, RequestExt as _};

/// Answers 404, or 405 with what the path does take.
///
/// # Errors
/// Always: that is the answer.
pub fn handle(request: &Request) -> Result<Answer, Problem> {
    let parameters = request.path_parameters();
    let path = format!("/{}", parameters.first("proxy").unwrap_or_default());
    let methods = routes::methods_of(&path);
    if methods.is_empty() {
        return Err(Problem::new(Code::RouteNotFound, "There is nothing at this path."));
    }
    let methods = methods.join(", ");
    Err(Problem::new(Code::MethodNotAllowed, format!("This path takes {methods}.")).with_header("allow", methods))
}
