//! One file a function.

pub mod get_docs;
pub mod get_health;
pub mod get_jwks;
pub mod get_openapi;
pub mod refuse_route;
pub mod relay_events;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(get_health::handle, get_openapi::handle, get_docs::page, get_docs::file, get_jwks::handle))]
pub struct ApiDoc;
