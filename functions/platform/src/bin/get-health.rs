//! Lambda entry point; see [`boxoffice_platform::handlers::get_health`].

use boxoffice_platform::handlers::get_health::{self, Checkup};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let checkup = Checkup::from_env()?;
    http::serve_public("get-health", async |_request| get_health::handle(&checkup).await).await
}
