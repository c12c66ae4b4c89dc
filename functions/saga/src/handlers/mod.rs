//! One file a function.

pub mod answer;
pub mod claim_saga;
pub mod get_saga;
pub mod list_sagas;
pub mod record_stuck_booking;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(get_saga::handle, list_sagas::handle))]
pub struct ApiDoc;
