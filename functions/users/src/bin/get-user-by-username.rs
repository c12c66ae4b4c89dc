//! Lambda entry point; see [`boxoffice_users::handlers::get_user_by_username`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::get_user_by_username;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let users = boxoffice_users::store_from_env()?;
    http::serve("get-user-by-username", Gate::from_env()?, async |request| {
        get_user_by_username::handle(&users, request).await
    })
    .await
}
