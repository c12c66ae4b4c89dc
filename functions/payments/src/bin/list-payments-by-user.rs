//! Lambda entry point; see [`boxoffice_payments::handlers::list_payments_by_user`].

use boxoffice_payments::handlers::list_payments_by_user;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_payments::reader_from_env()?;
    http::serve("list-payments-by-user", Gate::from_env()?, async |request| {
        list_payments_by_user::handle(&store, request).await
    })
    .await
}
