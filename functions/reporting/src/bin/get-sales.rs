//! Lambda entry point; see [`boxoffice_reporting::handlers::get_sales`].

use boxoffice_reporting::handlers::get_sales;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_reporting::store_from_env()?;
    http::serve("get-sales", Gate::from_env()?, async |request| get_sales::handle(&store, request).await).await
}
