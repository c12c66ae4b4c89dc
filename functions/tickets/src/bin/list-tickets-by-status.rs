//! Lambda entry point; see [`boxoffice_tickets::handlers::list_tickets_by_status`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::list_tickets_by_status;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("list-tickets-by-status", Gate::from_env()?, async |request| {
        list_tickets_by_status::handle(&store, request).await
    })
    .await
}
