//! Shows the API's document to people: Swagger UI, where each call can be tried.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /docs`, `GET /docs/{file}` |
//! | reads | nothing: the page and what it loads are part of the program |

use boxoffice_runtime::{Code, Problem, http::Answer};
use lambda_http::{Request, RequestExt as _};

const PAGE: &str = include_str!("../../page/index.html");
const START: &str = include_str!("../../page/start.js");
// From the crate `utoipa-swagger-ui-vendored`; see build.rs.
const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css"));
const BUNDLE: &str = include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js"));

/// For how long they may be kept: they change with a deployment.
const CACHED_SECONDS: u32 = 3600;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's policy: it may run its own scripts and call this API. Swagger UI writes styles into elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files that the page loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = DocsFile)]
pub enum File {
    /// Swagger UI's style.
    #[schema(rename = "swagger-ui.css")]
    Style,
    /// Swagger UI.
    #[schema(rename = "swagger-ui-bundle.js")]
    Bundle,
    /// The script that starts it with this API's document.
    #[schema(rename = "start.js")]
    Start,
}

impl File {
    fn named(name: &str) -> Option<Self> {
        match name {
            "swagger-ui.css" => Some(Self::Style),
            "swagger-ui-bundle.js" => Some(Self::Bundle),
            "start.js" => Some(Self::Start),
            _ => None,
        }
    }

    fn content(self) -> (&'static str, &'static str) {
        match self {
            Self::Style => (CSS, STYLE),
            Self::Bundle => (JAVASCRIPT, BUNDLE),
            Self::Start => (JAVASCRIPT, START),
        }
    }
}

/// Answers with the page, or with a file that it loads.
///
/// # Errors
/// 404 for another file.
pub fn handle(request: &Request) -> Result<Answer, Problem> {
    match request.path_parameters().first("file") {
        None => Ok(page(request.raw_http_path())),
        Some(name) => file(name),
    }
}

/// Shows the API to people.
///
/// Swagger UI with this document. Each call can be tried there: log in, and give the `accessToken` to *Authorize*.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "get-docs",
    tag = "platform",
    responses((
        status = 200,
        description = "The page",
        body = String,
        content_type = "text/html",
        example = "<!doctype html>"
    ))
)]
fn page(path: &str) -> Answer {
    // The page's own links are relative, so that it works below a stage; what they are relative to depends on the slash.
    let root = if path.ends_with('/') { "../" } else { "" };
    answer(HTML, PAGE.replace("{root}", root))
}

/// Loads a part of the page at `/docs`.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "get-docs-file",
    tag = "platform",
    params(("file" = inline(File), Path, description = "The file", example = "start.js")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/javascript", example = "\"use strict\";"),
            (String = "text/css", example = ".swagger-ui { color: #3b4151 }")
        )),
        (status = 404, description = "`ROUTE_NOT_FOUND`: the page loads no such file")
    )
)]
fn file(name: &str) -> Result<Answer, Problem> {
    let missing = || Problem::new(Code::RouteNotFound, "There is no such file here.");
    let (content_type, content) = File::named(name).ok_or_else(missing)?.content();
    Ok(answer(content_type, content.to_owned()))
}

fn answer(content_type: &'static str, content: String) -> Answer {
    Answer::content(content_type, content)
        .cached(CACHED_SECONDS)
        .with_header("content-security-policy", POLICY.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_that_is_not_served() {
        let links = PAGE.split("{root}docs/").skip(1).filter_map(|rest| rest.split('"').next());
        let names: Vec<_> = links.collect();
        assert_eq!(names, ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"]);
        assert!(names.into_iter().all(|name| File::named(name).is_some()));
        assert!(!PAGE.contains("http"), "the page loads from elsewhere what its policy forbids");
    }

    #[test]
    fn the_files_are_swagger_ui() {
        assert!(STYLE.contains(".swagger-ui"));
        assert!(BUNDLE.contains("SwaggerUIBundle"));
        assert!(START.contains("SwaggerUIBundle"));
    }

    #[test]
    fn another_file_is_not_there() {
        for name in ["", "index.html", "../Cargo.toml", "swagger-ui.css.map", "SWAGGER-UI.CSS"] {
            assert_eq!(file(name).map(|_| ()).map_err(|problem| problem.code), Err(Code::RouteNotFound), "{name}");
        }
    }
}
