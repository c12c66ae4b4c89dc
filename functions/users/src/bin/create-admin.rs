//! Lambda entry point; see [`boxoffice_users::handlers::create_admin`].

use boxoffice_runtime::{init_telemetry, task};
use boxoffice_users::handlers::create_admin;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let registry = boxoffice_users::Registry::from_env()?;
    task::serve_plain("create-admin", async |new| create_admin::run(&registry, new).await).await
}
