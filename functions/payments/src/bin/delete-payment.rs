//! Lambda entry point; see [`boxoffice_payments::handlers::delete_payment`].

use boxoffice_payments::handlers::delete_payment;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_payments::reader_from_env()?;
    http::serve("delete-payment", Gate::from_env()?, async |request| delete_payment::handle(&store, request).await)
        .await
}
