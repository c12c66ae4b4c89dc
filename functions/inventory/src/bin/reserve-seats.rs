//! Lambda entry point; see [`boxoffice_inventory::handlers::reserve_seats`].

use boxoffice_inventory::{App, handlers::reserve_seats};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("reserve-seats", Gate::from_env()?, async |request| reserve_seats::handle(&app, request).await).await
}
