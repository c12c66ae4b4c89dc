//! Lambda entry point; see [`boxoffice_payments::handlers::refund_payment`].

use boxoffice_payments::{App, handlers::refund_payment};
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let app = App::from_env()?;
    http::serve("refund-payment", Gate::from_env()?, async |request| refund_payment::handle(&app, request).await).await
}
