//! Lambda entry point; see [`boxoffice_inventory::handlers::get_inventory`].

use boxoffice_inventory::{App, handlers::get_inventory};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve_public("get-inventory", async |request| get_inventory::handle(&app, request).await).await
}
