//! Lambda entry point; see [`boxoffice_operations::handlers::redrive_saga`].

use boxoffice_aws::client;
use boxoffice_operations::{Casework, handlers::redrive_saga};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let casework = Casework::from_source(&client::dynamodb(&client::sdk_config()), config::required)?;
    http::serve("redrive-saga", Gate::from_env()?, async |request| redrive_saga::handle(&casework, request).await).await
}
