//! Lambda entry point; see [`boxoffice_operations::handlers::start_reconcile`].

use boxoffice_aws::client;
use boxoffice_operations::{Reconciler, handlers::start_reconcile};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let reconciler = Reconciler::from_source(&client::sdk_config(), config::required)?;
    http::serve("start-reconcile", Gate::from_env()?, async |request| {
        start_reconcile::handle(&reconciler, request).await
    })
    .await
}
