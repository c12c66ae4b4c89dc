//! Lambda entry point; see [`boxoffice_inventory::handlers::delete_inventory`].

use boxoffice_inventory::{App, handlers::delete_inventory};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("delete-inventory", Gate::from_env()?, async |request| delete_inventory::handle(&app, request).await)
        .await
}
