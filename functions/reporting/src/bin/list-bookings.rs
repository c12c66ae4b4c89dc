//! Lambda entry point; see [`boxoffice_reporting::handlers::list_bookings`].

use boxoffice_reporting::handlers::list_bookings;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_reporting::store_from_env()?;
    http::serve("list-bookings", Gate::from_env()?, async |request| list_bookings::handle(&store, request).await).await
}
