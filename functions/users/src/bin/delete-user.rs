//! Lambda entry point; see [`boxoffice_users::handlers::delete_user`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_users::handlers::delete_user;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let exit = boxoffice_users::Exit::from_env()?;
    http::serve("delete-user", Gate::from_env()?, async |request| delete_user::handle(&exit, request).await).await
}
