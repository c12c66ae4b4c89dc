//! Lambda entry point; see [`boxoffice_users::handlers::list_users_by_role`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::list_users_by_role;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let users = boxoffice_users::store_from_env()?;
    http::serve("list-users-by-role", Gate::from_env()?, async |request| {
        list_users_by_role::handle(&users, request).await
    })
    .await
}
