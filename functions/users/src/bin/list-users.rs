//! Lambda entry point; see [`boxoffice_users::handlers::list_users`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::list_users;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let users = boxoffice_users::store_from_env()?;
    http::serve("list-users", Gate::from_env()?, async |request| list_users::handle(&users, request).await).await
}
