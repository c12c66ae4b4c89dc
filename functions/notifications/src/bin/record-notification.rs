//! Lambda entry point; see [`boxoffice_notifications::handlers::record_notification`].

use boxoffice_notifications::handlers::record_notification;
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let store = boxoffice_notifications::store_from_env()?;
    task::serve_plain("record-notification", async |delivered| record_notification::run(&store, delivered).await).await
}
