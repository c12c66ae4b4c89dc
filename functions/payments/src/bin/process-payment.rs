//! Lambda entry point; see [`boxoffice_payments::handlers::process_payment`].

use boxoffice_payments::{App, handlers::process_payment};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("process-payment", Gate::from_env()?, async |request| process_payment::handle(&app, request).await)
        .await
}
