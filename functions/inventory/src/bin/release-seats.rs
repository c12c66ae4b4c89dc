//! Lambda entry point; see [`boxoffice_inventory::handlers::release_seats`].

use boxoffice_inventory::{App, handlers::release_seats};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("release-seats", Gate::from_env()?, async |request| release_seats::handle(&app, request).await).await
}
