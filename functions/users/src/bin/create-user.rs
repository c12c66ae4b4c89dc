//! Lambda entry point; see [`boxoffice_users::handlers::create_user`].

use boxoffice_runtime::{http, init_telemetry};
use boxoffice_users::handlers::create_user;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let registry = boxoffice_users::Registry::from_env()?;
    http::serve_public("create-user", async |request| create_user::handle(&registry, request).await).await
}
