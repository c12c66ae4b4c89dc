//! Lambda entry point; see [`boxoffice_operations::handlers::redrive_queue`].

use boxoffice_aws::client;
use boxoffice_operations::{Redriver, handlers::redrive_queue};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let redriver = Redriver::from_source(&client::sdk_config(), config::required)?;
    http::serve("redrive-queue", Gate::from_env()?, async |request| redrive_queue::handle(&redriver, request).await)
        .await
}
