//! Lambda entry point; see [`boxoffice_inventory::handlers::list_inventory_by_date`].

use boxoffice_inventory::{App, handlers::list_inventory_by_date};
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve_public("list-inventory-by-date", async |request| list_inventory_by_date::handle(&app, request).await)
        .await
}
