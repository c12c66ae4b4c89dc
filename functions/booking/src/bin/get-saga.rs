//! Lambda entry point; see [`boxoffice_booking::handlers::get_saga`].

use boxoffice_booking::handlers::get_saga;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_booking::store_from_env()?;
    http::serve("get-saga", Gate::from_env()?, async |request| get_saga::handle(&store, request).await).await
}
