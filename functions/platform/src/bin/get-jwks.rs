//! Lambda entry point; see [`boxoffice_platform::handlers::get_jwks`].

use boxoffice_platform::handlers::get_jwks;
use boxoffice_runtime::{auth::PublicKeys, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let keys = PublicKeys::from_env()?;
    http::serve_public("get-jwks", async |_request| get_jwks::handle(&keys)).await
}
