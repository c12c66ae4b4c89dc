//! Lambda entry point; see [`boxoffice_operations::handlers::replay_events`].

use boxoffice_aws::client;
use boxoffice_operations::{Replayer, handlers::replay_events};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let replayer = Replayer::from_source(&client::sdk_config(), config::required)?;
    http::serve("replay-events", Gate::from_env()?, async |request| replay_events::handle(&replayer, request).await)
        .await
}
