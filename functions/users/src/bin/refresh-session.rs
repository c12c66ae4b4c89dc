//! Lambda entry point; see [`boxoffice_users::handlers::refresh_session`].

use boxoffice_runtime::{http, init_telemetry};
use boxoffice_users::handlers::refresh_session;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let entrance = boxoffice_users::Entrance::from_env()?;
    http::serve_public("refresh-session", async |request| refresh_session::handle(&entrance, request).await).await
}
