//! Lambda entry point; see [`boxoffice_tickets::handlers::delete_ticket`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::delete_ticket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("delete-ticket", Gate::from_env()?, async |request| delete_ticket::handle(&store, request).await).await
}
