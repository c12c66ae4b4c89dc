//! Shows the API's document.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /openapi.json` |
//! | reads | nothing: the document is part of the program (`cargo run -p boxoffice-api` writes it) |

use boxoffice_runtime::http::Answer;

const DOCUMENT: &str = include_str!("../../../../api/openapi.json");

/// For how long the document may be kept: it changes with a deployment.
const CACHED_SECONDS: u32 = 300;

/// Shows this document.
///
/// The API as OpenAPI 3.1, generated from its code.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get-openapi",
    tag = "platform",
    responses((
        status = 200,
        description = "This document",
        body = inline(serde_json::Value),
        content_type = "application/json",
        example = json!({"openapi": "3.1.0", "info": {"title": "Box Office", "version": "0.1.0"}, "paths": {}})
    ))
)]
pub fn handle() -> Answer {
    Answer::content("application/json", DOCUMENT.to_owned()).cached(CACHED_SECONDS)
}
