//! Lambda entry point; see [`boxoffice_inventory::handlers::list_available_inventory`].

use boxoffice_inventory::{App, handlers::list_available_inventory};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve_public("list-available-inventory", async |request| {
        list_available_inventory::handle(&app, request).await
    })
    .await
}
