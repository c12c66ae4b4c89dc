//! Lambda entry point; see [`boxoffice_reconciliation::handlers::reconcile`].

use boxoffice_reconciliation::{App, handlers::reconcile};
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let app = App::from_env()?;
    task::serve_in_time("reconcile", async |request, deadline| reconcile::run(&app, request, deadline).await).await
}
