//! Lambda entry point; see [`boxoffice_tickets::handlers::update_ticket_status`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::update_ticket_status;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("update-ticket-status", Gate::from_env()?, async |request| {
        update_ticket_status::handle(&store, request).await
    })
    .await
}
