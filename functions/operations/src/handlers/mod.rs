//! One file a function.

pub mod answer;
pub mod compensate_saga;
pub mod list_queues;
pub mod redrive_queue;
pub mod redrive_saga;
pub mod replay_events;
pub mod start_reconcile;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    redrive_saga::handle,
    compensate_saga::handle,
    list_queues::handle,
    redrive_queue::handle,
    replay_events::handle,
    start_reconcile::handle
))]
pub struct ApiDoc;
