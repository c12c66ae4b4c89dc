//! Lambda entry point; see [`boxoffice_inventory::handlers::list_inventory`].

use boxoffice_inventory::{App, handlers::list_inventory};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve_public("list-inventory", async |request| list_inventory::handle(&app, request).await).await
}
