//! Lambda entry point; see [`boxoffice_payments::handlers::create_payment`].

use boxoffice_payments::{App, handlers::create_payment};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("create-payment", Gate::from_env()?, async |request| create_payment::handle(&app, request).await).await
}
