//! Lambda entry point; see [`boxoffice_tickets::handlers::request_cancellation`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::request_cancellation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("request-cancellation", Gate::from_env()?, async |request| {
        request_cancellation::handle(&store, request).await
    })
    .await
}
