//! Lambda entry point; see [`boxoffice_operations::handlers::list_queues`].

use boxoffice_aws::client;
use boxoffice_operations::{Redriver, handlers::list_queues};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let redriver = Redriver::from_source(&client::sdk_config(), config::required)?;
    http::serve("list-queues", Gate::from_env()?, async |_| list_queues::handle(&redriver).await).await
}
