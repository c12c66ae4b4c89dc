//! Lambda entry point; see [`boxoffice_users::handlers::change_password`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::change_password;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let doorkeeper = boxoffice_users::Doorkeeper::from_env()?;
    let users = boxoffice_users::store_from_env()?;
    http::serve("change-password", Gate::from_env()?, async |request| {
        change_password::handle(&doorkeeper, &users, request).await
    })
    .await
}
