//! Lambda entry point; see [`boxoffice_tickets::handlers::create_ticket`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::create_ticket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let desk = boxoffice_tickets::desk_from_env()?;
    http::serve("create-ticket", Gate::from_env()?, async |request| create_ticket::handle(&desk, request).await).await
}
