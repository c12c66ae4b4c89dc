//! Lambda entry point; see [`boxoffice_users::handlers::login`].

use boxoffice_runtime::{http, init_telemetry};
use boxoffice_users::handlers::login;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let doorkeeper = boxoffice_users::Doorkeeper::from_env()?;
    let entrance = boxoffice_users::Entrance::from_env()?;
    http::serve_public("login", async |request| login::handle(&doorkeeper, &entrance, request).await).await
}
