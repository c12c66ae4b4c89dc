//! Lambda entry point; see [`boxoffice_inventory::handlers::create_inventory`].

use boxoffice_inventory::{App, handlers::create_inventory};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("create-inventory", Gate::from_env()?, async |request| create_inventory::handle(&app, request).await)
        .await
}
