//! Lambda entry point; see [`boxoffice_users::handlers::logout`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::logout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let sessions = boxoffice_users::sessions_from_env()?;
    http::serve("logout", Gate::from_env()?, async |request| logout::handle(&sessions, request).await).await
}
