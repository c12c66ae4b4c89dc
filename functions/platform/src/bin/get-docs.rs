//! Lambda entry point; see [`boxoffice_platform::handlers::get_docs`].

use boxoffice_platform::handlers::get_docs;
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    http::serve_public("get-docs", async |request| get_docs::handle(&request)).await
}
