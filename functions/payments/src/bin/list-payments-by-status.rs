//! Lambda entry point; see [`boxoffice_payments::handlers::list_payments_by_status`].

use boxoffice_payments::handlers::list_payments_by_status;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_payments::reader_from_env()?;
    http::serve("list-payments-by-status", Gate::from_env()?, async |request| {
        list_payments_by_status::handle(&store, request).await
    })
    .await
}
