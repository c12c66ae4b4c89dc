//! Lambda entry point; see [`boxoffice_inventory::handlers::get_inventory_by_name`].

use boxoffice_inventory::{App, handlers::get_inventory_by_name};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve_public("get-inventory-by-name", async |request| get_inventory_by_name::handle(&app, request).await)
        .await
}
