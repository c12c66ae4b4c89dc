//! Lambda entry point; see [`boxoffice_payments::handlers::get_payment_by_transaction`].

use boxoffice_payments::handlers::get_payment_by_transaction;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_payments::reader_from_env()?;
    http::serve("get-payment-by-transaction", Gate::from_env()?, async |request| {
        get_payment_by_transaction::handle(&store, request).await
    })
    .await
}
