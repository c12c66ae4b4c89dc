//! Lambda entry point; see [`boxoffice_tickets::handlers::list_tickets`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::list_tickets;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("list-tickets", Gate::from_env()?, async |request| list_tickets::handle(&store, request).await).await
}
