//! One file a function. The first group answers HTTP, the second reads the event store's stream.

pub mod get_sales;
pub mod get_settlement;
pub mod list_bookings;

pub mod project_events;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(get_sales::handle, get_settlement::settlement, get_settlement::ledger, list_bookings::handle))]
pub struct ApiDoc;
