//! Lambda entry point; see [`boxoffice_notifications::handlers::delete_notification`].

use boxoffice_notifications::handlers::delete_notification;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_notifications::store_from_env()?;
    http::serve("delete-notification", Gate::from_env()?, async |request| {
        delete_notification::handle(&store, request).await
    })
    .await
}
