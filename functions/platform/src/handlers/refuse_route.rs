//! Answers for every path that no function serves. A known path with a method it does not take is answered by the gateway itself, with 405.
//!
//! | | |
//! |---|---|
//! | trigger | `ANY /{proxy+}` |

use boxoffice_runtime::{Code, Problem, http::Answer};
use lambda_http::Request;

/// Answers 404.
///
/// # Errors
/// Always: that is the answer.
pub fn handle(request: &Request) -> Result<Answer, Problem> {
    Err(Problem::new(Code::RouteNotFound, format!("There is nothing at this path to {}.", request.method())))
}
