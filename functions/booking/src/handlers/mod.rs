//! One file a function.

pub mod claim_saga;
pub mod get_saga;
pub mod record_stuck_booking;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(get_saga::handle))]
pub struct ApiDoc;
