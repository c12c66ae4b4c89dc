//! Lambda entry point; see [`boxoffice_platform::handlers::get_openapi`].

use boxoffice_platform::handlers::get_openapi;
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    http::serve_public("get-openapi", async |_request| Ok(get_openapi::handle())).await
}
