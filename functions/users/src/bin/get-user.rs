//! Lambda entry point; see [`boxoffice_users::handlers::get_user`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::get_user;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let users = boxoffice_users::store_from_env()?;
    http::serve("get-user", Gate::from_env()?, async |request| get_user::handle(&users, request).await).await
}
