//! Lambda entry point; see [`boxoffice_booking::handlers::list_sagas`].

use boxoffice_booking::handlers::list_sagas;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_booking::store_from_env()?;
    http::serve("list-sagas", Gate::from_env()?, async |request| list_sagas::handle(&store, request).await).await
}
