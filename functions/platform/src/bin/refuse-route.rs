//! Lambda entry point; see [`boxoffice_platform::handlers::refuse_route`].

use boxoffice_platform::handlers::refuse_route;
use boxoffice_runtime::{http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    http::serve_unrouted("refuse-route", async |request| refuse_route::handle(&request)).await
}
