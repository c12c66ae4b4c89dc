//! Lambda entry point; see [`boxoffice_tickets::handlers::create_ticket`].

use boxoffice_runtime::{Metrics, auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::create_ticket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let desk = boxoffice_tickets::desk_from_env()?;
    let metrics = Metrics::from_env()?;
    let handle = async |request| create_ticket::handle(&desk, &metrics, request).await;
    http::serve("create-ticket", Gate::from_env()?, handle).await
}
